//! One file per command: wiring only.

pub mod backfill;
pub mod check;
pub mod config;
#[cfg(feature = "demo")]
pub mod demo;
pub mod explain;
pub mod findings;
pub mod import;
pub mod init;
pub mod replay;
pub mod run;
pub mod scan;
pub mod state;
pub mod status;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::cli::{self, Cli, Command, ConfigCommand, Global};
use crate::config::Config;
use crate::deliver::Notifiers;
use crate::exit::Exit;
use crate::notify;
use crate::outcome::Outcome;
use crate::output::Look;
use crate::storage::sqlite::{Lease, Sqlite};
use crate::storage::{Store, StoreError};
use crate::telemetry::events::FileOpenToOthers;
use crate::tenant::{OpenError, Resources, Watch};
use pagewarden_core::model::Severity;
use pagewarden_core::text::Color;
use pagewarden_core::time::{Clock, SystemClock};

/// Why a command could not begin or go on, in words for people, with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Trouble {
    /// What to do.
    words: String,
    /// How the program ends.
    exit: Exit,
}

impl Trouble {
    /// Something in the command line or the config.
    fn usage(words: impl std::fmt::Display) -> Self {
        Self {
            words: format!("{words}"),
            exit: Exit::Usage,
        }
    }

    /// Something that could not be done.
    fn incomplete(words: impl std::fmt::Display) -> Self {
        Self {
            words: format!("{words}"),
            exit: Exit::Incomplete,
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::incomplete(error)
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error.into(),
            OpenError::Secret { .. } | OpenError::Client { .. } => Self::usage(error),
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        // A reader that has seen enough is no error.
        let exit = if error.kind() == io::ErrorKind::BrokenPipe {
            Exit::Done
        } else {
            Exit::Incomplete
        };
        Self {
            words: format!("the output could not be written: {error}"),
            exit,
        }
    }
}

/// Keeps the memory of this process, with the keys and tokens in it, out of core files and out of the reach of other
/// programs of its user: they cannot attach to it, nor read its environment.
pub fn keep_to_itself() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // A kernel that refuses leaves it as it was: the units forbid core files too.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap_or_default();
    }
}

/// Does what the command line says.
pub fn run(cli: Cli) -> Exit {
    let Cli { global, command } = cli;
    let done = match command {
        #[cfg(feature = "demo")]
        Command::Demo { seed } => demo::demo(&global, seed),
        Command::Init { path } => init::init(&path)
            .map_err(Trouble::usage)
            .and_then(|text| print(&text)),
        Command::Run => run::run(&global),
        Command::Scan { fail_on } => scan::scan(&global, fail_on.severity),
        Command::Backfill { from, to, fail_on } => {
            backfill::backfill(&global, from, to, fail_on.severity)
        }
        Command::Import {
            paths,
            format,
            roster,
            site,
            fail_on,
        } => import::import(
            &global,
            &import::Files {
                paths,
                format,
                roster,
                site,
            },
            fail_on.severity,
        ),
        Command::Findings(what) => block_on(findings::findings(&global, what)).flatten(),
        Command::Replay { with, format } => {
            block_on(replay::replay(&global, with.as_deref(), format)).flatten()
        }
        Command::Explain { detector } => explain::explain(detector.as_deref()),
        Command::Check { offline, format } => {
            block_on(check::check(&global, check::Asked { offline, format })).flatten()
        }
        Command::Config(ConfigCommand::Show) => {
            load(&global).and_then(|config| print(&config::show(&config)))
        }
        Command::Status { format, check } => {
            block_on(status::status(&global, format, check)).flatten()
        }
        Command::State(what) => block_on(state::state(&global, &what)).flatten(),
    };
    match done {
        Ok(exit) => exit,
        Err(trouble) => {
            if trouble.exit != Exit::Done {
                complain(&trouble.words);
            }
            trouble.exit
        }
    }
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// Says why nothing was started.
pub fn refuse(words: &str) -> Exit {
    complain(words);
    Exit::Usage
}

/// Says what is wrong, on standard error; every line says by whom.
fn complain(words: &str) {
    for line in words.lines() {
        say(&format!("pagewarden: {line}"));
    }
}

/// Writes a message for people, on standard error.
fn say(words: &str) {
    // Nothing can be done where even that fails.
    drop(writeln!(io::stderr().lock(), "{}", words.trim_end()));
}

/// Writes data, on standard output.
fn print(text: &str) -> Result<Exit, Trouble> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}

/// The config that the command line points at, with what the command line overrules.
fn load(global: &Global) -> Result<Config, Trouble> {
    let path = cli::find_config(global.config.as_deref()).map_err(Trouble::usage)?;
    load_from(global, &path)
}

fn load_from(global: &Global, path: &Path) -> Result<Config, Trouble> {
    let mut config = crate::config::load(path, &notify::kinds())
        .map_err(|error| Trouble::usage(chain(&error)))?;
    if let Some(state) = &global.state {
        config.state.path.clone_from(state);
    }
    if let Some(tenant) = &global.tenant {
        config.keep_tenant(tenant).map_err(Trouble::usage)?;
    }
    Ok(config)
}

