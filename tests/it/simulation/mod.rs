//! The whole service in simulated time: tenants, receivers, faults and restarts, from a seed.
//!
//! `PAGEWARDEN_SEEDS=17..18 cargo test --test it simulation` repeats one seed.

mod faults;
mod first_week;
mod invariants;
mod network;
mod report;
mod scene;

use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use pagewarden::config;
use pagewarden::service::{Next, Reload, Renew, Stopped, serve_reloading};
use pagewarden::storage::Store;
use pagewarden::storage::sqlite::Sqlite;
use pagewarden_core::model::Finding;
use pagewarden_core::time::rfc3339;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::faults::{Blow, Plan, Trouble};
use self::invariants::{Known, Outage, Violation};
use self::report::{Report, table};
use self::scene::{Scene, keep};

/// Which seeds are tried where nobody says.
const SEEDS: Range<u64> = 0..6;

/// How many weeks a world has, of which some are history when the service begins.
const WEEKS: u32 = 2;

/// How long the service goes on after the last event and the last fault.
const QUIET: TimeDelta = TimeDelta::hours(8);

/// Reads everything anew when the service is asked to reload.
struct Renewal(Arc<Scene>, Arc<dyn Store>);

impl Renew for Renewal {
    fn renew(&self, drain: CancellationToken) -> Result<Next, String> {
        if self.0.now().timestamp() % 3 == 0 {
            return Err("a config that is refused".to_owned());
        }
        Handle::current().block_on(self.0.next(&self.1, drain))
    }
}

/// The service while it lives.
struct Life {
    serving: Pin<Box<dyn Future<Output = Stopped>>>,
    stop: CancellationToken,
    reload: Arc<Notify>,
    store: Weak<dyn Store>,
}

