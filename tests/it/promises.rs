//! What others who poll Atlassian's logs got wrong, each as a promise of ours. Promises that are tested elsewhere are not repeated.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use axum::{Json, Router};
use pagewarden_simulator::Fault;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::desk::{Desk, Setup, Tenant, small_world, threads};

/// A server that answers as a story wants, with a status of its own.
struct Server {
    origin: String,
    _threads: Runtime,
}

impl Server {
    fn new(
        answer: impl Fn(&str, &HashMap<String, String>) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let threads = threads();
        let listener = threads
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        let router = Router::new().fallback(
            move |uri: Uri, Query(query): Query<HashMap<String, String>>| {
                let (status, body) = answer(uri.path(), &query);
                let status = StatusCode::from_u16(status).unwrap();
                async move { (status, Json(body)).into_response() }
            },
        );
        threads.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            origin,
            _threads: threads,
        }
    }

    /// Nothing but an organisation, whose log answers so.
    fn organization(
        log: impl Fn(&HashMap<String, String>) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |path, query| {
            if path.ends_with("/events-stream") {
                log(query)
            } else {
                (200, json!({ "data": [], "links": {} }))
            }
        })
    }

    /// Nothing but a site, whose audit log answers so.
    fn site(
        log: impl Fn(&HashMap<String, String>) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |path, query| {
            if path.ends_with("/rest/api/audit") {
                log(query)
            } else {
                (200, results(&[], 200))
            }
        })
    }

    /// A desk to watch it from; only what there is is set.
    fn desk(&self, organization: bool) -> Desk {
        let origin = || Some(self.origin.clone());
        Desk::set_up(&Setup {
            organization: origin().filter(|_| organization),
            site: origin().filter(|_| !organization),
            via: "site",
            id: "org-1".to_owned(),
            key: "key-of-the-organisation".to_owned(),
            token: "token-of-the-site".to_owned(),
            email: "auditor@acme.example".to_owned(),
            lookback: "3650d",
            every: "1s",
            webhook: None,
            secret: None,
            min_severity: "low",
            timeout: "10s",
            more: "",
        })
    }
}

/// An audit record of a millisecond in January 2024; equal ones for equal numbers.
fn record(at: i64, n: u32) -> Value {
    json!({
        "author": { "type": "user", "displayName": "Ada Example", "operations": null, "accountId": "712020:ada" },
        "remoteAddress": "", "creationDate": 1_704_700_000_000_i64 + at, "summary": "Page archived", "description": "",
        "category": "Page", "sysAdmin": false, "affectedObject": { "name": n.to_string(), "objectType": "Page" },
        "changedValues": [], "associatedObjects": [],
    })
}

/// A page of records.
fn results(of: &[Value], limit: u32) -> Value {
    json!({ "results": of, "start": 0, "limit": limit, "size": of.len(), "_links": {} })
}

/// A view of a page by somebody, some seconds into a Monday.
fn view(n: u32, who: &str, at: i64) -> Value {
    let moment = pagewarden_core::time::moment(1_704_700_800 + at);
    json!({
        "id": format!("00000000-0000-4000-8000-{n:012}"),
        "type": "events",
        "attributes": {
            "time": pagewarden_core::time::rfc3339(moment),
            "processedAt": pagewarden_core::time::rfc3339(moment),
            "action": "confluence_page_viewed",
            "actor": { "id": who, "name": "Ada Example" },
            "context": [{ "id": n.to_string(), "type": "page" }],
            "container": [],
        },
    })
}

/// A page of events, and the cursor of the next.
fn page(events: &[Value], next: Option<&str>) -> Value {
    json!({ "data": events, "meta": { "next": next, "page_size": 10 }, "links": {} })
}

/// How much of the only stream is stored.
fn stored(desk: &Desk) -> u64 {
    desk.tenant()["streams"][0]["stored"].as_u64().unwrap()
}

