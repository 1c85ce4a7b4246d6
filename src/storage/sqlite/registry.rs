//! Tenants, their streams, and how far each was read.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Sqlite, outbox, roster, status};
use crate::storage::{
    BackfillState, NewDelivery, Registry, StoreError, StreamId, StreamStatus, TenantId, TenantRow,
};
use pagewarden_core::model::{Checkpoint, EventAction, Snapshot, Stream, StreamName, Walk};
use pagewarden_core::time::Window;

#[async_trait]
impl Registry for Sqlite {
    async fn tenant(
        &self,
        name: &str,
        organization: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<TenantId, StoreError> {
        let (name, organization) = (name.to_owned(), organization.map(str::to_owned));
        self.write(move |transaction, _| {
            transaction.execute(
                "insert into tenant (name, organization, installed_ms) values (?1, ?2, ?3)
                 on conflict (name) do update set organization = coalesce(excluded.organization, organization)",
                params![name, organization, now.timestamp_millis()],
            )?;
            transaction
                .query_row("select id from tenant where name = ?1", [name], |row| row.get(0))
                .map(TenantId)
        })
        .await
    }

    async fn tenants(&self) -> Result<Vec<TenantRow>, StoreError> {
        self.read(status::tenants).await
    }

    async fn installed(&self, tenant: TenantId) -> Result<DateTime<Utc>, StoreError> {
        let installed = self.read(move |database| {
            database
                .prepare_cached("select installed_ms from tenant where id = ?1")?
                .query_row([tenant.0], |row| millis(row, 0))
        });
        Ok(installed.await?.unwrap_or_default())
    }

    async fn is_present(&self, tenant: TenantId) -> Result<bool, StoreError> {
        self.read(move |database| {
            database
                .prepare_cached("select present from tenant where id = ?1")?
                .query_row([tenant.0], |row| row.get(0))
        })
        .await
    }

    async fn begin_present(
        &self,
        tenant: TenantId,
        summary: Vec<NewDelivery>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write(move |transaction, _| {
            transaction.execute("update tenant set present = 1 where id = ?1", [tenant.0])?;
            outbox::put(transaction, tenant, &summary, now)
        })
        .await
    }

    async fn stream(&self, tenant: TenantId, stream: &Stream) -> Result<StreamId, StoreError> {
        let (name, site) = (stream.name, stream.site.clone().unwrap_or_default());
        self.write(move |transaction, _| {
            transaction.execute(
                "insert into stream (tenant, name, site) values (?1, ?2, ?3) on conflict do nothing",
                params![tenant.0, name.as_str(), site],
            )?;
            transaction
                .query_row(
                    "select id from stream where tenant = ?1 and name = ?2 and site = ?3",
                    params![tenant.0, name.as_str(), site],
                    |row| row.get(0),
                )
                .map(StreamId)
        })
        .await
    }

    async fn streams(&self, tenant: TenantId) -> Result<Vec<(StreamId, StreamName)>, StoreError> {
        self.read(move |database| {
            let mut list = database.prepare_cached(
                "select id, name from stream where tenant = ?1 order by name, site",
            )?;
            let rows = list.query_map([tenant.0], |row| {
                Ok((StreamId(row.get(0)?), name_of(&row.get::<_, String>(1)?)))
            })?;
            rows.collect()
        })
        .await
    }

    async fn stream_status(&self, tenant: &TenantRow) -> Result<Vec<StreamStatus>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |database| status::streams(database, &tenant))
            .await
    }

    async fn live(&self, stream: StreamId) -> Result<Checkpoint, StoreError> {
        let found = self.read(move |database| {
            database
                .prepare_cached(
                    "select began_ms, watermark_ms, cursor from checkpoint where stream = ?1 and walk = 'live'",
                )?
                .query_row([stream.0], checkpoint)
                .optional()
        });
        Ok(found.await?.unwrap_or_default())
    }

    async fn begin_live(&self, stream: StreamId, lookback: Window) -> Result<(), StoreError> {
        self.write(move |transaction, _| {
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
        .await
    }

    async fn backfill(&self, stream: StreamId) -> Result<Option<BackfillState>, StoreError> {
        self.read(move |database| last_backfill(database, stream))
            .await
    }

    async fn unread_backfills(&self) -> Result<Vec<TenantId>, StoreError> {
        self.read(|database| {
            let mut list = database.prepare_cached(
                "select distinct tenant from checkpoint join stream on stream.id = checkpoint.stream
                 where walk = 'backfill' and done < 2 order by tenant",
            )?;
            let rows = list.query_map([], |row| row.get(0).map(TenantId))?;
            rows.collect()
        })
        .await
    }

    async fn request_backfill(&self, stream: StreamId, span: Window) -> Result<(), StoreError> {
        self.write(move |transaction, _| {
            let kept = last_backfill(transaction, stream)?;
            if kept.is_some_and(|kept| kept.span == span && !kept.done) {
                return Ok(());
            }
            transaction.execute(
                "insert or replace into checkpoint (stream, walk, span_from_ms, span_until_ms) values (?1, 'backfill', ?2, ?3)",
                params![stream.0, span.from.timestamp_millis(), span.until.timestamp_millis()],
            )?;
            Ok(())
        })
        .await
    }

    async fn finish_backfill(&self, stream: StreamId, span: Window) -> Result<(), StoreError> {
        self.write(move |transaction, _| {
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
        .await
    }

    async fn sum_up_backfills(
        &self,
        tenant: TenantId,
        summary: Vec<NewDelivery>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write(move |transaction, _| {
            transaction.execute(
                "update checkpoint set done = 2 where walk = 'backfill' and done = 1
                 and stream in (select id from stream where tenant = ?1)",
                [tenant.0],
            )?;
            outbox::put(transaction, tenant, &summary, now)
        })
        .await
    }

    async fn forget_cursor(&self, stream: StreamId, walk: Walk) -> Result<(), StoreError> {
        self.write(move |transaction, _| {
            transaction.execute(
                "update checkpoint set cursor = null where stream = ?1 and walk = ?2",
                params![stream.0, walk.word()],
            )?;
            Ok(())
        })
        .await
    }

    async fn record_poll(
        &self,
        stream: StreamId,
        ended: Result<Option<DateTime<Utc>>, &str>,
    ) -> Result<bool, StoreError> {
        let ended = ended.map_err(str::to_owned);
        self.write(move |transaction, _| {
            let failed: bool = transaction
                .prepare_cached("select last_error is not null from stream where id = ?1")?
                .query_row([stream.0], |row| row.get(0))?;
            match &ended {
                Ok(at) => transaction
                    .prepare_cached(
                        "update stream set last_success_ms = coalesce(?2, last_success_ms), last_error = null where id = ?1",
                    )?
                    .execute(params![stream.0, at.map(|at| at.timestamp_millis())])?,
                Err(why) => transaction
                    .prepare_cached("update stream set last_error = ?2 where id = ?1")?
                    .execute(params![stream.0, why])?,
            };
            Ok(failed && ended.is_ok())
        })
        .await
    }

    async fn last_success(&self, stream: StreamId) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.read(move |database| {
            database
                .prepare_cached("select last_success_ms from stream where id = ?1")?
                .query_row([stream.0], |row| millis(row, 0))
        })
        .await
    }

    async fn keep_actions(
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
        self.write(move |transaction, _| {
            transaction.execute(
                "update tenant set actions = ?2, actions_ms = ?3 where id = ?1",
                params![tenant.0, body, now.timestamp_millis()],
            )?;
            Ok(())
        })
        .await
    }

    async fn actions(
        &self,
        tenant: TenantId,
    ) -> Result<(Vec<EventAction>, Option<DateTime<Utc>>), StoreError> {
        let kept = self.read(move |database| {
            database.query_row(
                "select actions, actions_ms from tenant where id = ?1",
                [tenant.0],
                |row| Ok((row.get::<_, String>(0)?, millis(row, 1)?)),
            )
        });
        let (body, at) = kept.await?;
        let pairs: Vec<(String, String)> = serde_json::from_str(&body)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        let action = |(id, display_name)| EventAction { id, display_name };
        Ok((pairs.into_iter().map(action).collect(), at))
    }

    async fn keep_roster(
        &self,
        tenant: TenantId,
        snapshot: &Snapshot,
        whole: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        let (as_of, body) = (snapshot.as_of, roster::body(snapshot)?);
        self.write(move |transaction, _| roster::keep(transaction, tenant, (as_of, &body), whole))
            .await
    }

    async fn record_roster_failure(&self, tenant: TenantId, why: &str) -> Result<(), StoreError> {
        let why = why.to_owned();
        self.write(move |transaction, _| {
            transaction.execute(
                "update tenant set roster_error = ?2 where id = ?1",
                params![tenant.0, why],
            )?;
            Ok(())
        })
        .await
    }

    async fn rosters(&self, tenant: TenantId) -> Result<Vec<Snapshot>, StoreError> {
        let bodies = self
            .read(move |database| roster::bodies(database, tenant))
            .await?;
        bodies
            .iter()
            .map(|(as_of, body)| roster::snapshot(*as_of, body))
            .collect()
    }
}

fn last_backfill(
    database: &Connection,
    stream: StreamId,
) -> rusqlite::Result<Option<BackfillState>> {
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
                summed_up: row.get::<_, i64>(6)? > 1,
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
