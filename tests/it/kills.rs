//! Sudden death: killed at any instant, started again, and in the end everything is as if nothing had been.
//!
//! `PAGEWARDEN_KILLS` says how many kills there are in all, and makes a table of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use pagewarden::notify::{Content, webhook::body};
use pagewarden_simulator::{Fault, Faults, Options, Received, World, WorldSettings};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::support::desk::{Desk, Done, Running, Setup, Tenant, asked_for, table, until};

/// How many kills each of the three stories gets.
fn budget() -> u32 {
    asked_for("PAGEWARDEN_KILLS").map_or(6, |kills| kills.div_ceil(3))
}

/// Writes a line of the table where it was asked for.
fn print(line: &str) {
    if asked_for("PAGEWARDEN_KILLS").is_some() {
        table(line);
    }
}

/// A tenant with more events than are committed at once.
fn tenant(seed: u64) -> Tenant {
    let world = World::new(WorldSettings {
        start: "2024-01-01T00:00:00Z".parse().unwrap(),
        people: 50,
        weeks: 3,
        twins: 0.2,
        ..WorldSettings::small(200 + seed)
    });
    let options = Options {
        stream_limit: 250,
        audit_limit: 37,
        ..Options::default()
    };
    Tenant::of(Arc::new(world), options)
}

/// A desk that gets a finding about everything that privileged accounts read.
fn desk(tenant: &Tenant) -> Desk {
    Desk::set_up(&setup(tenant))
}

fn setup(tenant: &Tenant) -> Setup {
    Setup {
        webhook: Some(tenant.simulator.webhook_url().to_string()),
        more: "[detect.privileged-reading]\nmode = \"strict\"\npages_per_day = 8\n",
        ..Setup::of(tenant)
    }
}

/// What a receiver that removes repeats by their key heard last of each subject: key and body.
fn heard(messages: &[Received]) -> BTreeMap<String, (String, Value)> {
    let mut keys = Vec::new();
    let mut last = BTreeMap::new();
    for message in messages.iter().filter(|message| message.accepted) {
        let key = message.header("webhook-id").unwrap().to_owned();
        if keys.contains(&key) {
            continue;
        }
        let mut body: Value = serde_json::from_slice(&message.body).unwrap();
        if body["family"] == "blind" {
            continue;
        }
        let mut subject = key.split(':').next().unwrap().to_owned();
        keys.push(key.clone());
        if body["walk"] == "scan" {
            // A first scan sums up what lies before the moment at which it is made, so how often it does is compared.
            let summaries = keys.iter().filter(|key| !key.contains(':')).count();
            subject = format!("first scan, {summaries}");
            body["span"].take();
            body["id"].take();
            last.insert(subject, (String::new(), body));
            continue;
        }
        last.insert(subject, (key, body));
    }
    last
}

/// Everything that must be the same, whatever happened on the way.
#[derive(Debug, PartialEq)]
struct End {
    streams: Vec<Vec<Value>>,
    findings: String,
    heard: BTreeMap<String, (String, Value)>,
}

impl End {
    fn of(tenant: &Tenant, desk: &Desk) -> Self {
        let status = desk.tenant();
        let streams = status["streams"].as_array().unwrap();
        let of = |stream: &Value| {
            ["stored", "late", "unusable", "watermark", "backfill"]
                .map(|key| stream[key].clone())
                .to_vec()
        };
        assert_eq!(status["deliveries"]["waiting"], 0, "{status}");
        Self {
            streams: streams.iter().map(of).collect(),
            findings: desk.found(),
            heard: heard(&tenant.simulator.received()),
        }
    }

    #[track_caller]
    fn assert_is(&self, undisturbed: &Self, what: &str) {
        assert!(undisturbed.findings.len() > 500 && !undisturbed.heard.is_empty());
        assert_eq!(self.streams, undisturbed.streams, "{what}");
        let sent = |end: &Self| end.heard.keys().cloned().collect::<Vec<_>>();
        assert_eq!(sent(self), sent(undisturbed), "{what}");
        for (subject, message) in &undisturbed.heard {
            assert_eq!(self.heard[subject], *message, "{what}");
        }
        assert!(self.findings == undisturbed.findings, "{what}");
    }
}

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
enum When {
    /// When it has made so many requests, messages included.
    Requests(usize),
    /// When the receiver has so many messages.
    Messages(usize),
    /// When it has changed the state file so many times.
    Commits(usize),
    /// After so long.
    Passed(Duration),
}

/// Counts the changes of a state file, from outside.
struct Changes {
    desk: std::path::PathBuf,
    watching: Option<(Connection, i64)>,
    count: usize,
}

impl Changes {
    fn of(desk: &Desk) -> Self {
        Self {
            desk: desk.path("state.db"),
            watching: None,
            count: 0,
        }
    }