impl Life {
    async fn begin(scene: &Arc<Scene>) -> Result<Self, String> {
        let store = Sqlite::open(scene.path()).map_err(|error| error.to_string())?;
        let store: Arc<dyn Store> = Arc::new(store);
        let stop = CancellationToken::new();
        let asked = Arc::new(Notify::new());
        let first = scene.next(&store, stop.child_token()).await?;
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
        loop {
            // Time passes only while nothing is under way on another thread.
            sleep(Duration::from_millis(1)).await;
            if store.strong_count() == 0 {
                break;
            }
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
        Self::over(Scene::of(seed, weeks), seed)
    }

    fn over(scene: Scene, seed: u64) -> Self {
        let scene = Arc::new(scene);
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
            "seed {seed}, {}, step {}: {words}\nrepeat with PAGEWARDEN_SEEDS={seed}..{} cargo test --test it simulation\nthe last events:\n{}",
            rfc3339(self.scene.now()),
            self.step,
            seed + 1,
            self.scene.network.last_events(),
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
                self.check().await?;
                let all_read = self.known.iter().all(|known| known.read.is_some());
                tick = self.scene.now() + TimeDelta::minutes(if all_read { 60 } else { 10 });
            }
            if self.life.is_none() && self.scene.now() >= self.back {
                let life = Life::begin(&self.scene).await;
                self.life = Some(life.map_err(|error| self.failure(&error))?);
            }
            while let Some((_, whose, reported)) =
                rotations.next_if(|(at, ..)| *at <= self.scene.now())
            {
                self.rotate(whose, reported);
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
                network.arm(blow);
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
                self.be_away(away);
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
        self.be_away(away);
        if let Some(life) = self.life.take() {
            life.end().await;
        }
        self.scene.network.disarm();
    }

    /// Notes that the service is away.
    fn be_away(&mut self, away: TimeDelta) {
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

    /// The organisation takes another key, which the file does not have yet; or has now.
    fn rotate(&self, whose: usize, reported: bool) {
        let host = &self.scene.network.hosts[whose];
        let mut key = host.key.lock().unwrap();
        if reported {
            keep(&self.scene.folder, &format!("{whose}.key"), &key);
        } else {
            *key = format!("key-of-step-{}", self.step);
            self.scene.network.count(Trouble::KeyRotated.word());
        }
        self.scene.network.note(&format!(
            "{} another key, in the file: {reported}",
            host.name
        ));
    }

    fn store(&self) -> Arc<dyn Store> {
        let living = self.life.as_ref().and_then(|life| life.store.upgrade());
        living.unwrap_or_else(|| Arc::new(Sqlite::open(self.scene.path()).unwrap()))
    }

    /// Checks what must hold at any moment.
    async fn check(&mut self) -> Result<(), Failure> {
        let (store, now) = (self.store(), self.scene.now());
        for row in store.tenants().await.unwrap() {
            let Some(known) = self.known.iter_mut().find(|known| known.name == row.name) else {
                continue;
            };
            let streams = store.streams(row.id).await.unwrap();
            let mut kept = Vec::new();
            for (id, _) in streams {
                kept.extend(store.backfill(id).await.unwrap());
            }
            let read = !kept.is_empty() && kept.iter().all(|kept| kept.summed_up);
            if !read && known.read.is_none() {
                known.unread = now;
            } else if known.read.is_none() {
                known.read = Some(now);
            }
        }
        let hosts = &self.scene.network.hosts;
        let mut violations =
            invariants::stored_once(store.as_ref(), &self.known, hosts, now, false).await;
        let got = self.scene.network.got();
        if got.len() > self.checked {
            violations.extend(invariants::sent_once(&got, &self.blows));
            self.checked = got.len();
        }
        self.take(violations)
    }

    /// Ends the run where something did not hold.
    fn take(&self, violations: Vec<Violation>) -> Result<(), Failure> {
        let violation = violations.into_iter().next();
        violation.map_or(Ok(()), |Violation { which, words }| {
            Err(self.failure(&format!("({which}) {words}")))
        })
    }

    /// Checks what must hold at the end.
    async fn finish(mut self) -> Result<Report, Failure> {
        self.check().await?;
        if let Some(mut life) = self.life.take() {
            life.stop.cancel();
            (&mut life.serving).await;
            life.end().await;
        }
        let network = Arc::clone(&self.scene.network);
        let now = self.scene.now();
        let store = self.store();
        let whole =
            invariants::stored_once(store.as_ref(), &self.known, &network.hosts, now, true).await;
        self.take(whole)?;
        let findings = store.findings(None).await.unwrap();
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
        let unreported =
            invariants::reported(&got, &findings, &self.known, &self.scene.config.notifiers);
        self.take(unreported)?;
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
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&path).unwrap());
        let stop = CancellationToken::new();
        let watches = self.scene.watches(&store, &stop).await;
        for mut watch in watches.map_err(|error| self.failure(&error))? {
            let outcome = watch.scan(&mut |_, _, _, _| true).await.unwrap();
            if !outcome.failures.is_empty() {
                return Err(self.failure(&outcome.failures.join("; ")));
            }
        }
        Ok(store.findings(None).await.unwrap())
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
    paused(seed, async { Run::of(seed, weeks).whole(faults).await })
}

/// Does something under a clock that goes on when nothing else does.
fn paused<T>(seed: u64, work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    fastrand::seed(seed);
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

/// The seeds to try.
fn seeds() -> Range<u64> {
    let Some(text) = std::env::var_os("PAGEWARDEN_SEEDS") else {
        return SEEDS;
    };
    let text = text.to_string_lossy();
    let ends = text
        .split_once("..")
        .unwrap_or_else(|| panic!("PAGEWARDEN_SEEDS={text}: not as 17..18"));
    ends.0.parse().unwrap()..ends.1.parse().unwrap()
}

#[test]
fn without_faults_everything_holds() {
    let report = run(1_000, 1, false).unwrap_or_else(|failure| panic!("{}", failure.0));
    assert!(!report.got.is_empty() && report.findings > 0);
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
    let (next, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut done = Vec::new();
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = run(*seed, WEEKS, true);
            // Of many seeds one wants to know early, and how far it is.
            if let Err(failure) = &result {
                println!("{}", failure.0);
            }
            let so_far = ended.fetch_add(1, Ordering::Relaxed) + 1;
            if so_far % 50 == 0 {
                println!("{so_far} of {} seeds", seeds.len());
            }
            done.push((*seed, result));
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
    print!("{}", table(&reports, &failures));
    assert!(
        failures.is_empty(),
        "{} seeds failed:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
