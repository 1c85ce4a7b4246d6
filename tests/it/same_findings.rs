//! The same events and the same roster give the same findings to the byte, whichever way and in whatever order they came.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use pagewarden::config::Detect;
use pagewarden::storage::sqlite::Sqlite;
use pagewarden::storage::{Store, Stretch, Which};
use pagewarden_core::engine::{Draft, Engine, Rules, State};
use pagewarden_core::model::{AccountId, RosterHistory, StreamName, WordId};
use pagewarden_core::session::Read;
use pagewarden_simulator::Options;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::desk::threads;
use crate::support::kit::{Kit, small, world};

/// What the simulated tenant serves, line by line, and who is privileged in the end.
struct Files {
    access: Vec<String>,
    audit: Vec<String>,
    roster: String,
}

impl Files {
    fn of(kit: &Kit) -> Self {
        let lines = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.lines().map(str::to_owned).collect()
        };
        let (mut access, mut audit) = (Vec::new(), Vec::new());
        kit.simulator.write_access_ndjson(&mut access).unwrap();
        kit.world().write_audit_ndjson(&mut audit).unwrap();
        Self {
            access: lines(access),
            audit: lines(audit),
            roster: kit.world().roster_json(kit.world().until()).to_string(),
        }
    }

    /// Imports these files, all in one go, and gives the findings.
    fn import(&self, kit: &Kit, files: &[(&str, Vec<u8>)]) -> String {
        kit.desk.clear();
        kit.desk.keep("roster.json", self.roster.as_bytes());
        let mut args = vec!["import", "--roster", "roster.json"];
        for (name, bytes) in files {
            kit.desk.keep(name, bytes);
            args.push(name);
        }
        kit.desk.run(&args).done();
        kit.desk.findings()
    }
}

fn text(lines: &[String]) -> Vec<u8> {
    let mut text = lines.join("\n").into_bytes();
    text.push(b'\n');
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::fast());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

/// Says where two exports part, instead of printing both.
#[track_caller]
fn assert_same(left: &str, right: &str, what: &str) {
    if left == right {
        return;
    }
    let findings = |text: &str| -> BTreeMap<String, Value> {
        let all: Value = serde_json::from_str(text).unwrap();
        let all = all["findings"].as_array().unwrap().clone();
        all.into_iter()
            .map(|one| (one["id"].as_str().unwrap().to_owned(), one))
            .collect()
    };
    let (left, right) = (findings(left), findings(right));
    let mut parted = Vec::new();
    for id in left.keys().chain(right.keys()) {
        match (left.get(id), right.get(id)) {
            (Some(a), Some(b)) => {
                for (key, value) in a.as_object().unwrap() {
                    if *value != b[key] {
                        parted.push(format!("{id} {key}: {value} | {}", b[key]));
                    }
                }
            }
            (a, _) => parted.push(format!(
                "{id} only {}",
                if a.is_some() { "left" } else { "right" }
            )),
        }
    }
    parted.truncate(12);
    panic!(
        "{what}: {} and {} findings; {parted:#?}",
        left.len(),
        right.len()
    );
}

/// How many findings an export holds.
fn amount(export: &str) -> usize {
    let export: Value = serde_json::from_str(export).unwrap();
    export["findings"].as_array().unwrap().len()
}

