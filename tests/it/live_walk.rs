//! Reading a log that goes on while it is read: a walk ends at the present, and gives up only where it comes no further.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use pagewarden_core::time::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::support::kit::{odd_organization, page, view};

/// A view that was processed at a moment, and happened then.
fn viewed_at(n: u32, at: DateTime<Utc>) -> Value {
    let mut event = view(n);
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    event["attributes"]["time"] = json!(at);
    event["attributes"]["processedAt"] = json!(at);
    event
}

/// So many views in pages of ten, from a moment or a cursor on, as a log sorted by processing time gives them.
fn from_log(views: u32, query: &HashMap<String, String>) -> Value {
    let first = if let Some(cursor) = query.get("cursor") {
        cursor.parse().unwrap()
    } else {
        let from = query["from"].parse().unwrap();
        let from = DateTime::from_timestamp_millis(from).unwrap();
        let processed = |n: u32| {
            let at = &view(n)["attributes"]["processedAt"];
            at.as_str().unwrap().parse::<DateTime<Utc>>().unwrap()
        };
        (0..views).find(|n| processed(*n) >= from).unwrap_or(views)
    };
    let until = views.min(first + 10);
    page(first..until, Some(&until.to_string()))
}

fn refused_cursor() -> Value {
    json!({ "errors": [{ "status": "400", "code": "ADMIN-400-1", "title": "Bad Request", "detail": "Invalid page cursor" }] })
}

#[test]
fn a_log_that_grows_with_every_request_is_caught_up_with() {
    // An event every six seconds, and a page of it for each request: there is always one more.
    let began = SystemClock.now() - TimeDelta::minutes(1);
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let (desk, _served) = odd_organization(move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        let at = began + TimeDelta::seconds(6 * i64::from(n));
        json!({ "data": [viewed_at(n, at)], "meta": { "next": n.to_string() } })
    });
    desk.run(&["scan"]).done();
    let (stored, asked) = (desk.stored("access").stored, asked.load(Ordering::SeqCst));
    assert_eq!(stored, u64::from(asked));
    assert!((10..20).contains(&stored), "{stored}");
}

#[test]
fn short_pages_do_not_end_a_walk() {
    let (desk, _served) = odd_organization(|query| {
        let n = query
            .get("cursor")
            .map_or(0, |cursor| cursor.parse().unwrap());
        page(n..(n + 1).min(30), Some(&(n + 1).to_string()))
    });
    desk.run(&["scan"]).done();
    assert_eq!(desk.stored("access").stored, 30);
}

#[test]
fn a_server_that_refuses_every_seventh_cursor_is_read_to_its_end() {
    let cursors = Arc::new(AtomicU32::new(0));
    let (desk, _served) = odd_organization(move |query| {
        let seventh = || cursors.fetch_add(1, Ordering::SeqCst) % 7 == 6;
        if query.contains_key("cursor") && seventh() {
            refused_cursor()
        } else {
            from_log(1_000, query)
        }
    });
    desk.run(&["backfill", "--from", "2024-01-01", "--to", "2024-02-01"])
        .done();
    assert_eq!(desk.stored("access").stored, 1_000);
}

#[test]
fn a_server_that_refuses_every_cursor_is_left_and_what_was_read_is_kept() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let (desk, _served) = odd_organization(move |query| {
        count.fetch_add(1, Ordering::SeqCst);
        match query.get("cursor") {
            Some(_) => refused_cursor(),
            None => from_log(10, query),
        }
    });
    let ran = desk
        .run(&["backfill", "--from", "2024-01-01", "--to", "2024-02-01"])
        .ended(1);
    assert!(ran.err.contains("cursor"), "{ran:#?}");
    assert!(asked.load(Ordering::SeqCst) < 50);
    assert_eq!(desk.stored("access").stored, 10);
}

#[test]
fn a_time_that_has_not_come_yet_moves_nothing() {
    let (desk, _served) = odd_organization(|query| {
        let mut future = view(100);
        future["attributes"]["time"] = json!("2099-01-01T00:00:00Z");
        future["attributes"]
            .as_object_mut()
            .unwrap()
            .remove("processedAt");
        match query.get("cursor") {
            None => json!({ "data": [view(0), future, view(1)], "meta": { "next": "end" } }),
            Some(_) => page(0..0, Some("end")),
        }
    });
    desk.run(&["scan"]).done();
    let status = desk.status();
    let stream = &status["streams"][0];
    assert_eq!(stream["watermark"], "2024-01-08T08:00:01Z", "{stream:#}");
    let counted = desk.stored("access");
    assert_eq!((counted.stored, counted.unusable), (2, 1));
    assert!(
        desk.run(&["status"])
            .out
            .contains("its time has not come yet")
    );
}
