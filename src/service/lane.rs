//! One notifier's worker: sends what is due whenever something new lies in the outbox, or something old is due again.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use crate::deliver::Lane;
use crate::storage::{Outbox, StoreError};
use pagewarden_core::time::Clock;

/// How long at most until the outbox is looked into again.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// What one notifier's worker works with.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    /// Whom it tells.
    pub(super) lane: Lane,
    /// Where the messages are.
    pub(super) store: Arc<dyn Outbox>,
    /// How soon a message is tried again first.
    pub(super) base: Duration,
    /// What time it is.
    pub(super) clock: Arc<dyn Clock>,
    /// Changes whenever something new may lie in the outbox.
    pub(super) woken: watch::Receiver<()>,
    /// Ends it.
    pub(super) stop: CancellationToken,
}

impl Worker {
    /// Delivers until told to stop.
    pub(super) async fn deliver(mut self) -> Result<(), StoreError> {
        let clock = Arc::clone(&self.clock);
        // What one before this one had claimed and did not answer.
        self.store.release(self.lane.name()).await?;
        self.lane.revive(self.store.as_ref(), clock.now()).await?;
        while !self.stop.is_cancelled() {
            self.woken.mark_unchanged();
            let sending =
                self.lane
                    .send_due(self.store.as_ref(), self.base, clock.as_ref(), &self.stop);
            sending.await?;
            let next = self.store.next_due(Some(self.lane.name())).await?;
            let next = next.map(|due| (due - clock.now()).to_std().unwrap_or_default());
            let pause = next
                .unwrap_or(LOOK_EVERY)
                .clamp(Duration::from_millis(100), LOOK_EVERY);
            self.lane.pulse().quiet_for(pause);
            tokio::select! {
                () = self.stop.cancelled() => {}
                Ok(()) = self.woken.changed() => {}
                () = sleep(pause) => {}
            }
        }
        Ok(())
    }
}