    fn count(&mut self) -> usize {
        let version = |state: &Connection| {
            state.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0))
        };
        if let Some((state, last)) = &mut self.watching {
            if let Ok(now) = version(state)
                && now != *last
            {
                *last = now;
                self.count += 1;
            }
        } else if self.desk.exists() {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
            self.watching = Connection::open_with_flags(&self.desk, flags)
                .ok()
                .and_then(|state| version(&state).ok().map(|now| (state, now)));
        }
        self.count
    }
}

/// Kills a process at an instant; false where it had come to its end before.
fn kill(tenant: &Tenant, desk: &Desk, mut running: Running, when: When) -> bool {
    let began = Instant::now();
    let mut changes = Changes::of(desk);
    loop {
        let now = match when {
            When::Requests(count) => tenant.simulator.request_count() >= count,
            When::Messages(count) => tenant.simulator.received_count() >= count,
            When::Commits(count) => changes.count() >= count,
            When::Passed(time) => began.elapsed() >= time,
        };
        if now {
            let killed = running.is_running();
            // Dropped is killed.
            drop(running);
            return killed;
        }
        if !running.is_running() {
            return false;
        }
        std::thread::park_timeout(Duration::from_micros(100));
    }
}

/// How much an undisturbed process does.
#[derive(Debug, Clone, Copy)]
struct Extent {
    requests: usize,
    took: Duration,
}

impl Extent {
    fn of(tenant: &Tenant, done: &Done) -> Self {
        Self {
            requests: tenant.simulator.request_count(),
            took: done.took,
        }
    }

    /// An instant within it.
    fn instant(self, dice: &mut fastrand::Rng) -> When {
        match dice.u8(0..3) {
            0 => When::Requests(dice.usize(0..=self.requests)),
            1 => When::Commits(dice.usize(1..25)),
            _ => When::Passed(self.took.mul_f64(dice.f64())),
        }
    }
}

#[test]
fn killed_while_it_reads_history_it_ends_as_if_it_had_not_been() {
    const WORDS: &str = "-q backfill --from 2023-12-31 --to 2024-03-01";
    let (tenant, mut dice) = (tenant(1), fastrand::Rng::with_seed(1));
    let clean = desk(&tenant);
    let extent = Extent::of(&tenant, &clean.run(WORDS).done());
    let undisturbed = End::of(&tenant, &clean);
    let (mut kills, mut runs) = (0, 0);
    while kills < budget() {
        let desk = desk(&tenant);
        tenant.simulator.forget_requests();
        let mut instants = Vec::new();
        for _ in 0..dice.u32(1..6) {
            let mut when = extent.instant(&mut dice);
            if let When::Requests(count) = &mut when {
                *count += tenant.simulator.request_count();
            }
            instants.push(when);
            let killed = kill(&tenant, &desk, desk.start(WORDS), when);
            kills += u32::from(killed);
            if !killed {
                break;
            }
        }
        runs += 1;
        desk.run(WORDS).done();
        End::of(&tenant, &desk).assert_is(&undisturbed, &format!("{instants:?}"));
    }
    print(&format!("backfill: {kills} kills in {runs} runs"));
}

/// Moments from the first to the last, and a desk that has seen nothing when it was installed.
fn from_the_beginning(tenant: &Tenant, steps: i32) -> (Desk, Vec<DateTime<Utc>>) {
    let world = tenant.simulator.world();
    let (start, end) = (world.settings().start, world.until());
    tenant.simulator.show_until(start);
    let desk = desk(tenant);
    desk.run("-q scan").done();
    desk.installed(start);
    tenant.simulator.forget_requests();
    let mut moments: Vec<_> = (1..=steps)
        .map(|step| start + (end - start) / steps * step)
        .collect();
    moments.pop();
    moments.push(end);
    (desk, moments)
}

#[test]
fn killed_while_it_polls_it_ends_as_if_it_had_not_been() {
    let (tenant, mut dice) = (tenant(2), fastrand::Rng::with_seed(2));
    let (clean, moments) = from_the_beginning(&tenant, 6);
    for now in &moments {
        tenant.simulator.show_until(*now);
        clean.run("-q scan").done();
    }
    let undisturbed = End::of(&tenant, &clean);
    let (mut kills, mut runs) = (0, 0);
    while kills < budget() {
        let (desk, moments) = from_the_beginning(&tenant, 6);
        let mut instants = Vec::new();
        for now in moments {
            tenant.simulator.show_until(now);
            for _ in 0..dice.u32(0..3) {
                let when = match dice.u8(0..3) {
                    0 => When::Requests(tenant.simulator.request_count() + dice.usize(0..30)),
                    1 => When::Commits(dice.usize(1..12)),
                    _ => When::Passed(Duration::from_millis(dice.u64(0..1_200))),
                };
                instants.push(when);
                // The service polls every second, and does not end by itself.
                kills += u32::from(kill(&tenant, &desk, desk.start("-q run"), when));
            }
            desk.run("-q scan").done();
        }
        runs += 1;
        End::of(&tenant, &desk).assert_is(&undisturbed, &format!("{instants:?}"));
    }
    print(&format!("live polling: {kills} kills in {runs} runs"));
}

