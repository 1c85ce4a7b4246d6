//! A state file of an earlier schema: brought up to date by whatever command comes first, with the same findings.

use std::collections::BTreeMap;
use std::io::Read as _;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::desk::Tenant;
use crate::support::kit::{Desk, Ran};

/// A state file as the first schema had it: five weeks of a small tenant, a verdict, messages that wait.
const SCHEMA_1: &[u8] = include_bytes!("data/state-1.db.gz");

/// What was found in it by the program that wrote it.
const FINDINGS: &str = include_str!("data/state-1.findings.json");

/// A desk with the old state file, as its last process left it.
fn desk() -> Desk {
    desk_with("")
}

/// The same with more in its config.
fn desk_with(more: &str) -> Desk {
    let config = r#"
[state]
path = "{dir}/state.db"
[[tenant]]
name = "acme"
[tenant.organization]
id = "bd384cf7-b876-437a-bd15-323f81489740"
api_key = { file = "{dir}/org.key" }
url = "http://127.0.0.1:9"
[[tenant.site]]
url = "http://127.0.0.1:9"
email = "auditor@acme.example"
api_token = { file = "{dir}/site.token" }
[detect]
alerts_per_week = 20
"#;
    let desk = Desk::new(&format!("{config}{more}"));
    let mut state = Vec::new();
    flate2::read::GzDecoder::new(SCHEMA_1)
        .read_to_end(&mut state)
        .unwrap();
    desk.keep("state.db", &state);
    desk.keep("org.key", b"key");
    desk.keep("site.token", b"token");
    desk
}

fn version(desk: &Desk) -> i64 {
    let state = Connection::open(desk.path("state.db")).unwrap();
    state
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

/// What of each finding has to stay as it was; sentences may be worded anew.
fn lasting(export: &str) -> Value {
    let export: Value = serde_json::from_str(export).unwrap();
    let keys = [
        "id",
        "revision",
        "family",
        "detector",
        "severity",
        "bits",
        "status",
        "observed",
        "first_seen",
        "last_seen",
    ];
    let lasting = export["findings"].as_array().unwrap().iter().map(|one| {
        let kept = keys.map(|key| (key.to_owned(), one[key].clone()));
        Value::Object(kept.into_iter().collect())
    });
    Value::Array(lasting.collect())
}

/// Has everything that is stored analysed anew, by an import that brings nothing new.
fn analyse(desk: &Desk) -> Ran {
    desk.keep(
        "known.ndjson",
        br#"{"id":"x","type":"events","attributes":{"time":"2024-01-02T10:00:00Z","action":"confluence_page_viewed","actor":{"id":"5b:x","name":"N"},"context":[],"container":[]}}"#,
    );
    desk.run(&["import", "known.ndjson"])
}

#[test]
fn a_state_file_of_schema_1_migrates_and_gives_the_same_findings() {
    let desk = desk();
    assert_eq!(version(&desk), 1);
    let expected: Value = serde_json::from_str(FINDINGS).unwrap();
    let read = desk.findings();
    assert_eq!(lasting(&read), expected, "as it was stored");
    assert_eq!(version(&desk), 2);
    desk.run(&["state", "check"]).ended(0);
    let ran = analyse(&desk).done();
    assert!(ran.err.contains("0 events stored, 1 repeated"), "{ran:#?}");
    assert_eq!(
        lasting(&desk.findings()),
        expected,
        "as it is computed anew"
    );
    desk.run(&["state", "check"]).ended(0);
}

#[test]
fn the_first_command_that_writes_migrates_too() {
    let desk = desk();
    analyse(&desk).done();
    assert_eq!(version(&desk), 2);
    let expected: Value = serde_json::from_str(FINDINGS).unwrap();
    assert_eq!(lasting(&desk.findings()), expected);
}

#[test]
fn messages_that_wait_in_a_file_of_schema_1_are_sent() {
    let tenant = Tenant::small();
    let desk = desk_with(
        r#"
[retry]
base = "1ms"
attempts = 1
[[notifier]]
name = "soc"
type = "webhook"
url = { file = "{dir}/soc.url" }
min_severity = "low"
# The file is older every day, which would be reported.
[detect.blind-spot]
enabled = false
"#,
    );
    desk.keep(
        "soc.url",
        tenant.simulator.webhook_url().as_str().as_bytes(),
    );
    let state = Connection::open(desk.path("state.db")).unwrap();
    let waiting: BTreeMap<String, Vec<u8>> = state
        .prepare("select id, body from delivery where state = 'waiting'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(waiting.len(), 3);
    drop(state);
    // Nobody answers where the tenant was, so nothing but what waits is sent.
    let ran = desk.run(&["scan"]);
    let received = tenant.simulator.received();
    let sent: BTreeMap<String, Vec<u8>> = received
        .into_iter()
        .map(|message| {
            let id = message.header("webhook-id").unwrap().to_owned();
            (id, message.body)
        })
        .collect();
    assert!(sent.keys().eq(waiting.keys()), "{ran:#?}");
    for (id, body) in &waiting {
        // Nobody has seen the message about a finding: it says what holds now, as the first analysis words it.
        let about = serde_json::from_slice::<Value>(&sent[id]).unwrap();
        if about["schema"] == "pagewarden.finding.v1" {
            assert!(about["reason"].is_string(), "{about}");
        } else {
            assert_eq!(&sent[id], body, "as it was rendered");
        }
    }
}

#[test]
fn a_migration_that_was_cut_short_is_repeated() {
    let desk = desk();
    // It needs more pages than the file may have.
    let state = Connection::open(desk.path("state.db")).unwrap();
    let pages: i64 = state
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    state
        .execute_batch(&format!("pragma max_page_count = {}", pages + 20))
        .unwrap();
    let step = include_str!("../../src/storage/sqlite/migrations/2.sql");
    let cut = state.execute_batch(&format!("begin immediate; {step} commit;"));
    assert!(cut.unwrap_err().to_string().contains("full"));
    drop(state);
    assert_eq!(version(&desk), 1);
    let expected: Value = serde_json::from_str(FINDINGS).unwrap();
    assert_eq!(lasting(&desk.findings()), expected);
    desk.run(&["state", "check"]).ended(0);
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let desk = desk();
    let state = Connection::open(desk.path("state.db")).unwrap();
    state.pragma_update(None, "user_version", 99).unwrap();
    drop(state);
    for args in [&["findings", "list"][..], &["scan"], &["status"]] {
        let ran = desk.run(args).ended(1);
        assert!(ran.err.contains("schema version 99"), "{ran:#?}");
    }
    assert_eq!(version(&desk), 99);
}

#[test]
fn a_finding_that_cannot_be_read_back_hides_no_other() {
    let desk = desk();
    let before = desk.findings();
    let broken = lasting(&before)[1]["id"].as_str().unwrap().to_owned();
    let state = Connection::open(desk.path("state.db")).unwrap();
    state
        .execute("update finding set body = '{' where id = ?1", [&broken])
        .unwrap();
    drop(state);
    let ran = desk
        .run(&["findings", "export", "--format", "json"])
        .ended(0);
    let left = lasting(&ran.out);
    assert_eq!(left.as_array().unwrap().len(), 7);
    assert!(
        ran.err.contains(&broken) && ran.err.contains("cannot be read back"),
        "{}",
        ran.err
    );
    // An analysis records it anew.
    analyse(&desk).done();
    assert_eq!(lasting(&desk.findings()), lasting(&before));
    assert_ne!(lasting(&before), json!([]));
}
