//! Atlassian: an organisation's events and directory, a site's audit log and groups, and their records as events.
//!
//! Shapes are read leniently and stay private (`wire`); addresses out of answers are never asked; cursors are opaque.
//! What to ask when, and how far a stream was read, is not known here.

mod audit;
mod changes;
mod classify;
mod error;
mod find;
mod lenient;
mod map;
mod organization;
pub mod page;
mod site;
mod stamp;
mod users;
mod wire;

pub use audit::AuditRecord;
pub use error::Error;
pub use map::{FLATTENED, Mapper, is_unresolved};
pub use organization::{EventsAsk, EventsPage, Organization, UsersPage, UsersWalk};
pub use site::{AccessType, AuditPage, Listed, Site};
pub use users::UserRecord;

pub(crate) use map::{Memo, unusable};
pub use stamp::of_text as moment_of_text;
