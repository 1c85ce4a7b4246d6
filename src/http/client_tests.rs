use std::time::Duration;

use super::*;
use crate::http::testing::{QUICK, SECRET, Seen, Server, client, json, raw_server, reply, secret};
use crate::http::{Reaction, Unreached};
use axum::response::Response as Reply;
use std::io::Write as _;

const JSON: (&str, &str) = ("content-type", "application/json");

/// What comes of one request that is always answered so, and how often it was sent.
async fn ask(
    answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static,
) -> (Result<Answer, Error>, usize) {
    let server = Server::start(answer).await;
    let result = client(&server.url).get_json(&["a"], &[]).await;
    (result, server.seen().len())
}

async fn malformed(answer: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Malformed {
    match ask(answer).await {
        (Err(Error::Malformed(word)), 3) => word,
        other => panic!("not malformed, or not tried three times: {other:?}"),
    }
}

#[tokio::test]
async fn an_answer_of_json_is_believed() {
    let server = Server::start(|_, _| {
        reply(
            200,
            &[JSON, ("date", "Tue, 12 May 2026 19:00:00 GMT")],
            "{\"a\":1}",
        )
    })
    .await;
    let answer = client(&server.url)
        .get_json(&["a b", "c/d"], &[("q", "x&y")])
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.bytes.as_slice()),
        (200, b"{\"a\":1}".as_slice())
    );
    assert_eq!(
        answer.server_time,
        Some(pagewarden_core::time::moment(1_778_612_400))
    );
    let seen = server.seen();
    assert_eq!(seen[0].uri, "/a%20b/c%2Fd?q=x%26y");
    assert_eq!(
        seen[0].header("authorization"),
        Some(format!("Bearer {SECRET}").as_str())
    );
    assert!(
        seen[0]
            .header("user-agent")
            .unwrap()
            .starts_with("pagewarden/")
    );
    assert_eq!(seen[0].header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn json_is_posted_below_the_path_of_the_base() {
    let server = Server::start(|_, _| json(200, "[]")).await;
    let base = server.url.join("ex/confluence/").unwrap();
    client(&base)
        .post_json(&["x"], &serde_json::json!({ "limit": 1 }))
        .await
        .unwrap();
    let seen = server.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path()),
        ("POST", "/ex/confluence/x")
    );
    assert_eq!(seen[0].json(), serde_json::json!({ "limit": 1 }));
}

#[tokio::test]
async fn what_was_not_asked_for_has_a_word_of_its_own_and_is_tried_again() {
    let text = |kind: &'static str, body: &'static str| {
        move |_: &Seen, _: usize| reply(200, &[("content-type", kind)], body)
    };
    assert_eq!(
        malformed(text("text/html; charset=utf-8", "<html>")).await,
        Malformed::Html
    );
    assert_eq!(
        malformed(text("application/json", " <!doctype html>")).await,
        Malformed::Html
    );
    assert_eq!(
        malformed(text("application/json", "upstream error")).await,
        Malformed::NotJson
    );
    assert_eq!(
        malformed(text("text/plain", "{}")).await,
        Malformed::ContentType
    );
    assert_eq!(
        malformed(text("application/json", "")).await,
        Malformed::Empty
    );
    assert_eq!(
        malformed(text("application/json", "{\"data\":[{\"id")).await,
        Malformed::Truncated
    );
    assert_eq!(
        malformed(text("application/json", "{\"data\":[}")).await,
        Malformed::Syntax
    );
    assert_eq!(
        malformed(|_, _| reply(204, &[], "")).await,
        Malformed::Status(204)
    );
}

#[tokio::test]
async fn json_is_known_by_its_type_or_where_there_is_none_by_its_looks() {
    for headers in [
        &[][..],
        &[("content-type", "application/problem+json")],
        &[("content-type", "Application/JSON;charset=UTF-8")],
    ] {
        let (result, _) = ask(move |_, _| reply(200, headers, "\n {}")).await;
        assert!(result.is_ok(), "{headers:?}");
    }
}

