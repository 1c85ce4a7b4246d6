//! What somebody asked of the service in the state, looked for once for all tenants: history to read.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::{Duration, sleep};
use tokio_util::sync::CancellationToken;

use crate::pulse::Pulse;
use crate::storage::{Registry, StoreError, TenantId};

/// Looks for requests, and wakes whom they are for.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    /// Where they are left.
    pub(super) store: Arc<dyn Registry>,
    /// How often to look.
    pub(super) every: Duration,
    /// Whom to wake.
    pub(super) tenants: Arc<BTreeMap<TenantId, Arc<Notify>>>,
    /// Signs of life.
    pub(super) pulse: Pulse,
    /// Ends it.
    pub(super) stop: CancellationToken,
}

impl Requests {
    /// Looks again and again until told to stop.
    pub(super) async fn watch(self) -> Result<(), StoreError> {
        while !self.stop.is_cancelled() {
            for tenant in self.store.unread_backfills().await? {
                // Nobody where the config does not name the tenant any more.
                if let Some(worker) = self.tenants.get(&tenant) {
                    worker.notify_one();
                }
            }
            self.pulse.quiet_for(self.every);
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = sleep(self.every) => {}
            }
        }
        Ok(())
    }
}