#[test]
fn import_backfill_and_a_hundred_scans_give_the_same_bytes() {
    let kit = Kit::new(world(1, 80, 5), Options::default());
    let files = Files::of(&kit);
    let imported = files.import(
        &kit,
        &[
            ("access.ndjson", text(&files.access)),
            ("audit.ndjson", text(&files.audit)),
        ],
    );
    assert!(amount(&imported) >= 3, "{imported}");

    let mut mixed: Vec<String> = files.access.iter().chain(&files.audit).cloned().collect();
    fastrand::Rng::with_seed(7).shuffle(&mut mixed);
    let third = mixed.len() / 3;
    let shuffled = files.import(
        &kit,
        &[
            ("1.ndjson", text(&mixed[..third])),
            ("2.ndjson.gz", gzip(&text(&mixed[third..2 * third]))),
            ("3.ndjson", text(&mixed[2 * third..])),
        ],
    );
    assert_same(
        &imported,
        &shuffled,
        "shuffled, in three files, one of them packed",
    );

    kit.desk.clear();
    kit.backfill().done();
    assert_same(&imported, &kit.desk.findings(), "backfill");

    // Every scan is a process of its own.
    kit.desk.clear();
    for part in 1..=100 {
        kit.show(part, 100);
        kit.scan().done();
    }
    let scanned = kit.desk.findings();
    assert_same(&imported, &scanned, "a hundred scans");

    let database = rusqlite::Connection::open(kit.desk.path("state.db")).unwrap();
    database
        .execute_batch("delete from engine_account; delete from engine")
        .unwrap();
    drop(database);
    kit.scan().done();
    assert_same(&scanned, &kit.desk.findings(), "analysed from scratch");
}

#[test]
fn a_finding_has_the_latest_name_of_its_account_however_long_ago_it_was() {
    let kit = Kit::new(small(4), Options::default());
    let files = Files::of(&kit);
    let account = kit.world().truth()[0].account.to_string();
    let line = files
        .access
        .iter()
        .find(|line| line.contains(&account) && line.contains("confluence_page_viewed"))
        .unwrap();
    // Married and moved, weeks after the finding was settled; read twice, so that those weeks are settled too.
    let later: Vec<String> = (0..3)
        .map(|n| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            event["id"] = Value::String(format!("00000000-0000-4000-8000-00000000000{n}"));
            let at = Value::String(format!("2024-03-{:02}T10:00:00Z", 1 + 9 * n));
            event["attributes"]["time"] = at.clone();
            event["attributes"]["processedAt"] = at;
            event["attributes"]["actor"]["id"] = Value::String(account.clone());
            event["attributes"]["actor"]["name"] = Value::String(format!("Ada Example the {n}."));
            event.to_string()
        })
        .collect();
    let whole = files.import(
        &kit,
        &[
            ("all.ndjson", text(&files.access)),
            ("later.ndjson", text(&later)),
        ],
    );
    assert!(whole.contains("Ada Example the 2."));
    files.import(&kit, &[("all.ndjson", text(&files.access))]);
    for line in later {
        kit.desk.keep("later.ndjson", &text(&[line]));
        kit.desk.run(&["import", "later.ndjson"]).done();
    }
    assert_same(&whole, &kit.desk.findings(), "one after the other");
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let kit = Kit::new(small(2), Options::default());
    let files = Files::of(&kit);
    let whole = files.import(
        &kit,
        &[
            ("all.ndjson", text(&files.access)),
            ("audit.ndjson", text(&files.audit)),
        ],
    );
    assert!(amount(&whole) >= 2, "{whole}");
    let mut all: Vec<(i64, &String)> = Vec::new();
    for (line, place) in files.access.iter().zip(0_i64..) {
        let event: Value = serde_json::from_str(line).unwrap();
        let time = event["attributes"]["processedAt"].as_str().unwrap();
        let at = time.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        all.push((at.timestamp() * 10 + place % 10, line));
    }
    // Some within `settle`, some far beyond it.
    for (seed, hours) in [(1, 2), (2, 20), (3, 200)] {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut arriving: Vec<(i64, &String)> = all
            .iter()
            .map(|(at, line)| (at + dice.i64(0..hours * 36_000), *line))
            .collect();
        arriving.sort_unstable();
        kit.desk.clear();
        kit.desk.keep("audit.ndjson", &text(&files.audit));
        kit.desk
            .run(&["import", "--roster", "roster.json", "audit.ndjson"])
            .done();
        for chunk in arriving.chunks(arriving.len() / 9) {
            let lines: Vec<String> = chunk.iter().map(|(_, line)| (*line).clone()).collect();
            kit.desk.keep("some.ndjson", &text(&lines));
            kit.desk.run(&["import", "some.ndjson"]).done();
        }
        assert_same(
            &whole,
            &kit.desk.findings(),
            &format!("arriving up to {hours} hours late"),
        );
    }
}