#[test]
fn four_records_of_one_millisecond_count_once_each_whenever_they_are_shown() {
    let fourth = Arc::new(AtomicBool::new(false));
    let shown = Arc::clone(&fourth);
    let server = Server::site(move |query| {
        let bound = |name: &str| query[name].parse::<i64>().unwrap() - 1_704_700_000_000;
        let records = if shown.load(Ordering::SeqCst) { 4 } else { 3 };
        // Both bounds are inclusive.
        let inside = (bound("startDate")..=bound("endDate")).contains(&7);
        let all: Vec<Value> = (0..records).map(|n| record(7, n)).collect();
        let start = query["start"].parse::<usize>().unwrap();
        let page = all.get(start..).filter(|_| inside).unwrap_or_default();
        (200, results(page, 1_000))
    });
    let desk = server.desk(false);
    for _ in 0..2 {
        desk.run("-q scan").done();
        assert_eq!(stored(&desk), 3);
    }
    fourth.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        desk.run("-q scan").done();
        assert_eq!(stored(&desk), 4);
    }
    // The same of the organisation's log, where the watermark is that millisecond.
    let fourth = Arc::new(AtomicBool::new(false));
    let shown = Arc::clone(&fourth);
    let server = Server::organization(move |query| {
        let events = if shown.load(Ordering::SeqCst) { 4 } else { 3 };
        // From that very moment on, and nothing from a moment behind it.
        let from = query["from"].parse::<i64>().unwrap();
        let inside = from <= (1_704_700_800 + 7) * 1_000;
        let all = (0..events).filter(|_| inside);
        let all: Vec<Value> = all.map(|n| view(n, "712020:ada", 7)).collect();
        (200, page(&all, None))
    });
    let desk = server.desk(true);
    for expected in [3, 3, 4, 4] {
        fourth.store(expected == 4, Ordering::SeqCst);
        desk.run("-q scan").done();
        assert_eq!(stored(&desk), expected);
    }
}

