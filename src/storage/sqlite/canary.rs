//! How often the site says that canary pages were opened, as it was last asked.

use rusqlite::{Connection, Transaction, params};

use super::registry::millis;
use crate::storage::{CanaryView, TenantId};

pub(super) fn views(database: &Connection, tenant: TenantId) -> rusqlite::Result<Vec<CanaryView>> {
    let mut list = database.prepare_cached(
                "select site, page, views, at_ms, refused from canary_view where tenant = ?1 order by site, page",
            )?;
    let rows = list.query_map([tenant.0], |row| {
        let views: Option<u32> = row.get(2)?;
        Ok(CanaryView {
            site: row.get(0)?,
            page: row.get(1)?,
            counted: views.zip(millis(row, 3)?),
            refused: row.get(4)?,
        })
    })?;
    rows.collect()
}

pub(super) fn keep(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    views: &[CanaryView],
) -> rusqlite::Result<()> {
    transaction.execute("delete from canary_view where tenant = ?1", [tenant.0])?;
    let mut insert = transaction.prepare_cached(
                "insert into canary_view (tenant, site, page, views, at_ms, refused) values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
    for CanaryView {
        site,
        page,
        counted,
        refused,
    } in views
    {
        let (count, at) = counted.unzip();
        let at = at.map(|at| at.timestamp_millis());
        insert.execute(params![tenant.0, site, page, count, at, refused])?;
    }
    Ok(())
}
