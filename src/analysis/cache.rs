//! What analyses keep in memory between cycles, of all tenants together: within a budget, least recently used out first.

use std::sync::{Mutex, PoisonError};

use super::resident::Resident;
use crate::storage::TenantId;

/// How many bytes a tenant's engine takes for each account, its copies included. Measured: 8 KiB in a tenant of 42,000
/// accounts, 11 KiB in one of 100.
const ACCOUNT_BYTES: u64 = 10 << 10;

/// The engines of tenants, as they were after the last analysis of each.
#[derive(Debug)]
pub struct Cache {
    budget: u64,
    /// The least recently used first.
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    tenant: TenantId,
    bytes: u64,
    resident: Box<Resident>,
}

impl Cache {
    /// With a budget in MiB.
    pub fn new(mib: u32) -> Self {
        Self::of_bytes(u64::from(mib) << 20)
    }

    /// With a budget in bytes.
    pub(super) fn of_bytes(budget: u64) -> Self {
        Self {
            budget,
            kept: Mutex::default(),
        }
    }

    /// The tenants of which something is kept, the least recently used first.
    #[cfg(test)]
    pub(super) fn tenants(&self) -> Vec<TenantId> {
        let kept = self.kept.lock().unwrap();
        kept.iter().map(|kept| kept.tenant).collect()
    }

    /// Hands out what is kept of a tenant.
    pub(super) fn take(&self, tenant: TenantId) -> Option<Box<Resident>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|kept| kept.tenant == tenant)?;
        Some(kept.remove(at).resident)
    }

    /// Keeps what is known of a tenant, and drops others where it is too much; the last one is kept whatever its size.
    pub(super) fn keep(&self, tenant: TenantId, resident: Box<Resident>) {
        let bytes = ACCOUNT_BYTES.saturating_mul(resident.accounts());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped: Vec<Kept> = kept.extract_if(.., |kept| kept.tenant == tenant).collect();
        kept.push(Kept {
            tenant,
            bytes,
            resident,
        });
        let mut bytes: u64 = kept.iter().map(|kept| kept.bytes).sum();
        let mut over = 0;
        for oldest in kept.iter().take(kept.len().saturating_sub(1)) {
            if bytes <= self.budget {
                break;
            }
            bytes -= oldest.bytes;
            over += 1;
        }
        dropped.extend(kept.drain(..over));
        // To free much takes long, and others wait for the lock.
        drop(kept);
        drop(dropped);
    }

    /// Forgets a tenant.
    pub fn forget(&self, tenant: TenantId) {
        drop(self.take(tenant));
    }
}
