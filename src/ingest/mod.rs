//! From the APIs into the store: walks that lose nothing and store nothing twice.
//!
//! Live polling and backfill are the same walk over different spans. What was read and how far is committed together,
//! many pages at a time.

mod access;
mod audit;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout_at};

pub use self::access::{poll_access, read_access_span};
pub use self::audit::{poll_audit, read_audit_span};
use crate::atlassian::{self, Mapper};
use crate::storage::{AHEAD, Batch, Committed, Store, StoreError, StreamId};
use crate::telemetry::events::EventsUnusable;
use pagewarden_core::model::{Checkpoint, Stream, Walk};

/// How many events are committed at once. A durable commit costs more than parsing a page.
const COMMIT_EVENTS: usize = 5_000;

/// For how long at most what was read is not committed.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);

/// How a walk is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The moment it is made.
    pub now: DateTime<Utc>,
    /// How far back the very first poll begins.
    pub lookback: Duration,
    /// How far before the watermark a window begins, to see late ones again.
    pub overlap: Duration,
    /// From which delay on an event counts as late.
    pub lateness: Duration,
    /// How long the live walk goes on at most; it goes on where it stopped at the next poll.
    pub patience: Option<Duration>,
}

/// Which stream a walk reads, and how.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Where it is stored.
    pub store: &'a dyn Store,
    /// Which stream.
    pub id: StreamId,
    /// The same, for people.
    pub stream: &'a Stream,
    /// How records become events.
    pub mapper: &'a Mapper,
    /// How it is to be made.
    pub plan: Plan,
}

/// Why a walk ended early. What it had read is committed.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The API.
    #[error("{0}")]
    Api(#[from] atlassian::Error),
    /// The API answered, but not as it says it does: going on could loop for ever or lose events.
    #[error("{0}")]
    Disorder(&'static str),
    /// The state file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IngestError {
    /// Whether nothing will work until a person changes something.
    pub const fn needs_person(&self) -> bool {
        matches!(self, Self::Api(atlassian::Error::Denied { .. }))
    }

    /// Whether it ended because it was asked to.
    pub const fn is_stop(&self) -> bool {
        match self {
            Self::Api(error) => error.is_stop(),
            Self::Disorder(_) | Self::Store(_) => false,
        }
    }
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything was read that the API had when the walk began.
    CaughtUp,
    /// It has taken as long as it may.
    OutOfTime,
    /// It was asked to pause; it goes on where it stopped.
    Paused,
}

/// What a walk did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Read {
    /// Answers of the API.
    pub pages: u64,
    /// Records in them.
    pub received: u64,
    /// What became of the events.
    pub committed: Committed,
    /// When the last answer was given, by the server's clock.
    pub server_time: Option<DateTime<Utc>>,
}

/// Progress callback, called after each page: what was read so far, and up to where in the span that is, as a time.
/// Returning `false` pauses the walk.
pub type Progress<'a> = &'a mut (dyn FnMut(&Read, Option<DateTime<Utc>>) -> bool + Send);

/// What was read and not committed yet.
struct Pending<'a> {
    store: &'a dyn Store,
    stream: StreamId,
    of: &'a Stream,
    walk: Walk,
    lateness: Duration,
    batch: Batch,
    moved: Option<Checkpoint>,
    /// When the first of it was read.
    since: Option<Instant>,
    /// The latest time that is believed.
    latest: DateTime<Utc>,
    read: Read,
}

impl<'a> Pending<'a> {
    fn new(target: &Target<'a>, walk: Walk) -> Self {
        Self {
            store: target.store,
            stream: target.id,
            of: target.stream,
            walk,
            lateness: target.plan.lateness,
            batch: Batch::default(),
            moved: None,
            since: None,
            latest: target.plan.now + AHEAD,
            read: Read::default(),
        }
    }

    /// The latest time that is believed, by the server's clock and ours: one of them may be far behind.
    fn latest(&mut self, server: Option<DateTime<Utc>>) -> DateTime<Utc> {
        self.read.server_time = server.or(self.read.server_time);
        self.latest = server.map_or(self.latest, |server| self.latest.max(server + AHEAD));
        self.latest
    }

