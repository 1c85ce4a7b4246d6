//! How far a stream was read.

use chrono::{DateTime, Utc};

use crate::time::Window;

/// Which log of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamName {
    /// The organisation's events: page views and the like.
    Access,
    /// The audit log of one Confluence site.
    Audit,
}

impl StreamName {
    /// The word used in output and in the state file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Audit => "audit",
        }
    }
}

/// One log of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stream {
    /// The tenant's name in the config.
    pub tenant: String,
    /// Which log.
    pub name: StreamName,
    /// The host name of the site, for an audit stream.
    pub site: Option<String>,
}

/// Which reading of a stream a checkpoint belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk {
    /// The live walk, which has no end.
    Live,
    /// The reading of an old window.
    Backfill(Window),
}

impl Walk {
    /// The word in the state file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Backfill(_) => "backfill",
        }
    }
}

/// Our durable note of how far a walk has read a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where the walk began.
    pub began: Option<DateTime<Utc>>,
    /// Access: the greatest processing time stored. Audit: the end of the last window read completely, or the
    /// server's clock when that began, where it is behind ours. Never back.
    pub watermark: Option<DateTime<Utc>>,
    /// The last non-null cursor; a null never erases it.
    pub cursor: Option<String>,
}
