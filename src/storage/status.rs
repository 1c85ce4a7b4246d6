//! The counts that `status` shows.

use chrono::{DateTime, Utc};

use super::tenant::{millis, name_of};
use super::{Store, StoreError, StreamId, TenantId};
use pagewarden_core::model::Stream;

/// One tenant of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRow {
    /// Its number.
    pub id: TenantId,
    /// Its name.
    pub name: String,
    /// When the roster was last read.
    pub roster_success: Option<DateTime<Utc>>,
    /// Why it could not be read since.
    pub roster_error: Option<String>,
}

/// One stream of a tenant, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamStatus {
    /// Its number.
    pub id: StreamId,
    /// Which.
    pub stream: Stream,
    /// Events kept once, of every class.
    pub stored: u64,
    /// Events that came again.
    pub repeated: u64,
    /// Events processed long after they happened.
    pub late: u64,
    /// Records that no reader could use.
    pub unusable: u64,
    /// Why, and how many each.
    pub unusable_reasons: Vec<(String, u64)>,
    /// Reading events whose page could not be resolved.
    pub unresolved: u64,
    /// Page and blog views received.
    pub reading: u64,
    /// The newest event time stored.
    pub newest: Option<DateTime<Utc>>,
    /// When a poll last read to the end.
    pub last_success: Option<DateTime<Utc>>,
    /// Why the last one did not.
    pub last_error: Option<String>,
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
}

impl Store {
    /// Every tenant of the file, by name.
    pub fn tenants(&self) -> Result<Vec<TenantRow>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select id, name, roster_success_ms, roster_error from tenant order by name",
            )?;
            let rows = list.query_map([], |row| {
                Ok(TenantRow {
                    id: TenantId(row.get(0)?),
                    name: row.get(1)?,
                    roster_success: millis(row, 2)?,
                    roster_error: row.get(3)?,
                })
            })?;
            rows.collect()
        })
    }

    /// The streams of a tenant, counted.
    pub fn stream_status(&self, tenant: &TenantRow) -> Result<Vec<StreamStatus>, StoreError> {
        self.ask(|database| {
            let mut reasons = database.prepare_cached("select reason, count(*) from unusable where stream = ?1 group by reason order by reason")?;
            let mut list = database.prepare_cached(
                "select id, name, site, stored, repeated, late, unusable, unresolved, reading, newest, last_success_ms, last_error
                 from stream where tenant = ?1 order by name, site",
            )?;
            let rows = list.query_map([tenant.id.0], |row| {
                let id: i64 = row.get(0)?;
                let site: String = row.get(2)?;
                let unusable_reasons =
                    reasons.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
                Ok(StreamStatus {
                    id: StreamId(id),
                    stream: Stream {
                        tenant: tenant.name.clone(),
                        name: name_of(&row.get::<_, String>(1)?),
                        site: (!site.is_empty()).then_some(site),
                    },
                    stored: row.get(3)?,
                    repeated: row.get(4)?,
                    late: row.get(5)?,
                    unusable: row.get(6)?,
                    unusable_reasons,
                    unresolved: row.get(7)?,
                    reading: row.get(8)?,
                    newest: row.get::<_, Option<i64>>(9)?.map(pagewarden_core::time::moment),
                    last_success: millis(row, 10)?,
                    last_error: row.get(11)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Deliveries of a tenant, counted.
    pub fn delivery_counts(&self, tenant: TenantId) -> Result<DeliveryCounts, StoreError> {
        self.ask(|database| {
            database
                .prepare_cached(
                    "select coalesce(sum(state = 'waiting'), 0), coalesce(sum(state = 'sent'), 0), coalesce(sum(state = 'given_up'), 0)
                     from delivery where tenant = ?1",
                )?
                .query_row([tenant.0], |row| {
                    Ok(DeliveryCounts { waiting: row.get(0)?, sent: row.get(1)?, given_up: row.get(2)? })
                })
        })
    }
}
