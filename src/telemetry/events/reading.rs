//! What comes of reading logs and directories.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Plain, site};
use pagewarden_core::model::Stream;
use pagewarden_core::text::duration;
use pagewarden_core::time::rfc3339;

/// A batch of a stream was read.
#[derive(Debug)]
pub struct PageRead<'a> {
    /// Of which stream.
    pub stream: &'a Stream,
    /// How many records were in it.
    pub events: usize,
    /// How long it took.
    pub took: Duration,
}

impl PageRead<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self {
            stream,
            events,
            took,
        } = self;
        let (name, site) = (stream.name.as_str(), site(stream));
        tracing::debug!(tenant = %stream.tenant, stream = name, site, events, ?took, "Batch read.");
    }
}

/// A poll could not be finished; the next one goes on where it stopped.
#[derive(Debug)]
pub struct PollFailed<'a> {
    /// Of which stream.
    pub stream: &'a Stream,
    /// What went wrong.
    pub why: &'a str,
    /// Whether a person has to change something before it can work again.
    pub needs_person: bool,
}

impl PollFailed<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self {
            stream,
            why,
            needs_person,
        } = self;
        let (tenant, name, site, why) = (
            &stream.tenant,
            stream.name.as_str(),
            site(stream),
            Plain(why),
        );
        if needs_person {
            tracing::error!(%tenant, stream = name, site, %why, "Poll rejected; operator action required.");
        } else {
            tracing::warn!(%tenant, stream = name, site, %why, "Poll failed; it will be tried again.");
        }
    }
}

/// A poll works again after it failed.
#[derive(Debug)]
pub struct PollRecovered<'a> {
    /// Of which stream.
    pub stream: &'a Stream,
}

impl PollRecovered<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { stream } = self;
        let (name, site) = (stream.name.as_str(), site(stream));
        tracing::info!(tenant = %stream.tenant, stream = name, site, "Poll works again.");
    }
}

/// A stored cursor was refused; the walk falls back to the watermark less the overlap.
#[derive(Debug)]
pub struct CursorRefused<'a> {
    /// Of which stream.
    pub stream: &'a Stream,
    /// Where the walk begins anew.
    pub from: DateTime<Utc>,
}

impl CursorRefused<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { stream, from } = self;
        let (name, site, from) = (stream.name.as_str(), site(stream), rfc3339(from));
        tracing::warn!(
            tenant = %stream.tenant, stream = name, site, from,
            "Cursor refused; reading again from before the watermark."
        );
    }
}

/// Records could not be used; the rest of their batch was.
#[derive(Debug)]
pub struct EventsUnusable<'a> {
    /// Of which stream.
    pub stream: &'a Stream,
    /// How many.
    pub count: u64,
    /// Why, in a few constant words.
    pub reason: &'static str,
}

impl EventsUnusable<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self {
            stream,
            count,
            reason,
        } = self;
        let (name, site) = (stream.name.as_str(), site(stream));
        tracing::warn!(
            tenant = %stream.tenant, stream = name, site, count, reason,
            "Events unusable; they are counted and left out."
        );
    }
}

/// A walk has read all that there is for now.
#[derive(Debug)]
pub struct WalkEnded<'a> {
    /// Of which stream.
    pub stream: &'a Stream,
    /// Which walk: "live", "backfill" or "import".
    pub walk: &'static str,
    /// Events that were new.
    pub stored: u64,
    /// Events that came again.
    pub repeated: u64,
    /// How long it took.
    pub took: Duration,
}

impl WalkEnded<'_> {
    /// Logs it: at `info` where it brought something or was no live walk, which ends every minute.
    pub fn emit(self) {
        let Self {
            stream,
            walk,
            stored,
            repeated,
            took,
        } = self;
        let (tenant, name, site) = (&stream.tenant, stream.name.as_str(), site(stream));
        if stored > 0 || walk != "live" {
            tracing::info!(%tenant, stream = name, site, walk, stored, repeated, ?took, "Walk ended.");
        } else {
            tracing::debug!(%tenant, stream = name, site, walk, stored, repeated, ?took, "Walk ended.");
        }
    }
}

/// Who is privileged was read.
#[derive(Debug)]
pub struct RosterRead<'a> {
    /// Of which tenant.
    pub tenant: &'a str,
    /// How many accounts are privileged.
    pub accounts: usize,
    /// Whether that differs from before.
    pub changed: bool,
}

impl RosterRead<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self {
            tenant,
            accounts,
            changed,
        } = self;
        if changed {
            tracing::info!(tenant, accounts, "Roster changed.");
        } else {
            tracing::debug!(tenant, accounts, "Roster read; nothing changed.");
        }
    }
}

/// Who is privileged could not be read, or the answer was not believed; the old roster holds.
#[derive(Debug)]
pub struct RosterKept<'a> {
    /// Of which tenant.
    pub tenant: &'a str,
    /// When the roster that holds was read; none where there never was one.
    pub as_of: Option<DateTime<Utc>>,
    /// What went wrong.
    pub why: &'a str,
}

impl RosterKept<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { tenant, as_of, why } = self;
        let why = Plain(why);
        if let Some(as_of) = as_of.map(rfc3339) {
            tracing::warn!(tenant, as_of, %why, "Roster refresh failed; the old roster is kept.");
        } else {
            tracing::error!(tenant, %why, "Roster refresh failed; nobody counts as privileged yet.");
        }
    }
}

/// Which kinds of event a tenant has could not be asked.
#[derive(Debug)]
pub struct ActionsUnknown<'a> {
    /// Of which tenant.
    pub tenant: &'a str,
    /// Why.
    pub why: &'a str,
}

impl ActionsUnknown<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { tenant, why } = self;
        tracing::warn!(tenant, why = %Plain(why), "The list of event kinds could not be read; known action ids are still recognised.");
    }
}

/// Something of a tenant cannot be seen.
#[derive(Debug)]
pub struct CoverageMissing<'a> {
    /// Of which tenant.
    pub tenant: &'a str,
    /// What, in a sentence.
    pub what: &'a str,
}

impl CoverageMissing<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { tenant, what } = self;
        tracing::warn!(tenant, what = %Plain(what), "Part of the tenant cannot be seen.");
    }
}

/// A key or token ends soon, or has ended.
#[derive(Debug)]
pub struct CredentialEnding<'a> {
    /// Of which tenant.
    pub tenant: &'a str,
    /// What it opens; never the secret.
    pub name: &'a str,
    /// Days until its last day; negative after it.
    pub days: i64,
}

impl CredentialEnding<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { tenant, name, days } = self;
        if days < 0 {
            tracing::error!(
                tenant,
                name,
                days,
                "A key has expired according to the config; a new one is needed."
            );
        } else {
            tracing::warn!(
                tenant,
                name,
                days,
                "A key expires soon; a new one is needed."
            );
        }
    }
}

/// This machine's clock is behind that of a server.
#[derive(Debug)]
pub struct ClockBehind<'a> {
    /// Whose log was read.
    pub stream: &'a Stream,
    /// By how much.
    pub by: Duration,
}

impl ClockBehind<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { stream, by } = self;
        let (tenant, name, site) = (&stream.tenant, stream.name.as_str(), site(stream));
        tracing::warn!(%tenant, stream = name, site, by = %duration(by), "The clock of this machine is behind the server's; set it by NTP.");
    }
}
