//! Tenants, their streams, and how far each was read.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{NewDelivery, Store, StoreError};
use pagewarden_core::model::{Checkpoint, EventAction, Stream, StreamName, Walk};
use pagewarden_core::time::Window;

/// The number of a tenant in this state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(pub(super) i64);

/// The number of a stream in this state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub(super) i64);

/// The reading of an old window: what was asked for, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillState {
    /// What was asked for.
    pub span: Window,
    /// How far it came.
    pub checkpoint: Checkpoint,
    /// Records received so far.
    pub received: u64,
    /// Whether all of it was read.
    pub done: bool,
    /// Whether what it found was summed up, too.
    pub told: bool,
}

impl Store {
    /// The tenant of that name, made on first sight.
    pub fn tenant(
        &self,
        name: &str,
        organization: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<TenantId, StoreError> {
        self.change(|transaction, _| {
            transaction.execute(
                "insert into tenant (name, organization, installed_ms) values (?1, ?2, ?3)
                 on conflict (name) do update set organization = coalesce(excluded.organization, organization)",
                params![name, organization, now.timestamp_millis()],
            )?;
            transaction.query_row("select id from tenant where name = ?1", [name], |row| row.get(0)).map(TenantId)
        })
    }

    /// When the tenant was first seen by this state file: what ended before is history.
    pub fn installed(&self, tenant: TenantId) -> Result<DateTime<Utc>, StoreError> {
        self.ask(|database| {
            database.query_row(
                "select installed_ms from tenant where id = ?1",
                [tenant.0],
                |row| millis(row, 0),
            )
        })
        .map(Option::unwrap_or_default)
    }

    /// Whether everything before the present has been read once by live polling, and was summed up.
    pub fn is_present(&self, tenant: TenantId) -> Result<bool, StoreError> {
        self.ask(|database| {
            database.query_row(
                "select present from tenant where id = ?1",
                [tenant.0],
                |row| row.get(0),
            )
        })
    }

    /// Notes that it has, and puts the message about it into the outbox: both or neither.
    pub fn begin_present(
        &self,
        tenant: TenantId,
        summary: &[NewDelivery],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            transaction.execute("update tenant set present = 1 where id = ?1", [tenant.0])?;
            super::delivery::put(transaction, tenant, summary, now)
        })
    }

    /// Notes that the backfills of a tenant that were read are summed up, and puts the message into the outbox: both or
    /// neither.
    pub fn tell_backfills(
        &self,
        tenant: TenantId,
        summary: &[NewDelivery],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            transaction.execute(
                "update checkpoint set done = 2 where walk = 'backfill' and done = 1
                 and stream in (select id from stream where tenant = ?1)",
                [tenant.0],
            )?;
            super::delivery::put(transaction, tenant, summary, now)
        })
    }

    /// The stream, made on first sight.
    pub fn stream(&self, tenant: TenantId, stream: &Stream) -> Result<StreamId, StoreError> {
        let site = stream.site.as_deref().unwrap_or_default();
        self.change(|transaction, _| {
            transaction.execute(
                "insert into stream (tenant, name, site) values (?1, ?2, ?3) on conflict do nothing",
                params![tenant.0, stream.name.as_str(), site],
            )?;
            transaction
                .query_row(
                    "select id from stream where tenant = ?1 and name = ?2 and site = ?3",
                    params![tenant.0, stream.name.as_str(), site],
                    |row| row.get(0),
                )
                .map(StreamId)
        })
    }

    /// The streams of a tenant that this file knows.
    pub fn streams(&self, tenant: TenantId) -> Result<Vec<(StreamId, StreamName)>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select id, name from stream where tenant = ?1 order by name, site",
            )?;
            let rows = list.query_map([tenant.0], |row| {
                Ok((StreamId(row.get(0)?), name_of(&row.get::<_, String>(1)?)))
            })?;
            rows.collect()
        })
    }

    /// How far the live walk has read; empty where it has not begun.
    pub fn live(&self, stream: StreamId) -> Result<Checkpoint, StoreError> {
        self.ask(|database| {
            database
                .prepare_cached(
                    "select began_ms, watermark_ms, cursor from checkpoint where stream = ?1 and walk = 'live'",
                )?
                .query_row([stream.0], checkpoint)
                .optional()
        })
        .map(Option::unwrap_or_default)
    }

    /// The last backfill of a stream, done or not.
    pub fn backfill(&self, stream: StreamId) -> Result<Option<BackfillState>, StoreError> {
        self.ask(|database| backfill(database, stream))
    }

    /// Notes where live polling of a stream begins, and asks for the reading of what lies before: both or neither.
    pub fn begin_live(&self, stream: StreamId, lookback: Window) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            transaction.execute(
                "insert into checkpoint (stream, walk, began_ms) values (?1, 'live', ?2) on conflict do nothing",
                params![stream.0, lookback.until.timestamp_millis()],
            )?;
            transaction.execute(
                "insert into checkpoint (stream, walk, span_from_ms, span_until_ms) values (?1, 'backfill', ?2, ?3)
                 on conflict do nothing",
                params![
                    stream.0,
                    lookback.from.timestamp_millis(),
                    lookback.until.timestamp_millis()
                ],
            )?;
            Ok(())
        })
    }

    /// Asks for the reading of an old window; the same window again goes on where it stopped.
    pub fn request_backfill(&self, stream: StreamId, span: Window) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            if backfill(transaction, stream)?.is_some_and(|kept| kept.span == span && !kept.done) {
                return Ok(());
            }
            transaction.execute(
                "insert or replace into checkpoint (stream, walk, span_from_ms, span_until_ms) values (?1, 'backfill', ?2, ?3)",
                params![stream.0, span.from.timestamp_millis(), span.until.timestamp_millis()],
            )?;
            Ok(())
        })
    }

    /// Forgets a cursor that the API refused.
    pub fn forget_cursor(&self, stream: StreamId, walk: Walk) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            transaction.execute(
                "update checkpoint set cursor = null where stream = ?1 and walk = ?2",
                params![stream.0, walk.word()],
            )?;
            Ok(())
        })
    }

    /// Notes that a backfill has read all of its window; nothing where another window was asked for meanwhile.
    pub fn finish_backfill(&self, stream: StreamId, span: Window) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            transaction.execute(
                "update checkpoint set done = 1, cursor = null
                 where stream = ?1 and walk = 'backfill' and span_from_ms = ?2 and span_until_ms = ?3",
                params![
                    stream.0,
                    span.from.timestamp_millis(),
                    span.until.timestamp_millis()
                ],
            )?;
            Ok(())
        })
    }

    /// Notes how a poll of a stream ended: when it came to the end of the stream, that it works but has more to read, or why
    /// it failed. Tells whether one that works follows one that did not.
    pub fn record_poll(
        &self,
        stream: StreamId,
        ended: Result<Option<DateTime<Utc>>, &str>,
    ) -> Result<bool, StoreError> {
        self.change(|transaction, _| {
            let failed: bool = transaction.query_row(
                "select last_error is not null from stream where id = ?1",
                [stream.0],
                |row| row.get(0),
            )?;
            match ended {
                Ok(at) => transaction.execute(
                    "update stream set last_success_ms = coalesce(?2, last_success_ms), last_error = null where id = ?1",
                    params![stream.0, at.map(|at| at.timestamp_millis())],
                )?,
                Err(why) => transaction.execute(
                    "update stream set last_error = ?2 where id = ?1",
                    params![stream.0, why],
                )?,
            };
            Ok(failed && ended.is_ok())
        })
    }

    /// When a poll of a stream last came to its end.
    pub fn last_success(&self, stream: StreamId) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.ask(|database| {
            database.query_row(
                "select last_success_ms from stream where id = ?1",
                [stream.0],
                |row| millis(row, 0),
            )
        })
    }

    /// Keeps what kinds of event the tenant has.
    pub fn keep_actions(
        &self,
        tenant: TenantId,
        actions: &[EventAction],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let pairs: Vec<(&str, &str)> = actions
            .iter()
            .map(|action| (action.id.as_str(), action.display_name.as_str()))
            .collect();
        let body = serde_json::to_string(&pairs)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        self.change(|transaction, _| {
            transaction.execute(
                "update tenant set actions = ?2, actions_ms = ?3 where id = ?1",
                params![tenant.0, body, now.timestamp_millis()],
            )?;
            Ok(())
        })
    }

    /// What kinds of event the tenant had when last asked, and when that was.
    pub fn actions(
        &self,
        tenant: TenantId,
    ) -> Result<(Vec<EventAction>, Option<DateTime<Utc>>), StoreError> {
        let (body, at) = self.ask(|database| {
            database.query_row(
                "select actions, actions_ms from tenant where id = ?1",
                [tenant.0],
                |row| Ok((row.get::<_, String>(0)?, millis(row, 1)?)),
            )
        })?;
        let pairs: Vec<(String, String)> = serde_json::from_str(&body)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        Ok((
            pairs
                .into_iter()
                .map(|(id, display_name)| EventAction { id, display_name })
                .collect(),
            at,
        ))
    }
}

