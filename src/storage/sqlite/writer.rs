//! The one connection that writes. What several ask for at the same time is one durable commit: each within a savepoint, so
//! that what fails for one fails for no other.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::super::StoreError;
use super::explain;
use super::terms::Cache;

/// How many may wait for their turn in the queue; others wait before it.
const QUEUE: usize = 64;

/// The right to a place in the queue.
pub(super) type Turn = OwnedSemaphorePermit;

/// The connection, and the queue before it.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    places: Arc<Semaphore>,
    queue: Mutex<Vec<Box<dyn Job>>>,
    connection: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    database: Connection,
    terms: Cache,
}

/// Something to do within a transaction.
trait Job: Send + std::fmt::Debug {
    /// Does it.
    fn run(&mut self, transaction: &Transaction<'_>, terms: &mut Cache) -> rusqlite::Result<()>;
    /// Tells whoever waits how it ended.
    fn answer(self: Box<Self>, ended: Result<(), StoreError>);
}

/// A closure as a job.
struct Task<W, N, T> {
    work: Option<W>,
    then: N,
    value: Option<T>,
    waiting: oneshot::Sender<Result<T, StoreError>>,
}

impl<W, N, T> std::fmt::Debug for Task<W, N, T> {
    fn fmt(&self, form: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        form.debug_struct("Task").finish_non_exhaustive()
    }
}

impl<W, N, T> Job for Task<W, N, T>
where
    W: FnOnce(&Transaction<'_>, &mut Cache) -> rusqlite::Result<T> + Send,
    N: FnOnce(&T) + Send,
    T: Send,
{
    fn run(&mut self, transaction: &Transaction<'_>, terms: &mut Cache) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.value = Some(work(transaction, terms)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, ended: Result<(), StoreError>) {
        let Self {
            then,
            value,
            waiting,
            ..
        } = *self;
        let answer = match (ended, value) {
            (Ok(()), Some(value)) => {
                then(&value);
                Ok(value)
            }
            (Ok(()), None) => Err(unanswered()),
            (Err(error), _) => Err(error),
        };
        // Nobody may be waiting any more.
        drop(waiting.send(answer));
    }
}

fn unanswered() -> StoreError {
    StoreError::Database("a change of the state was not carried out".to_owned())
}

impl Writer {
    pub(super) fn new(path: &Path, database: Connection) -> Self {
        Self {
            path: path.to_owned(),
            places: Arc::new(Semaphore::new(QUEUE)),
            queue: Mutex::new(Vec::new()),
            connection: Mutex::new(Open {
                database,
                terms: Cache::default(),
            }),
        }
    }

    /// Waits for a place in the queue.
    pub(super) async fn turn(&self) -> Option<Turn> {
        // Closed never, so there is always one.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Runs one transaction, together with whatever else waits; then something more, before anybody else learns that it
    /// has happened. Blocks.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>, &mut Cache) -> rusqlite::Result<T> + Send + 'static,
        then: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (waiting, answer) = oneshot::channel();
        let task = Task {
            work: Some(work),
            then,
            value: None,
            waiting,
        };
        locked(&self.queue).push(Box::new(task));
        {
            // Whoever gets here first does the work of all; the others find it done.
            let mut open = locked(&self.connection);
            let jobs = std::mem::take(&mut *locked(&self.queue));
            self.work_off(&mut open, jobs);
        }
        answer.blocking_recv().unwrap_or_else(|_| Err(unanswered()))
    }

    /// Runs one question on the connection that writes.
    pub(super) fn with_connection<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&locked(&self.connection).database).map_err(|error| explain(&self.path, &error))
    }

    /// How many wait to be carried out.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        locked(&self.queue).len()
    }

    /// Lets go of the strings remembered from what was stored: they are looked up again when needed.
    pub(super) fn forget_terms(&self) {
        locked(&self.connection).terms.forget();
    }

    fn work_off(&self, Open { database, terms }: &mut Open, mut jobs: Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        let mut ended: Vec<Result<(), StoreError>> = Vec::new();
        let committed = database
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let alone = jobs.len() == 1;
                for job in &mut jobs {
                    let done = if alone {
                        job.run(&transaction, terms)
                    } else {
                        within_savepoint(&transaction, terms, job.as_mut())?
                    };
                    if done.is_err() {
                        // What was interned in what did not happen must not be remembered.
                        terms.forget();
                    }
                    ended.push(done.map_err(|error| explain(&self.path, &error)));
                }
                if alone && ended.iter().any(Result::is_err) {
                    return Ok(());
                }
                transaction.commit()
            });
        if let Err(error) = committed {
            terms.forget();
            let error = explain(&self.path, &error);
            ended = jobs.iter().map(|_| Err(error.clone())).collect();
        }
        for (job, ended) in jobs.into_iter().zip(ended) {
            job.answer(ended);
        }
    }
}

/// Runs a job so that it can fail alone. An error of the outer kind is one for all: then the transaction is no more.
fn within_savepoint(
    transaction: &Transaction<'_>,
    terms: &mut Cache,
    job: &mut dyn Job,
) -> rusqlite::Result<rusqlite::Result<()>> {
    transaction.execute_batch("savepoint job")?;
    match job.run(transaction, terms) {
        Ok(()) => Ok(Ok(transaction.execute_batch("release job")?)),
        // A full disk, for one, has ended the whole transaction.
        Err(error) if transaction.is_autocommit() => Err(error),
        Err(error) => {
            transaction.execute_batch("rollback to job; release job")?;
            Ok(Err(error))
        }
    }
}

/// Takes a lock; a poisoned one is taken over, since every change is a transaction of its own.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
