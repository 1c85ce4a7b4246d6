//! The organisation's log over HTTP.

use std::collections::HashSet;

use serde_json::json;

use super::*;

#[tokio::test]
async fn the_stream_serves_as_many_events_as_the_world_counts() {
    for last_page in [LastPage::Cursor, LastPage::Null] {
        let tenant = Tenant::new(Options {
            last_page,
            ..Options::default()
        });
        let events = tenant.walk(&format!("{STREAM}?limit=500")).await;
        let counts = tenant.simulator.world().counts();
        assert_eq!(u32::try_from(events.len()).unwrap(), counts.delivered());
        let broken = events
            .iter()
            .filter(|event| event["attributes"]["action"].is_null())
            .count();
        let without_time = events
            .iter()
            .filter(|event| event["attributes"]["time"] == "yesterday, about noon")
            .count();
        assert_eq!([broken, without_time], [2, 2]);
        assert_eq!(
            u32::try_from(ids(&events).len()).unwrap(),
            counts.events + counts.unusable - 2
        );
        let processed: Vec<_> = events
            .iter()
            .map(|event| event["attributes"]["processedAt"].as_str())
            .collect();
        assert!(processed.is_sorted());
    }
}

#[tokio::test]
async fn what_is_served_is_what_is_exported() {
    let tenant = Tenant::new(Options::default());
    let events = tenant.walk(&format!("{STREAM}?limit=500")).await;
    let mut bytes = Vec::new();
    tenant.simulator.write_access_ndjson(&mut bytes).unwrap();
    let exported = bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let exported: Vec<Value> = exported
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert!(events == exported);
}

#[tokio::test]
async fn a_cursor_of_the_last_page_polls_for_what_is_new() {
    let tenant = Tenant::new(Options::default());
    let world = tenant.simulator.world();
    let (start, until) = (world.settings().start, world.until());
    let middle = start + (until - start) / 2;
    tenant.simulator.show_until(middle);
    let mut seen = ids(&tenant.walk(&format!("{STREAM}?limit=500")).await);
    let before = world.counts_until(middle);
    assert!(before.events > 100 && before.events < world.counts().events);
    let from = middle.timestamp_millis() + 1;
    let page = tenant.org_json(&format!("{STREAM}?from={from}")).await;
    assert_eq!(page["data"], json!([]));
    let cursor = page["meta"]["next"].as_str().unwrap().to_owned();
    tenant.simulator.show_until(until);
    seen.extend(ids(&tenant
        .walk(&format!("{STREAM}?limit=500&cursor={cursor}"))
        .await));
    assert_eq!(
        u32::try_from(seen.len()).unwrap(),
        world.counts().events + world.counts().unusable - 2
    );
}

#[tokio::test]
async fn a_window_means_processing_or_event_times_as_configured() {
    let tenant = Tenant::new(Options::default());
    let start = tenant.simulator.world().settings().start;
    // While the indexer reads, so that there is much on its way.
    let [from, to] =
        [3, 5].map(|day| (start + chrono::TimeDelta::minutes(day * 1_440 + 93)).timestamp_millis());
    let mut walks = Vec::new();
    for (stream_time, name) in [
        (StreamTime::Processing, "processedAt"),
        (StreamTime::Event, "time"),
    ] {
        tenant
            .simulator
            .change(|options| options.stream_time = stream_time);
        tenant
            .simulator
            .change(|options| options.last_page = LastPage::Null);
        let events = tenant
            .walk(&format!("{STREAM}?limit=500&from={from}&to={to}"))
            .await;
        for event in &events {
            let Ok(at) = DateTime::parse_from_rfc3339(event["attributes"][name].as_str().unwrap())
            else {
                continue;
            };
            assert!(
                (from - 999..=to).contains(&at.timestamp_millis()),
                "{event}"
            );
        }
        walks.push(ids(&events));
    }
    assert!(walks[0].len() > 100 && walks[0] != walks[1]);
}

#[tokio::test]
async fn the_other_list_of_events_is_newest_first_and_ends_with_null() {
    let tenant = Tenant::new(Options::default());
    let first = tenant.org_json("/admin/v1/orgs/{org}/events").await;
    assert_eq!(first["data"].as_array().unwrap().len(), 30);
    assert!(first["data"][0]["attributes"].get("processedAt").is_none());
    let cursor = first["meta"]["next"].as_str().unwrap();
    let mut path = format!("/admin/v1/orgs/{{org}}/events?limit=500&cursor={cursor}");
    let mut total = 30;
    loop {
        let page = tenant.org_json(&path).await;
        total += page["data"].as_array().unwrap().len();
        match page["meta"]["next"].as_str() {
            Some(cursor) => {
                path = format!("/admin/v1/orgs/{{org}}/events?limit=500&cursor={cursor}");
            }
            None => break,
        }
    }
    assert_eq!(
        u32::try_from(total).unwrap(),
        tenant.simulator.world().counts().delivered()
    );
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_with_their_code() {
    let tenant = Tenant::new(Options::default());
    for (query, code) in [
        ("limit=501", "ADMIN-400-19"),
        ("limit=0", "ADMIN-400-19"),
        ("from=yesterday", "ADMIN-400-3"),
        ("cursor=nonsense", "ADMIN-400-1"),
    ] {
        let answer = tenant.org(&format!("{STREAM}?{query}")).await;
        assert_eq!(answer.status(), 400);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            (&body["errors"][0]["code"], &body["errors"][0]["status"]),
            (&json!(code), &json!("400"))
        );
    }
    let other = tenant
        .org("/admin/v1/orgs/00000000-0000-0000-0000-000000000000/events-stream")
        .await;
    assert_eq!(other.status(), 404);
}

#[tokio::test]
async fn a_plan_without_views_has_neither_the_events_nor_the_words() {
    let tenant = Tenant::new(Options {
        plan_without_views: true,
        ..Options::default()
    });
    let events = tenant.walk(&format!("{STREAM}?limit=500")).await;
    assert!(events.len() > 50);
    let actions: HashSet<_> = events
        .iter()
        .filter_map(|event| event["attributes"]["action"].as_str())
        .collect();
    assert!(actions.contains("user_login") && actions.contains("user_added_to_group"));
    assert!(
        events
            .iter()
            .filter(|event| event["attributes"]["action"] == "confluence_page_viewed")
            .count()
            <= 4
    );
    let words = tenant.org_json("/admin/v1/orgs/{org}/event-actions").await;
    assert!(
        words["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|word| word["id"] != "confluence_page_viewed")
    );
}
