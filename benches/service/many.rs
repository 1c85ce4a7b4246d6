//! What a thousand small tenants cost, each polled every minute, one in ten of them down.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::TimeDelta;
use pagewarden_simulator::{KeyState, Options, Simulator, World, WorldSettings};
use serde_json::Value;

use crate::process::{self, cpu, memory, start};
use crate::{Done, say};

/// For how long it is measured, after as long to settle.
const MEASURED: Duration = Duration::from_mins(2);

/// Lets the service watch so many tenants of a hundred people.
pub(crate) fn measure(program: &Path, tenants: u32) -> Done {
    let runtime = tokio::runtime::Runtime::new()?;
    let within = runtime.enter();
    let mut simulators = Vec::new();
    for seed in 0..tenants {
        let settings = WorldSettings {
            seed: u64::from(seed) + 1,
            people: 100,
            weeks: 2,
            pages: 400,
            ..WorldSettings::default()
        };
        let now = settings.start + TimeDelta::days(10) + TimeDelta::hours(9);
        let simulator = Simulator::start(World::new(settings), Options::default())?;
        simulator.show_until(now);
        simulators.push(simulator);
    }
    drop(within);
    let configs: Vec<_> = simulators
        .iter()
        .enumerate()
        .map(|(place, simulator)| {
            let origin = simulator.base_url().as_str().trim_end_matches('/');
            let name = format!("tenant-{place}");
            process::tenant(&name, origin, simulator.org_id(), simulator.org_key())
        })
        .collect();
    let folder = process::folder(&configs, "60s")?;
    start(program, folder.path(), "scan")?.wait()?;
    for simulator in simulators.iter().step_by(10) {
        simulator.change(|options| options.key = KeyState::Refused);
    }
    let mut service = start(program, folder.path(), "run")?;
    std::thread::sleep(MEASURED);
    let before = cpu(service.id())?;
    for _ in 0..MEASURED.as_secs() / 60 {
        for simulator in &simulators {
            simulator.show_until(simulator.now() + TimeDelta::minutes(1));
        }
        std::thread::sleep(Duration::from_mins(1));
    }
    let used = cpu(service.id())? - before;
    let most = memory(service.id(), "VmHWM:")?;
    let lag = worst_lag(program, folder.path())?;
    service.kill()?;
    service.wait()?;
    say(&format!(
        "many: {tenants} tenants of 100 people, one in ten refused: {} ms of CPU a minute, {most} KiB at most, the worst of the others {lag} s behind",
        used * 60 / MEASURED.as_secs(),
    ))?;
    Ok(())
}

/// The longest time since a complete poll among tenants whose polls work.
fn worst_lag(program: &Path, folder: &Path) -> Done<u64> {
    let status = Command::new(program)
        .args(["status", "--format", "json"])
        .env_clear()
        .current_dir(folder)
        .output()?;
    let status: Value = serde_json::from_slice(&status.stdout)?;
    let tenants = status.get("tenants").and_then(Value::as_array);
    let streams = tenants
        .into_iter()
        .flatten()
        .filter_map(|tenant| tenant.get("streams")?.as_array())
        .flatten();
    let working = streams.filter(|stream| stream.get("last_error").is_some_and(Value::is_null));
    let lags = working.filter_map(|stream| stream.get("lag_seconds")?.as_u64());
    Ok(lags.max().unwrap_or_default())
}
