//! What an event costs: CPU time and memory of reading history, beside a program that only fetches and parses.
//!
//! `cargo bench --bench pipeline [-- --events N --weeks N --runs N --only NAME --keep FOLDER --gzip]`. Each measurement is a process of
//! its own (this program again, see [`child`]), so that the simulated tenant's work is not counted. CPU time hardly
//! depends on what else the machine does; elapsed time does, so it is not reported.
//!
//! With `--instructions` it counts instructions instead, under valgrind: slowly, but the same on every machine and run.

mod child;
mod instructions;
mod table;
mod usage;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use pagewarden_core::time::rfc3339;
use pagewarden_simulator::{Options, Simulator, World, WorldSettings};

use crate::child::Work;
use crate::table::Table;

/// An error is reported and ends the program.
type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// The argument that makes this program the one that is measured.
const CHILD: &str = "--child";

/// The events of some 4,000 people in six weeks.
const COMPANY_EVENTS: u32 = 1_000_000;

/// The config of the simulated tenant, but for its addresses and times.
const CONFIG: &str = r#"
[[tenant]]
name = "bench"
[tenant.organization]
id = "ORG"
api_key = { file = "organization.key" }
url = "URL"
requests_per_minute = 600000
"#;

/// What was asked for on the command line.
struct Asked {
    events: u32,
    /// Over how many weeks, if somebody says. More weeks of as many events are fewer people.
    weeks: Option<u32>,
    runs: usize,
    /// Only measurements whose name holds this.
    only: String,
    /// Where everything is left, to be looked at or profiled.
    keep: Option<PathBuf>,
    gzip: bool,
    instructions: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.as_slice() {
        [child, work, folder] if child == CHILD => child::run(work, Path::new(folder)),
        // `cargo test --benches` only sees whether it starts.
        words if !words.iter().any(|word| word == "--bench") => Ok(()),
        words => asked(words).and_then(|asked| {
            if asked.instructions {
                instructions::count(&asked)
            } else {
                measure(&asked)
            }
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(table::say(&format!("pipeline: {error}")));
            ExitCode::FAILURE
        }
    }
}

fn asked(words: &[String]) -> Done<Asked> {
    let mut asked = Asked {
        events: 200_000,
        weeks: None,
        runs: 5,
        only: String::new(),
        keep: None,
        gzip: false,
        instructions: false,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--bench" => {}
            "--events" => asked.events = value()?.parse()?,
            "--weeks" => asked.weeks = Some(value()?.parse()?),
            "--runs" => asked.runs = value()?.parse()?,
            "--only" => asked.only.clone_from(value()?),
            "--keep" => asked.keep = Some(value()?.into()),
            "--gzip" => asked.gzip = true,
            "--instructions" => asked.instructions = true,
            other => return Err(format!("what is {other}?").into()),
        }
    }
    Ok(asked)
}

/// How many weeks so many events take, if nobody says: beyond a million it is the history that grows, and not the company.
fn grown(usual: u32, events: u32) -> u32 {
    usual.max(events / COMPANY_EVENTS * usual)
}

/// A simulated tenant, and a folder for programs that read it.
struct Tenant {
    simulator: Simulator,
    /// How many records it has.
    events: u64,
}

impl Tenant {
    /// Makes one with about so many events.
    fn new(asked: &Asked, events: u32, folder: &Path) -> Done<Self> {
        let usual = WorldSettings::default().weeks;
        let weeks = asked.weeks.unwrap_or_else(|| grown(usual, events)).max(1);
        let in_usual = u64::from(events) * u64::from(usual) / u64::from(weeks);
        let world = Arc::new(World::new(WorldSettings {
            weeks,
            ..WorldSettings::of_events(u32::try_from(in_usual)?)
        }));
        let options = Options {
            gzip: asked.gzip,
            ..Options::default()
        };
        let simulator = Simulator::start(world, options)?;
        let events = prepare(folder, &simulator)?;
        Ok(Self { simulator, events })
    }
}

/// Makes a tenant with so many events, and measures each kind of work on it several times, turn by turn.
fn measure(asked: &Asked) -> Done {
    let runtime = tokio::runtime::Runtime::new()?;
    let within = runtime.enter();
    let temporary = tempfile::tempdir()?;
    let folder = asked.keep.as_deref().unwrap_or(temporary.path());
    let Tenant { simulator, events } = Tenant::new(asked, asked.events, folder)?;
    let world = simulator.world();
    let counts = world.counts();
    table::say(&format!(
        "{events} records: {} events, {} repeats, {} unusable; {} people, {} weeks; median of {} runs\n",
        counts.events,
        counts.repeats,
        counts.unusable,
        world.settings().people,
        world.settings().weeks,
        asked.runs
    ))?;
    let mut table = Table::new(events);
    for _ in 0..asked.runs {
        for work in Work::ALL
            .into_iter()
            .filter(|work| work.name().contains(&asked.only))
        {
            again(&[], work, folder)?;
            for figures in usage::read(&folder.join(child::FIGURES))? {
                table.add(figures);
            }
        }
    }
    drop(within);
    table.print()
}

/// Writes what the measured programs need; returns how many records there are.
fn prepare(folder: &Path, simulator: &Simulator) -> Done<u64> {
    std::fs::create_dir_all(folder)?;
    let config = CONFIG
        .replace("ORG", simulator.org_id())
        .replace("URL", simulator.base_url().as_str());
    std::fs::write(folder.join(child::CONFIG), config)?;
    std::fs::write(folder.join("organization.key"), simulator.org_key())?;
    let world = simulator.world();
    let span = [rfc3339(world.settings().start), rfc3339(world.until())].join("\n");
    std::fs::write(folder.join(child::SPAN), span)?;
    let path = folder.join(child::EVENTS);
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    simulator.write_access_ndjson(&mut file)?;
    drop(file);
    let lines = std::io::BufRead::split(std::io::BufReader::new(std::fs::File::open(path)?), b'\n');
    Ok(lines.map(|_| 1).sum())
}

/// Runs this program again to do the work, by way of another program if there are words for it.
fn again(by: &[&str], work: Work, folder: &Path) -> Done {
    let own = std::env::current_exe()?;
    let own = own.to_str().ok_or("the path of this program is not text")?;
    let mut words = by.iter().copied().chain([own, CHILD, work.name()]);
    let program = words.next().unwrap_or(own);
    let status = Command::new(program)
        .args(words)
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("stderr"))?)
        .status()
        .map_err(|error| format!("{program}: {error}"))?;
    if !status.success() {
        let words = std::fs::read_to_string(folder.join("stderr"))?;
        return Err(format!("{}: {status}\n{words}", work.name()).into());
    }
    Ok(())
}
