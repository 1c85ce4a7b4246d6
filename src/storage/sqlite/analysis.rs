//! The working state of the analysis, and the dictionaries that it looks things up in.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::findings::{bodies, write};
use super::terms::actor;
use super::{Sqlite, on_thread};
use crate::storage::{
    AnalysisStore, Arrived, Changes, EngineState, Numbers, Place, StoreError, TenantId,
};
use pagewarden_core::engine::State;
use pagewarden_core::model::{AccountId, Actor, WordId};

/// How many terms are read at a time.
const CHUNK: usize = 4_096;

#[async_trait]
impl AnalysisStore for Sqlite {
    async fn load_engine(&self, tenant: TenantId) -> Result<Option<EngineState>, StoreError> {
        self.read(move |database| load(database, tenant)).await
    }

    async fn record_analysis(
        &self,
        tenant: TenantId,
        state: EngineState,
        changes: Changes,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let bodies = bodies(&changes.changed)?;
        let file = Arc::clone(&self.file);
        self.write(move |transaction, _| {
            save(transaction, tenant, &state)?;
            file.arrivals.mark_stale(transaction, tenant)?;
            write(transaction, tenant, &bodies, &changes, now)
        })
        .await
    }

    async fn has_unanalysed(&self, tenant: TenantId) -> Result<bool, StoreError> {
        self.read(move |database| {
            database
                .prepare_cached(
                    "select coalesce(sum(stored), 0) <> coalesce((select stored from engine where tenant = ?1 and stale = 0), 0)
                     from stream where tenant = ?1",
                )?
                .query_row([tenant.0], |row| row.get(0))
        })
        .await
    }

    fn take_arrived(&self, tenant: TenantId) -> Arrived {
        self.file.arrivals.take(tenant)
    }

    async fn forget_terms(&self) -> Result<(), StoreError> {
        let file = Arc::clone(&self.file);
        on_thread(move || {
            file.writer.forget_terms();
            Ok(())
        })
        .await
    }

    async fn keep_suppressed(&self, tenant: TenantId, suppressed: u64) -> Result<(), StoreError> {
        self.write(move |transaction, _| {
            transaction.execute(
                "update tenant set suppressed = ?2 where id = ?1",
                params![tenant.0, suppressed],
            )?;
            Ok(())
        })
        .await
    }

    async fn suppressed(&self, tenant: TenantId) -> Result<u64, StoreError> {
        self.read(move |database| {
            database.query_row(
                "select suppressed from tenant where id = ?1",
                [tenant.0],
                |row| row.get(0),
            )
        })
        .await
    }

    async fn numbers(&self, tenant: TenantId) -> Result<Numbers, StoreError> {
        self.read(move |database| {
            let highest = |table: &str| -> rusqlite::Result<i64> {
                database
                    .prepare_cached(&format!(
                        "select coalesce(max(no), 0) from {table} where tenant = ?1"
                    ))?
                    .query_row([tenant.0], |row| row.get(0))
            };
            Ok(Numbers([
                highest("term")?,
                highest("page")?,
                highest("space")?,
            ]))
        })
        .await
    }

    async fn accounts_after(
        &self,
        tenant: TenantId,
        after: WordId,
    ) -> Result<Vec<(WordId, AccountId)>, StoreError> {
        self.read(move |database| {
            let mut list = database.prepare_cached(
                "select no, account from account where tenant = ?1 and no > ?2 order by no",
            )?;
            let rows = list.query_map([tenant.0, i64::from(after)], |row| {
                Ok((row.get(0)?, AccountId::new(row.get::<_, String>(1)?)))
            })?;
            rows.collect()
        })
        .await
    }

    async fn actors(&self, tenant: TenantId, numbers: &[WordId]) -> Result<Vec<Actor>, StoreError> {
        let numbers = numbers.to_vec();
        self.read(move |database| {
            let mut find = database.prepare_cached(
                "select account, kind, name, email from account where tenant = ?1 and no = ?2",
            )?;
            let find = |number| find.query_row(params![tenant.0, number], actor);
            numbers.into_iter().map(find).collect()
        })
        .await
    }

    async fn actors_named(
        &self,
        tenant: TenantId,
        accounts: &[AccountId],
    ) -> Result<Vec<Actor>, StoreError> {
        let accounts = accounts.to_vec();
        self.read(move |database| {
            let mut find = database.prepare_cached(
                "select account, kind, name, email from account where tenant = ?1 and account = ?2",
            )?;
            let mut actors = Vec::with_capacity(accounts.len());
            for account in &accounts {
                let found = find.query_row(params![tenant.0, account.as_str()], actor);
                actors.extend(found.optional()?);
            }
            Ok(actors)
        })
        .await
    }

