//! Every event that the API shows counts exactly once, whatever is repeated, late, reordered, refused or cut short.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pagewarden_simulator::{Fault, Faults, LastPage, NextLink, Options, StreamTime};
use serde_json::{Value, json};

use crate::support::kit::{Desk, Kit, Ran, Served, odd_organization, page, small, view};

/// Reads the first part as history, and what comes after it in a few cycles, cursors being refused between some.
fn backfill_and_scan(seed: u64, options: Options) {
    let kit = Kit::new(small(seed), options);
    kit.show(3, 7);
    kit.backfill().done();
    for part in [3, 4, 5, 7] {
        kit.show(part, 7);
        if part != 4 {
            kit.simulator.fail_next("/events", Fault::RefusedCursor, 1);
        }
        kit.scan().done();
    }
    kit.assert_all_once();
    let counts = kit.desk.stored("access");
    kit.scan().done();
    kit.assert_all_once();
    assert!(counts.repeated > 0 && counts.late > 0);
}

#[test]
fn backfill_and_scans_store_every_event_once_as_the_guide_describes_the_api() {
    backfill_and_scan(1, Options::default());
}

#[test]
fn backfill_and_scans_store_every_event_once_where_the_last_page_has_no_cursor() {
    let options = Options {
        last_page: LastPage::Null,
        audit_limit: 37,
        audit_next: NextLink::Wiki,
        audit_size_is_total: true,
        gzip: true,
        ..Options::default()
    };
    backfill_and_scan(2, options);
}

#[test]
fn backfill_and_scans_store_every_event_once_where_windows_mean_event_times() {
    let options = Options {
        stream_time: StreamTime::Event,
        stream_limit: 200,
        audit_limit: 37,
        audit_next: NextLink::Absolute,
        ..Options::default()
    };
    backfill_and_scan(3, options);
}

#[test]
fn backfill_and_scans_store_every_event_once_where_the_end_is_not_known() {
    let options = Options {
        last_page: LastPage::Null,
        stream_time: StreamTime::Event,
        audit_limit: 5,
        audit_next: NextLink::None,
        ..Options::default()
    };
    backfill_and_scan(4, options);
}

#[test]
fn backfill_and_scans_store_every_event_once_where_no_list_is_given_far() {
    let options = Options {
        audit_limit: 7,
        audit_farthest: 20,
        ..Options::default()
    };
    backfill_and_scan(10, options);
}

#[test]
fn thirty_small_scans_store_what_one_would() {
    let kit = Kit::new(small(5), Options::default());
    for part in 1..=30 {
        kit.show(part, 30);
        if part % 7 == 0 {
            kit.simulator.fail_next("/events", Fault::RefusedCursor, 1);
        }
        kit.scan().done();
    }
    kit.assert_all_once();
}

#[test]
fn a_history_read_after_live_polling_began_repeats_and_stores_nothing_twice() {
    let kit = Kit::new(small(6), Options::default());
    kit.show(1, 2);
    kit.scan().done();
    kit.show(2, 2);
    kit.desk
        .run(&["backfill", "--from", "2023-12-31", "--to", "2024-03-01"])
        .done();
    kit.scan().done();
    kit.assert_all_once();
}

#[test]
fn whatever_goes_wrong_on_the_way_ends_with_the_same_counts() {
    for seed in [8, 9] {
        let options = Options {
            stream_limit: 100,
            audit_limit: 37,
            ..Options::default()
        };
        let kit = Kit::new(small(seed), options);
        kit.simulator
            .change(|options| options.faults = Faults::passing(seed, 0.3));
        kit.show(1, 2);
        until_done(&kit, &|| kit.backfill());
        kit.show(2, 2);
        until_done(&kit, &|| kit.scan());
        kit.simulator
            .change(|options| options.faults = Faults::none());
        kit.assert_all_once();
    }
}