/// The config, where there is one: a file that was named must be there.
fn load_if_any(global: &Global) -> Result<Option<Config>, Trouble> {
    match (&global.config, cli::find_config(None)) {
        (Some(named), _) => load_from(global, named).map(Some),
        (None, Ok(found)) => load_from(global, &found).map(Some),
        (None, Err(_)) => Ok(None),
    }
}

/// The state file that the command line or the config names, for commands that only look.
fn state_path(global: &Global) -> Result<PathBuf, Trouble> {
    if let Some(state) = &global.state {
        return Ok(state.clone());
    }
    Ok(load_if_any(global)?.map_or_else(
        || crate::config::State::default().path,
        |config| config.state.path,
    ))
}

/// That the tenant of `--tenant` is in the state file: no answer about one that is not there looks like all is well.
async fn known_tenant(global: &Global, store: &dyn Store) -> Result<(), Trouble> {
    let Some(name) = &global.tenant else {
        return Ok(());
    };
    let tenants = store.tenants().await?;
    if tenants.iter().any(|tenant| tenant.name == *name) {
        return Ok(());
    }
    let known: Vec<String> = tenants
        .iter()
        .map(|tenant| format!("`{}`", tenant.name.escape_debug()))
        .collect();
    let known = if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    };
    Err(Trouble::usage(format!(
        "the state file has no tenant `{}`; it has {known}",
        name.escape_debug()
    )))
}

/// What a command that can be typed begins with, so that it means the same state file as this one.
fn program(global: &Global, state: Option<&Path>) -> String {
    let mut words = "pagewarden".to_owned();
    for (option, path) in [("--config", global.config.as_deref()), ("--state", state)] {
        if let Some(path) = path {
            words = format!("{words} {option} {}", quoted(&path.to_string_lossy()));
        }
    }
    words
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// How output is to look on this standard output.
fn look(global: &Global) -> Look {
    let terminal = io::stdout().is_terminal();
    let color = Color::from(global.color).enabled(terminal, crate::telemetry::no_color());
    let columns = terminal.then(terminal_size::terminal_size).flatten();
    Look {
        color,
        width: columns.map_or(Look::default().width, |(width, _)| width.0.into()),
    }
}

/// Tries every secret, reports all that cannot be had, and warns of files that others can read.
fn try_secrets(config: &Config) -> Result<(), Trouble> {
    if let Err(problems) = config.secrets() {
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(Trouble::usage(words.join("\n")));
    }
    for words in config.open_files() {
        FileOpenToOthers { words: &words }.emit();
    }
    Ok(())
}

/// The tenants of a config, ready to be watched until the program stops.
async fn watches(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    stop: &CancellationToken,
) -> Result<Vec<Watch>, OpenError> {
    let resources = Resources::new(
        Arc::clone(store),
        Arc::clone(clock),
        stop.clone(),
        &config.state,
    );
    let mut watches = Vec::with_capacity(config.tenants.len());
    for tenant in &config.tenants {
        watches.push(Watch::open(&resources, config, tenant).await?);
    }
    Ok(watches)
}

/// Everything that polling needs.
struct Bench {
    config: Config,
    store: Arc<dyn Store>,
    _lease: Lease,
    notifiers: Notifiers,
    watches: Vec<Watch>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

impl Bench {
    /// Reads the config and every secret, takes the lease, opens the state.
    async fn open(config: Config, stop: CancellationToken) -> Result<Self, Trouble> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        try_secrets(&config)?;
        let notifiers = Notifiers::build(&config.notifiers).map_err(Trouble::usage)?;
        let lease = Lease::take(&config.state.path)?;
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&config.state.path)?);
        let watches = watches(&config, &store, &clock, &stop).await?;
        Ok(Self {
            config,
            store,
            _lease: lease,
            notifiers,
            watches,
            clock,
            stop,
        })
    }
}

impl Bench {
    /// Has failures shown once where people read: as a message at the end, not as a log line too.
    fn show_failures_once(&mut self, global: &Global) {
        if global.log_format == cli::LogFormat::Text {
            for watch in &mut self.watches {
                watch.leave_failures();
            }
        }
    }
}

/// A runtime for the commands that speak to the network or the state.
fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Trouble::incomplete(format!("the runtime could not be started: {error}")))
}

/// Does work that speaks to the network or the state. What it left behind on threads of its own is not waited for.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Trouble> {
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

/// Does the work until it ends or the first signal asks it to stop; a second one ends it at once.
async fn until_signal<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(work);
    tokio::select! {
        // Listened for before the work begins: until then a signal ends the program as it ends any other.
        biased;
        _ = signal() => stop.cancel(),
        done = &mut work => return Some(done),
    }
    tokio::select! {
        done = work => Some(done),
        _ = signal() => None,
    }
}

/// Waits for SIGINT or SIGTERM, and returns which came.
async fn signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

/// How a run that polls or reads ends.
fn exit_of(outcome: &Outcome, fail_on: Severity, stopped: bool) -> Exit {
    for failure in &outcome.failures {
        complain(failure);
    }
    if stopped {
        return Exit::Interrupted;
    }
    if !outcome.failures.is_empty() {
        return Exit::Incomplete;
    }
    match outcome.highest {
        Some(severity) if severity >= fail_on => Exit::Found(severity),
        Some(_) | None => Exit::Done,
    }
}
