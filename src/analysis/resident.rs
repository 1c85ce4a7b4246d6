//! The engine in memory between cycles: the settled state, and the tail behind it as far as it was read.

use std::sync::Arc;

use super::cache::Cache;
use super::feed::Feed;
use super::lookup::{Lookup, Memory};
use super::rules::Context;
use super::{Analysis, Subject};
use crate::storage::{Arrived, EngineState, Store, StoreError, TenantId};
use pagewarden_core::engine::{Draft, Engine, State};

/// How far apart the newest snapshots are, in seconds of event time; older ones are about as far apart as they are old.
const SNAPSHOT_SECONDS: i64 = 600;

/// How many events lie between snapshots at least: fewer are read again sooner than a copy of the engine costs. Tests have few
/// events, and many snapshots.
const SNAPSHOT_EVENTS: usize = if cfg!(test) { 20 } else { 2_000 };

/// By how much the settled line lags before it is moved and stored, in seconds of event time.
const SETTLE_EVERY: i64 = 3_600;

/// Analyses one tenant, once or again and again.
#[derive(Debug)]
pub struct Analyst {
    /// Where it keeps what it has learnt; none where it analyses once.
    cache: Option<Arc<Cache>>,
    /// What the last analysis left, until it is recorded.
    unrecorded: Option<(TenantId, Box<Resident>)>,
}

impl Analyst {
    /// For one analysis: its settled state is stored at once.
    pub const fn once() -> Self {
        Self {
            cache: None,
            unrecorded: None,
        }
    }

    /// For many: the settled state is stored about once in an hour of event time, and what was learnt since is kept in memory,
    /// as long as there is room for it.
    pub const fn resident(cache: Arc<Cache>) -> Self {
        Self {
            cache: Some(cache),
            unrecorded: None,
        }
    }

    /// Says what is new since the last analysis that was [recorded](Self::recorded); where one was not, or failed, begins
    /// again from what the store holds.
    pub async fn analyse(
        &mut self,
        store: &dyn Store,
        subject: &Subject<'_>,
    ) -> Result<Analysis, StoreError> {
        self.unrecorded = None;
        let tenant = subject.tenant;
        let once = self.cache.is_none();
        let resident = self.cache.as_ref().and_then(|cache| cache.take(tenant));
        // Asked before anything is read: what comes in from now on is asked for next time.
        let arrived = store.take_arrived(subject.tenant);
        let feed = Feed::of(store, subject.tenant).await?;
        let Some(extent) = feed.extent(store).await? else {
            return Ok(Analysis::default());
        };
        store.forget_terms().await?;
        let lookup = Lookup {
            store,
            subject,
            feed: &feed,
        };
        let mut resident = match resident {
            Some(mut resident) => {
                Box::pin(resident.refresh(&lookup, arrived.renamed)).await?;
                resident
            }
            None => Box::new(Box::pin(Resident::load(&lookup, once)).await?),
        };
        let analysis = Box::pin(resident.analyse(&lookup, arrived, extent)).await?;
        if let Some(cache) = &self.cache {
            if analysis.state.is_none() {
                cache.keep(tenant, resident);
            } else {
                self.unrecorded = Some((tenant, resident));
            }
        }
        Ok(analysis)
    }

    /// Tells that the last analysis is recorded, its state and findings: the next one goes on from it.
    pub fn recorded(&mut self) {
        if let Some((cache, (tenant, resident))) = self.cache.as_ref().zip(self.unrecorded.take()) {
            cache.keep(tenant, resident);
        }
    }
}

/// The engine at a moment: everything before that second was taken, and nothing else.
#[derive(Debug, Clone)]
struct At {
    before: i64,
    engine: Engine,
}

/// What is kept of a tenant.
#[derive(Debug)]
pub(super) struct Resident {
    once: bool,
    context: Context,
    memory: Memory,
    /// What is stored, or will be with this analysis.
    settled: At,
    /// A digest of everything but events that it depends on.
    basis: [u8; 16],
    /// Some states between the settled one and the tail, oldest first.
    snapshots: Vec<At>,
    tail: At,
    /// How many events the tail took since the last snapshot.
    since_snapshot: usize,
    /// Whether the state is made from the first event on, and not recorded yet.
    anew: bool,
    /// How many events were stored and left out when this was last recorded.
    counted: Option<(u64, u64)>,
}

