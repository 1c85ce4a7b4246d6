//! A storm: a third of all requests goes wrong, in any way that is known. In the end nothing is lost and nothing twice.
//!
//! `PAGEWARDEN_STORM_SEEDS` says how many storms of each kind there are, and makes a table of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use pagewarden_simulator::{
    Fault, Faults, Hint, LastPage, NextLink, Options, Request, StreamTime, World, WorldSettings,
};
use serde_json::Value;

use crate::support::desk::{Desk, Done, Setup, Tenant, asked_for, table, until};

/// The share of requests that go wrong.
const SHARE: f64 = 0.35;

/// How many storms of each kind there are.
fn seeds() -> u64 {
    asked_for("PAGEWARDEN_STORM_SEEDS").unwrap_or(2).into()
}

/// A tenant of a seed: many late events, repeats and twins, and a server of its own habits.
fn tenant(seed: u64) -> Tenant {
    let world = World::new(WorldSettings {
        start: "2024-01-01T00:00:00Z".parse().unwrap(),
        late: 0.2,
        repeats: 0.03,
        twins: 0.2,
        ..WorldSettings::small(100 + seed)
    });
    let pick = |of: u64| usize::try_from(seed % of).unwrap();
    let options = Options {
        last_page: [LastPage::Cursor, LastPage::Null][pick(2)],
        stream_time: [StreamTime::Processing, StreamTime::Event][pick(3) % 2],
        stream_limit: [100, 60, 250][pick(3)],
        audit_limit: [37, 1_000, 60][pick(3)],
        audit_next: [
            NextLink::Rest,
            NextLink::Wiki,
            NextLink::Absolute,
            NextLink::None,
        ][pick(4)],
        audit_size_is_total: pick(2) == 1,
        gzip: pick(3) == 0,
        clock_ahead: [
            TimeDelta::zero(),
            TimeDelta::minutes(7),
            TimeDelta::minutes(-7),
        ][pick(3)],
        ..Options::default()
    };
    Tenant::of(Arc::new(world), options)
}

/// Everything that can go wrong, small enough for tests.
fn everything(seed: u64) -> Faults {
    Faults {
        // Never so many that patience ends, and so many as chance has it.
        in_a_row: if seed.is_multiple_of(2) { 3 } else { u32::MAX },
        oversized: 17 << 20,
        bomb: 20 << 20,
        ..Faults::of(seed, SHARE, &Fault::ALL)
    }
}

/// A desk whose patience with a silent server is short.
fn desk(tenant: &Tenant) -> Desk {
    Desk::set_up(&Setup {
        timeout: "300ms",
        ..Setup::of(tenant)
    })
}

/// How much is stored, of events and of records.
fn stored(desk: &Desk) -> [u64; 2] {
    let of = desk.tenant();
    [0, 1].map(|stream| of["streams"][stream]["stored"].as_u64().unwrap_or_default())
}

/// What went wrong, by kind, and in how many requests.
#[derive(Debug, Default)]
struct Tally {
    requests: usize,
    faults: BTreeMap<String, usize>,
}

impl Tally {
    fn add(&mut self, requests: &[Request]) {
        self.requests += requests.len();
        for fault in requests.iter().filter_map(|request| request.fault) {
            *self.faults.entry(format!("{fault:?}")).or_default() += 1;
        }
    }

    /// Writes it down where it was asked for.
    fn print(&self, what: &str) {
        let faults: usize = self.faults.values().sum();
        assert!(faults * 5 > self.requests, "hardly a storm: {self:?}");
        if asked_for("PAGEWARDEN_STORM_SEEDS").is_none() {
            return;
        }
        let mut line = format!("{what}: {} requests, {faults} faults:", self.requests);
        for (fault, times) in &self.faults {
            write!(line, " {fault} {times}").unwrap();
        }
        table(&line);
    }
}

/// Whether one of these requests was answered with a lie of this kind, which looks like the truth.
fn lied(requests: &[Request], lie: Fault) -> bool {
    requests.iter().any(|request| request.fault == Some(lie))
}

