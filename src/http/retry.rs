//! Trying again what can pass.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Error, Pace, Reaction};
use crate::config::Retry;

/// The longest rest that is waited for; where a server asks for more, the caller gets an error instead.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// The longest wait of our own, before jitter.
const LONGEST: Duration = Duration::from_secs(30);

/// The waits of our own: the first as configured, then doubling.
struct Backoff(Duration);

impl Backoff {
    /// The next wait, with jitter between 0.7 and 1.3.
    fn next(&mut self) -> Duration {
        let wait = self.0.min(LONGEST);
        self.0 = wait.saturating_mul(2);
        wait.mul_f64(0.7 + 0.6 * fastrand::f64())
    }
}

/// Tries until it succeeds, cannot succeed, has been tried often enough, or the program stops.
///
/// Every try waits for its turn; a wait that the server asks for is a floor, for everybody who shares the pace.
pub(super) async fn persist<T, F, Fut>(
    policy: Retry,
    pace: &Pace,
    stop: &CancellationToken,
    attempt: F,
) -> Result<T, Error>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Error::Stopped),
        result = tries(policy, pace, attempt) => result,
    }
}

/// The tries themselves, deaf to being stopped.
async fn tries<T, F, Fut>(policy: Retry, pace: &Pace, mut attempt: F) -> Result<T, Error>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Error>>,
{
    let mut backoff = Backoff(policy.base);
    let mut left = policy.attempts.max(1);
    loop {
        pace.turn(PATIENCE).await.map_err(|wait| Error::Throttled {
            wait: Some(wait),
            until: None,
        })?;
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let mut wait = backoff.next();
        match error.retry() {
            Reaction::Never => return Err(error),
            Reaction::Backoff => {}
            Reaction::OnceMore => left = left.min(2),
            Reaction::After(rest) => {
                pace.not_before(rest);
                if rest > PATIENCE {
                    return Err(error);
                }
                wait = wait.max(rest);
            }
        }
        left -= 1;
        if left == 0 {
            return Err(error);
        }
        tracing::debug!(%error, ?wait, left, "A request is tried again.");
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Malformed;
    use std::cell::RefCell;
    use tokio::time::Instant;

    const POLICY: Retry = Retry {
        base: Duration::from_secs(5),
        attempts: 4,
        timeout: Duration::from_mins(1),
    };

    fn denied(status: u16) -> Error {
        Error::Denied {
            status,
            message: String::new(),
            login_reason: None,
        }
    }

    fn throttled(seconds: u64) -> Error {
        Error::Throttled {
            wait: Some(Duration::from_secs(seconds)),
            until: None,
        }
    }

    /// Tries against a script of errors that ends in success; what came of it, and when each try began.
    async fn run(pace: &Pace, script: Vec<Error>) -> (Result<(), Error>, Vec<Duration>) {
        let began = Instant::now();
        let starts = RefCell::new(Vec::new());
        let script = RefCell::new(script.into_iter());
        let stop = CancellationToken::new();
        let result = persist(POLICY, pace, &stop, || {
            starts.borrow_mut().push(began.elapsed());
            let error = script.borrow_mut().next();
            async move { error.map_or(Ok(()), Err) }
        })
        .await;
        (result, starts.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_four_times_with_doubling_waits() {
        let error = Error::Malformed(Malformed::Html);
        let (result, starts) = run(&Pace::unlimited(), vec![error.clone(); 9]).await;
        assert_eq!(result, Err(error));
        assert_eq!(starts.len(), 4);
        for (pair, base) in starts.windows(2).zip([5.0, 10.0, 20.0]) {
            let wait = pair[1].abs_diff(pair[0]).as_secs_f64();
            assert!(
                wait >= base * 0.69 && wait <= base * 1.31,
                "{wait} for {base}"
            );
        }
    }

    #[test]
    fn waits_are_capped() {
        let mut backoff = Backoff(Duration::from_secs(5));
        for _ in 0..20 {
            assert!(backoff.next() <= Duration::from_secs(39));
        }
        assert!(backoff.next() >= Duration::from_secs(21));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_pass_is_asked_once() {
        let (result, starts) = run(&Pace::unlimited(), vec![denied(403)]).await;
        assert_eq!((result, starts.len()), (Err(denied(403)), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_is_given_the_rest_it_asked_for() {
        let (result, starts) = run(&Pace::unlimited(), vec![throttled(60)]).await;
        assert_eq!(result, Ok(()));
        assert!(starts[1] >= Duration::from_mins(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_beyond_patience_ends_it_and_the_next_request_is_not_even_sent() {
        let pace = Pace::unlimited();
        let (result, starts) = run(&pace, vec![throttled(181)]).await;
        assert_eq!((result, starts.len()), (Err(throttled(181)), 1));
        let (result, starts) = run(&pace, Vec::new()).await;
        assert_eq!((result, starts.len()), (Err(throttled(181)), 0));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(run(&pace, Vec::new()).await.0, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn retries_keep_the_pace() {
        let error = Error::Malformed(Malformed::Cut);
        let (_, starts) = run(&Pace::per_minute(2), vec![error; 3]).await;
        for pair in starts.windows(2) {
            assert!(pair[1].abs_diff(pair[0]) >= Duration::from_secs(30));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_any_wait_at_once() {
        let stop = CancellationToken::new();
        let pace = Pace::unlimited();
        let began = Instant::now();
        let error = throttled(100);
        let waiting = persist(POLICY, &pace, &stop, || async {
            Err::<(), _>(error.clone())
        });
        let stopping = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.cancel();
        };
        assert_eq!(tokio::join!(waiting, stopping).0, Err(Error::Stopped));
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }
}
