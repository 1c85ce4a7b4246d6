//! What happens, as structs that log themselves: constant sentences, data in fields.
//!
//! Metrics will be counted here as well. Words from outside pass through [`plain`]; nothing here may hold a secret.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use pagewarden_core::model::{Severity, Stream};
use pagewarden_core::text::{duration, plain};
use pagewarden_core::time::rfc3339;

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

/// A file with secrets or with the state can be read by more than its owner.
#[derive(Debug)]
pub struct FileOpenToOthers<'a> {
    /// Which, and what to do.
    pub words: &'a str,
}

impl FileOpenToOthers<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { words } = self;
        tracing::warn!(file = %Plain(words), "A file is open to others.");
    }
}

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

/// A finding was written to the state file, new or grown.
#[derive(Debug)]
pub struct FindingRecorded<'a> {
    /// Of which tenant.
    pub tenant: &'a str,
    /// Its id.
    pub finding: &'a str,
    /// Its revision.
    pub revision: u32,
    /// The strongest detector.
    pub detector: &'a str,
    /// Severity.
    pub severity: Severity,
}

impl FindingRecorded<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self {
            tenant,
            finding,
            revision,
            detector,
            severity,
        } = self;
        let severity = severity.as_str();
        tracing::info!(
            tenant,
            finding,
            revision,
            detector,
            severity,
            "Finding recorded."
        );
    }
}

/// A recorded finding cannot be read back; it is left out.
#[derive(Debug)]
pub struct FindingUnreadable<'a> {
    /// Its id.
    pub finding: &'a str,
    /// Why.
    pub why: &'a str,
}

impl FindingUnreadable<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { finding, why } = self;
        tracing::warn!(
            finding,
            why,
            "Finding left out: it cannot be read back. `pagewarden state check` lists what is damaged."
        );
    }
}

/// A message was taken.
#[derive(Debug)]
pub struct MessageDelivered<'a> {
    /// By which notifier.
    pub notifier: &'a str,
    /// Its idempotency key.
    pub message: &'a str,
    /// At which attempt, counted from one.
    pub attempt: u32,
}

impl MessageDelivered<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self {
            notifier,
            message,
            attempt,
        } = self;
        tracing::info!(notifier, id = message, attempt, "Message delivered.");
    }
}

/// An attempt to deliver failed; there will be another.
#[derive(Debug)]
pub struct DeliveryFailed<'a> {
    /// By which notifier.
    pub notifier: &'a str,
    /// The message's idempotency key.
    pub message: &'a str,
    /// Which attempt it was, counted from one.
    pub attempt: u32,
    /// How long until the next.
    pub wait: Duration,
    /// What went wrong.
    pub why: &'a str,
}

impl DeliveryFailed<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self {
            notifier,
            message,
            attempt,
            wait,
            why,
        } = self;
        tracing::warn!(notifier, id = message, attempt, ?wait, why = %Plain(why), "Delivery failed; it will be tried again.");
    }
}

/// A message will not be delivered; the finding stays in the state file.
#[derive(Debug)]
pub struct DeliveryGivenUp<'a> {
    /// By which notifier.
    pub notifier: &'a str,
    /// The message's idempotency key.
    pub message: &'a str,
    /// How many attempts there were.
    pub attempts: u32,
    /// What went wrong last.
    pub why: &'a str,
}

impl DeliveryGivenUp<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self {
            notifier,
            message,
            attempts,
            why,
        } = self;
        tracing::error!(notifier, id = message, attempts, why = %Plain(why), "Delivery given up; the finding stays in the state file.");
    }
}

/// Messages that were given up are tried again, since their notifier has another address.
#[derive(Debug)]
pub struct DeliveriesRevived<'a> {
    /// By which notifier.
    pub notifier: &'a str,
    /// How many.
    pub count: u64,
}

impl DeliveriesRevived<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { notifier, count } = self;
        tracing::info!(
            notifier,
            count,
            "Notifier has another address; messages that were given up are tried again."
        );
    }
}

