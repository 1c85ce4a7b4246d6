//! Log health: what makes the logs show less is reported once, says when it is over, and is about no account's reading.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden_core::time::{Clock as _, SystemClock};
use pagewarden_simulator::{Options, World, WorldSettings};
use serde_json::{Value, json};

use crate::support::desk::{Desk, Setup, Tenant};

/// No finding.
const NONE: [Value; 0] = [];

/// Three weeks of sixty people, from a Monday on; made once.
fn three_weeks() -> Arc<World> {
    static WORLD: OnceLock<Arc<World>> = OnceLock::new();
    let make = || {
        Arc::new(World::new(WorldSettings {
            start: "2024-01-01T00:00:00Z".parse().unwrap(),
            people: 60,
            weeks: 3,
            ..WorldSettings::small(11)
        }))
    };
    Arc::clone(WORLD.get_or_init(make))
}

/// The tenant after so many days, and a desk whose messages it takes.
fn after_days(days: i64, change: impl FnOnce(&mut Setup)) -> (Tenant, Desk) {
    let tenant = Tenant::of(three_weeks(), Options::default());
    tenant.pass(days);
    let desk = tenant.desk(change);
    (tenant, desk)
}

/// The findings about log health.
fn blind(desk: &Desk) -> Vec<Value> {
    let mut all = desk.findings();
    all.retain(|finding| finding["family"] == "blind");
    all
}

/// The messages about log health.
fn sent(tenant: &Tenant) -> Vec<Value> {
    let received = tenant.simulator.received();
    let bodies = received
        .iter()
        .map(|one| serde_json::from_slice(&one.body).unwrap());
    bodies
        .filter(|body: &Value| body["family"] == "blind")
        .collect()
}

fn scan(desk: &Desk) {
    let done = desk.run("-q scan");
    assert!(matches!(done.code(), 0 | 10..=13), "{done:?}");
}

fn without_views(tenant: &Tenant, without: bool) {
    tenant
        .simulator
        .change(|options| options.plan_without_views = without);
}

#[test]
fn views_that_stop_are_reported_once_and_their_return_is_noted() {
    let (tenant, desk) = after_days(14, |_| {});
    scan(&desk);
    assert_eq!(blind(&desk), NONE);
    // From the third Monday on nobody's reading is logged, while people go on signing in and out.
    without_views(&tenant, true);
    tenant.pass(16);
    scan(&desk);
    let [one] = blind(&desk).try_into().unwrap();
    assert_eq!(
        (
            &one["account"],
            &one["window"],
            &one["status"],
            &one["severity"],
            &one["revision"]
        ),
        (
            &Value::Null,
            &Value::Null,
            &json!("open"),
            &json!("high"),
            &json!(1)
        )
    );
    let reason = one["reason"].as_str().unwrap();
    assert!(reason.contains("Page views have stopped"), "{reason}");
    assert!(
        reason.contains("does not name page views any more"),
        "{reason}"
    );
    assert_eq!(sent(&tenant), std::slice::from_ref(&one));
    let id = one["id"].as_str().unwrap();
    // People can look at it, and it is not reported again while it goes on.
    let shown = desk.run(&format!("findings show {id}")).ends(0).out;
    assert!(
        shown.contains("blind-spot") && shown.contains("tenant acme"),
        "{shown}"
    );
    assert!(desk.run("findings list").ends(0).out.contains("blind-spot"));
    desk.run(&format!("findings mark {id} expected")).ends(0);
    tenant.pass(17);
    scan(&desk);
    let [one] = blind(&desk).try_into().unwrap();
    assert_eq!(
        (&one["id"], &one["status"]),
        (&json!(id), &json!("expected"))
    );
    // They are back: said in the same finding, without another message.
    without_views(&tenant, false);
    tenant.pass(19);
    scan(&desk);
    let [one] = blind(&desk).try_into().unwrap();
    assert_eq!(
        (&one["id"], &one["status"]),
        (&json!(id), &json!("expected"))
    );
    let reason = one["reason"].as_str().unwrap();
    assert!(
        reason.contains("Page views were missing from 2024-01-1"),
        "{reason}"
    );
    assert_eq!(sent(&tenant).len(), 1);
}

