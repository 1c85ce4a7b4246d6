//! The same events from files: organisation events and site audit records, and rosters.
//!
//! NDJSON, JSON arrays, API pages, or several documents one behind the other; gzip; `-` for standard input. Memory does
//! not grow with the file. What becomes of the events is not known here.

mod input;
mod read;
mod roster;
mod split;

pub use input::unpacked;
pub use read::{Format, ImportBatch, ImportError, ImportSummary, read, read_from};
pub use roster::{Roster, RosterError, read_from as read_roster_from, read_roster};
