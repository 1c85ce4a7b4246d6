//! Every fault can be had, and looks as ordered.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_throttled_request_is_asked_to_wait_in_every_form() {
    let tenant = Tenant::new(Options::default());
    let names = ["retry-after", "x-retry-after", "x-ratelimit-reset"];
    let mut sent = BTreeMap::new();
    for hint in [
        Hint::Seconds,
        Hint::HttpDate,
        Hint::XRetryAfter,
        Hint::Reset,
        Hint::None,
    ] {
        tenant
            .simulator
            .fail_next("events-stream", Fault::Throttled(hint), 1);
        let answer = tenant.org(STREAM).await;
        assert_eq!(answer.status(), 429);
        let headers = names.map(|name| {
            answer
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        });
        sent.insert(format!("{hint:?}"), headers);
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], 429);
    }
    assert_eq!(sent["Seconds"][0].as_deref(), Some("0"));
    assert!(sent["HttpDate"][0].as_deref().unwrap().ends_with("GMT"));
    assert_eq!(sent["XRetryAfter"], [None, Some("0".to_owned()), None]);
    assert_eq!(
        sent["Reset"][2].as_ref().map(String::len),
        Some("2026-08-17T00:00Z".len())
    );
    assert_eq!(sent["None"], [None, None, None]);
    assert_eq!(tenant.org(STREAM).await.status(), 200);
}

#[tokio::test]
async fn answers_that_are_not_what_was_asked_for_come_as_ordered() {
    let tenant = Tenant::new(Options::default());
    let order = |fault| tenant.simulator.fail_next("events-stream", fault, 1);
    for (fault, status, content_type, is_json) in [
        (Fault::ServerError(500), 500, "application/json", true),
        (Fault::ServerError(502), 502, "application/json", true),
        (
            Fault::ServerErrorHtml(503),
            503,
            "text/html;charset=UTF-8",
            false,
        ),
        (Fault::HtmlOk, 200, "text/html;charset=UTF-8", false),
        (Fault::PlainText, 200, "text/plain;charset=UTF-8", false),
        (Fault::PlainAsJson, 200, "application/json", false),
        (Fault::Truncated, 200, "application/json", false),
        (Fault::OddType, 200, "application/octet-stream", true),
        (Fault::Redirect, 302, "text/html;charset=UTF-8", false),
    ] {
        order(fault);
        let answer = tenant.org(STREAM).await;
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers()["content-type"].to_str().unwrap()
            ),
            (status, content_type)
        );
        if fault == Fault::Redirect {
            assert!(
                answer.headers()["location"]
                    .to_str()
                    .unwrap()
                    .starts_with("https://elsewhere.example/")
            );
        }
        let body = answer.text().await.unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&body).is_ok(),
            is_json,
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_ends_before_or_within_an_answer_or_says_nothing() {
    let tenant = Tenant::new(Options::default());
    tenant.simulator.fail_next("events-stream", Fault::Reset, 1);
    assert!(tenant.try_org(STREAM).await.is_err());
    for path in [STREAM, "/_edge/tenant_info"] {
        tenant
            .simulator
            .fail_next(path.rsplit('/').next().unwrap(), Fault::CutBody, 1);
        let answer = tenant.try_org(path).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.is_err());
    }
    let hasty = |fault| {
        tenant.simulator.fail_next("events-stream", fault, 1);
        let asked = tenant
            .client
            .get(tenant.url(STREAM))
            .bearer_auth(tenant.simulator.org_key());
        asked.timeout(std::time::Duration::from_millis(500)).send()
    };
    assert!(hasty(Fault::Stall).await.unwrap_err().is_timeout());
    let begun = hasty(Fault::StalledBody).await.unwrap();
    assert_eq!(begun.status(), 200);
    assert!(begun.bytes().await.unwrap_err().is_timeout());
    assert_eq!(tenant.org(STREAM).await.status(), 200);
    let statuses: Vec<_> = tenant
        .simulator
        .requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [0, 0, 0, 0, 0, 200]);
}

#[tokio::test]
async fn for_a_while_nobody_is_at_home_and_the_place_is_kept() {
    let tenant = Tenant::new(Options::default());
    tenant
        .simulator
        .change(|options| options.faults.away = std::time::Duration::from_millis(300));
    tenant
        .simulator
        .fail_next("events-stream", Fault::Refused, 1);
    assert!(tenant.try_org(STREAM).await.is_err());
    let address = tenant.simulator.base_url().socket_addrs(|| None).unwrap()[0];
    let refused = loop {
        if let Err(error) = tokio::net::TcpStream::connect(address).await {
            break error;
        }
    };
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(tenant.org(STREAM).await.status(), 200);
}