#[test]
fn a_stored_cursor_that_is_refused_costs_nothing_and_is_reported_once() {
    for (status, body) in [
        (
            400,
            json!({ "errors": [{ "status": "400", "code": "ADMIN-400-1", "title": "Invalid page cursor" }] }),
        ),
        (410, json!({ "message": "gone" })),
        (400, json!({ "message": "no such cursor" })),
    ] {
        let (asked, froms) = (
            Arc::new(AtomicU32::new(0)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let (count, kept) = (Arc::clone(&asked), Arc::clone(&froms));
        let server = Server::organization(move |query| {
            match (query.get("cursor").map(String::as_str), query.get("from")) {
                (Some("old"), _) if count.load(Ordering::SeqCst) == 1 => (status, body.clone()),
                (Some(_), _) => (200, page(&[], Some("old"))),
                (None, Some(from)) => {
                    kept.lock().unwrap().push(from.parse::<i64>().unwrap());
                    let more = if count.load(Ordering::SeqCst) == 1 {
                        8
                    } else {
                        5
                    };
                    let events = (0..more).map(|n| view(n, "712020:ada", n.into()));
                    (200, page(&events.collect::<Vec<_>>(), Some("old")))
                }
                (None, None) => (500, Value::Null),
            }
        });
        let desk = server.desk(true);
        desk.run("scan").done();
        assert_eq!(stored(&desk), 5);
        asked.store(1, Ordering::SeqCst);
        let done = desk.run("scan");
        // The new cursor is the refused one: it ends, and says why. What came is there.
        assert_eq!(stored(&desk), 8, "{done:?}");
        let froms = froms.lock().unwrap();
        // Before the watermark, which is that of the fifth event.
        assert!(froms[1] < (1_704_700_800 + 4) * 1_000, "{froms:?}");
        asked.store(2, Ordering::SeqCst);
        let done = desk.run("scan").done();
        assert_eq!(stored(&desk), 8);
        assert!(
            done.err.matches("Cursor refused").count() <= 1,
            "{}",
            done.err
        );
    }
}

#[test]
fn a_refused_cursor_is_logged_once() {
    let tenant = Tenant::small();
    let desk = Desk::set_up(&Setup::of(&tenant));
    desk.run("scan").done();
    tenant
        .simulator
        .fail_next("/events-stream", Fault::RefusedCursor, 1);
    let done = desk.run("scan").done();
    assert_eq!(
        done.err.matches("Cursor refused").count(),
        1,
        "{}",
        done.err
    );
    assert_eq!(
        desk.tenant()["streams"][0]["stored"],
        small_world().counts().events
    );
}

#[test]
fn an_event_that_comes_late_counts_and_its_session_is_scored_again() {
    let late = Arc::new(AtomicBool::new(false));
    let shown = Arc::clone(&late);
    let server = Server::organization(move |query| {
        let mut events: Vec<Value> = (0..20)
            .map(|n| view(n, "712020:ada", 60 * i64::from(n)))
            .collect();
        // Somebody else, hours later, so that the watermark is far beyond.
        events.push(view(900, "712020:bob", 7_200));
        let mut next = "a";
        if let Some(cursor) = query.get("cursor") {
            events.clear();
            if cursor == "b" || shown.load(Ordering::SeqCst) {
                next = "b";
            }
            if cursor == "a" && shown.load(Ordering::SeqCst) {
                // In the middle of what was analysed, delivered long after it happened.
                events.extend((100..140).map(|n| {
                    let mut event = view(n, "712020:ada", 600 + i64::from(n));
                    event["attributes"]["processedAt"] = json!("2024-01-08T13:00:00Z");
                    event
                }));
            }
        }
        (200, page(&events, Some(next)))
    });
    let desk = server.desk(true);
    let config = desk.read("pagewarden.toml").replace(
        "[retry]",
        "[tenant.admins]\naccounts = [\"712020:ada\"]\n[detect.privileged-reading]\nmode = \"strict\"\npages_per_day = 10\n[retry]",
    );
    desk.write("pagewarden.toml", config);
    let pages = || {
        let findings = desk.findings();
        let of_ada = findings
            .iter()
            .find(|one| one["account"]["id"] == "712020:ada");
        of_ada.unwrap()["observed"]["pages"].as_u64().unwrap()
    };
    desk.run("-q scan").done();
    assert_eq!((stored(&desk), pages()), (21, 20));
    late.store(true, Ordering::SeqCst);
    desk.run("-q scan").done();
    assert_eq!((stored(&desk), pages()), (61, 60));
    assert_eq!(desk.tenant()["streams"][0]["late"], 40);
}

#[test]
fn a_backlog_is_worked_off_however_little_each_run_may_ask() {
    // Nine pages a run, then a rest of an hour; a hundred and twenty pages wait.
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let server = Server::organization(move |query| {
        if count.fetch_add(1, Ordering::SeqCst) >= 9 {
            return (
                429,
                json!({ "code": 429, "message": "Rate limit exceeded" }),
            );
        }
        let place = query
            .get("cursor")
            .map_or(0, |cursor| cursor.parse::<u32>().unwrap());
        let events =
            (10 * place..(10 * place + 10).min(1_200)).map(|n| view(n, "712020:ada", n.into()));
        let next = (place + 1).min(120).to_string();
        (200, page(&events.collect::<Vec<_>>(), Some(&next)))
    });
    let desk = server.desk(true);
    let mut before = 0;
    for run in 0..40 {
        asked.store(0, Ordering::SeqCst);
        let done = desk.run("-q scan");
        let now = stored(&desk);
        if done.code() != 1 {
            assert_eq!(now, 1_200);
            assert!(run < 16, "{run} runs");
            return;
        }
        assert!(now > before, "no progress from {before}: {}", done.err);
        before = now;
    }
    panic!("it never came to its end");
}

#[test]
fn a_log_that_counts_records_and_shows_none_is_not_called_quiet() {
    for total in ["size", "total", "totalSize"] {
        let server = Server::site(move |_| {
            let mut page = results(&[], 1_000);
            page[total] = json!(112);
            (200, page)
        });
        let desk = server.desk(false);
        let done = desk.run("-q scan").done();
        assert!(
            done.err
                .contains("says that it holds 112 records, and shows none of them"),
            "{total}: {}",
            done.err
        );
    }
    let server = Server::site(|_| (200, results(&[], 1_000)));
    let done = server.desk(false).run("-q scan").done();
    assert!(!done.err.contains("shows none"), "{}", done.err);
}

#[test]
fn times_of_every_spelling_are_ordered_as_instants() {
    // All within two seconds, the latest first as texts go.
    let times = [
        json!("2024-01-08T08:00:01.9Z"),
        json!("2024-01-08T08:00:01.123456789Z"),
        json!("2024-01-08T08:00:01Z"),
        json!("2024-01-08T09:00:00.5+0100"),
        json!("2024-01-08T13:30:00.25+05:30"),
        json!(1_704_700_800),
        json!(1_704_700_800_100_i64),
    ];
    let server = Server::organization(move |_| {
        let events = times.iter().zip(0..).map(|(time, n)| {
            let mut event = view(n, "712020:ada", 0);
            event["attributes"]["time"] = time.clone();
            event["attributes"]["processedAt"] = time.clone();
            event
        });
        (200, page(&events.collect::<Vec<_>>(), None))
    });
    let desk = server.desk(true);
    desk.run("-q scan").done();
    let of = desk.tenant();
    let stream = &of["streams"][0];
    assert_eq!(
        (&stream["stored"], &stream["unusable"]),
        (&json!(7), &json!(0))
    );
    assert!(
        stream["watermark"]
            .as_str()
            .unwrap()
            .starts_with("2024-01-08T08:00:01"),
        "{stream}"
    );
    assert_eq!(stream["late"], 0);
}

#[test]
fn two_runs_in_one_second_keep_what_both_bring() {
    let desk = Desk::new();
    let line = |n: u32, who: &str| view(n, who, n.into()).to_string();
    for (file, who) in [("a.ndjson", "712020:ada"), ("b.ndjson", "712020:bob")] {
        let from = if who.ends_with("ada") { 0 } else { 500 };
        let lines: Vec<String> = (from..from + 200).map(|n| line(n, who)).collect();
        desk.write(file, lines.join("\n"));
    }
    desk.write(
        "pagewarden.toml",
        "[state]\npath = \"state.db\"\n[[tenant]]\nname = \"acme\"\n[[tenant.site]]\nurl = \"https://acme.example\"\n\
         email = \"a@acme.example\"\napi_token = { file = \"t\" }\n[tenant.admins]\naccounts = [\"712020:ada\", \"712020:bob\"]\n\
         [detect.privileged-reading]\nmode = \"strict\"\npages_per_day = 10\n",
    );
    // One behind the other at once, and side by side: one of two is turned away, and says so.
    desk.run("-q import a.ndjson").done();
    desk.run("-q import b.ndjson").done();
    let apart = desk.export();
    let accounts: Vec<String> = desk
        .findings()
        .iter()
        .map(|one| one["account"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(accounts.contains(&"712020:ada".into()) && accounts.contains(&"712020:bob".into()));
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(
            desk.path(&format!("state.db{suffix}")),
        ));
    }
    let both =
        ["a.ndjson", "b.ndjson"].map(|file| (file, desk.start(&format!("-q import {file}"))));
    // Both have ended before the one that was turned away is asked again.
    let both = both.map(|(file, running)| (file, running.wait()));
    for (file, done) in both {
        if done.code() == 1 {
            assert!(done.err.contains("another process holds"), "{}", done.err);
            desk.run(&format!("-q import {file}")).done();
        } else {
            done.done();
        }
    }
    assert!(desk.export() == apart);
}

#[test]
fn the_system_is_nobody_and_sparse_records_cost_nothing() {
    let system = |n: u32| {
        let mut event = view(n, "confluence", n.into());
        event["attributes"]["actor"] = json!({
            "id": "confluence", "name": "Confluence", "email": "Atlassian app", "picture": null, "links": {},
        });
        event["attributes"]["location"] = [json!({}), json!({ "ip": null }), Value::Null]
            [usize::try_from(n % 3).unwrap()]
        .clone();
        event
    };
    let server =
        Server::organization(move |_| (200, page(&(0..400).map(system).collect::<Vec<_>>(), None)));
    let desk = server.desk(true);
    let config = desk.read("pagewarden.toml").replace(
        "[retry]",
        "[tenant.admins]\naccounts = [\"confluence\"]\n[detect.privileged-reading]\nmode = \"strict\"\npages_per_day = 10\n[retry]",
    );
    desk.write("pagewarden.toml", config);
    desk.run("-q scan").ends(0);
    let status = desk.tenant();
    assert_eq!(status["streams"][0]["stored"], 400);
    assert_eq!(status["streams"][0]["unusable"], 0);
    assert!(desk.findings().is_empty());
    let server = Server::site(|query| {
        let mut sparse = record(1, 1);
        sparse["author"] = json!({ "type": "user", "displayName": "System", "operations": null });
        sparse["affectedObject"] = json!({ "name": "", "objectType": "" });
        let mut bare = record(2, 2);
        bare["affectedObject"] = json!({});
        let mut all = vec![sparse, bare];
        all.truncate(if query["start"] == "0" { 2 } else { 0 });
        (200, results(&all, 1_000))
    });
    let desk = server.desk(false);
    desk.run("-q scan").done();
    assert_eq!(stored(&desk), 2);
    assert_eq!(desk.tenant()["streams"][0]["unusable"], 0);
}

#[test]
fn a_detector_hears_of_a_page_in_every_shape_that_was_recorded() {
    let shapes = [
        json!({ "context": [{ "id": "4242", "type": "page" }] }),
        json!({ "context": [], "container": [{ "id": "s", "type": "sites", "attributes": { "pageId": "4242" } }] }),
        json!({ "context": [], "container": [{ "id": "s", "type": "sites",
            "links": { "alt": "https://acme.example/wiki/spaces/OPS/pages/4242/Runbook" } }] }),
        json!({ "container": [{ "id": "s", "type": "sites", "attributes": {},
            "links": { "alt": "https://acme.example/wiki/pages/viewpage.action?pageId=4242" } }] }),
    ];
    for shape in shapes {
        let text = shape.to_string();
        let server = Server::organization(move |_| {
            let mut event = view(1, "712020:ada", 0);
            let attributes = event["attributes"].as_object_mut().unwrap();
            attributes.remove("context");
            attributes.remove("container");
            attributes.extend(shape.as_object().unwrap().clone());
            (200, page(&[event], None))
        });
        let desk = server.desk(true);
        let config = desk.read("pagewarden.toml") + "[detect]\ncanary_pages = [\"4242\"]\n";
        desk.write("pagewarden.toml", config);
        desk.run("-q scan").done();
        let found = desk.findings();
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0]["detector"], "canary-page", "{text}");
    }
}
