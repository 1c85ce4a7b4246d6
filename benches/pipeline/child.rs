//! The processes that are measured: each does one kind of work and leaves what it used.

use std::path::Path;
use std::time::Duration;

use pagewarden::analysis::{self, Subject};
use pagewarden::atlassian::{EventsAsk, Mapper, Organization};
use pagewarden::cli::Cli;
use pagewarden::config::{self, Detect};
use pagewarden::http::Transport;
use pagewarden::import::{self, Format};
use pagewarden::storage::sqlite::Sqlite;
use pagewarden::storage::{Batch, EventLog as _, Registry as _};
use pagewarden::{commands, exit::Exit};
use pagewarden_core::model::{Event, Stream, StreamName};
use pagewarden_core::time::{Clock as _, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::Done;
use crate::usage::Meter;

/// The config of the simulated tenant.
pub(crate) const CONFIG: &str = "config.toml";
/// Where its history begins and ends.
pub(crate) const SPAN: &str = "span";
/// The same events as a file.
pub(crate) const EVENTS: &str = "events.ndjson";
/// What was measured.
pub(crate) const FIGURES: &str = "figures";
/// How many events are committed at once, as the commands do it.
const COMMIT_EVENTS: usize = 5_000;

/// One kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Fetches every page over loopback and parses it to typed values, which are dropped: what any client must do.
    Floor,
    /// The command `backfill`.
    Backfill,
    /// The command `import`.
    Import,
    /// The steps of an import, one by one.
    Parts,
}

impl Work {
    /// Every kind, in the order of the table.
    pub(crate) const ALL: [Self; 4] = [Self::Floor, Self::Backfill, Self::Import, Self::Parts];

    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Backfill => "backfill",
            Self::Import => "import",
            Self::Parts => "parts",
        }
    }
}

/// Does a piece of work and leaves the figures.
pub(crate) fn run(work: &str, folder: &Path) -> Done {
    for name in ["state.db", "state.db-wal", "state.db-shm", FIGURES] {
        drop(std::fs::remove_file(folder.join(name)));
    }
    let work = Work::ALL.into_iter().find(|known| known.name() == work);
    let mut meter = Meter::start()?;
    match work.ok_or("there is no such work")? {
        Work::Floor => {
            floor(folder)?;
            meter.lap("floor: fetch and parse", true)?;
        }
        Work::Backfill => {
            let span = std::fs::read_to_string(folder.join(SPAN))?;
            let (from, to) = span.split_once('\n').ok_or("no span")?;
            command(folder, &["backfill", "--from", from, "--to", to])?;
            meter.lap("backfill, whole", true)?;
        }
        Work::Import => {
            let events = folder.join(EVENTS);
            command(folder, &["import", &events.to_string_lossy()])?;
            meter.lap("import, whole", true)?;
        }
        Work::Parts => parts(folder, &mut meter)?,
    }
    meter.write(&folder.join(FIGURES))
}

/// Runs a command as the program does.
fn command(folder: &Path, words: &[&str]) -> Done {
    let (config, state) = (folder.join(CONFIG), folder.join("state.db"));
    let own = [
        "pagewarden",
        "--config",
        &config.to_string_lossy(),
        "--state",
        &state.to_string_lossy(),
    ]
    .map(str::to_owned);
    let words = own
        .into_iter()
        .chain(words.iter().map(|word| (*word).to_owned()));
    match commands::run(Cli::read(words)?) {
        Exit::Done | Exit::Found(_) => Ok(()),
        other => Err(format!("ended with {}", other.code()).into()),
    }
}

/// Only fetches and parses.
fn floor(folder: &Path) -> Done {
    let config = config::load(&folder.join(CONFIG), &pagewarden::notify::kinds())
        .map_err(|error| error.to_string())?;
    let tenant = config.tenants.first().ok_or("no tenant")?;
    let settings = tenant.organization.as_ref().ok_or("no organisation")?;
    let key = settings.api_key.read()?;
    let stop = CancellationToken::new();
    let organization = Organization::new(&Transport::default(), settings, key, config.retry, stop)?;
    let mapper = Mapper::new(&[], &[]);
    runtime()?.block_on(async {
        let from = chrono::DateTime::UNIX_EPOCH;
        let mut ask = EventsAsk::From { from, to: None };
        loop {
            let page = organization.events(&ask, &mapper).await?;
            match page.next {
                Some(next) if page.received > 0 => ask = EventsAsk::Cursor(next),
                Some(_) | None => return Ok(()),
            }
        }
    })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Parses, then commits, then analyses: each by itself.
fn parts(folder: &Path, meter: &mut Meter) -> Done {
    let (path, mapper) = (folder.join(EVENTS), Mapper::new(&[], &[]));
    import::read::<std::convert::Infallible>(&path, Format::Auto, &mapper, &mut |_| Ok(()))?;
    meter.lap("parse only", true)?;
    let mut events: Vec<Event> = Vec::new();
    import::read::<std::convert::Infallible>(&path, Format::Auto, &mapper, &mut |batch| {
        events.extend(batch.events);
        Ok(())
    })?;
    let batches = in_batches(events);
    let runtime = runtime()?;
    let store = Sqlite::open(&folder.join("state.db"))?;
    let now = SystemClock.now();
    let tenant = runtime.block_on(store.tenant("bench", None, now))?;
    let stream = Stream {
        tenant: "bench".to_owned(),
        name: StreamName::Access,
        site: None,
    };
    let stream = runtime.block_on(store.stream(tenant, &stream))?;
    meter.skip()?;
    for batch in batches {
        runtime.block_on(store.commit(stream, batch, None, Duration::from_mins(10)))?;
    }
    meter.lap("commit only", false)?;
    meter.skip()?;
    let (admins, detect) = (config::Admins::default(), Detect::default());
    let subject = Subject {
        tenant,
        name: "bench",
        admins: &admins,
        sites: &[],
        detect: &detect,
    };
    let analysis = runtime.block_on(analysis::analyse(&store, &subject))?;
    meter.lap("fold only", false)?;
    if analysis.changed.is_empty() {
        return Err("nothing was found".into());
    }
    Ok(())
}

fn in_batches(events: Vec<Event>) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut events = events.into_iter().peekable();
    while events.peek().is_some() {
        let events: Vec<Event> = events.by_ref().take(COMMIT_EVENTS).collect();
        batches.push(Batch {
            received: events.len(),
            events,
            ..Batch::default()
        });
    }
    batches
}
