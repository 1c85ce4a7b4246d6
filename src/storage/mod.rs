//! The state: events, what was learnt from them, findings, and the messages about them.
//!
//! A trait for each role, whose methods are use cases, not get and put: each transaction begins and ends in one of them,
//! and no caller's code runs within. `conformance` is what every backend promises; [`sqlite`] keeps the state in one
//! file.

mod analysis_store;
#[cfg(test)]
mod conformance;
mod event_log;
mod findings;
mod outbox;
mod registry;
pub mod sqlite;

use std::path::PathBuf;

pub use analysis_store::{AnalysisStore, Arrived, EngineState, Numbers, Place};
pub use event_log::{
    AHEAD, Batch, Chunk, Committed, EventLog, EventPlace, LoggingEvent, StoredEvent, Stretch,
    TWINS_WITHIN, Which,
};
pub use findings::{CanaryView, Changes, Findings, Recorded, RecordedChunk};
pub use outbox::{Delivery, DeliveryCounts, NewDelivery, Outbox, Posted};
pub use registry::{BackfillState, Registry, StreamStatus, TenantRow};

/// The number of a tenant in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(i64);

/// The number of a stream in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(i64);

/// Everything that is kept, whatever keeps it.
pub trait Store: Registry + EventLog + AnalysisStore + Findings + Outbox {}

impl<T: Registry + EventLog + AnalysisStore + Findings + Outbox> Store for T {}

/// What can go wrong with the state file, by what can be done about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nothing there.
    #[error("there is no state file at {}; it is made by the first `scan`, `run`, `backfill` or `import`", .0.display())]
    Missing(PathBuf),
    /// Not ours to write.
    #[error("the state file {} cannot be written; check the permissions of the file and of its folder", .0.display())]
    ReadOnly(PathBuf),
    /// No room.
    #[error("no space is left for the state file {}; free some and start again, nothing that was committed is lost", .0.display())]
    Full(PathBuf),
    /// Somebody else's.
    #[error("{} is not a state file of pagewarden; name another with --state", .0.display())]
    Foreign(PathBuf),
    /// From the future.
    #[error("the state file {} has schema version {found}, this program knows {known}; use the newer program that made it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that this program makes.
        known: i64,
    },
    /// From the past, and not ours to change now.
    #[error("the state file {} has schema version {found}, this program knows {known}, and another process holds the file; stop that process; the next command of this program then migrates the file", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that this program makes.
        known: i64,
    },
    /// Damaged.
    #[error("the state file {} is damaged; move it away and restore a copy, or start anew and run `backfill`", .0.display())]
    Damaged(PathBuf),
    /// Held by another process.
    #[error("another process holds the state file {}; stop that process first (`backfill` needs no stop: it hands its work to a running service)", .0.display())]
    Held(PathBuf),
    /// The process that was asked has ended.
    #[error(
        "the service has ended before it had read everything; the same command goes on from there"
    )]
    Abandoned,
    /// A copy was to be written where something is.
    #[error("{} already exists and is not overwritten; name another file for the copy", .0.display())]
    CopyThere(PathBuf),
    /// A copy could not be written.
    #[error("the copy {} cannot be written: {cause}", path.display())]
    Uncopied {
        /// The copy.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The folder cannot be made or opened.
    #[error("the state file {} cannot be opened: {cause}", path.display())]
    Unopenable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Stored by another version of the analysis, or not by us.
    #[error(
        "the state file holds something that cannot be read back: {0}; `pagewarden state check` lists what is damaged"
    )]
    Unreadable(String),
    /// Anything else that SQLite says.
    #[error("the state file could not be used: {0}; if that lasts, run `pagewarden state check`")]
    Database(String),
}