/// Repeats a command until it could do all of it; until then it says that it could not.
fn until_done(kit: &Kit, run: &dyn Fn() -> Ran) {
    for _ in 0..60 {
        let ran = run();
        if ran.code != 1 {
            ran.done();
            return;
        }
        assert!(ran.err.contains("could not be read"), "{ran:#?}");
    }
    panic!("it never ended: {}", kit.desk.status());
}

#[test]
fn a_poll_that_does_not_finish_is_reported_and_loses_nothing() {
    let options = Options {
        stream_limit: 100,
        ..Options::default()
    };
    let kit = Kit::new(small(10), options);
    let path = format!("/admin/v1/orgs/{}/events-stream", kit.simulator.org_id());
    for (fault, code) in [
        (Fault::RepeatingCursor, 1),
        (Fault::ForeignNext, 1),
        (Fault::HtmlOk, 1),
        // An empty page with a cursor is what the end looks like, too: only now is anything found.
        (Fault::EndlessCursors, 11),
    ] {
        kit.simulator.change(|options| {
            options.faults = Faults {
                paths: vec![path.clone()],
                in_a_row: u32::MAX,
                ..Faults::of(1, 1.0, &[fault])
            };
        });
        let ran = kit.scan().ended(code);
        let reported = ran
            .err
            .contains("the organisation's events could not be read");
        assert_eq!(reported, code == 1, "{ran:#?}");
        let error = &kit.desk.status()["streams"][0]["last_error"];
        assert_eq!(error.is_string(), code == 1, "{error}");
    }
    kit.simulator
        .change(|options| options.faults = Faults::none());
    kit.scan().done();
    kit.assert_all_once();
}

#[test]
fn a_log_that_is_newest_first_is_refused_and_the_checkpoint_stays() {
    let (desk, _served) = odd_organization(|_| page((0..20).rev(), Some("more")));
    let ran = desk.run(&["scan"]).ended(1);
    assert!(ran.err.contains("newest first"), "{ran:#?}");
    assert_eq!(desk.status()["streams"][0]["watermark"], Value::Null);
}

#[test]
fn cursors_that_never_end_are_left_and_what_was_read_counts_once() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let (desk, _served) = odd_organization(move |_| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        page(0..20, Some(&format!("cursor {n}")))
    });
    let ran = desk.run(&["scan"]).ended(1);
    assert!(ran.err.contains("go on without"), "{ran:#?}");
    assert!(asked.load(Ordering::SeqCst) < 100);
    assert_eq!(desk.stored("access").stored, 20);
}

#[test]
fn an_empty_page_on_the_way_does_not_end_a_history() {
    let (desk, _served) = odd_organization(|query| match query.get("cursor").map(String::as_str) {
        None => page(0..20, Some("a")),
        Some("a") => page(0..0, Some("b")),
        Some("b") => page(20..40, Some("c")),
        Some(_) => page(0..0, Some("c")),
    });
    desk.run(&["backfill", "--from", "2024-01-01"]).done();
    assert_eq!(desk.stored("access").stored, 40);
    desk.clear();
    for _ in 0..3 {
        desk.run(&["scan"]).done();
    }
    assert_eq!(desk.stored("access").stored, 40);
}

#[test]
fn records_come_again_in_other_order_with_the_same_processing_time() {
    // All of one second, in pages that overlap and run to and fro.
    let (desk, _served) = odd_organization(|query| {
        let same = |n: u32| {
            let mut event = view(n);
            event["attributes"]["processedAt"] = json!("2024-01-08T12:00:00Z");
            event
        };
        let (range, next) = match query.get("cursor").map(String::as_str) {
            None => (0..30, Some("a")),
            Some("a") => (20..50, Some("b")),
            Some(_) => (0..0, None),
        };
        json!({ "data": range.rev().map(same).collect::<Vec<_>>(), "meta": { "next": next } })
    });
    desk.run(&["scan"]).done();
    let stored = desk.stored("access");
    assert_eq!((stored.stored, stored.repeated), (50, 10));
}

