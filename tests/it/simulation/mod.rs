//! The whole service in simulated time: tenants, receivers, faults and restarts, from a seed.
//!
//! `PAGEWARDEN_SEEDS=17..18 cargo test --test it simulation` repeats one seed.

mod faults;
mod invariants;
mod network;
mod report;

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden::config::{self, Config};
use pagewarden::deliver::Notifiers;
use pagewarden::http::{Carrier, Transport};
use pagewarden::service::{Next, Reload, Renew, Service, Stopped, serve_reloading};
use pagewarden::storage::Store;
use pagewarden::tenant::Watch;
use pagewarden_core::model::Finding;
use pagewarden_core::time::{Clock, rfc3339};
use pagewarden_simulator::{Options, Simulator, World, WorldSettings};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::faults::{Blow, Dice, Plan, Trouble};
use self::invariants::{Known, Outage, Violation};
use self::network::{Host, Network, Simulated};
use self::report::{Report, table};

/// What a violation of ends the run at once; of everything else it is told how often it happens.
const ENFORCED: &str = "abf";

/// Which seeds are tried where nobody says.
const SEEDS: Range<u64> = 0..6;

/// How many weeks a world has, of which some are history when the service begins.
const WEEKS: u32 = 2;

/// How long the service goes on after the last event and the last fault.
const QUIET: TimeDelta = TimeDelta::hours(8);

/// What the service of one seed works with, whichever life it is in.
#[derive(Debug)]
struct Scene {
    network: Arc<Network>,
    folder: TempDir,
    config: Config,
}

impl Scene {
    /// The tenants, receivers and the config of a seed.
    fn of(seed: u64, weeks: u32) -> Self {
        let mut dice = Dice::of(seed, &[0]);
        let folder = in_memory();
        let (tenants, receivers) = (dice.within(2, 4), dice.within(1, 3));
        let mut text = format!("[state]\npath = \"{}/state.db\"\n", folder.path().display());
        let mut hosts = Vec::new();
        for tenant in 0..tenants {
            // In working hours a busy one brings more than four events a minute, and may be asked once in one.
            let busy = dice.percent(12);
            let people = if busy { 300 } else { dice.within(16, 40) };
            let settings = WorldSettings {
                people: u32::try_from(people).unwrap(),
                pages: 400,
                weeks,
                late: dice.pick(&[0.01, 0.03, 0.2]),
                repeats: dice.pick(&[0.005, 0.05]),
                ..WorldSettings::small(seed * 10 + tenant)
            };
            let host = format!("tenant{tenant}.atlassian.example");
            let limit = dice.pick(&[40, 100, 500]);
            let options = Options {
                stream_limit: if busy { 500 } else { limit },
                ..Options::default()
            };
            let origin = format!("https://{host}");
            let simulator = Simulator::apart(World::new(settings), &origin, options).unwrap();
            text += &tenant_config(&mut dice, &folder, tenant, &simulator, busy);
            hosts.push(Host::new(&host, simulator));
        }
        let mut names = Vec::new();
        for receiver in 0..receivers {
            let host = format!("receiver{receiver}.example");
            keep(
                &folder,
                &format!("{receiver}.url"),
                &format!("https://{host}/hook"),
            );
            let least = dice.pick(&["low", "medium"]);
            text += &format!(
                "[[notifier]]\nname = \"receiver{receiver}\"\ntype = \"webhook\"\nurl = {{ file = \"{receiver}.url\" }}\nmin_severity = \"{least}\"\n"
            );
            names.push(host);
        }
        let source = folder.path().join("pagewarden.toml");
        let config = config::parse(&text, &source.display().to_string()).unwrap();
        let began = first_moment(&mut dice, &hosts);
        let network = Network::new(seed, Simulated::starting(began), hosts, names);
        let clock: Arc<dyn Clock> = Arc::new(network.clock);
        for host in &network.hosts {
            host.simulator.follow(Arc::clone(&clock));
        }
        Self {
            network: Arc::new(network),
            folder,
            config,
        }
    }

    fn transport(&self) -> Transport {
        let carrier: Arc<dyn Carrier> = Arc::<Network>::clone(&self.network);
        Transport::by(carrier)
    }

