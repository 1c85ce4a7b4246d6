//! The counts that `status` shows.

use rusqlite::Connection;

use super::registry::{millis, name_of};
use crate::storage::{StreamId, StreamStatus, TenantId, TenantRow};
use pagewarden_core::model::Stream;
use pagewarden_core::time::moment;

/// Every tenant of the file, by name.
pub(super) fn tenants(database: &Connection) -> rusqlite::Result<Vec<TenantRow>> {
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
}

/// The streams of a tenant, counted.
pub(super) fn streams(
    database: &Connection,
    tenant: &TenantRow,
) -> rusqlite::Result<Vec<StreamStatus>> {
    let mut reasons = database.prepare_cached(
        "select reason, count(*) from unusable where stream = ?1 group by reason order by reason",
    )?;
    let mut list = database.prepare_cached(
                "select id, name, site, stored, repeated, late, unusable, unresolved, reading, newest, last_success_ms, last_error
                 from stream where tenant = ?1 order by name, site",
            )?;
    let rows = list.query_map([tenant.id.0], |row| {
        let id: i64 = row.get(0)?;
        let site: String = row.get(2)?;
        let unusable_reasons = reasons
            .query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
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
            newest: row.get::<_, Option<i64>>(9)?.map(moment),
            last_success: millis(row, 10)?,
            last_error: row.get(11)?,
        })
    })?;
    rows.collect()
}
