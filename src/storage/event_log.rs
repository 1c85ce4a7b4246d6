//! Events, each stored once together with how far was read, and given back in event-time order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{StoreError, StreamId, TenantId};
use pagewarden_core::detect::blind_spot::Hour;
use pagewarden_core::engine::Taken;
use pagewarden_core::model::{
    Change, Checkpoint, Event, EventId, StreamName, Unusable, Walk, WordId,
};
use pagewarden_core::session::Read;

/// How far ahead of the clock a time is still believed: clocks differ.
pub const AHEAD: TimeDelta = TimeDelta::days(1);

/// How far apart (in seconds) two streams may record one export.
pub const TWINS_WITHIN: i64 = 300;

/// The time and the key of an event.
pub type EventPlace = (i64, [u8; 16]);

/// What one or several pages of a stream held.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Events, in any order, repeats included.
    pub events: Vec<Event>,
    /// Records that no reader could use.
    pub unusable: Vec<Unusable>,
    /// Reading events whose page could not be resolved.
    pub unresolved: usize,
    /// How many records the server sent in all.
    pub received: usize,
}

impl Batch {
    /// Adds what another page held.
    pub fn append(&mut self, mut other: Self) {
        self.events.append(&mut other.events);
        self.unusable.append(&mut other.unusable);
        self.unresolved += other.unresolved;
        self.received += other.received;
    }

    /// Leaves out events of a time that has not come yet, each as a record that nobody can use: taken at its word, one of
    /// them would make everything else look long past. A processing time that has not come is not believed.
    pub fn leave_out_after(&mut self, latest: DateTime<Utc>) {
        let left_out = self.events.extract_if(.., |event| event.at > latest);
        self.unusable.extend(left_out.map(|event| {
            Unusable {
                reason: "its time has not come yet",
                sample: format!("{} {} {}", event.at, event.action, event.id.as_str())
                    .chars()
                    .take(100)
                    .collect(),
                key: event.key,
            }
        }));
        for event in &mut self.events {
            event.processed_at = event.processed_at.filter(|at| *at <= latest);
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.received == 0 && self.events.is_empty() && self.unusable.is_empty()
    }
}

/// What a commit came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Events that were not there before.
    pub fresh: u64,
    /// Events that came again.
    pub repeated: u64,
    /// Fresh ones that were processed long after they happened.
    pub late: u64,
}

/// Which stored events to read: those of one stream with `from <= at < until`.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Which stream.
    pub stream: StreamId,
    /// The first second inside.
    pub from: i64,
    /// The first second after it.
    pub until: i64,
}

/// Which events of a stretch to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Everything that the engine takes: reading, and what rules look at one by one.
    Takeable,
    /// Reading: views, exports, downloads.
    Reading,
    /// Exports and downloads.
    Exports,
    /// What rules look at one by one.
    Singles,
}

/// A stored event as the engine takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Who did what where.
    pub read: Read,
    /// What was done, of an event that rules look at by itself.
    pub action: Option<Arc<str>>,
}

impl StoredEvent {
    /// For the engine.
    pub fn taken(&self) -> Taken<'_> {
        match &self.action {
            Some(action) => Taken::Single(&self.read, action),
            None => Taken::Reading(&self.read),
        }
    }
}

/// Some events, in the order of time and key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Behind which event the next ones are; none where these are the last.
    pub next: Option<EventPlace>,
}

/// An event about a log itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingEvent {
    /// When, in seconds.
    pub at: i64,
    /// What, in Atlassian's words.
    pub action: String,
    /// By whom.
    pub account: WordId,
    /// What Atlassian calls it.
    pub id: EventId,
}

/// The stored events.
#[async_trait]
pub trait EventLog: Send + Sync + std::fmt::Debug {
    /// Stores a batch and moves the checkpoint with it. Repeats are counted, nothing is stored twice.
    ///
    /// `late_after` is how long after its event time an event may be processed without counting as late.
    async fn commit(
        &self,
        stream: StreamId,
        batch: Batch,
        moved: Option<(Walk, Checkpoint)>,
        late_after: Duration,
    ) -> Result<Committed, StoreError>;

    /// The next events of a stretch in order of time and key, behind an event; some thousands at a time.
    async fn events(
        &self,
        stretch: Stretch,
        which: Which,
        after: Option<EventPlace>,
    ) -> Result<Chunk, StoreError>;

    /// The newest event time of a stream, in seconds, and how many events it holds; none where it holds none.
    async fn extent(&self, stream: StreamId) -> Result<Option<(i64, u64)>, StoreError>;

    /// What Atlassian calls those of the events with these times and keys that a stream holds.
    async fn event_ids(
        &self,
        stream: StreamId,
        events: &[EventPlace],
    ) -> Result<Vec<(EventPlace, EventId)>, StoreError>;

    /// Every membership change that the tenant's logs tell, oldest first; the same change in two logs comes twice.
    async fn membership_changes(
        &self,
        tenant: TenantId,
    ) -> Result<Vec<(DateTime<Utc>, Change)>, StoreError>;

    /// The second of the newest page view of a stream.
    async fn last_view(&self, stream: StreamId) -> Result<Option<i64>, StoreError>;

    /// The hours of a stream from a second on in which there is a page view, or a person did anything else, in order.
    async fn hours(&self, stream: StreamId, from: i64) -> Result<Vec<Hour>, StoreError>;

    /// The events of a stream from a second on that are about a log itself, oldest first.
    async fn logging_events(
        &self,
        stream: StreamId,
        name: StreamName,
        from: i64,
    ) -> Result<Vec<LoggingEvent>, StoreError>;
}
