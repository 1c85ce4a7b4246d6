//! `pagewarden demo`: the real client against a simulated tenant, and the truth beside what was found.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::scan::deliver_all;
use super::{Trouble, block_on, look, program, runtime, say, until_signal};
use crate::cli::Global;
use crate::config::{self, Config, SecretSource, SiteRoute};
use crate::deliver::Notifiers;
use crate::exit::Exit;
use crate::notify::webhook;
use crate::outcome::Outcome;
use crate::output::progress::Progress;
use crate::output::{Look, terminal};
use crate::storage::sqlite::{Lease, Sqlite};
use crate::storage::{Store, StoreError};
use crate::tenant::{Resources, Watch};
use pagewarden_core::model::{Finding, Severity};
use pagewarden_core::text::{count, duration, number};
use pagewarden_core::time::{Clock, SystemClock};
use pagewarden_simulator::{Options, Planted, Simulator, World, WorldSettings};

/// The tenant's name.
const TENANT: &str = "demo";
/// The simulated API has no need of rest.
const REQUESTS_PER_MINUTE: u32 = 60_000;

/// Runs the demo and prints what was found.
pub fn demo(global: &Global, seed: u64) -> Result<Exit, Trouble> {
    let began = Instant::now();
    let folder = std::env::temp_dir().join(format!("pagewarden-demo-{seed}"));
    let state = global
        .state
        .clone()
        .unwrap_or_else(|| folder.join("state.db"));
    if global.state.is_some() && state.symlink_metadata().is_ok() {
        return Err(Trouble::usage(format!(
            "{} already exists, and the demo begins with nothing: name a file that does not exist, or leave --state out",
            state.display()
        )));
    }
    own_folder(&folder)?;
    let _lease = Lease::take(&state)?;
    clear(&state)?;
    say("Making up a company, and reading its audit logs over HTTP …");
    let world = Arc::new(World::new(WorldSettings::of_seed(seed)));
    let stop = CancellationToken::new();
    let run = runtime()?.block_on(until_signal(&stop, watch(&world, &folder, &state, &stop)));
    let Some(store) = run.filter(|_| !stop.is_cancelled()) else {
        return Ok(Exit::Interrupted);
    };
    let store = store?;
    let (findings, stored) = block_on(kept(store.as_ref()))??;
    let mut out = io::stdout().lock();
    let report = Report {
        findings: &findings,
        world: &world,
        state: &state,
        program: program(global, Some(&state)),
        seed,
        took: began.elapsed(),
    };
    report.write(stored, look(global), &mut out)?;
    out.flush()?;
    Ok(Exit::Done)
}

/// What was found, and in how many events.
async fn kept(store: &dyn Store) -> Result<(Vec<Finding>, u64), StoreError> {
    let mut stored = 0;
    for tenant in store.tenants().await? {
        let streams = store.stream_status(&tenant).await?;
        stored += streams.iter().map(|stream| stream.stored).sum::<u64>();
    }
    Ok((store.findings(None).await?, stored))
}

/// Makes the demo's folder, or takes that of an earlier demo: a real folder that nobody else can write to, for in the
/// folder of temporary files anybody may have put something in its place.
fn own_folder(folder: &Path) -> Result<(), Trouble> {
    let trouble = |why: &dyn std::fmt::Display| {
        Trouble::incomplete(format!(
            "{} cannot be used: {why}; remove it, or set TMPDIR to another folder",
            folder.display()
        ))
    };
    let made = std::fs::DirBuilder::new().mode(0o700).create(folder);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(trouble(&error)),
        Ok(()) => return Ok(()),
    }
    let found = folder.symlink_metadata().map_err(|error| trouble(&error))?;
    let own = rustix::process::geteuid().as_raw();
    if !found.is_dir() || found.uid() != own || found.mode() & 0o022 != 0 {
        return Err(trouble(&"it is not a folder that only you can write to"));
    }
    Ok(())
}