#[tokio::test]
async fn no_redirect_is_followed_and_the_credential_stays() {
    let elsewhere = Server::start(|_, _| json(200, "{}")).await;
    let target = elsewhere.url.to_string();
    let (result, _) = ask(move |_, _| reply(302, &[("location", &target)], "")).await;
    let to = "another page of the same host".to_owned();
    assert_eq!(result.unwrap_err(), Error::Redirected { to });
    assert_eq!(elsewhere.seen().len(), 0);
    for (location, to) in [
        (
            Some("https://acme-new.atlassian.net/wiki"),
            "acme-new.atlassian.net",
        ),
        (
            Some("https://id.atlassian.com/login?continue=x"),
            "id.atlassian.com",
        ),
        (Some("/login"), "another page of the same host"),
        (None, "nowhere"),
    ] {
        let (result, tries) = ask(move |_, _| {
            let headers = location.map(|location| ("location", location));
            reply(302, headers.as_slice(), "")
        })
        .await;
        let to = to.to_owned();
        assert_eq!((result.unwrap_err(), tries), (Error::Redirected { to }, 2));
    }
}

#[tokio::test]
async fn a_body_over_the_cap_is_not_read_to_its_end() {
    assert_eq!(
        malformed(|_, _| reply(200, &[JSON], vec![b'['; CAP + 1])).await,
        Malformed::TooLarge
    );
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_too_much_is_not_unpacked_to_its_end() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..(4 * CAP / 65536) {
        bomb.write_all(&vec![b'['; 65536]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < CAP / 100);
    let word =
        malformed(move |_, _| reply(200, &[JSON, ("content-encoding", "gzip")], bomb.clone()))
            .await;
    assert_eq!(word, Malformed::TooLarge);
}

#[tokio::test]
async fn a_compressed_body_is_unpacked_and_a_cut_one_is_known() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"{\"a\":[1,2,3,4,5,6,7,8,9]}").unwrap();
    let packed = packed.finish().unwrap();
    let cut = packed[..packed.len() - 12].to_vec();
    let headers = [JSON, ("content-encoding", "gzip")];
    let (result, _) = ask(move |_, _| reply(200, &headers, packed.clone())).await;
    assert_eq!(result.unwrap().bytes, b"{\"a\":[1,2,3,4,5,6,7,8,9]}");
    assert_eq!(
        malformed(move |_, _| reply(200, &headers, cut.clone())).await,
        Malformed::Cut
    );
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_cut() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{}";
    let url = raw_server(head.into());
    let error = client(&url).get_json(&[], &[]).await.unwrap_err();
    assert_eq!(error, Error::Malformed(Malformed::Cut));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_reported_without_its_address() {
    let url = Url::parse("http://127.0.0.1:1/").unwrap();
    let error = client(&url)
        .get_json(&["secret-path"], &[])
        .await
        .unwrap_err();
    assert!(matches!(
        &error,
        Error::Unreachable {
            unreached: Unreached::NoConnection,
            ..
        }
    ));
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("127.0.0.1") && !shown.contains("secret-path"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let hasty = Retry {
        timeout: Duration::from_millis(30),
        ..QUICK
    };
    let key = Authorization::Bearer(secret());
    let client = Client::new(
        &Transport::default(),
        &url,
        key,
        hasty,
        Pace::unlimited(),
        CancellationToken::new(),
    )
    .unwrap();
    let error = client.get_json(&[], &[]).await.unwrap_err();
    assert!(matches!(
        error,
        Error::Unreachable {
            unreached: Unreached::Late,
            ..
        }
    ));
}

#[tokio::test]
async fn a_stop_ends_a_request_in_its_middle() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let stop = CancellationToken::new();
    let client = Client::new(
        &Transport::default(),
        &url,
        Authorization::None,
        QUICK,
        Pace::unlimited(),
        stop.clone(),
    )
    .unwrap();
    let asking = async { client.get_json(&[], &[]).await };
    let stopping = async {
        tokio::task::yield_now().await;
        stop.cancel();
    };
    assert_eq!(
        tokio::join!(asking, stopping).0.unwrap_err(),
        Error::Stopped
    );
}

#[tokio::test]
async fn failures_pass_and_refusals_do_not() {
    for status in [500, 502, 503, 504, 408] {
        let (result, tries) = ask(move |_, _| reply(status, &[], "oops")).await;
        assert_eq!(
            result.unwrap_err(),
            Error::Failed {
                status,
                message: "oops".into(),
                wait: None
            }
        );
        assert_eq!(tries, 3);
    }
    for status in [400, 401, 403, 404, 410] {
        let (result, tries) =
            ask(move |_, _| json(status, "{\"code\":401,\"message\":\"no\"}")).await;
        assert!(matches!(result.unwrap_err(), Error::Denied { message, .. } if message == "no"));
        assert_eq!(tries, 1);
    }
    let (result, tries) = ask(|_, number| {
        if number < 2 {
            reply(500, &[], "")
        } else {
            json(200, "{}")
        }
    })
    .await;
    assert!(result.is_ok() && tries == 3);
}