impl Resident {
    /// How many accounts it knows.
    pub(super) fn accounts(&self) -> u64 {
        self.tail.engine.accounts()
    }

    /// From the stored state, or before the first event.
    async fn load(lookup: &Lookup<'_>, once: bool) -> Result<Self, StoreError> {
        let Lookup { store, subject, .. } = *lookup;
        let context = Context::load(store, subject).await?;
        let kept = store.load_engine(subject.tenant).await?;
        let settled = kept
            .filter(|kept| kept.basis == context.basis(subject, kept.line))
            .and_then(|kept| {
                Some(At {
                    before: kept.line,
                    engine: Engine::resume(&kept.state?)?,
                })
            });
        let anew = settled.is_none();
        let settled = settled.unwrap_or_else(|| At {
            before: i64::MIN,
            engine: Engine::new(),
        });
        Ok(Self {
            once,
            basis: context.basis(subject, settled.before),
            memory: Memory::load(lookup).await?,
            context,
            tail: settled.clone(),
            since_snapshot: 0,
            settled,
            snapshots: Vec::new(),
            anew,
            counted: None,
        })
    }

    /// Takes in what changed beside events, and falls back as far as it changes anything.
    async fn refresh(&mut self, lookup: &Lookup<'_>, renamed: bool) -> Result<(), StoreError> {
        let Lookup { store, subject, .. } = *lookup;
        let (digest, line) = (self.context.digest, self.settled.before);
        self.context.refresh(store, subject, renamed).await?;
        if self.context.digest != digest {
            self.counted = None;
            self.go_back(line);
            if self.context.basis(subject, line) != self.basis {
                self.begin_anew();
            }
        }
        Ok(())
    }

    /// Begins before the first event.
    fn begin_anew(&mut self) {
        self.settled = At {
            before: i64::MIN,
            engine: Engine::new(),
        };
        self.snapshots.clear();
        self.tail = self.settled.clone();
        self.since_snapshot = 0;
        self.anew = true;
    }

    /// Forgets everything that was taken from a moment on.
    fn go_back(&mut self, to: i64) {
        if to >= self.tail.before {
            return;
        }
        self.snapshots.retain(|snapshot| snapshot.before <= to);
        self.tail = self.snapshots.last().unwrap_or(&self.settled).clone();
        self.since_snapshot = 0;
    }

    /// Reads what is new, and says what that changes.
    async fn analyse(
        &mut self,
        lookup: &Lookup<'_>,
        Arrived { since, renamed }: Arrived,
        (newest, stored): (i64, u64),
    ) -> Result<Analysis, StoreError> {
        let Lookup { store, subject, .. } = *lookup;
        if since.is_none() && !renamed && self.counted.is_some_and(|(counted, _)| counted == stored)
        {
            return Ok(Analysis::default());
        }
        if since.is_some_and(|since| since < self.settled.before) {
            self.begin_anew();
        }
        self.go_back(since.unwrap_or(i64::MAX));
        let settle = i64::try_from(subject.detect.settle.as_secs()).unwrap_or(i64::MAX);
        let (state, done) = self.settle(lookup, newest.saturating_sub(settle)).await?;
        self.read_tail(lookup, newest).await?;
        let rules = &self.context.rules;
        let suppressed = self.tail.engine.suppressed();
        if self.counted.is_none_or(|(_, before)| before != suppressed) {
            store.keep_suppressed(subject.tenant, suppressed).await?;
        }
        self.counted = Some((stored, suppressed));
        let standing = self.tail.engine.standing(rules);
        let growing = self.tail.engine.unclaimed().iter().chain(&standing);
        let drafts = done
            .iter()
            .map(|draft| (draft, true))
            .chain(growing.map(|draft| (draft, false)));
        let anew = std::mem::take(&mut self.anew);
        let mut analysis = self.memory.compare(lookup, drafts, anew, renamed).await?;
        let state = EngineState {
            basis: self.basis,
            line: self.settled.before,
            stored,
            state,
            anew,
        };
        analysis.state = Some(state);
        Ok(analysis)
    }

