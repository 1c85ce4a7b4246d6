//! What becomes of findings and their messages.

use std::time::Duration;

use super::Plain;
use pagewarden_core::model::Severity;

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