#[test]
fn a_plan_without_views_is_reported_once_and_softly() {
    let (tenant, desk) = after_days(5, |_| {});
    without_views(&tenant, true);
    scan(&desk);
    let [one] = blind(&desk).try_into().unwrap();
    assert_eq!(one["severity"], "low");
    scan(&desk);
    assert_eq!(blind(&desk).len(), 1);
    assert_eq!(sent(&tenant).len(), 1);
    // The plan was changed: the finding stays open, and says that it is over.
    without_views(&tenant, false);
    tenant.pass(8);
    scan(&desk);
    let [one] = blind(&desk).try_into().unwrap();
    assert_eq!(one["status"], "open");
    assert!(
        one["reason"]
            .as_str()
            .unwrap()
            .contains("It was over by 20"),
        "{one}"
    );
    assert_eq!(sent(&tenant).len(), 1);
}

#[test]
fn nothing_is_reported_of_log_health_where_that_is_switched_off() {
    let (tenant, desk) = after_days(5, |setup| {
        setup.more = "[detect.blind-spot]\nenabled = false\n";
    });
    without_views(&tenant, true);
    scan(&desk);
    assert_eq!(blind(&desk), NONE);
}

/// A record of the site audit log.
fn record(at: DateTime<Utc>, who: &str, summary: &str) -> Value {
    json!({
        "author": { "type": "user", "displayName": who, "accountId": format!("712020:{who}"), "operations": null },
        "remoteAddress": "198.51.100.7", "creationDate": at.timestamp_millis(), "summary": summary,
        "description": "", "category": "Audit log", "sysAdmin": true,
        "affectedObject": { "name": "", "objectType": "" }, "changedValues": [], "associatedObjects": []
    })
}

#[test]
fn an_export_of_the_audit_log_is_reported_and_a_further_one_is_news() {
    let (tenant, desk) = after_days(5, |_| {});
    let again = || {
        desk.run("-q backfill --from 2024-01-01 --to 2024-01-08");
        scan(&desk);
    };
    again();
    assert_eq!(blind(&desk), NONE);
    let day: DateTime<Utc> = "2024-01-04T10:00:00Z".parse().unwrap();
    // As if it had been installed before.
    desk.installed(day - TimeDelta::days(30));
    let hours = |hours| day + TimeDelta::hours(hours);
    for one in [
        record(day, "ada", "Audit log exported"),
        // Near misses.
        record(hours(1), "ada", "Space configuration updated"),
        record(hours(2), "ada", "Audit log retention extended"),
    ] {
        tenant.simulator.add_audit_record(&one);
    }
    again();
    let [one] = blind(&desk).try_into().unwrap();
    assert_eq!(
        (&one["severity"], &one["revision"]),
        (&json!("low"), &json!(1))
    );
    assert!(
        one["reason"]
            .as_str()
            .unwrap()
            .starts_with("ada exported the audit log on 2024-01-04 10:00 UTC"),
        "{one}"
    );
    assert_eq!(one["evidence"]["event_ids"].as_array().unwrap().len(), 1);
    desk.run(&format!(
        "findings mark {} expected",
        one["id"].as_str().unwrap()
    ))
    .ends(0);
    // The same again is no news; another person is, and opens the finding again.
    tenant
        .simulator
        .add_audit_record(&record(hours(3), "ada", "Audit log exported"));
    again();
    assert_eq!(blind(&desk)[0]["status"], "expected");
    tenant
        .simulator
        .add_audit_record(&record(hours(4), "bob", "Audit log exported"));
    again();
    let [one] = blind(&desk).try_into().unwrap();
    assert_eq!(
        (&one["status"], one["signals"].as_array().unwrap().len()),
        (&json!("open"), 2)
    );
    assert_eq!(sent(&tenant).len(), 2);
}

