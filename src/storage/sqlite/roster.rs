//! Who was privileged when, as the directory said it.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::storage::{StoreError, TenantId};
use pagewarden_core::model::{Group, Privilege, Snapshot};

/// A snapshot as stored.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Body {
    privileges: Vec<Privilege>,
    groups: Vec<Group>,
}

/// The form of a snapshot in the state file.
pub(super) fn body(snapshot: &Snapshot) -> Result<String, StoreError> {
    let body = Body {
        privileges: snapshot.privileges.clone(),
        groups: snapshot.groups.clone(),
    };
    serde_json::to_string(&body).map_err(|error| StoreError::Unreadable(error.to_string()))
}

pub(super) fn keep(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    (as_of, body): (DateTime<Utc>, &str),
    whole: Option<DateTime<Utc>>,
) -> rusqlite::Result<bool> {
    let last: Option<String> = transaction.query_row(
        "select max(body) from (select body from roster where tenant = ?1 order by as_of_ms desc limit 1)",
        [tenant.0],
        |row| row.get(0),
    )?;
    let changed = last.as_deref() != Some(body);
    if changed {
        transaction.execute(
            "insert or replace into roster (tenant, as_of_ms, body) values (?1, ?2, ?3)",
            params![tenant.0, as_of.timestamp_millis(), body],
        )?;
    }
    if let Some(now) = whole {
        transaction.execute(
            "update tenant set roster_success_ms = ?2, roster_error = null where id = ?1",
            params![tenant.0, now.timestamp_millis()],
        )?;
    }
    Ok(changed)
}

/// Every snapshot kept, with its time in milliseconds, oldest first.
pub(super) fn bodies(
    database: &Connection,
    tenant: TenantId,
) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut list = database
        .prepare_cached("select as_of_ms, body from roster where tenant = ?1 order by as_of_ms")?;
    let rows = list.query_map([tenant.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// A stored snapshot.
pub(super) fn snapshot(as_of: i64, body: &str) -> Result<Snapshot, StoreError> {
    let Body { privileges, groups } =
        serde_json::from_str(body).map_err(|error| StoreError::Unreadable(error.to_string()))?;
    Ok(Snapshot {
        as_of: DateTime::from_timestamp_millis(as_of).unwrap_or_default(),
        privileges,
        groups,
    })
}