/// Begins with nothing: a demo is the same each time.
fn clear(state: &Path) -> Result<(), Trouble> {
    let trouble = |error: io::Error| {
        Trouble::incomplete(format!("{} cannot be used: {error}", state.display()))
    };
    for suffix in ["", "-wal", "-shm"] {
        let mut name = state.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(trouble(error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Polls the simulated tenant as any other is polled.
async fn watch(
    world: &Arc<World>,
    folder: &Path,
    state: &Path,
    stop: &CancellationToken,
) -> Result<Arc<dyn Store>, Trouble> {
    let simulator = Simulator::start(Arc::clone(world), Options::default())?;
    let config = config(&simulator, folder, state)?;
    let notifiers = Notifiers::build(&config.notifiers).map_err(Trouble::usage)?;
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(state)?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut outcome = Outcome::default();
    let resources = Resources::new(
        Arc::clone(&store),
        Arc::clone(&clock),
        stop.clone(),
        &config.state,
    );
    for tenant in &config.tenants {
        let watch = Watch::open(&resources, &config, tenant).await?;
        outcome.add(watch.refresh_admins().await?);
        outcome.add(watch.learn_actions().await?);
        watch
            .request_backfill(world.settings().start, Some(world.until()))
            .await?;
        let mut progress = Progress::new();
        let read = watch
            .backfill(&mut |what, span, read, reached| {
                progress.show(what, span, read.received, reached);
                true
            })
            .await?;
        progress.done();
        outcome.add(read.0);
    }
    outcome.add(deliver_all(&store, &notifiers, &config, &clock, stop).await?);
    match outcome.failures.as_slice() {
        [] => Ok(store),
        failures => Err(Trouble::incomplete(failures.join("\n"))),
    }
}

/// The config that a user of the simulated tenant would write, defaults everywhere else.
fn config(simulator: &Simulator, folder: &Path, state: &Path) -> Result<Config, Trouble> {
    let secret = |name: &str, words: &str| keep_secret(folder, name, words).map(SecretSource::File);
    let origin = simulator.base_url().clone();
    Ok(Config {
        state: config::State {
            path: state.to_owned(),
            ..config::State::default()
        },
        tenants: vec![config::Tenant {
            name: TENANT.to_owned(),
            organization: Some(config::Organization {
                id: simulator.org_id().to_owned(),
                api_key: secret("organization.key", simulator.org_key())?,
                expires: None,
                url: origin.clone(),
                requests_per_minute: REQUESTS_PER_MINUTE,
            }),
            sites: vec![config::Site {
                url: origin.clone(),
                email: simulator.email().to_owned(),
                api_token: secret("site.token", simulator.api_token())?,
                expires: None,
                via: SiteRoute::Site,
                gateway: origin,
            }],
            schedule: config::Schedule::default(),
            admins: config::Admins::default(),
            actions: Vec::new(),
            detect: config::Detect::default(),
        }],
        retry: config::Retry {
            base: Duration::from_millis(100),
            ..config::Retry::default()
        },
        detect: config::Detect::default(),
        notifiers: vec![config::Notifier {
            name: "receiver".to_owned(),
            kind: webhook::NAME,
            settings: Arc::new(webhook::Settings {
                url: secret("webhook.url", simulator.webhook_url().as_str())?,
                secret: None,
            }),
            min_severity: Severity::Low,
        }],
    })
}

/// Puts a secret where a secret belongs: into a file of its owner's.
fn keep_secret(folder: &Path, name: &str, words: &str) -> Result<PathBuf, Trouble> {
    let path = folder.join(name);
    let mut open = std::fs::OpenOptions::new();
    let mut file = open
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&path)?;
    file.write_all(words.as_bytes())?;
    Ok(path)
}

/// What is printed at the end.
struct Report<'a> {
    findings: &'a [Finding],
    world: &'a World,
    state: &'a Path,
    program: String,
    seed: u64,
    took: Duration,
}

impl Report<'_> {
    fn write(&self, stored: u64, look: Look, out: &mut dyn io::Write) -> Result<(), Trouble> {
        let settings = self.world.settings();
        let weeks = count(settings.weeks.into(), "week");
        let people = number(settings.people.into());
        writeln!(
            out,
            "{people} people, {weeks}, {} read over HTTP and analysed in {}.\n",
            count(stored, "event"),
            duration(self.took)
        )?;
        terminal::list(self.findings, &self.program, look, out)?;
        let text = self
            .planted()
            .and_then(|planted| Ok(planted + &self.alarms()?))
            .map_err(Trouble::incomplete)?;
        write!(out, "{text}")?;
        writeln!(
            out,
            "\nThe state file is {}; look further with\n  {} findings show ID",
            self.state.display(),
            self.program
        )?;
        Ok(())
    }

    /// What was hidden, and whether it was found.
    fn planted(&self) -> Result<String, std::fmt::Error> {
        let mut text = "\nWhat was planted (seed {seed}), and whether it was found:\n\n"
            .replace("{seed}", &self.seed.to_string());
        for planted in self.world.truth() {
            let found = self
                .findings
                .iter()
                .filter(|finding| is_of(finding, planted))
                .max_by_key(|finding| finding.severity);
            let word = found.map_or("not found", |finding| finding.severity.as_str());
            writeln!(text, "  {:<16} {word:<10} {}", planted.name, planted.note)?;
        }
        Ok(text)
    }

    /// Alarms asked for and got.
    fn alarms(&self) -> Result<String, std::fmt::Error> {
        let weeks = f64::from(self.world.settings().weeks);
        let per_week = config::Detect::default().alerts_per_week;
        let mine = |finding: &&Finding| {
            self.world
                .truth()
                .iter()
                .any(|planted| is_of(finding, planted))
        };
        let (statistical, policy): (Vec<&Finding>, Vec<&Finding>) =
            self.findings.iter().partition(|finding| {
                finding
                    .signals
                    .iter()
                    .any(|signal| signal.name.ends_with("-volume"))
            });
        let amount = |findings: usize| number(u64::try_from(findings).unwrap_or(u64::MAX));
        let (hits, false_alarms): (Vec<&Finding>, Vec<&Finding>) =
            statistical.into_iter().partition(mine);
        let (policy_hits, policy_others): (Vec<&Finding>, Vec<&Finding>) =
            policy.into_iter().partition(mine);
        let mut text = String::new();
        writeln!(
            text,
            "\nAlerts: at most {} false alarms were asked for ({per_week} a week for {weeks} weeks), {} came; {} more were true.",
            per_week * weeks,
            amount(false_alarms.len()),
            amount(hits.len()),
        )?;
        let policy = policy_hits.len() + policy_others.len();
        if policy > 0 {
            writeln!(
                text,
                "Fixed rules reported {} more, {} of them about what was planted.",
                amount(policy),
                amount(policy_hits.len()),
            )?;
        }
        Ok(text)
    }
}

/// Whether a finding is about a planted bulk collection.
fn is_of(finding: &Finding, planted: &Planted) -> bool {
    finding
        .account
        .as_ref()
        .is_some_and(|account| account.id == planted.account)
        && finding.first_seen < planted.until
        && finding.last_seen >= planted.from
}
