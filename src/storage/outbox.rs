//! The outbox: messages stored with their findings, sent later, at least once.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{StoreError, TenantId};
use pagewarden_core::model::{Destination, FindingId, Severity};

/// A message to put into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The idempotency key: finding id and revision, or that of a summary.
    pub id: String,
    /// Whose message replaces an unsent one of the same subject: the finding's id, or the summary's.
    pub subject: String,
    /// To which notifier.
    pub notifier: String,
    /// The severity by which it was routed.
    pub severity: Severity,
    /// What it says, in the form of `notify::Content`: nothing here looks into it.
    pub body: Vec<u8>,
    /// When to send it first.
    pub due: DateTime<Utc>,
}

/// A message about a finding that was put into the outbox at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The revision that it reported, or took back.
    pub revision: u32,
    /// Whether it is a correction, which took that revision back.
    pub retraction: bool,
    /// To which notifier.
    pub notifier: String,
    /// The severity of the finding.
    pub severity: Severity,
    /// Whether it waits to be sent.
    pub waiting: bool,
    /// Whether the notifier took it.
    pub sent: bool,
    /// Tries so far.
    pub attempts: u32,
    /// When it is to be sent.
    pub due: DateTime<Utc>,
}

impl Posted {
    /// Whether no receiver can have seen it.
    pub const fn is_unseen(&self) -> bool {
        self.waiting && self.attempts == 0
    }
}

/// A message that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The idempotency key.
    pub id: String,
    /// To which notifier.
    pub notifier: String,
    /// The severity by which it was routed.
    pub severity: Severity,
    /// What it says, in the form of `notify::Content`: nothing here looks into it.
    pub body: Vec<u8>,
    /// When it was put into the outbox.
    pub created: DateTime<Utc>,
    /// Tries so far.
    pub attempts: u32,
}

/// Deliveries, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Still to be sent.
    pub waiting: u64,
    /// Sent.
    pub sent: u64,
    /// Given up.
    pub given_up: u64,
    /// Those of them that were put into the outbox at or after the moment that was asked about.
    pub given_up_lately: u64,
}

/// The messages to notifiers.
#[async_trait]
pub trait Outbox: Send + Sync + std::fmt::Debug {
    /// Claims messages to a notifier that are due, oldest first: until they are answered, given back, or the claim has
    /// run out, nobody else gets them.
    async fn claim(
        &self,
        notifier: &str,
        now: DateTime<Utc>,
        hold: Duration,
        at_most: usize,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Gives back what this process has claimed for a notifier and not answered.
    async fn release(&self, notifier: &str) -> Result<(), StoreError>;

    /// Notes that a message was taken.
    async fn delivered(&self, delivery: &Delivery) -> Result<(), StoreError>;

    /// Notes that a message was not taken, and is to be tried again at a time.
    async fn not_delivered(
        &self,
        delivery: &Delivery,
        why: &str,
        again: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Notes that a message is given up, and where it was to go; none where the notifier is gone.
    async fn given_up(
        &self,
        delivery: &Delivery,
        why: &str,
        destination: Option<Destination>,
    ) -> Result<(), StoreError>;

    /// Lets the messages wait again that were given up at another destination than a notifier has now, put into the outbox
    /// at or after `since`, and not overtaken by a newer message about the same subject. Gives how many.
    async fn revive(
        &self,
        notifier: &str,
        destination: Destination,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError>;

    /// Every message about a finding that was put into the outbox and not withdrawn.
    async fn posted(&self, finding: &FindingId) -> Result<Vec<Posted>, StoreError>;

    /// To which notifiers messages wait.
    async fn addressees(&self) -> Result<Vec<String>, StoreError>;

    /// When the next message is due, if any waits; to one notifier, or to any.
    async fn next_due(&self, notifier: Option<&str>) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// How many messages were tried and not taken, and wait to be tried again.
    async fn unsent(&self) -> Result<u64, StoreError>;

    /// Deliveries of a tenant, counted; `lately` begins with that moment.
    async fn delivery_counts(
        &self,
        tenant: TenantId,
        lately: DateTime<Utc>,
    ) -> Result<DeliveryCounts, StoreError>;
}
