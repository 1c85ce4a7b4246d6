//! The outbox: messages stored with their findings, sent later, at least once.

use chrono::{DateTime, Utc};
use rusqlite::{Row, Transaction, params};

use super::terms::position;
use super::{Store, StoreError, TenantId};
use pagewarden_core::model::{FindingId, Severity};

/// A message to put into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// The idempotency key: finding id and revision, or that of a summary.
    pub id: String,
    /// Whose message replaces an unsent one of the same subject: the finding's id, or the summary's.
    pub subject: String,
    /// To which notifier.
    pub notifier: String,
    /// How grave.
    pub severity: Severity,
    /// What it says, in the form of `notify::Content`: nothing here looks into it.
    pub body: Vec<u8>,
    /// When to send it first.
    pub due: DateTime<Utc>,
}

/// A message about a finding that was put into the outbox at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The revision that it told, or took back.
    pub revision: u32,
    /// Whether it is a correction, which took that revision back.
    pub retraction: bool,
    /// To which notifier.
    pub notifier: String,
    /// How grave the finding was.
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
    /// How grave.
    pub severity: Severity,
    /// What it says, in the form of `notify::Content`: nothing here looks into it.
    pub body: Vec<u8>,
    /// When it was put into the outbox.
    pub created: DateTime<Utc>,
    /// Tries so far.
    pub attempts: u32,
}

/// Removes the messages about a finding that wait to be sent, to one notifier or to all; corrections stay.
pub(super) fn withdraw(
    transaction: &Transaction<'_>,
    subject: &str,
    notifier: Option<&str>,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "delete from delivery where state = 'waiting' and id > ?1 || ':' and id < ?1 || ';'
             and id not like '%:retracted' and (?2 is null or notifier = ?2)",
        )?
        .execute(params![subject, notifier])?;
    Ok(())
}

/// Puts messages into the outbox; an unsent older one about the same subject is overtaken.
pub(super) fn put(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    deliveries: &[NewDelivery],
    now: DateTime<Utc>,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "insert into delivery (id, notifier, tenant, severity, body, created_ms, due_ms) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         on conflict do nothing",
    )?;
    for NewDelivery {
        id,
        subject,
        notifier,
        severity,
        body,
        due,
    } in deliveries
    {
        withdraw(transaction, subject, Some(notifier))?;
        insert.execute(params![
            id,
            notifier,
            tenant.0,
            position(&Severity::ALL, severity),
            body,
            now.timestamp_millis(),
            due.timestamp_millis()
        ])?;
    }
    Ok(())
}

impl Store {
    /// Every message about a finding that was put into the outbox and not withdrawn.
    pub fn posted(&self, finding: &FindingId) -> Result<Vec<Posted>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select id, notifier, severity, state, attempts, due_ms from delivery
                 where id > ?1 || ':' and id < ?1 || ';' order by id, notifier",
            )?;
            let rows = list.query_map([finding.as_str()], |row| {
                let id: String = row.get(0)?;
                let state: String = row.get(3)?;
                let mut parts = id.split(':').skip(1);
                let revision = parts.next().and_then(|digits| digits.parse().ok());
                Ok(Posted {
                    revision: revision.unwrap_or_default(),
                    retraction: parts.next().is_some(),
                    notifier: row.get(1)?,
                    severity: severity(row, 2)?,
                    waiting: state == "waiting",
                    sent: state == "sent",
                    attempts: row.get(4)?,
                    due: super::tenant::millis(row, 5)?.unwrap_or_default(),
                })
            })?;
            rows.collect()
        })
    }

    /// Messages to a notifier that are due, oldest first.
    pub fn due(
        &self,
        notifier: &str,
        now: DateTime<Utc>,
        at_most: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select id, notifier, severity, body, created_ms, attempts from delivery
                 where state = 'waiting' and due_ms <= ?1 and notifier = ?3 order by due_ms, id limit ?2",
            )?;
            let rows = list.query_map(params![now.timestamp_millis(), at_most, notifier], |row| {
                Ok(Delivery {
                    id: row.get(0)?,
                    notifier: row.get(1)?,
                    severity: severity(row, 2)?,
                    body: row.get(3)?,
                    created: super::tenant::millis(row, 4)?.unwrap_or_default(),
                    attempts: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }

    /// To which notifiers messages wait.
    pub fn addressees(&self) -> Result<Vec<String>, StoreError> {
        self.ask(|database| {
            let mut list = database
                .prepare_cached("select distinct notifier from delivery where state = 'waiting'")?;
            let rows = list.query_map([], |row| row.get(0))?;
            rows.collect()
        })
    }

    /// When the next message to a notifier is due, if any waits.
    pub fn next_due_to(&self, notifier: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.ask(|database| {
            database
                .prepare_cached(
                    "select min(due_ms) from delivery where state = 'waiting' and notifier = ?1",
                )?
                .query_row([notifier], |row| super::tenant::millis(row, 0))
        })
    }

    /// How many messages were tried and not taken, and wait to be tried again.
    pub fn unsent(&self) -> Result<u64, StoreError> {
        self.ask(|database| {
            database.query_row(
                "select count(*) from delivery where state = 'waiting' and attempts > 0",
                [],
                |row| row.get(0),
            )
        })
    }

    /// When the next message is due, if any waits.
    pub fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.ask(|database| {
            database
                .prepare_cached("select min(due_ms) from delivery where state = 'waiting'")?
                .query_row([], |row| super::tenant::millis(row, 0))
        })
    }

    /// Notes that a message was taken.
    pub fn delivered(&self, delivery: &Delivery) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            transaction.execute(
                "update delivery set state = 'sent', attempts = attempts + 1, last_error = null where id = ?1 and notifier = ?2",
                params![delivery.id, delivery.notifier],
            )?;
            Ok(())
        })
    }

    /// Notes that a message was not taken: to be tried again at a time, or never.
    pub fn not_delivered(
        &self,
        delivery: &Delivery,
        why: &str,
        again: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            transaction.execute(
                "update delivery set attempts = attempts + 1, last_error = ?3,
                 due_ms = coalesce(?4, due_ms), state = case when ?4 is null then 'given_up' else 'waiting' end
                 where id = ?1 and notifier = ?2",
                params![delivery.id, delivery.notifier, why, again.map(|at| at.timestamp_millis())],
            )?;
            Ok(())
        })
    }
}

/// The severity behind its number.
fn severity(row: &Row<'_>, column: usize) -> rusqlite::Result<Severity> {
    let known = Severity::ALL.get(row.get::<_, usize>(column)?);
    Ok(known.copied().unwrap_or(Severity::Critical))
}
