//! What each poll of a large tenant costs on a working day.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use pagewarden_simulator::{Options, Simulator, World, WorldSettings};

use crate::process::{self, cpu, memory, start};
use crate::{Done, say};

/// Between two polls, really; a minute passes at the tenant.
const EVERY: Duration = Duration::from_secs(10);

/// How long the service is left alone before it is measured, so that it has analysed what there was.
const SETTLE: Duration = Duration::from_secs(30);

/// Reads two weeks as history but for the last days, then lets the service poll a minute at a time on a Thursday morning.
pub(crate) fn measure(program: &Path, people: u32, polls: u32) -> Done {
    let runtime = tokio::runtime::Runtime::new()?;
    let within = runtime.enter();
    let settings = WorldSettings {
        people,
        weeks: 2,
        ..WorldSettings::default()
    };
    let mut now = settings.start + TimeDelta::days(10) + TimeDelta::hours(9);
    let simulator = Simulator::start(World::new(settings), Options::default())?;
    drop(within);
    simulator.show_until(now);
    let origin = simulator.base_url().as_str().trim_end_matches('/');
    let tenant = process::tenant("bench", origin, simulator.org_id(), simulator.org_key());
    let folder = process::folder(&[tenant], "10s")?;
    start(program, folder.path(), "scan")?.wait()?;
    let mut service = start(program, folder.path(), "run")?;
    std::thread::sleep(SETTLE);
    let before = cpu(service.id())?;
    for _ in 0..polls {
        now += TimeDelta::minutes(1);
        simulator.show_until(now);
        std::thread::sleep(EVERY);
    }
    let used = cpu(service.id())? - before;
    let (resident, most) = (
        memory(service.id(), "VmRSS:")?,
        memory(service.id(), "VmHWM:")?,
    );
    service.kill()?;
    service.wait()?;
    say(&format!(
        "live: {} ms of CPU a poll of {people} people, over {polls} polls a minute apart; {resident} KiB resident, {most} at most",
        used / u64::from(polls.max(1)),
    ))?;
    Ok(())
}