/// A tenant with nothing but a site, whose audit log answers as it likes.
fn odd_site(
    log: impl Fn(&HashMap<String, String>) -> Value + Send + Sync + 'static,
) -> (Desk, Served) {
    let served = Served::new(move |path, query| {
        if path.ends_with("/audit") {
            log(query)
        } else {
            json!({ "results": [], "start": 0, "limit": 200, "size": 0, "_links": {} })
        }
    });
    let desk = Desk::new(&format!(
        r#"
[state]
path = "{{dir}}/state.db"
[[tenant]]
name = "acme"
[[tenant.site]]
url = "{}"
email = "auditor@acme.example"
api_token = {{ file = "{{dir}}/site.token" }}
[tenant.schedule]
lookback = "3650d"
[retry]
base = "10ms"
"#,
        served.origin
    ));
    desk.keep("site.token", b"token-of-the-site");
    (desk, served)
}

/// An audit record of one second; equal ones for equal numbers.
fn record(n: u32) -> Value {
    json!({
        "author": { "type": "user", "displayName": "Ada Example", "operations": null, "accountId": "712020:ada" },
        "remoteAddress": "", "creationDate": 1_704_700_000_000_i64, "summary": "Page archived", "description": "",
        "category": "Page", "sysAdmin": false, "affectedObject": { "name": n.to_string(), "objectType": "Page" },
        "changedValues": [], "associatedObjects": [],
    })
}

fn results(of: Vec<u32>, limit: u32) -> Value {
    let size = of.len();
    json!({ "results": of.into_iter().map(record).collect::<Vec<_>>(), "start": 0, "limit": limit, "size": size, "_links": {} })
}

#[test]
fn a_server_that_ignores_where_a_page_begins_is_left() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    for limit in [1, 10] {
        let count = Arc::clone(&count);
        let (desk, _served) = odd_site(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            results((0..limit).collect(), limit)
        });
        let ran = desk.run(&["scan"]).ended(1);
        assert!(ran.err.contains("the same page again"), "{ran:#?}");
        assert_eq!(desk.stored("audit").stored, u64::from(limit));
        assert_eq!(desk.status()["streams"][0]["watermark"], Value::Null);
    }
    assert!(asked.load(Ordering::SeqCst) < 50);
}

#[test]
fn equal_records_that_fill_several_pages_are_stored_each() {
    // Two at a time, whatever is asked for; seven records, five of them equal.
    let (desk, _served) = odd_site(|query| {
        let all = [1, 2, 2, 2, 2, 2, 3];
        let start: usize = query["start"].parse().unwrap();
        let page = all.iter().skip(start).take(2).copied().collect();
        results(page, 2)
    });
    for _ in 0..2 {
        desk.run(&["scan"]).done();
        assert_eq!(desk.stored("audit").stored, 7);
    }
}

#[test]
fn a_log_that_shifts_while_it_is_read_makes_no_twins_and_loses_none() {
    // Newest first, equal ones in pairs. After the first page and again after the fourth so many new ones come in front.
    for (burst, limit) in [(1, 2), (2, 2), (3, 2), (5, 2), (9, 3), (40, 37)] {
        let asked = Arc::new(AtomicU32::new(0));
        let total = 100 + 2 * burst;
        let (desk, _served) = odd_site(move |query| {
            let unseen = match asked.fetch_add(1, Ordering::SeqCst) {
                0 => 2 * burst,
                1..4 => burst,
                _ => 0,
            };
            let start: u32 = query["start"].parse().unwrap();
            let page = (unseen + start..total).take(usize::try_from(limit).unwrap());
            results(page.map(|n| n / 2).collect(), limit)
        });
        for _ in 0..2 {
            desk.run(&["scan"]).done();
            assert_eq!(
                desk.stored("audit").stored,
                u64::from(total),
                "{burst} in pages of {limit}"
            );
        }
    }
}
