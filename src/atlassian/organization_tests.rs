use super::*;
use crate::config::SecretSource;
use crate::http::Transport;
use crate::http::testing::{QUICK, SECRET, Server, json, reply, secret};
use pagewarden_core::time::moment;
use serde_json::Value;

fn organization(server: &Server) -> Organization {
    let settings = config::Organization {
        id: "o-1".into(),
        api_key: SecretSource::Env("X".into()),
        expires: None,
        url: server.url.clone(),
        requests_per_minute: 600_000,
    };
    Organization::new(
        &Transport::default(),
        &settings,
        secret(),
        QUICK,
        CancellationToken::new(),
    )
    .unwrap()
}

fn page(ids: &[&str], next: &Value) -> String {
    let data: Vec<Value> = ids
        .iter()
        .map(|id| json!({ "id": id, "attributes": { "time": "2026-05-12T19:00:00Z", "action": "user_login" } }))
        .collect();
    json!({ "data": data, "links": {}, "meta": { "next": next, "page_size": ids.len() } })
        .to_string()
}

fn cursor() -> EventsAsk {
    EventsAsk::Cursor("c 1".into())
}

fn from() -> EventsAsk {
    EventsAsk::From {
        from: moment(1_778_612_400),
        to: Some(moment(1_778_612_500)),
    }
}

async fn ask(server: &Server, ask: &EventsAsk) -> Result<EventsPage, Error> {
    organization(server).events(ask, &Mapper::default()).await
}

#[tokio::test]
async fn the_stream_is_asked_as_documented() {
    let server = Server::start(|_, _| json(200, page(&["1", "2"], &json!("c-2")))).await;
    let read = ask(&server, &from()).await.unwrap();
    assert_eq!(
        (read.received, read.events.len(), read.next.as_deref()),
        (2, 2, Some("c-2"))
    );
    ask(
        &server,
        &EventsAsk::From {
            from: moment(1),
            to: None,
        },
    )
    .await
    .unwrap();
    ask(&server, &cursor()).await.unwrap();
    let seen = server.seen();
    assert_eq!(
        seen[0].uri,
        "/admin/v1/orgs/o-1/events-stream?limit=500&sortOrder=asc&from=1778612400000&to=1778612500000"
    );
    assert_eq!(seen[1].query("to"), None);
    assert_eq!(
        seen[2].uri,
        "/admin/v1/orgs/o-1/events-stream?limit=500&cursor=c+1"
    );
    assert_eq!(
        seen[0].header("authorization"),
        Some(format!("Bearer {SECRET}").as_str())
    );
}

#[tokio::test]
async fn a_last_page_may_have_a_cursor_or_none() {
    let server = Server::start(|_, number| {
        json(
            200,
            page(
                &[],
                &if number == 0 {
                    json!("again")
                } else {
                    Value::Null
                },
            ),
        )
    })
    .await;
    assert_eq!(
        ask(&server, &from()).await.unwrap().next.as_deref(),
        Some("again")
    );
    assert_eq!(ask(&server, &from()).await.unwrap().next, None);
}