fn backfill(database: &Connection, stream: StreamId) -> rusqlite::Result<Option<BackfillState>> {
    database
        .prepare_cached(
            "select began_ms, watermark_ms, cursor, span_from_ms, span_until_ms, received, done
             from checkpoint where stream = ?1 and walk = 'backfill'",
        )?
        .query_row([stream.0], |row| {
            Ok(BackfillState {
                checkpoint: checkpoint(row)?,
                span: Window {
                    from: millis(row, 3)?.unwrap_or_default(),
                    until: millis(row, 4)?.unwrap_or_default(),
                },
                received: row.get(5)?,
                done: row.get::<_, i64>(6)? > 0,
                told: row.get::<_, i64>(6)? > 1,
            })
        })
        .optional()
}

fn checkpoint(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    Ok(Checkpoint {
        began: millis(row, 0)?,
        watermark: millis(row, 1)?,
        cursor: row.get(2)?,
    })
}

/// A moment stored as milliseconds.
pub(super) fn millis(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<DateTime<Utc>>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .and_then(DateTime::from_timestamp_millis))
}

/// The stream's name behind its word.
pub(super) fn name_of(word: &str) -> StreamName {
    if word == StreamName::Audit.as_str() {
        StreamName::Audit
    } else {
        StreamName::Access
    }
}
