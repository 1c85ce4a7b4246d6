//! What happens, as structs that log themselves: constant sentences, data in fields.
//!
//! Metrics will be counted here as well. Words from outside pass through [`plain`]; nothing here may hold a secret.

mod findings;
mod reading;
mod service;
#[cfg(test)]
mod tests;

use std::fmt;

use pagewarden_core::model::Stream;
use pagewarden_core::text::plain;

pub use findings::{
    DeliveriesRevived, DeliveryFailed, DeliveryGivenUp, FindingRecorded, FindingUnreadable,
    MessageDelivered,
};
pub use reading::{
    ActionsUnknown, ClockBehind, CoverageMissing, CredentialEnding, CursorRefused, EventsUnusable,
    PageRead, PollFailed, PollRecovered, RosterKept, RosterRead, WalkEnded,
};
pub use service::{
    ConfigReloaded, FileOpenToOthers, ReloadRefused, ServiceStarted, ServiceStopped,
    ServiceStopping, WorkerFailed, WorkerSilent,
};

/// The longest text from outside that is logged.
const WORDS: usize = 300;

/// The site of a stream, for a field; empty for the organisation's.
fn site(stream: &Stream) -> &str {
    stream.site.as_deref().unwrap_or_default()
}

/// Words from outside, fit for a log.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain(self.0, WORDS))
    }
}