#[test]
fn killed_while_it_delivers_it_delivers_everything_and_the_receiver_can_remove_what_came_twice() {
    let (tenant, mut dice) = (tenant(3), fastrand::Rng::with_seed(3));
    let end = tenant.simulator.world().until();
    let (clean, _) = from_the_beginning(&tenant, 1);
    tenant.simulator.show_until(end);
    clean.run("-q scan").done();
    let undisturbed = End::of(&tenant, &clean);
    let messages = tenant.simulator.received_count();
    assert!(messages >= 5, "{messages}");
    let (mut kills, mut runs, mut twice) = (0, 0, 0);
    while kills < budget() {
        let (desk, _) = from_the_beginning(&tenant, 1);
        tenant.simulator.show_until(end);
        // Some receivers fail now and then, too.
        let seed = dice.u64(..);
        tenant.simulator.change(|options| {
            options.faults = Faults {
                paths: vec!["/webhook".to_owned()],
                ..Faults::of(
                    seed,
                    0.3,
                    &[Fault::ServerError(503), Fault::Reset, Fault::Refused],
                )
            };
        });
        let mut instants = Vec::new();
        for _ in 0..dice.u32(1..6) {
            let when = When::Messages(tenant.simulator.received_count() + dice.usize(1..4));
            instants.push(when);
            let words = ["-q scan", "-q run"][dice.usize(0..2)];
            let killed = kill(&tenant, &desk, desk.start(words), when);
            kills += u32::from(killed);
            if !killed {
                break;
            }
            if tenant.simulator.received_count() >= messages {
                break;
            }
        }
        tenant
            .simulator
            .change(|options| options.faults = Faults::none());
        until("everything to be sent", || {
            let done = desk.run("-q scan");
            (desk.tenant()["deliveries"]["waiting"] == 0).then_some(done)
        });
        runs += 1;
        let accepted = |message: &&Received| message.accepted;
        twice += tenant.simulator.received().iter().filter(accepted).count() - messages;
        End::of(&tenant, &desk).assert_is(&undisturbed, &format!("{instants:?}"));
    }
    print(&format!(
        "delivery: {kills} kills in {runs} runs; {twice} messages came twice, under their old keys"
    ));
}

/// The state of a file after each of the commits in its write-ahead log: how many bytes of the log there were by then.
fn boundaries(wal: &[u8]) -> Vec<usize> {
    let word = |at: usize| u32::from_be_bytes(wal[at..at + 4].try_into().unwrap());
    let page = usize::try_from(word(8)).unwrap();
    let salts = wal[16..24].to_vec();
    let frames = (0..).map(|frame| 32 + frame * (24 + page));
    frames
        .take_while(|at| at + 24 + page <= wal.len() && wal[at + 8..at + 16] == salts)
        // The last frame of a commit says how long the database is then.
        .filter(|at| word(at + 4) != 0)
        .map(|at| at + 24 + page)
        .collect()
}

/// A run of the program whose commits all stay in the write-ahead log.
struct Logged {
    before: Vec<u8>,
    wal: Vec<u8>,
}

impl Logged {
    /// Runs it. A reader at the very beginning of the log keeps it from being taken over into the file.
    fn run(desk: &Desk, words: &str) -> Self {
        let path = desk.path("state.db");
        let before = std::fs::read(&path).unwrap();
        let reader = Connection::open(&path).unwrap();
        reader
            .execute_batch("begin; select count(*) from tenant")
            .unwrap();
        desk.run(words).done();
        let wal = std::fs::read(desk.path("state.db-wal")).unwrap();
        assert!(std::fs::read(&path).unwrap() == before, "taken over");
        drop(reader);
        Self { before, wal }
    }

    /// What lay on the disk when so much of the log was written.
    fn leave(&self, desk: &Desk, bytes: usize) {
        desk.write("state.db", &self.before);
        desk.write("state.db-wal", &self.wal[..bytes]);
    }
}

