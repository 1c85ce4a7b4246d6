//! How often the site says that canary pages were opened, as it was last asked.

use chrono::{DateTime, Utc};
use rusqlite::params;

use super::finding::{bodies, write};
use super::{Changes, Store, StoreError, TenantId};

/// What a site last said of a canary page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryView {
    /// The host name of the site.
    pub site: String,
    /// The page.
    pub page: String,
    /// How often it was opened, ever, and when that was asked; none where the site never told.
    pub counted: Option<(u32, DateTime<Utc>)>,
    /// Why the site refused when last asked, if it did. May hold untrusted text.
    pub refused: Option<String>,
}

impl Store {
    /// What the sites of a tenant last said of its canary pages.
    pub fn canary_views(&self, tenant: TenantId) -> Result<Vec<CanaryView>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select site, page, views, at_ms, refused from canary_view where tenant = ?1 order by site, page",
            )?;
            let rows = list.query_map([tenant.0], |row| {
                let views: Option<u32> = row.get(2)?;
                Ok(CanaryView {
                    site: row.get(0)?,
                    page: row.get(1)?,
                    counted: views.zip(super::tenant::millis(row, 3)?),
                    refused: row.get(4)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Keeps what they say now in the place of all that was kept, and what follows from it: both or neither.
    pub fn keep_canary_views(
        &self,
        tenant: TenantId,
        views: &[CanaryView],
        changes: &Changes<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let bodies = bodies(changes.changed)?;
        self.change(|transaction, _| {
            transaction.execute("delete from canary_view where tenant = ?1", [tenant.0])?;
            let mut insert = transaction.prepare_cached(
                "insert into canary_view (tenant, site, page, views, at_ms, refused) values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for CanaryView { site, page, counted, refused } in views {
                let (count, at) = counted.unzip();
                let at = at.map(|at| at.timestamp_millis());
                insert.execute(params![tenant.0, site, page, count, at, refused])?;
            }
            write(transaction, tenant, &bodies, changes, now)
        })
    }
}
