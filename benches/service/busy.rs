//! A bulk collection at a busy tenant, in real time: 20 events a second, 10 requests a minute of 500 events each.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden_core::model::AccountId;
use pagewarden_core::time::{Clock as _, SystemClock};
use pagewarden_simulator::{Options, Simulator, World, WorldSettings};
use serde_json::Value;

use crate::process::{self, start};
use crate::{Done, say};

/// How long before the bulk collection the service starts.
const BEFORE: TimeDelta = TimeDelta::seconds(60);

/// How long reading history may take.
const READING: TimeDelta = TimeDelta::minutes(6);

/// How long it is watched: a message waits for late events for ten minutes, and a minute for each of two polls.
const WATCHED: Duration = Duration::from_mins(20);

/// How many events a second come at a busy tenant, from the first view of the bulk collection on.
const RATE: u32 = 20;

/// How many worlds are looked at for one in which the bulk collection falls into the busy hours.
const SEEDS: u64 = 20;

/// A world in which somebody begins to collect in bulk in a busy hour, when history has been read; when, and who.
fn world_with_collection(people: u32) -> Done<(World, DateTime<Utc>, AccountId)> {
    let script = |world: &World| {
        let planted = world.truth().iter().find(|one| one.name == "script");
        planted.map(|one| (one.from, one.account.clone()))
    };
    for seed in 1..=SEEDS {
        let mut settings = WorldSettings {
            seed,
            people,
            weeks: 2,
            ..WorldSettings::default()
        };
        let world = World::new(settings.clone());
        let (from, _) = script(&world).ok_or("no bulk collection")?;
        let soon = from + TimeDelta::minutes(10);
        let events = world.counts_until(soon).events - world.counts_until(from).events;
        if events < RATE * 600 {
            continue;
        }
        settings.start += SystemClock.now() + READING - from;
        let world = World::new(settings);
        let (from, account) = script(&world).ok_or("no bulk collection")?;
        return Ok((world, from, account));
    }
    Err(format!("no world of {people} people is busy enough: name more with --people").into())
}

/// Reads two weeks as fast as it can, then watches the present as slowly as it may.
pub(crate) fn measure(program: &Path, people: u32) -> Done {
    let runtime = tokio::runtime::Runtime::new()?;
    let within = runtime.enter();
    let (world, from, account) = world_with_collection(people)?;
    let simulator = Simulator::start(world, Options::default())?;
    drop(within);
    simulator.show_until(SystemClock.now());
    let origin = simulator.base_url().as_str().trim_end_matches('/');
    let tenant = process::tenant("bench", origin, simulator.org_id(), simulator.org_key());
    let folder = process::folder(&[tenant], "60s")?;
    let config = folder.path().join("pagewarden.toml");
    let fast = std::fs::read_to_string(&config)?.replace("3650d", "14d");
    std::fs::write(&config, &fast)?;
    start(program, folder.path(), "scan")?.wait()?;
    simulator.forget_requests();
    let wait = (from - BEFORE - SystemClock.now())
        .to_std()
        .unwrap_or_default();
    simulator.show_until(SystemClock.now());
    std::thread::sleep(wait);
    let hook = folder.path().join("hook");
    std::fs::write(hook, simulator.webhook_url().as_str())?;
    let slow = fast.replace("600000", "10")
        + "[[notifier]]\nname = \"soc\"\ntype = \"webhook\"\nurl = { file = \"hook\" }\nmin_severity = \"low\"\n";
    std::fs::write(&config, slow)?;
    let mut service = start(program, folder.path(), "run")?;
    let (began, first) = (Instant::now(), stored(program, folder.path())?);
    let (mut last, mut changed, mut longest) = (first, Instant::now(), Duration::ZERO);
    let mut reported: Option<DateTime<Utc>> = None;
    while began.elapsed() < WATCHED && reported.is_none() {
        simulator.show_until(SystemClock.now());
        std::thread::sleep(Duration::from_millis(500));
        let now = stored(program, folder.path())?;
        if now != last {
            longest = longest.max(changed.elapsed());
            (last, changed) = (now, Instant::now());
        }
        let about = |body: &[u8]| String::from_utf8_lossy(body).contains(account.as_str());
        if simulator.received().iter().any(|one| about(&one.body)) {
            reported = Some(SystemClock.now());
        }
    }
    service.kill()?;
    service.wait()?;
    let rate = (last - first) / began.elapsed().as_secs().max(1);
    let requests = simulator.requests().len();
    let after = reported.map_or("never".to_owned(), |reported| {
        format!("{} s", (reported - from).num_seconds())
    });
    say(&format!(
        "busy: {rate} events a second stored, {requests} requests; the bulk collection was reported {after} after it began, {} s between commits at most",
        longest.as_secs()
    ))?;
    Ok(())
}

/// How many events are stored.
fn stored(program: &Path, folder: &Path) -> Done<u64> {
    let status = Command::new(program)
        .args(["status", "--format", "json"])
        .env_clear()
        .current_dir(folder)
        .output()?;
    let status: Value = serde_json::from_slice(&status.stdout)?;
    let stored = status.pointer("/tenants/0/streams/0/stored");
    Ok(stored.and_then(Value::as_u64).unwrap_or_default())
}