/// What was marked as sent in a state file.
fn sent(path: &Path) -> Vec<Received> {
    let state = Connection::open(path).unwrap();
    let mut list = state
        .prepare("select id, body from delivery where state = 'sent' order by rowid")
        .or_else(|_| state.prepare("select id, body from delivery where state = 'sent'"))
        .unwrap();
    let messages = list.query_map([], |row| {
        Ok(Received {
            path: String::new(),
            headers: vec![("webhook-id".to_owned(), row.get(0)?)],
            body: body(&Content::from_stored(&row.get::<_, Vec<u8>>(1)?).unwrap()),
            accepted: true,
        })
    });
    messages.unwrap().map(Result::unwrap).collect()
}

/// Dies at every commit boundary of a command, and within commits; goes on with a command each time until all is well.
fn at_every_boundary(
    tenant: &Tenant,
    prepared: impl Fn() -> Desk,
    words: &str,
    go_on: impl Fn(&Desk, &End),
) {
    let first = prepared();
    let logged = Logged::run(&first, words);
    let undisturbed = End::of(tenant, &first);
    let mut instants = boundaries(&logged.wal);
    let commits = instants.len();
    assert!(commits > 8, "{commits}");
    // Killed in the middle of writing a commit, too.
    let mut dice = fastrand::Rng::with_seed(4);
    let torn = |_| dice.usize(32..logged.wal.len());
    instants.extend((0..commits / 3).map(torn).collect::<Vec<_>>());
    for bytes in instants {
        let desk = desk(tenant);
        logged.leave(&desk, bytes);
        let before = sent(&desk.path("state.db"));
        tenant.simulator.forget_requests();
        go_on(&desk, &undisturbed);
        let mut end = End::of(tenant, &desk);
        let all: Vec<_> = before
            .into_iter()
            .chain(tenant.simulator.received())
            .collect();
        end.heard = heard(&all);
        end.assert_is(&undisturbed, &format!("{words}, after {bytes} bytes"));
    }
    print(&format!(
        "{words}: {commits} commit boundaries, {} torn commits",
        commits / 3
    ));
}

#[test]
fn killed_at_every_commit_of_a_scan_it_ends_as_if_it_had_not_been() {
    let tenant = tenant(4);
    let prepared = || {
        let (desk, moments) = from_the_beginning(&tenant, 1);
        tenant.simulator.show_until(moments[0]);
        desk
    };
    at_every_boundary(&tenant, prepared, "-q scan", |desk, _| {
        desk.run("-q scan").done();
    });
}

#[test]
fn killed_at_every_commit_of_a_first_scan_it_sums_up_once() {
    let tenant = tenant(5);
    let empty = || {
        let desk = desk(&tenant);
        // Only the file itself is there.
        desk.run("-q import no-such-file").ends(1);
        tenant.simulator.forget_requests();
        desk
    };
    at_every_boundary(&tenant, empty, "-q scan", |desk, _| {
        desk.run("-q scan").done();
    });
}

#[test]
fn killed_at_every_commit_of_a_backfill_it_ends_as_if_it_had_not_been() {
    const WORDS: &str = "-q backfill --from 2023-12-31 --to 2024-03-01";
    let tenant = tenant(6);
    let prepared = || {
        let desk = desk(&tenant);
        desk.run("-q import no-such-file").ends(1);
        tenant.simulator.forget_requests();
        desk
    };
    // The command again.
    at_every_boundary(&tenant, prepared, WORDS, |desk, _| {
        desk.run(WORDS).done();
    });
}

#[test]
fn what_a_killed_backfill_left_behind_is_finished_by_the_service() {
    const WORDS: &str = "-q backfill --from 2023-12-31 --to 2024-03-01";
    let tenant = tenant(7);
    let first = desk(&tenant);
    first.run("-q import no-such-file").ends(1);
    let logged = Logged::run(&first, WORDS);
    let undisturbed = End::of(&tenant, &first);
    let all = boundaries(&logged.wal);
    // From where something was asked for on, and what is not delivered yet.
    let asked = |bytes: &usize| {
        let desk = desk(&tenant);
        logged.leave(&desk, *bytes);
        let state = Connection::open(desk.path("state.db")).unwrap();
        let query = "select count(*) from checkpoint where walk = 'backfill'";
        state
            .query_row(query, [], |row| row.get::<_, u32>(0))
            .unwrap()
            == 2
            && sent(&desk.path("state.db")).is_empty()
    };
    let instants: Vec<usize> = all.into_iter().filter(asked).collect();
    assert!(instants.len() > 3, "{instants:?}");
    for bytes in instants {
        let desk = desk(&tenant);
        logged.leave(&desk, bytes);
        tenant.simulator.forget_requests();
        let running = desk.start("-q run");
        until("the summary", || {
            (heard(&tenant.simulator.received()) == undisturbed.heard).then_some(())
        });
        until("the findings", || {
            (desk.found() == undisturbed.findings).then_some(())
        });
        running.signal("TERM");
        running.wait().ends(0);
    }
}
