//! The glossary as types: values that the whole program shares. No files, no network, no clock.

pub mod checkpoint;
pub mod coverage;
pub mod event;
pub mod extent;
pub mod finding;
pub mod id;
pub mod roster;
pub mod settings;

pub use checkpoint::{Checkpoint, Stream, StreamName, Walk};
pub use coverage::EventAction;
pub use event::{Actor, ActorKind, Auth, Change, Class, Event, Membership, Unusable};
pub use extent::Extent;
pub use finding::{
    Account, Evidence, Expected, Family, Finding, Matter, Observed, PageRead, Severity, Signal,
    Status, Verdict,
};
pub use id::{AccountId, Destination, EventId, EventKey, FindingId, PageId, SpaceKey, WordId};
pub use roster::{GrantSource, Group, Privilege, RosterHistory, Snapshot};
