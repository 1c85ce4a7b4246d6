//! The outbox.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params};

use super::Sqlite;
use super::registry::millis;
use super::terms::position;
use crate::storage::{Delivery, DeliveryCounts, NewDelivery, Outbox, Posted, StoreError, TenantId};
use pagewarden_core::model::{Destination, FindingId, Severity};
use pagewarden_core::time::after;

#[async_trait]
impl Outbox for Sqlite {
    async fn claim(
        &self,
        notifier: &str,
        now: DateTime<Utc>,
        hold: Duration,
        at_most: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let claims = &self.file.claims;
        // Those that are claimed may come first.
        let look_at = at_most + claims.held(notifier, now);
        let to = notifier.to_owned();
        let due = self.read(move |database| due(database, &to, now, look_at));
        Ok(claims.claim(notifier, due.await?, (now, after(now, hold)), at_most))
    }

    async fn release(&self, notifier: &str) -> Result<(), StoreError> {
        self.file.claims.release(notifier);
        Ok(())
    }

    async fn delivered(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let (id, notifier) = (delivery.id.clone(), delivery.notifier.clone());
        let done = self.write(move |transaction, _| {
            transaction.execute(
                "update delivery set state = 'sent', attempts = attempts + 1, last_error = null where id = ?1 and notifier = ?2",
                params![id, notifier],
            )?;
            Ok(())
        });
        done.await?;
        self.file.claims.give_back(delivery);
        Ok(())
    }

    async fn not_delivered(
        &self,
        delivery: &Delivery,
        why: &str,
        again: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let again = Value::Integer(again.timestamp_millis());
        self.refused(delivery, why, "due_ms = ?4", again).await
    }

    async fn given_up(
        &self,
        delivery: &Delivery,
        why: &str,
        destination: Option<Destination>,
    ) -> Result<(), StoreError> {
        let destination = destination.map(|destination| destination.bytes().to_vec());
        let set = "state = 'given_up', given_up_at = ?4";
        self.refused(delivery, why, set, destination.into()).await
    }

    async fn revive(
        &self,
        notifier: &str,
        destination: Destination,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let notifier = notifier.to_owned();
        self.write(move |transaction, _| {
            // What stands before the first colon of an id is the subject: a finding, which may be gone by now.
            let revived = transaction.execute(
                "update delivery set state = 'waiting', attempts = 0, created_ms = ?4, due_ms = ?4
                 where notifier = ?1 and state = 'given_up' and given_up_at is not ?2 and created_ms >= ?3
                 and not exists (
                     select 1 from delivery newer where newer.notifier = delivery.notifier
                     and substr(newer.id, 1, instr(newer.id || ':', ':')) = substr(delivery.id, 1, instr(delivery.id || ':', ':'))
                     and (newer.created_ms, newer.id) > (delivery.created_ms, delivery.id))
                 and (id not like '%:%' or id like '%:retracted'
                     or exists (select 1 from finding where finding.id = substr(delivery.id, 1, instr(delivery.id, ':') - 1)))",
                params![
                    notifier,
                    destination.bytes(),
                    since.timestamp_millis(),
                    now.timestamp_millis()
                ],
            )?;
            Ok(u64::try_from(revived).unwrap_or(u64::MAX))
        })
        .await
    }

    async fn posted(&self, finding: &FindingId) -> Result<Vec<Posted>, StoreError> {
        let finding = finding.clone();
        self.read(move |database| posted(database, &finding)).await
    }

    async fn addressees(&self) -> Result<Vec<String>, StoreError> {
        self.read(|database| {
            let mut list = database
                .prepare_cached("select distinct notifier from delivery where state = 'waiting'")?;
            let rows = list.query_map([], |row| row.get(0))?;
            rows.collect()
        })
        .await
    }

    async fn next_due(&self, notifier: Option<&str>) -> Result<Option<DateTime<Utc>>, StoreError> {
        let notifier = notifier.map(str::to_owned);
        self.read(move |database| {
            database
                .prepare_cached(
                    "select min(due_ms) from delivery where state = 'waiting' and (?1 is null or notifier = ?1)",
                )?
                .query_row([notifier], |row| millis(row, 0))
        })
        .await
    }

    async fn unsent(&self) -> Result<u64, StoreError> {
        self.read(|database| {
            database.query_row(
                "select count(*) from delivery where state = 'waiting' and attempts > 0",
                [],
                |row| row.get(0),
            )
        })
        .await
    }

    async fn delivery_counts(
        &self,
        tenant: TenantId,
        lately: DateTime<Utc>,
    ) -> Result<DeliveryCounts, StoreError> {
        self.read(move |database| {
            database
                .prepare_cached(
                    "select coalesce(sum(state = 'waiting'), 0), coalesce(sum(state = 'sent'), 0), coalesce(sum(state = 'given_up'), 0),
                     coalesce(sum(state = 'given_up' and created_ms >= ?2), 0) from delivery where tenant = ?1",
                )?
                .query_row(params![tenant.0, lately.timestamp_millis()], |row| {
                    Ok(DeliveryCounts {
                        waiting: row.get(0)?,
                        sent: row.get(1)?,
                        given_up: row.get(2)?,
                        given_up_lately: row.get(3)?,
                    })
                })
        })
        .await
    }
}

impl Sqlite {
    /// Notes a try that was in vain, and what follows from it.
    async fn refused(
        &self,
        delivery: &Delivery,
        why: &str,
        set: &'static str,
        value: Value,
    ) -> Result<(), StoreError> {
        let (id, notifier) = (delivery.id.clone(), delivery.notifier.clone());
        let why = why.to_owned();
        let done = self.write(move |transaction, _| {
            transaction.execute(
                &format!("update delivery set attempts = attempts + 1, last_error = ?3, {set} where id = ?1 and notifier = ?2"),
                params![id, notifier, why, value],
            )?;
            Ok(())
        });
        done.await?;
        self.file.claims.give_back(delivery);
        Ok(())
    }
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

fn posted(database: &Connection, finding: &FindingId) -> rusqlite::Result<Vec<Posted>> {
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
            due: millis(row, 5)?.unwrap_or_default(),
        })
    })?;
    rows.collect()
}

fn due(
    database: &Connection,
    notifier: &str,
    now: DateTime<Utc>,
    at_most: usize,
) -> rusqlite::Result<Vec<Delivery>> {
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
            created: millis(row, 4)?.unwrap_or_default(),
            attempts: row.get(5)?,
        })
    })?;
    rows.collect()
}

/// The severity behind its number.
fn severity(row: &Row<'_>, column: usize) -> rusqlite::Result<Severity> {
    let known = Severity::ALL.get(row.get::<_, usize>(column)?);
    Ok(known.copied().unwrap_or(Severity::Critical))
}