    fn watches(&self, store: &Arc<Store>, stop: &CancellationToken) -> Result<Vec<Watch>, String> {
        let clock: Arc<dyn Clock> = Arc::new(self.network.clock);
        let transport = self.transport();
        let tenants = self.config.tenants.iter();
        tenants
            .map(|tenant| {
                let (store, clock) = (Arc::clone(store), Arc::clone(&clock));
                Watch::open_over(&transport, store, &self.config, tenant, clock, stop)
                    .map_err(|error| error.to_string())
            })
            .collect()
    }

    fn next(&self, store: &Arc<Store>, drain: CancellationToken) -> Result<Next, String> {
        let notifiers = Notifiers::build_over(&self.transport(), &self.config.notifiers);
        let service = Service {
            watches: self.watches(store, &drain)?,
            store: Arc::clone(store),
            notifiers: notifiers.map_err(|error| error.to_string())?,
            retry: self.config.retry,
            look_every: Duration::from_hours(1),
            clock: Arc::new(self.network.clock),
        };
        Ok(Next { service, drain })
    }

    fn path(&self) -> &Path {
        &self.config.state.path
    }

    fn now(&self) -> DateTime<Utc> {
        self.network.clock.now()
    }
}

/// When the service begins: often in the middle of a harvest, or just after one.
fn first_moment(dice: &mut Dice, hosts: &[Host]) -> DateTime<Utc> {
    let world = hosts[0].simulator.world();
    let (start, end) = (world.settings().start, world.settings().end());
    let (from, until) = (start + TimeDelta::days(3), end - TimeDelta::days(3));
    let minutes = u64::try_from((until - from).num_minutes()).unwrap();
    let any = from + TimeDelta::minutes(dice.below(minutes).cast_signed());
    let harvests = hosts.iter().flat_map(|host| host.simulator.world().truth());
    let ends: Vec<DateTime<Utc>> = harvests
        .map(|harvest| harvest.until)
        .filter(|end| (from..until).contains(end))
        .collect();
    if ends.is_empty() || dice.percent(50) {
        return any;
    }
    let (before, after) = dice.pick(&[(1_200, 600), (5, 90)]);
    dice.pick(&ends)
        + TimeDelta::seconds(dice.below(before + after).cast_signed() - before.cast_signed())
}

/// The settings of one tenant, whose secrets are kept in the folder.
fn tenant_config(
    dice: &mut Dice,
    folder: &TempDir,
    tenant: u64,
    simulator: &Simulator,
    busy: bool,
) -> String {
    keep(folder, &format!("{tenant}.key"), simulator.org_key());
    keep(folder, &format!("{tenant}.token"), simulator.api_token());
    let access = dice.within(300, 1_200);
    // One a minute takes hours for the lookback, and longer than a poll for a busy hour.
    let pace = if busy { 1 } else { dice.pick(&[1, 2, 10, 60]) };
    let origin = simulator.base_url().as_str().trim_end_matches('/');
    format!(
        "[[tenant]]\nname = \"tenant{tenant}\"\n\
         [tenant.organization]\nid = \"{}\"\napi_key = {{ file = \"{tenant}.key\" }}\nurl = \"{origin}\"\nrequests_per_minute = {pace}\n\
         [[tenant.site]]\nurl = \"{origin}\"\nemail = \"{}\"\napi_token = {{ file = \"{tenant}.token\" }}\n\
         [tenant.schedule]\naccess = \"{access}s\"\naudit = \"{}s\"\nadmins = \"3h\"\nlookback = \"30d\"\n",
        simulator.org_id(),
        simulator.email(),
        access * 2 + 7,
    )
}

