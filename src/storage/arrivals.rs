//! What came in since a tenant was last analysed, as far as an engine in memory must know it.
//!
//! Kept in memory only: an engine that begins from the stored state reads everything behind its line anyway.

use std::sync::{Mutex, PoisonError};

use rusqlite::Transaction;
use rustc_hash::FxHashMap;

use super::{Store, StoreError, StreamId, TenantId};
use pagewarden_core::model::{AccountId, WordId};

/// How far a tenant's terms, pages and spaces are numbered: while it stays, none was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers([i64; 3]);

/// For each stream, from when on fresh reading events change what was analysed.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<FxHashMap<i64, i64>>);

impl Arrivals {
    /// Notes the earliest moment that a commit to a stream changes; `i64::MAX` where it changes none.
    pub(super) fn note(&self, stream: StreamId, earliest: i64) {
        if earliest == i64::MAX {
            return;
        }
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = streams.entry(stream.0).or_insert(earliest);
        *kept = earliest.min(*kept);
    }

    /// Marks the working states that were just written although something has come in behind their line meanwhile.
    pub(super) fn mark_stale(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (stream, earliest) in streams.iter() {
            transaction
                .prepare_cached(
                    "update engine set stale = 1
                     where line > ?2 and stale = 0 and tenant = (select tenant from stream where id = ?1)",
                )?
                .execute([stream, earliest])?;
        }
        Ok(())
    }
}

impl Store {
    /// From when on reading events were added to any of these streams since this was last asked; none where none were.
    pub fn take_arrivals(&self, streams: impl Iterator<Item = StreamId>) -> Option<i64> {
        let mut kept = self
            .arrivals
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        streams.filter_map(|stream| kept.remove(&stream.0)).min()
    }

    /// Every account of a tenant with a higher number than `after`, in the order of the numbers.
    pub fn accounts_after(
        &self,
        tenant: TenantId,
        after: WordId,
    ) -> Result<Vec<(WordId, AccountId)>, StoreError> {
        self.ask(|database| {
            let mut list = database.prepare_cached(
                "select no, account from account where tenant = ?1 and no > ?2 order by no",
            )?;
            let rows = list.query_map([tenant.0, i64::from(after)], |row| {
                Ok((row.get(0)?, AccountId::new(row.get::<_, String>(1)?)))
            })?;
            rows.collect()
        })
    }

    /// The highest numbers of a tenant's terms and places.
    pub fn numbers(&self, tenant: TenantId) -> Result<Numbers, StoreError> {
        self.ask(|database| {
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
    }
}
