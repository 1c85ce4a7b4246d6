//! How fast requests may start, whoever starts them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// The spacing between the starts of requests to one API. Clones share it: live polling, backfill and retries together
/// are never faster than allowed.
#[derive(Debug, Clone)]
pub struct Pace(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    every: Duration,
    /// One permit, first come first served: whoever holds it waits for the next start.
    turn: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The earliest start that the spacing allows.
    next: Option<Instant>,
    /// The earliest start that the server allows.
    rest: Option<Instant>,
}

impl Pace {
    /// So many requests a minute, evenly spaced, the first one at once.
    ///
    /// The spacing is one in a hundred wider than it must be, so that requests do not arrive faster than they start.
    pub fn per_minute(requests: u32) -> Self {
        let every = Duration::from_mins(1) / requests.max(1);
        Self::spaced(every + every / 100)
    }

    /// No spacing of our own; the server's hints still hold.
    pub fn unlimited() -> Self {
        Self::spaced(Duration::ZERO)
    }

    /// Requests that start at least so far apart.
    fn spaced(every: Duration) -> Self {
        Self(Arc::new(Inner {
            every,
            turn: Semaphore::new(1),
            state: Mutex::default(),
        }))
    }

    /// Starts no request before so much time has passed: the server asked for it.
    pub fn not_before(&self, wait: Duration) {
        let Some(until) = Instant::now().checked_add(wait) else {
            return;
        };
        let mut state = self.state();
        state.rest = state.rest.max(Some(until));
    }

    /// Waits for the next start; where the server's rest is longer than the patience, says at once how long it is.
    pub async fn turn(&self, patience: Duration) -> Result<(), Duration> {
        let Ok(_permit) = self.0.turn.acquire().await else {
            return Ok(());
        };
        loop {
            let now = Instant::now();
            let next = {
                let mut state = self.state();
                let rest = state.rest.map(|rest| rest.saturating_duration_since(now));
                if let Some(rest) = rest.filter(|rest| *rest > patience) {
                    return Err(rest);
                }
                let due = state.next.max(state.rest);
                let Some(next) = due.filter(|next| *next > now) else {
                    state.next = now.checked_add(self.0.every);
                    return Ok(());
                };
                next
            };
            sleep_until(next).await;
        }
    }

    /// The state; no code can panic while it is held.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinSet;

    const PATIENCE: Duration = Duration::from_mins(3);

    #[tokio::test(start_paused = true)]
    async fn starts_are_never_faster_than_allowed_whoever_starts() {
        let pace = Pace::per_minute(10);
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            let pace = pace.clone();
            tasks.spawn(async move {
                let mut starts = Vec::new();
                for _ in 0..7 {
                    pace.turn(PATIENCE).await.unwrap();
                    starts.push(Instant::now());
                }
                starts
            });
        }
        let mut starts: Vec<Instant> = tasks.join_all().await.into_iter().flatten().collect();
        starts.sort();
        assert_eq!(starts.first(), Some(&began));
        for pair in starts.windows(2) {
            assert!(
                pair[1] - pair[0] >= Duration::from_secs(6),
                "{:?}",
                pair[1] - pair[0]
            );
        }
        assert!(began.elapsed() < Duration::from_secs(20 * 7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_between_requests_does_not_earn_a_burst() {
        let pace = Pace::per_minute(60);
        pace.turn(PATIENCE).await.unwrap();
        tokio::time::sleep(Duration::from_mins(10)).await;
        let began = Instant::now();
        pace.turn(PATIENCE).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        pace.turn(PATIENCE).await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_that_the_server_asks_for_holds_for_everybody() {
        let pace = Pace::unlimited();
        pace.turn(PATIENCE).await.unwrap();
        pace.clone().not_before(Duration::from_secs(40));
        pace.not_before(Duration::from_secs(3));
        let began = Instant::now();
        pace.turn(PATIENCE).await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(40));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_beyond_patience_is_reported_at_once() {
        let pace = Pace::per_minute(10);
        pace.not_before(Duration::from_hours(1));
        assert_eq!(pace.turn(PATIENCE).await, Err(Duration::from_hours(1)));
    }
}