/// A folder in memory, where there is one: nobody cuts the power here.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Writes a file of its owner's.
fn keep(folder: &TempDir, name: &str, text: &str) {
    use std::io::Write as _;
    let mut open = fs::OpenOptions::new();
    open.create(true).truncate(true).write(true).mode(0o600);
    let mut file = open.open(folder.path().join(name)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Reads everything anew when the service is asked to reload.
struct Renewal(Arc<Scene>, Arc<Store>);

impl Renew for Renewal {
    fn renew(&self, drain: CancellationToken) -> Result<Next, String> {
        if self.0.now().timestamp() % 3 == 0 {
            return Err("a config that is refused".to_owned());
        }
        self.0.next(&self.1, drain)
    }
}

/// The service while it lives.
struct Life {
    serving: Pin<Box<dyn Future<Output = Stopped>>>,
    stop: CancellationToken,
    reload: Arc<Notify>,
    store: Weak<Store>,
}

impl Life {
    fn begin(scene: &Arc<Scene>) -> Result<Self, String> {
        let store = Arc::new(Store::open(scene.path()).map_err(|error| error.to_string())?);
        let stop = CancellationToken::new();
        let asked = Arc::new(Notify::new());
        let first = scene.next(&store, stop.child_token())?;
        let reload = Reload {
            asked: Arc::clone(&asked),
            renew: Arc::new(Renewal(Arc::clone(scene), Arc::clone(&store))),
        };
        Ok(Self {
            serving: Box::pin(serve_reloading(first, stop.clone(), Some(reload))),
            stop,
            reload: asked,
            store: Arc::downgrade(&store),
        })
    }

    /// Ends at once, and waits until nothing of it is left.
    async fn end(self) {
        let store = self.store;
        drop(self.serving);
        while store.strong_count() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Why a run ended before its end.
#[derive(Debug)]
struct Failure(String);

/// A run while it goes on.
struct Run {
    scene: Arc<Scene>,
    seed: u64,
    step: u64,
    life: Option<Life>,
    /// When the service comes back.
    back: DateTime<Utc>,
    known: Vec<Known>,
    outages: Vec<Outage>,
    blows: Vec<DateTime<Utc>>,
    checked: usize,
    report: Report,
}

impl Run {
    fn of(seed: u64, weeks: u32) -> Self {
        let scene = Arc::new(Scene::of(seed, weeks));
        let now = scene.now();
        let known = |tenant: &config::Tenant| Known {
            name: tenant.name.clone(),
            began: now,
            unread: now,
            read: None,
            poll: TimeDelta::from_std(tenant.schedule.access).unwrap(),
        };
        Self {
            known: scene.config.tenants.iter().map(known).collect(),
            seed,
            step: 0,
            life: None,
            back: now,
            outages: Vec::new(),
            blows: Vec::new(),
            checked: 0,
            report: Report::default(),
            scene,
        }
    }

    fn failure(&self, words: &str) -> Failure {
        let seed = self.seed;
        Failure(format!(
            "seed {seed}, {}, step {}: {words}\nrepeat with PAGEWARDEN_SEEDS={seed}..{} cargo test --test it simulation\nthe last happenings:\n{}",
            rfc3339(self.scene.now()),
            self.step,
            seed + 1,
            self.scene.network.last_happenings(),
        ))
    }

    /// From the first moment to the last.
    async fn whole(mut self, faults: bool) -> Result<Report, Failure> {
        let began = self.scene.now();
        let hosts = &self.scene.network.hosts;
        let untils = hosts.iter().map(|host| host.simulator.world().until());
        let until = untils.max().unwrap();
        let plan = if faults {
            let many = (hosts.len(), self.scene.config.notifiers.len());
            Plan::of(self.seed, (began, until - TimeDelta::hours(6)), many)
        } else {
            Plan::default()
        };
        self.outages = plan.episodes.iter().map(outage).collect();
        self.scene.network.plan.set(plan.clone()).unwrap();
        let mut interruptions = plan.interruptions.into_iter().peekable();
        let mut rotations: Vec<_> = plan
            .episodes
            .iter()
            .filter(|episode| episode.trouble == Trouble::KeyRotated)
            .flat_map(|episode| {
                [
                    (episode.from, episode.whose, false),
                    (episode.until, episode.whose, true),
                ]
            })
            .collect();
        rotations.sort_unstable();
        let mut rotations = rotations.into_iter().peekable();
        let end = until + QUIET;
        let mut tick = began;
        while self.scene.now() < end {
            self.step += 1;
            if self.scene.now() >= tick {
                self.check()?;
                let all_read = self.known.iter().all(|known| known.read.is_some());
                tick = self.scene.now() + TimeDelta::minutes(if all_read { 60 } else { 10 });
            }
            if self.life.is_none() && self.scene.now() >= self.back {
                let life = Life::begin(&self.scene).map_err(|error| self.failure(&error))?;
                self.life = Some(life);
            }
            while let Some((_, whose, told)) = rotations.next_if(|(at, ..)| *at <= self.scene.now())
            {
                self.rotate(whose, told);
            }
            if let Some(next) = interruptions.next_if(|next| next.at <= self.scene.now()) {
                self.strike(next.blow, next.away).await?;
                continue;
            }
            let mut next = end.min(tick);
            next = interruptions.peek().map_or(next, |one| next.min(one.at));
            next = rotations.peek().map_or(next, |one| next.min(one.0));
            if self.life.is_none() {
                next = next.min(self.back);
            }
            self.live_until(next).await?;
        }
        self.finish().await
    }

    /// Lets the service live until a moment, or until it is killed.
    async fn live_until(&mut self, next: DateTime<Utc>) -> Result<(), Failure> {
        let until = sleep_until(self.scene.network.clock.instant(next) + Duration::from_millis(1));
        let Some(life) = &mut self.life else {
            until.await;
            return Ok(());
        };
        let network = Arc::clone(&self.scene.network);
        tokio::select! {
            biased;
            () = network.killed.notified() => {
                network.note("killed at its moment");
                self.kill(TimeDelta::seconds(20)).await;
            }
            stopped = &mut life.serving => {
                self.life = None;
                return Err(self.failure(&format!("the service ended: {stopped:?}")));
            }
            () = until => {}
        }
        Ok(())
    }

    /// Interrupts the service as the plan says.
    async fn strike(&mut self, blow: Blow, away: TimeDelta) -> Result<(), Failure> {
        let network = Arc::clone(&self.scene.network);
        if self.life.is_none() {
            return Ok(());
        }
        network.note(blow.word());
        network.count(blow.word());
        match blow {
            Blow::Kill => self.kill(away).await,
            Blow::KillBeforeMessage | Blow::KillAfterMessage | Blow::KillAtPage => {
                network.arm(blow)
            }
            Blow::Stop => {
                let Some(mut life) = self.life.take() else {
                    return Ok(());
                };
                life.stop.cancel();
                let stopped = (&mut life.serving).await;
                if matches!(stopped, Stopped::Failed(_)) {
                    return Err(self.failure(&format!("stopped: {stopped:?}")));
                }
                self.gone(away);
                life.end().await;
            }
            Blow::Reload => {
                if let Some(life) = &self.life {
                    life.reload.notify_one();
                }
                self.blows.push(self.scene.now());
            }
        }
        Ok(())
    }

    async fn kill(&mut self, away: TimeDelta) {
        self.gone(away);
        if let Some(life) = self.life.take() {
            life.end().await;
        }
        self.scene.network.disarm();
    }

    /// Notes that the service is away.
    fn gone(&mut self, away: TimeDelta) {
        let now = self.scene.now();
        self.blows.push(now);
        self.back = now + away;
        self.outages.push(Outage {
            from: now,
            until: self.back,
            tenant: None,
            receiver: None,
        });
    }

    /// The organisation takes another key, which the file does not tell yet; or tells now.
    fn rotate(&self, whose: usize, told: bool) {
        let host = &self.scene.network.hosts[whose];
        let mut key = host.key.lock().unwrap();
        if told {
            keep(&self.scene.folder, &format!("{whose}.key"), &key);
        } else {
            *key = format!("key-of-step-{}", self.step);
            self.scene.network.count(Trouble::KeyRotated.word());
        }
        self.scene
            .network
            .note(&format!("{} another key, in the file: {told}", host.host));
    }

    fn store(&self) -> Arc<Store> {
        let living = self.life.as_ref().and_then(|life| life.store.upgrade());
        living.unwrap_or_else(|| Arc::new(Store::open(self.scene.path()).unwrap()))
    }

    /// Checks what must hold at any moment.
    fn check(&mut self) -> Result<(), Failure> {
        let (store, now) = (self.store(), self.scene.now());
        for row in store.tenants().unwrap() {
            let Some(known) = self.known.iter_mut().find(|known| known.name == row.name) else {
                continue;
            };
            let streams = store.streams(row.id).unwrap();
            let mut kept = streams
                .iter()
                .filter_map(|(id, _)| store.backfill(*id).unwrap());
            let read = kept.next().is_some_and(|first| first.told) && kept.all(|kept| kept.told);
            if !read && known.read.is_none() {
                known.unread = now;
            } else if known.read.is_none() {
                known.read = Some(now);
            }
        }
        let hosts = &self.scene.network.hosts;
        let mut violations = invariants::stored_once(&store, &self.known, hosts, now, false);
        let got = self.scene.network.got();
        if got.len() > self.checked {
            violations.extend(invariants::sent_once(&got, &self.blows));
            self.checked = got.len();
        }
        self.take(violations)
    }

    /// Takes in what did not hold; ends the run where that must.
    fn take(&mut self, violations: Vec<Violation>) -> Result<(), Failure> {
        for violation in violations {
            if ENFORCED.contains(violation.which) {
                let what = format!("({}) {}", violation.which, violation.words);
                return Err(self.failure(&what));
            }
            self.report.violations.push(violation);
        }
        Ok(())
    }

    /// Checks what must hold at the end.
    async fn finish(mut self) -> Result<Report, Failure> {
        self.check()?;
        if let Some(mut life) = self.life.take() {
            life.stop.cancel();
            (&mut life.serving).await;
            life.end().await;
        }
        let network = Arc::clone(&self.scene.network);
        let now = self.scene.now();
        let store = self.store();
        let whole = invariants::stored_once(&store, &self.known, &network.hosts, now, true);
        self.take(whole)?;
        let findings = store.findings(None).unwrap();
        let got = network.got();
        self.take(invariants::same(&findings, &self.at_once().await?))?;
        let lateness = TimeDelta::from_std(self.scene.config.detect.lateness).unwrap();
        let notifiers = &self.scene.config.notifiers;
        let timely = |processing| {
            let times = (lateness, processing);
            invariants::sent_in_time(&got, &self.known, notifiers, &self.outages, times)
        };
        let (close, late) = (timely(TimeDelta::minutes(10)), timely(TimeDelta::hours(2)));
        self.report.close = close.len() - late.len();
        self.take(late)?;
        let untold = invariants::told(&got, &findings, &self.known, &self.scene.config.notifiers);
        self.take(untold)?;
        self.take(invariants::taken_back(&got, &findings))?;
        let early = invariants::nothing_early(&got, &self.known);
        self.take(early)?;
        self.report.findings = findings.len();
        self.report.counted = network.counted();
        self.report.hours = self.step;
        self.report.got = got;
        Ok(self.report)
    }

    /// What one reading of everything finds, in a state file of its own.
    async fn at_once(&self) -> Result<Vec<Finding>, Failure> {
        let path = self.scene.folder.path().join("whole.db");
        let store = Arc::new(Store::open(&path).unwrap());
        let stop = CancellationToken::new();
        let watches = self.scene.watches(&store, &stop);
        for mut watch in watches.map_err(|error| self.failure(&error))? {
            let outcome = watch.scan().await.unwrap();
            if !outcome.failures.is_empty() {
                return Err(self.failure(&outcome.failures.join("; ")));
            }
        }
        Ok(store.findings(None).unwrap())
    }
}

fn outage(episode: &faults::Episode) -> Outage {
    let of_receiver = episode.trouble.is_of_receiver();
    Outage {
        from: episode.from,
        until: episode.until,
        tenant: (!of_receiver).then_some(episode.whose),
        receiver: of_receiver.then_some(episode.whose),
    }
}

/// Runs a seed.
fn run(seed: u64, weeks: u32, faults: bool) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    fastrand::seed(seed);
    let done = runtime.block_on(async { Run::of(seed, weeks).whole(faults).await });
    runtime.shutdown_background();
    done
}

/// The seeds to try.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("PAGEWARDEN_SEEDS") else {
        return SEEDS;
    };
    let ends = text
        .split_once("..")
        .unwrap_or_else(|| panic!("PAGEWARDEN_SEEDS={text}: not as 17..18"));
    ends.0.parse().unwrap()..ends.1.parse().unwrap()
}

#[test]
fn without_faults_everything_holds() {
    let report = run(1_000, 1, false).unwrap_or_else(|failure| panic!("{}", failure.0));
    assert!(!report.got.is_empty() && report.findings > 0);
    println!("{:#?}", report.violations);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let seed = seeds().start;
    let trace = || {
        run(seed, 1, true)
            .unwrap_or_else(|failure| panic!("{}", failure.0))
            .got
    };
    let (one, other) = (trace(), trace());
    assert!(!one.is_empty());
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one, other);
    }
    assert_eq!(one.len(), other.len());
}

#[test]
fn whatever_goes_wrong_what_must_hold_holds() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let seeds: Vec<u64> = seeds().collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*seed, run(*seed, WEEKS, true)));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let done = workers.into_iter().map(|worker| worker.join().unwrap());
        done.flatten().collect::<Vec<_>>()
    });
    done.sort_by_key(|(seed, _)| *seed);
    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for (seed, done) in done {
        match done {
            Ok(report) => reports.push((seed, report)),
            Err(failure) => failures.push(failure.0),
        }
    }
    print!("{}", table(&reports));
    assert!(
        failures.is_empty(),
        "{} seeds failed:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