/// Every reading event of a stored world, and the accounts by a number that every file would give them.
fn reads(kit: &Kit) -> (Vec<Read>, Vec<(WordId, u64)>) {
    let files = Files::of(kit);
    files.import(kit, &[("all.ndjson", text(&files.access))]);
    let store = Sqlite::open_to_read(&kit.desk.path("state.db")).unwrap();
    let (reads, accounts) = threads().block_on(stored(&store));
    let stable = |id: &str| {
        id.bytes()
            .fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte))
    };
    let stable = accounts
        .iter()
        .map(|(id, account)| (*id, stable(account.as_str())));
    (reads, stable.collect())
}

async fn stored(store: &dyn Store) -> (Vec<Read>, Vec<(WordId, AccountId)>) {
    let tenant = store.tenants().await.unwrap().remove(0).id;
    let streams = store.streams(tenant).await.unwrap();
    let (stream, _) = streams
        .into_iter()
        .find(|(_, name)| *name == StreamName::Access)
        .unwrap();
    let all = Stretch {
        stream,
        from: i64::MIN,
        until: i64::MAX,
    };
    let (mut reads, mut after) = (Vec::new(), None);
    loop {
        let chunk = store.events(all, Which::Reading, after).await.unwrap();
        reads.extend(chunk.events.iter().map(|event| event.read));
        after = chunk.next;
        if after.is_none() {
            break;
        }
    }
    (reads, store.accounts_after(tenant, 0).await.unwrap())
}

/// The drafts of an engine, in an order of their own.
fn sorted(mut drafts: Vec<Draft>) -> Vec<Draft> {
    drafts.sort_by_key(|draft| (draft.account, draft.family, draft.period));
    drafts
}

#[test]
fn any_split_into_runs_gives_what_one_run_gives() {
    let kit = Kit::new(small(3), Options::default());
    let (reads, stable) = reads(&kit);
    let detect = Detect::default();
    let roster = RosterHistory::default();
    let rules = Rules {
        detect,
        roster,
        rostered: [].into_iter().collect(),
        names: [].into_iter().collect(),
        stable: stable.into_iter().collect(),
        sites: None,
        canaries: [].into_iter().collect(),
        integrations: [].into_iter().collect(),
        verdicts: pagewarden_core::engine::Verdicts::default(),
        suppressions: pagewarden_core::engine::Suppressions::default(),
    };
    let mut one = Engine::new();
    for read in &reads {
        one.take(&rules, read);
    }
    let mut whole = one.finished();
    whole.extend(one.standing(&rules));
    let whole = sorted(whole);
    assert!(
        reads.len() > 2_000 && whole.len() >= 2,
        "{} reads, {} drafts",
        reads.len(),
        whole.len()
    );
    let split = |cuts: &[usize]| {
        let mut kept = State::default();
        let mut engine = Engine::new();
        let mut reported = Vec::new();
        for (place, read) in reads.iter().enumerate() {
            if cuts.contains(&place) {
                reported.extend(engine.finished());
                let State {
                    tenant,
                    accounts,
                    pages,
                } = engine.state().unwrap();
                kept.tenant = tenant;
                kept.accounts.extend(accounts);
                kept.pages.extend(pages);
                engine = Engine::resume(&kept).unwrap();
            }
            engine.take(&rules, read);
        }
        reported.extend(engine.finished());
        reported.extend(engine.standing(&rules));
        sorted(reported)
    };
    proptest!(ProptestConfig::with_cases(12), |(cuts in prop::collection::vec(0..reads.len(), 1..30))| {
        prop_assert!(split(&cuts) == whole);
    });
}