/// A clock differs from that of a server.
#[derive(Debug)]
pub struct ClockDiffers<'a> {
    /// Whose log was read.
    pub stream: &'a Stream,
    /// How far this machine's clock is ahead of the server's; negative where it is behind.
    pub ahead: TimeDelta,
}

impl ClockDiffers<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { stream, ahead } = self;
        let (tenant, name, site) = (&stream.tenant, stream.name.as_str(), site(stream));
        let by = duration(ahead.abs().to_std().unwrap_or_default());
        if ahead < TimeDelta::zero() {
            tracing::warn!(%tenant, stream = name, site, by, "The clock of this machine is behind the server's; set it by NTP.");
        } else {
            tracing::warn!(%tenant, stream = name, site, by, "The clock of this machine is ahead of the server's; set it by NTP.");
        }
    }
}

/// The service polls from now on.
#[derive(Debug)]
pub struct ServiceStarted {
    /// How many tenants it watches.
    pub tenants: usize,
    /// How many notifiers it sends to.
    pub notifiers: usize,
}

impl ServiceStarted {
    /// Logs it.
    pub fn emit(self) {
        let Self { tenants, notifiers } = self;
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(version, tenants, notifiers, "Service started.");
    }
}

/// A worker of the service failed; the others go on, and it is started again.
#[derive(Debug)]
pub struct WorkerFailed<'a> {
    /// What it does.
    pub worker: &'a str,
    /// How long until it is started again.
    pub wait: Duration,
    /// What went wrong.
    pub why: &'a str,
}

impl WorkerFailed<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { worker, wait, why } = self;
        tracing::error!(worker, ?wait, why = %Plain(why), "Worker failed; it will be restarted, the other workers continue.");
    }
}

/// A worker of the service shows no sign of life; systemd's watchdog is not fed while that lasts.
#[derive(Debug)]
pub struct WorkerSilent<'a> {
    /// What it does.
    pub worker: &'a str,
    /// How long it has been silent beyond what it may.
    pub late: Duration,
}

impl WorkerSilent<'_> {
    /// Logs it.
    pub fn emit(self) {
        let Self { worker, late } = self;
        tracing::error!(worker, ?late, "A worker shows no sign of life.");
    }
}

/// The config and the secrets were read again and are in force.
#[derive(Debug)]
pub struct ConfigReloaded {
    /// How many tenants are watched now.
    pub tenants: usize,
    /// How many notifiers it sends to now.
    pub notifiers: usize,
}

impl ConfigReloaded {
    /// Logs it.
    pub fn emit(self) {
        let Self { tenants, notifiers } = self;
        tracing::info!(tenants, notifiers, "Config reloaded.");
    }
}

/// The config or a secret could not be read again; what was in force stays so.
#[derive(Debug)]
pub struct ReloadRefused<'a> {
    /// One of the problems.
    pub why: &'a str,
}

impl ReloadRefused<'_> {
    /// Logs it.
    pub fn emit(self) {
        tracing::error!(why = %Plain(self.why), "The new config is refused; the old one stays in force.");
    }
}

/// The service got a signal to stop, and finishes what it has begun.
#[derive(Debug)]
pub struct ServiceStopping {
    /// The signal.
    pub signal: &'static str,
}

impl ServiceStopping {
    /// Logs it.
    pub fn emit(self) {
        let Self { signal } = self;
        tracing::info!(signal, "Service stopping.");
    }
}

/// The service has stopped.
#[derive(Debug)]
pub struct ServiceStopped {
    /// Whether everything that was begun could be finished.
    pub clean: bool,
}

impl ServiceStopped {
    /// Logs it.
    pub fn emit(self) {
        if self.clean {
            tracing::info!("Service stopped.");
        } else {
            tracing::warn!("Service stopped with work unfinished; the next start resumes it.");
        }
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