    /// Moves the settled line where it lags far enough. Gives the state to store, if it moved, and the drafts of periods that
    /// are over behind it.
    async fn settle(
        &mut self,
        lookup: &Lookup<'_>,
        line: i64,
    ) -> Result<(Option<State>, Vec<Draft>), StoreError> {
        let Lookup { store, feed, .. } = *lookup;
        let old = self.settled.before;
        let line = line.max(old);
        if !self.once && !self.anew && line < old.saturating_add(SETTLE_EVERY) {
            return Ok((None, Vec::new()));
        }
        let rules = &self.context.rules;
        let nearest = self
            .snapshots
            .iter()
            .rfind(|snapshot| snapshot.before <= line)
            .unwrap_or(&self.settled);
        let At { before, mut engine } = nearest.clone();
        let behind = feed.read(store, (before, line), |taken| engine.take_any(rules, taken));
        behind.await?;
        let state = if self.anew {
            engine.state()
        } else {
            engine.state_since(&self.settled.engine)
        };
        let state = state.ok_or_else(|| {
            StoreError::Unreadable("the working state cannot be written".to_owned())
        })?;
        let done = engine.finished();
        self.settled = At {
            before: line,
            engine,
        };
        self.basis = self.context.basis(lookup.subject, line);
        self.snapshots.retain(|snapshot| snapshot.before > line);
        // Whoever went on from before has these drafts first, and they are handed out now.
        for later in &mut self.snapshots {
            later.engine.drop_finished(done.len());
        }
        if self.tail.before > line {
            self.tail.engine.drop_finished(done.len());
        } else {
            self.tail = self.settled.clone();
        }
        if self.once {
            // Nobody goes on from it: what it shares with the tail need not be copied.
            self.settled.engine = Engine::new();
        }
        Ok((Some(state), done))
    }

    /// Takes everything behind the tail, with a snapshot now and then.
    async fn read_tail(&mut self, lookup: &Lookup<'_>, newest: i64) -> Result<(), StoreError> {
        let Lookup { store, feed, .. } = *lookup;
        let (once, rules) = (self.once, &self.context.rules);
        let (tail, snapshots, since) = (
            &mut self.tail,
            &mut self.snapshots,
            &mut self.since_snapshot,
        );
        let behind = feed.read(store, (tail.before, i64::MAX), |taken| {
            let cut = taken.at().div_euclid(SNAPSHOT_SECONDS) * SNAPSHOT_SECONDS;
            let many = *since >= SNAPSHOT_EVENTS;
            if !once && many && tail.before < cut && is_worth_keeping(snapshots, cut, newest) {
                snapshots.push(At {
                    before: cut,
                    engine: tail.engine.clone(),
                });
                *since = 0;
            }
            *since += 1;
            tail.engine.take_any(rules, taken);
            tail.before = tail.before.max(taken.at().saturating_add(1));
        });
        behind.await?;
        thin(snapshots, newest);
        Ok(())
    }
}

/// How old a snapshot is.
fn age(before: i64, newest: i64) -> i64 {
    newest.saturating_sub(before).max(SNAPSHOT_SECONDS)
}

/// Whether a snapshot at a moment would outlast the cycle.
fn is_worth_keeping(snapshots: &[At], cut: i64, newest: i64) -> bool {
    snapshots.last().is_none_or(|last| {
        last.before < cut
            && (age(last.before, newest) >= 2 * age(cut, newest) || newest - cut < SNAPSHOT_SECONDS)
    })
}

/// Leaves a few: each about twice as old as the next, so that going back costs at most about twice what it must, and copies of
/// the engine are few.
fn thin(snapshots: &mut Vec<At>, newest: i64) {
    let mut kept: Vec<At> = Vec::new();
    let mut rest = std::mem::take(snapshots).into_iter().rev().peekable();
    while let Some(snapshot) = rest.next() {
        let between = kept.last().zip(rest.peek());
        let is_spare = between.is_some_and(|(newer, older)| {
            age(older.before, newest) <= 2 * age(newer.before, newest)
        });
        if !is_spare {
            kept.push(snapshot);
        }
    }
    kept.reverse();
    *snapshots = kept;
}