#[tokio::test]
async fn a_refused_cursor_is_distinguished_from_a_refused_request() {
    let bad = |code: &str| {
        json!({ "errors": [{ "id": "1", "status": "400", "code": code, "title": "t", "detail": "d" }] }).to_string()
    };
    for (status, body, of_cursor, of_window) in [
        (400, bad("ADMIN-400-1"), true, true),
        (400, bad("ADMIN-400-19"), true, false),
        (400, "{}".into(), true, false),
        (410, "{}".into(), true, false),
        (403, "{}".into(), false, false),
        (404, "{}".into(), false, false),
    ] {
        let said = body.clone();
        let server = Server::start(move |_, _| json(status, said.clone())).await;
        let refused =
            |result: Result<EventsPage, Error>| result.unwrap_err() == Error::CursorRefused;
        assert_eq!(
            refused(ask(&server, &cursor()).await),
            of_cursor,
            "{status} {body}"
        );
        assert_eq!(
            refused(ask(&server, &from()).await),
            of_window,
            "{status} {body}"
        );
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn an_answer_that_is_not_a_page_of_events_is_asked_for_again() {
    for body in [
        "{}",
        "{\"data\":[",
        "{\"data\":[],\"links\":{\"next\":\"https://elsewhere.example/?cursor=c\"}}",
    ] {
        let server = Server::start(move |_, number| {
            json(
                200,
                if number == 0 {
                    body.to_owned()
                } else {
                    page(&["1"], &Value::Null)
                },
            )
        })
        .await;
        assert_eq!(ask(&server, &from()).await.unwrap().received, 1, "{body}");
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
async fn a_refused_key_is_explained_and_not_shown() {
    let server = Server::start(|_, _| {
        json(
            401,
            format!("{{\"code\":401,\"message\":\"Unauthorized {SECRET}\"}}"),
        )
    })
    .await;
    let organization = organization(&server);
    let error = organization
        .events(&from(), &Mapper::default())
        .await
        .unwrap_err();
    let shown = format!("{error} {error:?} {organization:?}");
    assert!(
        shown.contains("read:events:admin") && !shown.contains(SECRET),
        "{shown}"
    );
}

#[tokio::test]
async fn the_kinds_of_event_are_listed() {
    let body = json!({ "data": [
        { "id": "user_login", "type": "event-actions", "attributes": { "displayName": "Logged in", "groupDisplayName": "g" } },
        { "id": "a", "attributes": null }, { "attributes": {} } ] });
    let server = Server::start(move |_, _| json(200, body.to_string())).await;
    let actions = organization(&server).actions().await.unwrap();
    let named = |id: &str, name: &str| EventAction {
        id: id.into(),
        display_name: name.into(),
    };
    assert_eq!(actions, [named("a", ""), named("user_login", "Logged in")]);
    assert_eq!(server.seen()[0].uri, "/admin/v1/orgs/o-1/event-actions");
}

/// A directory of three pages, with this way of naming the next one.
async fn directory(next: fn(usize) -> Value) -> Server {
    Server::start(move |_, number| {
        let user = json!({ "accountId": format!("712020:u{number}"), "platformRoles": ["atlassian/org-admin"] });
        let body = json!({ "data": [user], "links": { "next": if number < 2 { next(number) } else { Value::Null } } });
        reply(200, &[("content-type", "application/json"), ("date", "Tue, 12 May 2026 19:00:00 GMT")], body.to_string())
    })
    .await
}

async fn all(server: &Server) -> (Result<UsersWalk, Error>, Vec<String>) {
    let mut ids = Vec::new();
    let walk = organization(server)
        .all_users(&mut |users| ids.extend(users.into_iter().map(|user| user.id.to_string())))
        .await;
    (walk, ids)
}

#[tokio::test]
async fn the_directory_is_walked_to_its_end_whatever_its_links_look_like() {
    let bare = directory(|number| json!(format!("c-{number}"))).await;
    let path =
        directory(|number| json!(format!("/admin/v2/orgs/o-1/x?cursor=c-{number}&limit=1"))).await;
    for server in [&bare, &path] {
        let (walk, ids) = all(server).await;
        assert_eq!(ids, ["712020:u0", "712020:u1", "712020:u2"]);
        assert_eq!(
            walk.unwrap(),
            UsersWalk {
                accounts: 3,
                unusable: 0,
                as_of: Some(moment(1_778_612_400))
            }
        );
        let seen = server.seen();
        assert_eq!(
            (seen[0].method.as_str(), seen[0].path()),
            ("POST", "/admin/v2/orgs/o-1/directories/-/users/search")
        );
        assert_eq!(
            seen[0].json(),
            json!({ "limit": 100, "expand": ["platformRoles", "groups"] })
        );
        assert_eq!(seen[2].json().get("cursor"), Some(&json!("c-1")));
    }
}

#[tokio::test]
async fn a_directory_that_goes_round_in_circles_or_elsewhere_ends_in_an_error() {
    let circle = directory(|_| json!("again")).await;
    assert_eq!(all(&circle).await.0.unwrap_err(), Malformed::Repeats.into());
    let foreign = Server::start(|_, _| {
        let next = "https://elsewhere.example/?cursor=c";
        json(
            200,
            json!({ "data": [], "links": { "next": next } }).to_string(),
        )
    })
    .await;
    assert_eq!(
        all(&foreign).await.0.unwrap_err(),
        Malformed::ForeignLink.into()
    );
    let empty = Server::start(|_, number| {
        json(
            200,
            json!({ "data": [], "links": { "next": number.to_string() } }).to_string(),
        )
    })
    .await;
    assert_eq!(all(&empty).await.0.unwrap_err(), Malformed::Repeats.into());
}
