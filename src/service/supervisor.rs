//! The workers and their master: one that fails is started again after a pause, and the others do not notice.
//!
//! An error of the state file may pass (the disk is full, somebody moves the file) and is tried again for ever. Only
//! where no other try can help, since the file is damaged or not ours, the service ends.

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Duration, Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::watchdog::Watched;
use crate::pulse::Pulse;
use crate::storage::StoreError;
use crate::telemetry::events::WorkerFailed;

/// How long the first pause is.
const SHORTEST: Duration = Duration::from_secs(1);
/// How long a pause is at most; a worker that has worked for longer than this begins with the shortest again.
const LONGEST: Duration = Duration::from_mins(5);

/// The workers of one config.
#[derive(Debug)]
pub(super) struct Supervisor {
    workers: JoinSet<Option<String>>,
    watched: Vec<Watched>,
    stop: CancellationToken,
}

impl Supervisor {
    /// Nobody yet; all end with this token.
    pub(super) fn new(stop: CancellationToken) -> Self {
        Self {
            workers: JoinSet::new(),
            watched: Vec::new(),
            stop,
        }
    }

    /// What ends the workers.
    pub(super) const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// The workers' signs of life.
    pub(super) fn watched(&self) -> Vec<Watched> {
        self.watched.clone()
    }

    /// Starts a worker, again and again.
    pub(super) fn start<F>(
        &mut self,
        name: String,
        pulse: Pulse,
        begin: impl Fn() -> F + Send + 'static,
    ) where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        self.watched.push(Watched {
            name: name.clone(),
            pulse: pulse.clone(),
        });
        let stop = self.stop.clone();
        self.workers
            .spawn(async move { supervise(&name, &pulse, &stop, begin).await });
    }

    /// Waits until something happens that no other try can help, and says what.
    pub(super) async fn fatal(&mut self) -> String {
        while let Some(ended) = self.workers.join_next().await {
            if let Ok(Some(why)) = ended {
                return why;
            }
        }
        std::future::pending().await
    }

    /// Waits for everybody's end; false where that takes too long.
    pub(super) async fn drain(mut self, grace: Duration) -> bool {
        let all = async { while self.workers.join_next().await.is_some() {} };
        timeout(grace, all).await.is_ok()
    }
}

/// Keeps one worker at work until told to stop. What it gives no other try can help.
async fn supervise<F>(
    name: &str,
    pulse: &Pulse,
    stop: &CancellationToken,
    begin: impl Fn() -> F,
) -> Option<String>
where
    F: Future<Output = Result<(), StoreError>> + Send + 'static,
{
    let mut pause = SHORTEST;
    while !stop.is_cancelled() {
        pulse.beat();
        let started = Instant::now();
        // A task of its own, so that a panic ends nothing else.
        let mut task = JoinSet::new();
        task.spawn(begin());
        let ended = task.join_next().await?;
        let Some(failure) = Failure::of(ended) else {
            continue;
        };
        if let Failure::Fatal(why) = failure {
            return Some(why);
        }
        if started.elapsed() > LONGEST {
            pause = SHORTEST;
        }
        failure.tell(name, pause);
        pulse.quiet_for(pause);
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(LONGEST);
    }
    None
}

/// Why a worker ended although nobody asked it to.
enum Failure {
    /// It may work at another try.
    Passing(String),
    /// It cannot.
    Fatal(String),
}

impl Failure {
    fn of(ended: Result<Result<(), StoreError>, JoinError>) -> Option<Self> {
        match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                let why = error.to_string();
                Some(match error {
                    StoreError::Damaged(_) | StoreError::Foreign(_) | StoreError::Newer { .. } => {
                        Self::Fatal(why)
                    }
                    _ => Self::Passing(why),
                })
            }
            // The panic itself was told by whoever panicked.
            Err(error) if error.is_panic() => Some(Self::Passing(
                "internal error (panic); please report it with the log lines above".to_owned(),
            )),
            Err(error) => Some(Self::Passing(error.to_string())),
        }
    }

    fn tell(&self, worker: &str, wait: Duration) {
        let (Self::Passing(why) | Self::Fatal(why)) = self;
        WorkerFailed { worker, wait, why }.emit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::Mutex;

    /// A worker that ends so at each of its first starts, then works on; and when it was started.
    fn hire(
        workers: &mut Supervisor,
        name: &str,
        fails: impl Fn(usize) -> Option<Result<(), StoreError>> + Send + Sync + 'static,
    ) -> Arc<Mutex<Vec<u64>>> {
        let starts = Arc::new(Mutex::new(Vec::new()));
        let (noted, began, fails) = (Arc::clone(&starts), Instant::now(), Arc::new(fails));
        let stop = workers.stop().clone();
        workers.start(name.into(), Pulse::new(LONGEST), move || {
            let (noted, fails, stop) = (Arc::clone(&noted), Arc::clone(&fails), stop.clone());
            async move {
                let place = {
                    let mut noted = noted.lock().unwrap();
                    noted.push(began.elapsed().as_secs());
                    noted.len() - 1
                };
                if let Some(ended) = fails(place) {
                    ended
                } else {
                    stop.cancelled().await;
                    Ok(())
                }
            }
        });
        starts
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_fails_or_panics_is_started_again_and_the_others_go_on() {
        let stop = CancellationToken::new();
        let mut workers = Supervisor::new(stop.clone());
        let failing = hire(&mut workers, "failing", |place| match place {
            0 => Some(Err(StoreError::Full("x".into()))),
            1 => panic!("a test's"),
            2..=10 => Some(Err(StoreError::Database("busy".into()))),
            _ => None,
        });
        let sound = hire(&mut workers, "sound", |_| None);
        sleep(Duration::from_secs(32)).await;
        assert_eq!(*failing.lock().unwrap(), [0, 1, 3, 7, 15, 31]);
        sleep(Duration::from_hours(1)).await;
        let starts = failing.lock().unwrap().clone();
        assert_eq!(starts.len(), 12);
        assert_eq!(starts[11] - starts[10], LONGEST.as_secs());
        assert_eq!(*sound.lock().unwrap(), [0]);
        stop.cancel();
        assert!(workers.drain(Duration::from_secs(4)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_other_try_can_help_is_said() {
        let mut workers = Supervisor::new(CancellationToken::new());
        hire(&mut workers, "sound", |_| None);
        hire(&mut workers, "damaged", |_| {
            Some(Err(StoreError::Damaged("x".into())))
        });
        assert!(workers.fatal().await.contains("damaged"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_does_not_end_is_not_waited_for_for_ever() {
        let stop = CancellationToken::new();
        let mut workers = Supervisor::new(stop.clone());
        workers.start("deaf".into(), Pulse::new(LONGEST), std::future::pending);
        sleep(Duration::from_secs(1)).await;
        stop.cancel();
        assert!(!workers.drain(Duration::from_secs(4)).await);
    }
}
