//! Who was privileged when, as the directory said it, and the membership changes of the logs.

use chrono::{DateTime, Utc};
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, TenantId};
use pagewarden_core::model::{
    AccountId, Change, GrantSource, Group, Membership, Privilege, Snapshot,
};

/// A snapshot as stored.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Body {
    privileges: Vec<Privilege>,
    groups: Vec<Group>,
}

impl Store {
    /// Keeps a snapshot of the roster, unless it says what the last one said; tells whether it does not.
    /// `whole` is when all directories had answered; none where one did not, which leaves the roster as old as it was.
    pub fn keep_roster(
        &self,
        tenant: TenantId,
        snapshot: &Snapshot,
        whole: Option<DateTime<Utc>>,
    ) -> Result<bool, StoreError> {
        let Snapshot {
            as_of,
            privileges,
            groups,
        } = snapshot;
        let body = Body {
            privileges: privileges.clone(),
            groups: groups.clone(),
        };
        let body = serde_json::to_string(&body)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        self.change(|transaction, _| {
            let last: Option<String> = transaction.query_row(
                "select max(body) from (select body from roster where tenant = ?1 order by as_of_ms desc limit 1)",
                [tenant.0],
                |row| row.get(0),
            )?;
            let changed = last.as_deref() != Some(body.as_str());
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
        })
    }

    /// Notes why the roster could not be read; the old one stays.
    pub fn record_roster_failure(&self, tenant: TenantId, why: &str) -> Result<(), StoreError> {
        self.change(|transaction, _| {
            transaction.execute(
                "update tenant set roster_error = ?2 where id = ?1",
                params![tenant.0, why],
            )?;
            Ok(())
        })
    }

    /// Every snapshot kept, oldest first.
    pub fn rosters(&self, tenant: TenantId) -> Result<Vec<Snapshot>, StoreError> {
        let rows: Vec<(i64, String)> = self.ask(|database| {
            let mut list = database.prepare_cached(
                "select as_of_ms, body from roster where tenant = ?1 order by as_of_ms",
            )?;
            let rows = list.query_map([tenant.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })?;
        rows.into_iter()
            .map(|(as_of, body)| {
                let Body { privileges, groups } = serde_json::from_str(&body)
                    .map_err(|error| StoreError::Unreadable(error.to_string()))?;
                Ok(Snapshot {
                    as_of: DateTime::from_timestamp_millis(as_of).unwrap_or_default(),
                    privileges,
                    groups,
                })
            })
            .collect()
    }

    /// Every membership change that the tenant's logs tell, oldest first; the same change in two logs comes twice.
    pub fn changes(&self, tenant: TenantId) -> Result<Vec<(DateTime<Utc>, Change)>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select at, account, kind, name, joined from change
                 where stream in (select id from stream where tenant = ?1) order by at, key, account, kind, name",
            )?;
            let rows = list.query_map([tenant.0], |row| {
                let name: String = row.get(3)?;
                Ok((
                    pagewarden_core::time::moment(row.get(0)?),
                    Change {
                        account: AccountId::new(row.get::<_, String>(1)?),
                        grant_source: if row.get::<_, String>(2)? == "role" { GrantSource::Role(name) } else { GrantSource::Group(name) },
                        to: if row.get(4)? { Membership::Joined } else { Membership::Left },
                    },
                ))
            })?;
            rows.collect()
        })
    }
}