    async fn places(
        &self,
        tenant: TenantId,
        place: Place,
        numbers: &[WordId],
    ) -> Result<Vec<String>, StoreError> {
        let query = match place {
            Place::Page => "select page from page where tenant = ?1 and no = ?2",
            Place::Space => "select space from space where tenant = ?1 and no = ?2",
        };
        let numbers = numbers.to_vec();
        self.read(move |database| {
            let mut find = database.prepare_cached(query)?;
            let mut names = Vec::with_capacity(numbers.len());
            for number in numbers {
                let name = find.query_row(params![tenant.0, number], |row| row.get(0));
                names.push(name.optional()?.unwrap_or_default());
            }
            Ok(names)
        })
        .await
    }

    async fn place_nos(
        &self,
        tenant: TenantId,
        (place, id): (Place, &str),
        site: Option<&str>,
    ) -> Result<Vec<WordId>, StoreError> {
        let query = match place {
            Place::Page => {
                "select page.no from page left join term on term.tenant = page.tenant and term.no = page.site
                 where page.tenant = ?1 and page = ?2 and (?3 is null or text = ?3) order by page.no"
            }
            Place::Space => {
                "select space.no from space left join term on term.tenant = space.tenant and term.no = space.site
                 where space.tenant = ?1 and space = ?2 and (?3 is null or text = ?3) order by space.no"
            }
        };
        let (id, site) = (id.to_owned(), site.map(str::to_owned));
        self.read(move |database| {
            database
                .prepare_cached(query)?
                .query_map(params![tenant.0, id, site], |row| row.get(0))?
                .collect()
        })
        .await
    }

    async fn term_no(&self, tenant: TenantId, text: &str) -> Result<Option<WordId>, StoreError> {
        let text = text.to_owned();
        self.read(move |database| {
            database
                .prepare_cached("select no from term where tenant = ?1 and text = ?2")?
                .query_row(params![tenant.0, text], |row| row.get(0))
                .optional()
        })
        .await
    }

    async fn terms_after(
        &self,
        tenant: TenantId,
        after: WordId,
    ) -> Result<Vec<(WordId, String)>, StoreError> {
        self.read(move |database| {
            database
                .prepare_cached(
                    "select no, text from term where tenant = ?1 and no > ?2 order by no limit ?3",
                )?
                .query_map(params![tenant.0, after, CHUNK], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect()
        })
        .await
    }
}

fn load(database: &Connection, tenant: TenantId) -> rusqlite::Result<Option<EngineState>> {
    let head = database
        .query_row(
            "select basis, line, stored, state from engine where tenant = ?1 and stale = 0",
            [tenant.0],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .optional()?;
    let Some((basis, line, stored, state)) = head else {
        return Ok(None);
    };
    let parts = |query| -> rusqlite::Result<BTreeMap<WordId, Vec<u8>>> {
        let mut list = database.prepare_cached(query)?;
        let rows = list.query_map([tenant.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    Ok(Some(EngineState {
        basis,
        line,
        stored,
        state: Some(State {
            tenant: state,
            accounts: parts("select account, state from engine_account where tenant = ?1")?,
            pages: parts("select page, state from engine_page where tenant = ?1")?,
        }),
        anew: false,
    }))
}

/// Writes the working state within a transaction.
fn save(
    transaction: &Transaction<'_>,
    tenant: TenantId,
    state: &EngineState,
) -> rusqlite::Result<()> {
    let Some(parts) = &state.state else {
        transaction.execute(
            "update engine set stored = ?2 where tenant = ?1",
            params![tenant.0, state.stored],
        )?;
        return Ok(());
    };
    if state.anew {
        transaction.execute("delete from engine_account where tenant = ?1", [tenant.0])?;
        transaction.execute("delete from engine_page where tenant = ?1", [tenant.0])?;
    }
    transaction.execute(
        "insert or replace into engine (tenant, basis, line, stored, state) values (?1, ?2, ?3, ?4, ?5)",
        params![tenant.0, state.basis, state.line, state.stored, parts.tenant],
    )?;
    for (insert, list) in [
        (
            "insert or replace into engine_account (tenant, account, state) values (?1, ?2, ?3)",
            &parts.accounts,
        ),
        (
            "insert or replace into engine_page (tenant, page, state) values (?1, ?2, ?3)",
            &parts.pages,
        ),
    ] {
        let mut insert = transaction.prepare_cached(insert)?;
        for (id, part) in list {
            insert.execute(params![tenant.0, id, part])?;
        }
    }
    Ok(())
}