#[tokio::test]
async fn a_page_comes_with_every_event_twice() {
    let tenant = Tenant::new(Options::default());
    let ids = |page: &Value| -> Vec<String> {
        let events = page["data"].as_array().unwrap();
        events.iter().map(|event| event["id"].to_string()).collect()
    };
    let page = format!("{STREAM}?limit=5");
    let once = ids(&tenant.org_json(&page).await);
    tenant
        .simulator
        .fail_next("events-stream", Fault::Doubled, 1);
    let twice = ids(&tenant.org_json(&page).await);
    assert_eq!((once.len(), twice.len()), (5, 10));
    assert!(
        twice
            .chunks(2)
            .zip(&once)
            .all(|(pair, one)| pair == [one.clone(), one.clone()])
    );
}

#[tokio::test]
async fn cursors_go_wrong_in_every_way() {
    let tenant = Tenant::new(Options::default());
    let order = |fault, times| tenant.simulator.fail_next("events-stream", fault, times);
    let first = tenant.org_json(&format!("{STREAM}?limit=5")).await;
    let cursor = first["meta"]["next"].as_str().unwrap();
    let second = format!("{STREAM}?limit=5&cursor={cursor}");
    order(Fault::RepeatingCursor, 1);
    let page = tenant.org_json(&second).await;
    assert_eq!(page["meta"]["next"], cursor);
    assert_eq!(page["data"].as_array().unwrap().len(), 5);
    order(Fault::EndlessCursors, 2);
    let (one, two) = (
        tenant.org_json(&second).await,
        tenant.org_json(&second).await,
    );
    assert_eq!(one["data"], json!([]));
    assert_ne!(one["meta"]["next"], two["meta"]["next"]);
    let after = one["meta"]["next"].as_str().unwrap();
    let resumed = tenant
        .org_json(&format!("{STREAM}?limit=5&cursor={after}"))
        .await;
    assert_eq!(resumed["data"], page["data"]);
    order(Fault::RefusedCursor, 1);
    assert_eq!(
        tenant.org_json(&second).await["errors"][0]["code"],
        "ADMIN-400-1"
    );
    order(Fault::ForeignNext, 1);
    let page = tenant.org_json(&second).await;
    assert!(
        page["links"]["next"]
            .as_str()
            .unwrap()
            .starts_with("https://elsewhere.example/")
    );
    assert_eq!(page["meta"]["next"], Value::Null);
    tenant.simulator.fail_next("audit", Fault::ForeignNext, 1);
    let page = tenant.site_json(&format!("{AUDIT}?limit=1")).await;
    assert!(
        page["_links"]["next"]
            .as_str()
            .unwrap()
            .starts_with("https://elsewhere.example/")
    );
}

#[tokio::test]
async fn bodies_can_be_far_too_large_or_empty_of_people() {
    let tenant = Tenant::new(Options::default());
    tenant.simulator.change(|options| {
        options.faults.oversized = 3 << 20;
        options.faults.bomb = 5 << 20;
    });
    tenant
        .simulator
        .fail_next("tenant_info", Fault::Oversized, 1);
    assert_eq!(
        tenant
            .org("/_edge/tenant_info")
            .await
            .bytes()
            .await
            .unwrap()
            .len(),
        3 << 20
    );
    tenant
        .simulator
        .fail_next("tenant_info", Fault::GzipBomb, 1);
    assert_eq!(
        tenant
            .org("/_edge/tenant_info")
            .await
            .bytes()
            .await
            .unwrap()
            .len(),
        5 << 20
    );
    tenant
        .simulator
        .fail_next("users/search", Fault::EmptyRoster, 1);
    assert_eq!(tenant.search(&json!({})).await["data"], json!([]));
    tenant.simulator.fail_next("/group", Fault::EmptyRoster, 1);
    assert_eq!(
        tenant
            .site_json("/wiki/rest/api/group?accessType=admin")
            .await["results"],
        json!([])
    );
}

#[tokio::test]
async fn by_chance_only_the_share_that_was_asked_for_goes_wrong_and_nothing_is_lost() {
    let tenant = Tenant::new(Options {
        faults: Faults::passing(3, 0.3),
        ..Options::default()
    });
    let mut good = 0;
    for _ in 0..60 {
        let answer = tenant.try_org(&format!("{STREAM}?limit=1")).await;
        let Ok(answer) = answer else { continue };
        if answer.status() != 200 {
            continue;
        }
        let Ok(body) = answer.bytes().await else {
            continue;
        };
        good += usize::from(serde_json::from_slice::<Value>(&body).is_ok());
    }
    assert!((30..55).contains(&good), "{good}");
    let faults = tenant
        .simulator
        .requests()
        .iter()
        .filter(|request| request.fault.is_some())
        .count();
    assert!((8..28).contains(&faults), "{faults}");
}
