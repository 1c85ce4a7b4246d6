//! One tenant's worker: live polling first, history behind it, and the roster beside both.

use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Duration, Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::Schedule;
use crate::ingest::Ended;
use crate::storage::StoreError;
use crate::tenant::Watch;

/// How long the live walk may go on in any case before what it read is judged.
const LEAST_PATIENCE: Duration = Duration::from_secs(30);

/// The least time between analyses while history is being read, each of which begins anew.
const RARELY: Duration = Duration::from_mins(10);
/// How many times as long as such an analysis took nothing is analysed after it.
const SHARE: u32 = 20;

/// When what is due next.
struct Due {
    access: Instant,
    audit: Instant,
    admins: Instant,
    /// Not before then is history read, after it could not be.
    history: Instant,
    /// Not before then is anything analysed while history is being read.
    analysis: Instant,
}

/// What a worker shares with the others.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// Told whenever something new may lie in the outbox.
    pub(super) wake: Arc<watch::Sender<()>>,
    /// Notified where somebody may have asked for history.
    pub(super) asked: Arc<Notify>,
    /// Ends it.
    pub(super) stop: CancellationToken,
}

/// Polls on schedule until told to stop; reads history while nothing is due.
pub(super) async fn watch(watch: Watch, shared: Shared) -> Result<(), StoreError> {
    watch.request_lookback().await?;
    // The first events are to be understood by the tenant's own kinds of event.
    watch.learn_actions().await?;
    let now = Instant::now();
    let mut worker = Worker {
        schedule: watch.schedule(),
        knows_people: watch.has_roster().await?,
        watch,
        shared,
        roster: JoinSet::new(),
        fresh: false,
        due: Due {
            access: now,
            audit: now,
            admins: now,
            history: now,
            analysis: now,
        },
    };
    while !worker.shared.stop.is_cancelled() {
        worker.turn().await?;
    }
    worker.roster.shutdown().await;
    Ok(())
}

/// One tenant's worker.
struct Worker {
    watch: Watch,
    schedule: Schedule,
    shared: Shared,
    due: Due,
    /// The directories are asked beside polling: a large one takes long.
    roster: JoinSet<Result<(), StoreError>>,
    /// Whether it is known who is privileged, or was asked at least once: nobody is judged before.
    knows_people: bool,
    /// Whether the directories have answered since everybody was judged.
    fresh: bool,
}

impl Worker {
    /// Does what is due, then waits for what is due next.
    async fn turn(&mut self) -> Result<(), StoreError> {
        self.watch.pulse().beat();
        if let Some(ended) = self.roster.try_join_next() {
            self.answered(ended)?;
        }
        self.refresh();
        self.poll().await?;
        if self.shared.stop.is_cancelled() {
            return Ok(());
        }
        if self.knows_people {
            self.judge().await?;
            self.read_history().await?;
        }
        self.rest().await
    }

    /// Judges what is new: at once, but rarely while history is being read, each page of which makes an analysis begin anew.
    async fn judge(&mut self) -> Result<(), StoreError> {
        let began = Instant::now();
        if self.due.analysis > began && self.watch.reads_history().await? {
            return Ok(());
        }
        let fresh = std::mem::take(&mut self.fresh);
        if fresh || self.watch.has_unanalysed().await? {
            self.watch.analysed().await?;
            self.due.analysis = later(RARELY.max(began.elapsed() * SHARE));
            self.watch.enter_present().await?;
            self.shared.wake.send_replace(());
        }
        if fresh {
            self.watch.looked().await?;
            self.watch.look_at_canaries().await?;
            self.shared.wake.send_replace(());
        }
        Ok(())
    }

    /// Begins to ask the directories where that is due and not under way.
    fn refresh(&mut self) {
        if self.due.admins > Instant::now() || !self.roster.is_empty() {
            return;
        }
        let watch = self.watch.clone();
        self.roster.spawn(async move {
            watch.refresh_admins().await?;
            watch.learn_actions().await?;
            watch.warn().await
        });
        self.due.admins = later(self.schedule.admins);
    }

    /// Polls what is due.
    async fn poll(&mut self) -> Result<(), StoreError> {
        let now = Instant::now();
        if self.due.access <= now {
            let patience = self.schedule.access.max(LEAST_PATIENCE);
            let (_, ended) = self.watch.poll_access(Some(patience)).await?;
            self.due.access = match ended {
                // What was read is judged, then it goes on.
                Ended::OutOfTime => Instant::now(),
                Ended::CaughtUp | Ended::Paused => later(self.schedule.access),
            };
        }
        if self.due.audit <= now {
            self.watch.poll_audits().await?;
            self.due.audit = later(self.schedule.audit);
        }
        Ok(())
    }

    /// Reads history until something else is due.
    async fn read_history(&mut self) -> Result<(), StoreError> {
        if self.due.history > Instant::now() || !self.watch.has_backfill().await? {
            return Ok(());
        }
        let (next, stop) = (self.next(), self.shared.stop.clone());
        let mut go_on = |_: &str, _, _: &_, _| Instant::now() < next && !stop.is_cancelled();
        let (outcome, _) = self.watch.backfill(&mut go_on).await?;
        self.watch.enter_present().await?;
        self.shared.wake.send_replace(());
        if !outcome.failures.is_empty() {
            // What refuses now is asked no more often than live polling asks.
            self.due.history = later(self.schedule.access);
        }
        Ok(())
    }

    /// When something is due next; the directories are not asked again while they are being asked.
    fn next(&self) -> Instant {
        let polls = self.due.access.min(self.due.audit);
        if self.roster.is_empty() {
            polls.min(self.due.admins)
        } else {
            polls
        }
    }

    /// Waits until something is due, the directories have answered, or somebody may have asked for history.
    async fn rest(&mut self) -> Result<(), StoreError> {
        let until = self.next();
        let pause = until.saturating_duration_since(Instant::now());
        self.watch.pulse().quiet_for(pause);
        tokio::select! {
            () = self.shared.stop.cancelled() => {}
            Some(ended) = self.roster.join_next() => self.answered(ended)?,
            () = self.shared.asked.notified() => {}
            () = sleep_until(until) => {}
        }
        Ok(())
    }

    /// Takes in how asking the directories ended.
    fn answered(
        &mut self,
        ended: Result<Result<(), StoreError>, JoinError>,
    ) -> Result<(), StoreError> {
        self.knows_people = true;
        self.fresh = true;
        match ended {
            Ok(asked) => asked,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Ok(()),
            },
        }
    }
}

/// When something is due again.
fn later(every: Duration) -> Instant {
    Instant::now() + every
}