#[test]
fn keys_that_end_are_reported_and_grow_more_severe() {
    let (tenant, desk) = after_days(5, |_| {});
    let config = desk.read("pagewarden.toml");
    let expires = |days: i64| {
        let day = (SystemClock.now() + TimeDelta::days(days)).date_naive();
        let line = format!("requests_per_minute = 600000\nexpires = \"{day}\"");
        desk.write(
            "pagewarden.toml",
            config.replace("requests_per_minute = 600000", &line),
        );
        scan(&desk);
        blind(&desk)
    };
    assert_eq!(expires(40), NONE);
    let [one] = expires(20).try_into().unwrap();
    assert_eq!(one["severity"], "low");
    assert!(
        one["reason"].as_str().unwrap().contains("in 20 days"),
        "{one}"
    );
    // Renewed: over, and no message is sent.
    let [one] = expires(300).try_into().unwrap();
    assert!(
        one["reason"]
            .as_str()
            .unwrap()
            .contains("It was over by 20"),
        "{one}"
    );
    let reported = sent(&tenant).len();
    assert_eq!(reported, 1);
    let all = expires(-2);
    let ended = all.iter().find(|one| one["severity"] == "high").unwrap();
    assert!(
        ended["reason"].as_str().unwrap().contains("2 days ago"),
        "{ended}"
    );
    assert_eq!(sent(&tenant).len(), 2);
}

#[test]
fn a_pause_longer_than_what_is_kept_is_reported_once() {
    let (tenant, desk) = after_days(5, |_| {});
    scan(&desk);
    let last_success = |days: i64| {
        let at = SystemClock.now() - TimeDelta::days(days);
        let state = rusqlite::Connection::open(desk.path("state.db")).unwrap();
        state
            .execute(
                "update stream set last_success_ms = ?1",
                [at.timestamp_millis()],
            )
            .unwrap();
    };
    desk.installed(SystemClock.now() - TimeDelta::days(400));
    last_success(179);
    scan(&desk);
    assert_eq!(blind(&desk), NONE);
    // The organisation's events are kept for 180 days, the site audit log for a year.
    last_success(200);
    scan(&desk);
    scan(&desk);
    let [one] = blind(&desk).try_into().unwrap();
    assert_eq!(
        (&one["severity"], &one["status"]),
        (&json!("high"), &json!("open"))
    );
    assert!(
        one["reason"].as_str().unwrap().contains("180 days"),
        "{one}"
    );
    assert_eq!(sent(&tenant).len(), 1);
}

#[test]
fn a_key_that_is_refused_for_a_day_is_reported() {
    let (tenant, desk) = after_days(5, |_| {});
    scan(&desk);
    tenant
        .simulator
        .change(|options| options.key = pagewarden_simulator::KeyState::Refused);
    desk.run("-q scan").ends(1);
    assert_eq!(blind(&desk), NONE);
    let at = SystemClock.now() - TimeDelta::hours(25);
    rusqlite::Connection::open(desk.path("state.db"))
        .unwrap()
        .execute(
            "update stream set last_success_ms = ?1",
            [at.timestamp_millis()],
        )
        .unwrap();
    desk.run("-q scan").ends(1);
    let [one] = blind(&desk).try_into().unwrap();
    assert!(
        one["reason"].as_str().unwrap().contains("for 1 day"),
        "{one}"
    );
}

#[test]
fn what_was_done_to_a_log_is_found_in_its_files_too_however_old_it_is() {
    let (_tenant, desk) = after_days(1, |_| {});
    let day: DateTime<Utc> = "2023-01-05T10:00:00Z".parse().unwrap();
    let later = |days: i64, summary: &str| record(day + TimeDelta::days(days), "ada", summary);
    let records = [
        later(0, "Updated event exclusions"),
        later(1, "Audit log retention changed"),
        later(2, "Audit log retention extended"),
        later(300, "Space configuration updated"),
    ];
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    desk.write("audit.ndjson", lines.join("\n"));
    let found = || {
        // The most severe of them decides.
        desk.run("import audit.ndjson").ends(12);
        let mut found = blind(&desk);
        found.sort_by_key(|one| one["severity"].as_str().map(str::to_owned));
        found
    };
    let [exclusion, retention] = found().try_into().unwrap();
    assert_eq!(
        (&exclusion["detector"], &exclusion["severity"]),
        (&json!("log-tampering"), &json!("high"))
    );
    assert!(
        exclusion["reason"]
            .as_str()
            .unwrap()
            .starts_with("ada changed which kinds of event are excluded"),
        "{exclusion}"
    );
    assert_eq!(
        (&retention["detector"], &retention["severity"]),
        (&json!("log-tampering"), &json!("medium"))
    );
    // Read again, nothing is new.
    desk.run("import audit.ndjson").ends(0);
    assert_eq!(blind(&desk).len(), 2);
}
