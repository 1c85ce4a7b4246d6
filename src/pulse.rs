//! Signs of life: a worker says by when it will say something again, and whoever watches sees whether it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The signs of life of one worker. Clones are of the same worker.
#[derive(Debug, Clone)]
pub struct Pulse {
    began: Instant,
    /// How long the longest step between two signs may take.
    step: Duration,
    /// Until when the worker may be silent, in milliseconds since it began.
    until: Arc<AtomicU64>,
}

impl Pulse {
    /// A worker whose longest step between two signs takes so long; its first sign is given.
    pub fn new(step: Duration) -> Self {
        let pulse = Self {
            began: Instant::now(),
            step,
            until: Arc::default(),
        };
        pulse.beat();
        pulse
    }

    /// Says that a step was done.
    pub fn beat(&self) {
        self.quiet_for(Duration::ZERO);
    }

    /// Says that the next sign may be so much later than usual: the worker rests, or does something long.
    pub fn quiet_for(&self, pause: Duration) {
        let until = self.began.elapsed().saturating_add(pause);
        let until = until.saturating_add(self.step).as_millis();
        let until = u64::try_from(until).unwrap_or(u64::MAX);
        self.until.store(until, Ordering::Relaxed);
    }

    /// For how long the worker has been silent beyond what it said; none while it is in time.
    pub fn overdue(&self) -> Option<Duration> {
        let until = Duration::from_millis(self.until.load(Ordering::Relaxed));
        late(self.began.elapsed(), until)
    }
}

/// How late it is, if it is.
fn late(now: Duration, until: Duration) -> Option<Duration> {
    now.checked_sub(until).filter(|late| !late.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn late_is_what_is_past_the_promise() {
        assert_eq!(late(SECOND, 2 * SECOND), None);
        assert_eq!(late(SECOND, SECOND), None);
        assert_eq!(late(3 * SECOND, SECOND), Some(2 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_overdue_after_its_longest_step_and_what_it_announced() {
        let pulse = Pulse::new(10 * SECOND);
        tokio::time::advance(10 * SECOND).await;
        assert_eq!(pulse.overdue(), None);
        tokio::time::advance(SECOND).await;
        assert_eq!(pulse.clone().overdue(), Some(SECOND));
        pulse.quiet_for(60 * SECOND);
        tokio::time::advance(70 * SECOND).await;
        assert_eq!(pulse.overdue(), None);
        tokio::time::advance(SECOND).await;
        assert!(pulse.overdue().is_some());
        pulse.beat();
        assert_eq!(pulse.overdue(), None);
    }
}