#[tokio::test]
async fn a_rest_beyond_patience_is_reported_with_its_end() {
    let headers = [
        ("retry-after", "3600"),
        ("date", "Tue, 12 May 2026 19:00:00 GMT"),
    ];
    let (result, tries) = ask(move |_, _| reply(429, &headers, "")).await;
    let error = result.unwrap_err();
    assert_eq!(error.retry(), Reaction::After(Duration::from_hours(1)));
    assert_eq!(
        error.to_string(),
        "rate limited; the server asks for a pause of 3600 s, until 2026-05-12T20:00:00Z"
    );
    assert_eq!(tries, 1);
}

#[tokio::test]
async fn a_throttled_request_goes_on_after_the_rest() {
    let (result, tries) = ask(|_, number| match number {
        0 => reply(429, &[("retry-after", "0")], ""),
        1 => reply(429, &[("x-ratelimit-reset", "2022-05-12T19:13Z")], ""),
        _ => json(200, "{}"),
    })
    .await;
    assert!(result.is_ok() && tries == 3);
}

#[tokio::test]
async fn every_shape_of_refusal_is_read() {
    for (body, said) in [
        (
            "{\"errors\":[{\"id\":\"1\",\"status\":\"400\",\"code\":\"ADMIN-400-1\",\"title\":\"Bad\",\"detail\":\"cursor\"}]}",
            "ADMIN-400-1: Bad: cursor",
        ),
        ("{\"errors\":[{\"code\":7,\"title\":\"Bad\"}]}", "Bad"),
        (
            "{\"message\":\"Current user not permitted\",\"statusCode\":403}",
            "Current user not permitted",
        ),
        (
            "{\"timestamp\":\"x\",\"status\":403,\"error\":\"Forbidden\"}",
            "Forbidden",
        ),
        (
            "{\"statusCode\":404,\"data\":{\"errors\":[]},\"message\":\"gone\"}",
            "gone",
        ),
        (
            "{\"errorCode\":\"SOME_CODE\",\"errorMessage\":\"some words\"}",
            "SOME_CODE: some words",
        ),
        ("plain\nwords", "plain words"),
        ("<html>no</html>", ""),
        ("{\"mess", ""),
    ] {
        let (result, _) = ask(move |_, _| json(404, body)).await;
        assert!(
            matches!(result.unwrap_err(), Error::Denied { message, .. } if message == said),
            "{body}"
        );
    }
}

#[tokio::test]
async fn no_error_shows_the_secret_that_the_server_repeats() {
    let body = format!("{{\"message\":\"bad key {SECRET}\"}}");
    let server =
        Server::start(move |_, number| json(if number == 0 { 500 } else { 401 }, &body)).await;
    let client = client(&server.url);
    let error = client.get_json(&[], &[]).await.unwrap_err();
    let shown = format!("{error} {error:?} {client:?}");
    assert!(
        shown.contains("bad key ***") && !shown.contains(SECRET),
        "{shown}"
    );
}

#[test]
fn only_loopback_is_asked_without_tls() {
    let build = |url: &str| {
        let url = Url::parse(url).unwrap();
        Client::new(
            &Transport::default(),
            &url,
            Authorization::Bearer(secret()),
            QUICK,
            Pace::unlimited(),
            CancellationToken::new(),
        )
        .map(|_| ())
    };
    assert_eq!(build("http://acme.example"), Err(SetupError::Insecure));
    assert_eq!(
        build("http://127.0.0.1.acme.example"),
        Err(SetupError::Insecure)
    );
    assert_eq!(build("ftp://127.0.0.1"), Err(SetupError::Insecure));
    assert_eq!(
        build("https://ada:pw@acme.example"),
        Err(SetupError::Address)
    );
    for url in [
        "https://acme.example",
        "http://127.0.0.1:80",
        "http://localhost:1",
        "http://[::1]:8",
    ] {
        assert_eq!(build(url), Ok(()), "{url}");
    }
}