/// Repeats a command until it says that it could do all of it, has seen all that there is, and was given the truth about who
/// is who; until then it says that it could not, or goes on.
fn until_done(tenant: &Tenant, desk: &Desk, words: &str, expected: [u64; 2], tally: &mut Tally) {
    for _ in 0..150 {
        tenant.simulator.forget_requests();
        let done = desk.run(words);
        let requests = tenant.simulator.requests();
        tally.add(&requests);
        let complete = matches!(done.code(), 0 | 10..=13);
        assert!(complete || done.code() == 1, "{done:?}");
        assert!(
            complete || done.err.contains("could not be read"),
            "{done:?}"
        );
        let now = stored(desk);
        assert!(
            now[0] <= expected[0] && now[1] <= expected[1],
            "something twice: {now:?} of {expected:?}"
        );
        if complete && !lied(&requests, Fault::EndlessCursors) {
            assert_eq!(
                now, expected,
                "it says that it is done, and is not: {done:?}"
            );
        }
        if complete && now == expected && !lied(&requests, Fault::EmptyRoster) {
            return;
        }
    }
    panic!("it never ended: {}", desk.status());
}

/// What the world holds in the end.
fn whole(tenant: &Tenant) -> [u64; 2] {
    let counts = tenant.simulator.world().counts();
    [counts.events, counts.audit].map(u64::from)
}

/// What a desk holds in the end, counted and analysed.
#[derive(Debug, PartialEq)]
struct End {
    counted: Vec<[Value; 3]>,
    findings: String,
}

impl End {
    fn of(desk: &Desk) -> Self {
        let of = desk.tenant();
        let streams = of["streams"].as_array().unwrap();
        // What came again is counted too, and differs.
        let count = |stream: &Value| ["stored", "late", "unusable"].map(|key| stream[key].clone());
        Self {
            counted: streams.iter().map(count).collect(),
            findings: desk.found(),
        }
    }

    #[track_caller]
    fn assert_is(&self, clean: &Self, what: &str) {
        assert_eq!(self.counted, clean.counted, "{what}");
        assert!(clean.findings.len() > 500, "{what}: nothing found");
        assert!(
            self.findings == clean.findings,
            "{what}: other findings: {}\n{}",
            self.findings,
            clean.findings
        );
    }
}

/// Lets the weather be as it is wanted.
fn weather(tenant: &Tenant, faults: Faults) {
    tenant.simulator.change(|options| options.faults = faults);
}

#[test]
fn a_backfill_through_a_storm_ends_with_what_a_clean_one_finds() {
    for seed in 0..seeds() {
        let tenant = tenant(seed);
        let (expected, mut tally) = (whole(&tenant), Tally::default());
        weather(&tenant, everything(seed));
        let through = desk(&tenant);
        let words = "-q backfill --from 2023-12-31 --to 2024-03-01";
        until_done(&tenant, &through, words, expected, &mut tally);
        weather(&tenant, Faults::none());
        let clean = desk(&tenant);
        clean.run(words).done();
        assert_eq!(stored(&clean), expected);
        End::of(&through).assert_is(&End::of(&clean), &format!("backfill of seed {seed}"));
        tally.print(&format!("backfill, seed {seed}"));
    }
}

#[test]
fn scans_through_a_storm_end_with_what_clean_ones_find() {
    for seed in 0..seeds() {
        let tenant = tenant(seed);
        let world = tenant.simulator.world();
        let (start, end) = (world.settings().start, world.until());
        let steps = [1, 2, 3].map(|part| start + (end - start) / 3 * part);
        let steps = [steps[0], steps[1], end];
        let clean = desk(&tenant);
        let expected = steps.map(|now| {
            tenant.simulator.show_until(now);
            clean.run("-q scan").done();
            stored(&clean)
        });
        assert_eq!(expected[2], whole(&tenant));
        let (through, mut tally) = (desk(&tenant), Tally::default());
        weather(&tenant, everything(50 + seed));
        for (now, expected) in steps.into_iter().zip(expected) {
            tenant.simulator.show_until(now);
            until_done(&tenant, &through, "-q scan", expected, &mut tally);
        }
        // It storms on, and nothing changes.
        let settled = End::of(&through);
        for _ in 0..3 {
            through.run("-q scan");
            assert_eq!(stored(&through), expected[2]);
        }
        settled.assert_is(&End::of(&clean), &format!("scans of seed {seed}"));
        tally.print(&format!("scans, seed {seed}"));
    }
}

