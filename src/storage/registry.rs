//! Tenants, their streams and how far each was read, their rosters, and the counts that `status` shows.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{NewDelivery, StoreError, StreamId, TenantId};
use pagewarden_core::model::{Checkpoint, EventAction, Snapshot, Stream, StreamName, Walk};
use pagewarden_core::time::Window;

/// The reading of an old window: what was asked for, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillState {
    /// What was asked for.
    pub span: Window,
    /// How far it came.
    pub checkpoint: Checkpoint,
    /// Records received so far.
    pub received: u64,
    /// Whether all of it was read.
    pub done: bool,
    /// Whether what it found was summed up, too.
    pub summed_up: bool,
}

/// One tenant of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRow {
    /// Its number.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When the roster was last read.
    pub roster_success: Option<DateTime<Utc>>,
    /// Why it could not be read since.
    pub roster_error: Option<String>,
}

/// One stream of a tenant, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamStatus {
    /// Its number.
    pub id: StreamId,
    /// Which.
    pub stream: Stream,
    /// Events kept once, of every class.
    pub stored: u64,
    /// Events that came again.
    pub repeated: u64,
    /// Events processed long after they happened.
    pub late: u64,
    /// Records that no reader could use.
    pub unusable: u64,
    /// Why, and how many each.
    pub unusable_reasons: Vec<(String, u64)>,
    /// Reading events whose page could not be resolved.
    pub unresolved: u64,
    /// Page and blog views received.
    pub reading: u64,
    /// The newest event time stored.
    pub newest: Option<DateTime<Utc>>,
    /// When a poll last read to the end.
    pub last_success: Option<DateTime<Utc>>,
    /// Why the last one did not.
    pub last_error: Option<String>,
}

/// Who is watched, what is read of them, and how far.
#[async_trait]
pub trait Registry: Send + Sync + std::fmt::Debug {
    /// The tenant of that name, made on first sight.
    async fn tenant(
        &self,
        name: &str,
        organization: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<TenantId, StoreError>;

    /// Every tenant, by name.
    async fn tenants(&self) -> Result<Vec<TenantRow>, StoreError>;

    /// When the tenant was first seen: what ended before is history.
    async fn installed(&self, tenant: TenantId) -> Result<DateTime<Utc>, StoreError>;

    /// Whether everything before the present has been read once by live polling, and was summed up.
    async fn is_present(&self, tenant: TenantId) -> Result<bool, StoreError>;

    /// Notes that it has, and puts the message about it into the outbox: both or neither.
    async fn begin_present(
        &self,
        tenant: TenantId,
        summary: Vec<NewDelivery>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// The stream, made on first sight.
    async fn stream(&self, tenant: TenantId, stream: &Stream) -> Result<StreamId, StoreError>;

    /// The streams of a tenant that are known.
    async fn streams(&self, tenant: TenantId) -> Result<Vec<(StreamId, StreamName)>, StoreError>;

    /// The streams of a tenant, counted.
    async fn stream_status(&self, tenant: &TenantRow) -> Result<Vec<StreamStatus>, StoreError>;

    /// How far the live walk has read; empty where it has not begun.
    async fn live(&self, stream: StreamId) -> Result<Checkpoint, StoreError>;

    /// Notes where live polling of a stream begins, and asks for the reading of what lies before: both or neither.
    async fn begin_live(&self, stream: StreamId, lookback: Window) -> Result<(), StoreError>;

    /// The last backfill of a stream, done or not.
    async fn backfill(&self, stream: StreamId) -> Result<Option<BackfillState>, StoreError>;

    /// The tenants of which a backfill is not read to its end and summed up.
    async fn unread_backfills(&self) -> Result<Vec<TenantId>, StoreError>;

    /// Asks for the reading of an old window; the same window again goes on where it stopped.
    async fn request_backfill(&self, stream: StreamId, span: Window) -> Result<(), StoreError>;

    /// Notes that a backfill has read all of its window; nothing where another window was asked for meanwhile.
    async fn finish_backfill(&self, stream: StreamId, span: Window) -> Result<(), StoreError>;

    /// Notes that the backfills of a tenant that were read are summed up, and puts the message into the outbox: both or
    /// neither.
    async fn sum_up_backfills(
        &self,
        tenant: TenantId,
        summary: Vec<NewDelivery>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Forgets a cursor that the API refused.
    async fn forget_cursor(&self, stream: StreamId, walk: Walk) -> Result<(), StoreError>;

    /// Notes how a poll of a stream ended: when it came to the end of the stream, that it works but has more to read, or
    /// why it failed. Tells whether one that works follows one that did not.
    async fn record_poll(
        &self,
        stream: StreamId,
        ended: Result<Option<DateTime<Utc>>, &str>,
    ) -> Result<bool, StoreError>;

    /// When a poll of a stream last came to its end.
    async fn last_success(&self, stream: StreamId) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// Keeps what kinds of event the tenant has.
    async fn keep_actions(
        &self,
        tenant: TenantId,
        actions: &[EventAction],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// What kinds of event the tenant had when last asked, and when that was.
    async fn actions(
        &self,
        tenant: TenantId,
    ) -> Result<(Vec<EventAction>, Option<DateTime<Utc>>), StoreError>;

    /// Keeps a snapshot of the roster, unless it says what the last one said; tells whether it does not.
    /// `whole` is when all directories had answered; none where one did not, which leaves the roster as old as it was.
    async fn keep_roster(
        &self,
        tenant: TenantId,
        snapshot: &Snapshot,
        whole: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError>;

    /// Notes why the roster could not be read; the old one stays.
    async fn record_roster_failure(&self, tenant: TenantId, why: &str) -> Result<(), StoreError>;

    /// Every snapshot kept, oldest first.
    async fn rosters(&self, tenant: TenantId) -> Result<Vec<Snapshot>, StoreError>;
}