    /// Waits for an answer; what was read before is committed meanwhile, where that takes long.
    async fn during<T>(&mut self, answer: impl Future<Output = T>) -> Result<T, StoreError> {
        let mut answer = std::pin::pin!(answer);
        if let Some(since) = self.since {
            if let Ok(answer) = timeout_at(since + COMMIT_WITHIN, answer.as_mut()).await {
                return Ok(answer);
            }
            self.flush().await?;
        }
        Ok(answer.await)
    }

    /// Adds a page, and commits when enough has come together or waited long enough.
    async fn add(&mut self, mut batch: Batch, moved: Option<Checkpoint>) -> Result<(), StoreError> {
        self.read.pages += 1;
        self.read.received += u64::try_from(batch.received).unwrap_or(u64::MAX);
        batch.leave_out_after(self.latest);
        self.batch.append(batch);
        let since = *self.since.get_or_insert_with(Instant::now);
        if let Some(moved) = moved {
            // A null cursor erases none, here as in the store.
            let kept = self.moved.take().and_then(|kept| kept.cursor);
            let cursor = moved.cursor.clone().or(kept);
            self.moved = Some(Checkpoint { cursor, ..moved });
        }
        if self.batch.events.len() >= COMMIT_EVENTS || since.elapsed() >= COMMIT_WITHIN {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// Commits what is there, with the checkpoint.
    async fn flush(&mut self) -> Result<(), StoreError> {
        if self.batch.is_empty() && self.moved.is_none() {
            return Ok(());
        }
        self.since = None;
        let batch = std::mem::take(&mut self.batch);
        self.report_unusable(&batch);
        let moved = self.moved.take();
        let moved = moved.map(|checkpoint| (self.walk, checkpoint));
        let committed = self
            .store
            .commit(self.stream, batch, moved, self.lateness)
            .await?;
        self.read.committed.fresh += committed.fresh;
        self.read.committed.repeated += committed.repeated;
        self.read.committed.late += committed.late;
        Ok(())
    }

    /// Says how many records could not be used, by reason.
    fn report_unusable(&self, batch: &Batch) {
        let mut reasons: BTreeMap<&'static str, u64> = BTreeMap::new();
        for record in &batch.unusable {
            *reasons.entry(record.reason).or_default() += 1;
        }
        for (reason, count) in reasons {
            let stream = self.of;
            EventsUnusable {
                stream,
                count,
                reason,
            }
            .emit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Registry as _;
    use crate::storage::sqlite::Sqlite;
    use pagewarden_core::model::{StreamName, Unusable};
    use tokio::time::sleep;

    async fn seen(store: &dyn Store, tenant: &str) -> usize {
        let rows = store.tenants().await.unwrap();
        let row = rows.iter().find(|row| row.name == tenant).unwrap();
        let streams = store.stream_status(row).await.unwrap();
        streams
            .iter()
            .map(|stream| stream.unusable_reasons.len())
            .sum()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_is_committed_while_the_next_answer_does_not_come() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("state.db")).unwrap();
        let now = DateTime::UNIX_EPOCH;
        let tenant = store.tenant("acme", None, now).await.unwrap();
        let stream = Stream {
            tenant: "acme".to_owned(),
            name: StreamName::Access,
            site: None,
        };
        let target = Target {
            store: &store,
            id: store.stream(tenant, &stream).await.unwrap(),
            stream: &stream,
            mapper: &Mapper::default(),
            plan: Plan {
                now,
                lookback: Duration::ZERO,
                overlap: Duration::ZERO,
                lateness: Duration::ZERO,
                patience: None,
            },
        };
        let mut pending = Pending::new(&target, Walk::Live);
        let batch = Batch {
            unusable: vec![Unusable {
                reason: "odd",
                sample: String::new(),
                key: pagewarden_core::model::EventKey::digest(&[b"odd"]),
            }],
            received: 1,
            ..Batch::default()
        };
        pending.add(batch, None).await.unwrap();
        sleep(Duration::from_secs(4)).await;
        let answer = pending.during(sleep(Duration::from_secs(5))).await;
        answer.unwrap();
        assert_eq!(seen(&store, "acme").await, 0);
        let never = pending.during(std::future::pending::<()>());
        let waited = tokio::time::timeout(Duration::from_secs(2), never).await;
        assert!(waited.is_err());
        assert_eq!(seen(&store, "acme").await, 1);
    }
}