#[test]
fn a_service_in_a_storm_ends_with_what_a_clean_scan_finds() {
    for seed in 0..seeds() {
        let tenant = tenant(seed);
        let clean = desk(&tenant);
        clean.run("-q scan").done();
        let expected = stored(&clean);
        assert_eq!(expected, whole(&tenant));
        let clean = End::of(&clean);
        let (through, mut tally) = (desk(&tenant), Tally::default());
        weather(&tenant, everything(80 + seed));
        tenant.simulator.forget_requests();
        let mut running = through.start("-q run");
        until("the service to have read everything", || {
            assert!(running.is_running(), "{}", running.err());
            let status = through.run("status --format json");
            (status.code() == 0 && stored(&through) == expected).then_some(())
        });
        tally.add(&tenant.simulator.requests());
        weather(&tenant, Faults::none());
        until("the service to have found everything", || {
            (End::of(&through) == clean).then_some(())
        });
        running.signal("TERM");
        running.wait().ends(0);
        End::of(&through).assert_is(&clean, &format!("service of seed {seed}"));
        tally.print(&format!("service, seed {seed}"));
    }
}

/// What a scan says of a server to which the same thing happens every time, from the first request on.
fn forever(fault: Fault, wait: u32) -> (Desk, Done) {
    let tenant = Tenant::with(Options {
        stream_limit: 100,
        faults: Faults {
            in_a_row: u32::MAX,
            oversized: 17 << 20,
            bomb: 20 << 20,
            away: Duration::from_millis(300),
            wait,
            ..Faults::of(1, 1.0, &[fault])
        },
        ..Options::default()
    });
    let desk = desk(&tenant);
    let done = desk.run("-q scan");
    (desk, done)
}

#[test]
fn a_server_that_never_answers_rightly_is_reported_in_time() {
    let mut shown = String::new();
    for fault in Fault::ALL {
        // Seconds that are waited for, and hours that are not.
        let waits: &[u32] = match fault {
            Fault::Throttled(Hint::None) => &[0],
            Fault::Throttled(_) => &[0, 7_200],
            _ => &[0],
        };
        for wait in waits {
            let (desk, done) = forever(fault, *wait);
            assert!(done.took < Duration::from_secs(30), "{fault:?} {done:?}");
            write!(shown, "## {fault:?}").unwrap();
            if *wait > 0 {
                write!(shown, ", for {wait} s").unwrap();
            }
            writeln!(
                shown,
                "\nexit code {}\n{}",
                done.code(),
                words(&desk, &done)
            )
            .unwrap();
            let quiet = matches!(
                fault,
                // Every event twice is no harm. The others look like a log where nothing happened, and like a tenant
                // without administrators: what is missing is said, and the exit code is that of a scan.
                Fault::Doubled | Fault::EndlessCursors | Fault::EmptyRoster
            );
            assert_eq!(done.code() != 1, quiet, "{fault:?} {done:?}");
        }
    }
    insta::assert_snapshot!("never_rightly", shown);
}

/// What is said to people, without how long is still to be waited and what the system says of a broken connection.
fn words(desk: &Desk, done: &Done) -> String {
    let mut clean = String::new();
    for line in desk.redacted(&done.err).lines() {
        if line.starts_with("pagewarden:") || line.starts_with("tenant `") {
            let line = without(line, " of 7", &[' ', ';'], " of [seconds]");
            // Whether it broke or could not be made is a matter of chance.
            let line = line.replace(
                "the server could not be reached (",
                "the connection broke (",
            );
            let line = without(
                &line,
                "the connection broke (",
                &[';'],
                "the connection broke",
            );
            let line = without(
                &line,
                "no answer came in time (",
                &[';'],
                "no answer came in time",
            );
            clean.push_str(&line);
            clean.push('\n');
        }
    }
    clean
}

/// A line in which what begins so, up to one of these ends, is replaced.
fn without(line: &str, begins: &str, ends: &[char], by: &str) -> String {
    let Some((before, rest)) = line.split_once(begins) else {
        return line.to_owned();
    };
    let rest = rest.find(ends).map_or("", |end| rest.split_at(end).1);
    format!("{before}{by}{rest}")
}
