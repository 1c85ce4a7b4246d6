//! What came in since a tenant was last analysed, as far as an engine in memory must know it.
//!
//! Kept in memory only: an engine that begins from the stored state reads everything behind its line anyway.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Transaction;
use rustc_hash::FxHashMap;

use super::commit::Done;
use crate::storage::{Arrived, TenantId};

/// What came in of each tenant.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Mutex<FxHashMap<TenantId, Arrived>>);

impl Arrivals {
    fn tenants(&self) -> MutexGuard<'_, FxHashMap<TenantId, Arrived>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a commit changes.
    pub(super) fn note(&self, done: &Done) {
        let since = (done.earliest < i64::MAX).then_some(done.earliest);
        if since.is_none() && !done.renamed {
            return;
        }
        let mut tenants = self.tenants();
        let kept = tenants.entry(done.tenant).or_default();
        kept.since = [kept.since, since].into_iter().flatten().min();
        kept.renamed |= done.renamed;
    }

    /// What was noted of a tenant since this was last asked.
    pub(super) fn take(&self, tenant: TenantId) -> Arrived {
        self.tenants().remove(&tenant).unwrap_or_default()
    }

    /// Marks the working state that was just written, if something has come in behind its line meanwhile.
    pub(super) fn mark_stale(
        &self,
        transaction: &Transaction<'_>,
        tenant: TenantId,
    ) -> rusqlite::Result<()> {
        let since = self.tenants().get(&tenant).and_then(|kept| kept.since);
        if let Some(since) = since {
            transaction
                .prepare_cached(
                    "update engine set stale = 1 where line > ?2 and stale = 0 and tenant = ?1",
                )?
                .execute([tenant.0, since])?;
        }
        Ok(())
    }
}
