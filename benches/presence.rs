//! What its being there costs: how soon the program asks its first question, and what the service uses while nothing happens.
//!
//! `cargo bench --bench presence [-- --seconds N --starts N --people N --program FILE]`, on Linux: it reads `/proc`. The
//! simulated tenant is in this process, the program in one of its own. The organisation's log is polled every 60 seconds.

use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use pagewarden_simulator::{Options, Simulator, World, WorldSettings};

/// What goes wrong is told and ends it.
type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// How many ticks of CPU time a second has (`USER_HZ`, the same on every Linux).
const TICKS: u64 = 100;

/// How long the service is left alone before it is measured, so that it has judged what there was.
const SETTLE: Duration = Duration::from_secs(15);

/// What was asked for on the command line.
struct Asked {
    seconds: u64,
    starts: usize,
    people: u32,
    program: PathBuf,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only sees whether it starts.
    if !words.iter().any(|word| word == "--bench") {
        return ExitCode::SUCCESS;
    }
    match asked(&words).and_then(|asked| measure(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(say(&format!("presence: {error}")));
            ExitCode::FAILURE
        }
    }
}

fn asked(words: &[String]) -> Done<Asked> {
    let mut asked = Asked {
        seconds: 120,
        starts: 21,
        people: 300,
        program: env!("CARGO_BIN_EXE_pagewarden").into(),
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--seconds" => asked.seconds = value()?.parse()?,
            "--starts" => asked.starts = value()?.parse()?,
            "--people" => asked.people = value()?.parse()?,
            "--program" => asked.program = value()?.into(),
            _ => {}
        }
    }
    Ok(asked)
}

/// Writes a line.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

fn measure(asked: &Asked) -> Done {
    let mut times: Vec<Duration> = (0..asked.starts)
        .map(|_| first_request(&asked.program))
        .collect::<Done<_>>()?;
    times.sort_unstable();
    let median = times.get(times.len() / 2).ok_or("no start")?;
    let worst = times.last().ok_or("no start")?;
    say(&format!(
        "from start to first request: {median:.1?} (median of {}), {worst:.1?} at worst",
        times.len()
    ))?;
    idle(asked)
}

/// A folder with a config for an organisation at this address.
fn folder(origin: &str, organization: &str, key: &str) -> Done<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let config = format!(
        "[[tenant]]\nname = \"bench\"\n[tenant.organization]\nid = \"{organization}\"\napi_key = {{ file = \"key\" }}\n\
         url = \"{origin}\"\nrequests_per_minute = 600000\n[tenant.schedule]\naccess = \"60s\"\nlookback = \"3650d\"\n"
    );
    std::fs::write(folder.path().join("pagewarden.toml"), config)?;
    std::fs::write(folder.path().join("key"), key)?;
    Ok(folder)
}

/// The program at work in a folder.
fn start(program: &Path, folder: &Path, command: &str) -> io::Result<Child> {
    Command::new(program)
        .args(["-q", "-q", command])
        .env_clear()
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// How long it takes until the service asks for something: the state file is there already, as after any restart.
fn first_request(program: &Path) -> Done<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let origin = format!("http://{}", listener.local_addr()?);
    let folder = folder(&origin, "org-1", "not-a-real-key")?;
    start(program, folder.path(), "status")?.wait()?;
    let began = Instant::now();
    let mut service = start(program, folder.path(), "run")?;
    let (connection, _) = listener.accept()?;
    connection.peek(&mut [0])?;
    let took = began.elapsed();
    service.kill()?;
    service.wait()?;
    Ok(took)
}

/// What the service uses while nothing new happens, a whole history behind it.
fn idle(asked: &Asked) -> Done {
    let runtime = tokio::runtime::Runtime::new()?;
    let within = runtime.enter();
    let world = World::new(WorldSettings {
        people: asked.people,
        ..WorldSettings::default()
    });
    let events = world.counts().events;
    let simulator = Simulator::start(world, Options::default())?;
    drop(within);
    let origin = simulator.base_url().as_str().trim_end_matches('/');
    let folder = folder(origin, simulator.org_id(), simulator.org_key())?;
    start(&asked.program, folder.path(), "scan")?.wait()?;
    let mut service = start(&asked.program, folder.path(), "run")?;
    std::thread::sleep(SETTLE);
    let before = cpu(service.id())?;
    std::thread::sleep(Duration::from_secs(asked.seconds));
    let ticks = cpu(service.id())? - before;
    let (now, most) = (
        memory(service.id(), "VmRSS:")?,
        memory(service.id(), "VmHWM:")?,
    );
    service.kill()?;
    service.wait()?;
    let per_mille = ticks * 1_000_000 / TICKS / asked.seconds;
    say(&format!(
        "idle for {} s behind {events} events of {} people: {now} KiB resident ({most} at most), {}.{:03} % of a core",
        asked.seconds,
        asked.people,
        per_mille / 10_000,
        per_mille % 10_000 / 10,
    ))?;
    Ok(())
}

/// The CPU time of a process, in ticks.
fn cpu(process: u32) -> Done<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let times: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(times.iter().sum())
}

/// A line of a process's memory, in KiB.
fn memory(process: u32, name: &str) -> Done<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no such line")?.parse()?)
}
