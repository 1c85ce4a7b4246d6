//! How much of a tenant's history is read, and which part a summary is still to cover.

use super::Watch;
use crate::findings::PendingSummary;
use crate::outcome::Outcome;
use crate::output::summary::History;
use crate::storage::StoreError;
use pagewarden_core::model::StreamName;
use pagewarden_core::time::{Window, before};

impl Watch {
    /// The history that a summary is still to cover: that of every backfill which was asked for and not summed up yet, and all of
    /// it before live polling has come to the present for the first time.
    pub(super) async fn pending_summary(&self) -> Result<PendingSummary, StoreError> {
        let backfills = self.backfills().await?;
        let pending_summary = backfills.iter().filter(|(_, kept)| !kept.summed_up);
        let spans = pending_summary.map(|(_, kept)| kept.span).collect();
        PendingSummary::of(self.store.as_ref(), self.tenant, spans).await
    }

    /// Whether the history before the installation is only partly read, so that baselines and threshold say little yet.
    pub async fn lacks_history(&self) -> Result<bool, StoreError> {
        if self.store.is_present(self.tenant).await? {
            return Ok(false);
        }
        let access = |stream| stream == StreamName::Access;
        for followed in self.streams.iter().filter(|one| access(one.stream.name)) {
            let partly = match self.store.backfill(followed.id).await? {
                Some(kept) => !kept.done,
                // A first scan that was cut short.
                None => {
                    self.store.last_success(followed.id).await?.is_none()
                        && self.store.live(followed.id).await?.watermark.is_some()
                }
            };
            if partly {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a backfill is under way, each page of which would make an analysis begin anew.
    pub async fn reads_history(&self) -> Result<bool, StoreError> {
        Ok(self.backfills().await?.iter().any(|(_, kept)| !kept.done)
            || self.lacks_history().await?)
    }

    /// Checks log health before the first history is summed up, so that no message is sent for each old change to a log.
    pub(super) async fn look_at_history(&self) -> Result<Outcome, StoreError> {
        let mut live = false;
        for followed in self.streams.iter() {
            live |= self.store.live(followed.id).await?.began.is_some();
        }
        if live && !self.store.is_present(self.tenant).await? {
            self.look().await
        } else {
            Ok(Outcome::default())
        }
    }

    /// Notes, for a service, that the history before the installation is read and summed up; sums it up where live polling itself
    /// has read it.
    pub async fn enter_present(&self) -> Result<(), StoreError> {
        if self.store.is_present(self.tenant).await? || self.has_backfill().await? {
            return Ok(());
        }
        let mut summary = Vec::new();
        let mut now = self.clock.now();
        if self.backfills().await?.is_empty() {
            for followed in self.streams.iter() {
                if self.store.last_success(followed.id).await?.is_none() {
                    return Ok(());
                }
            }
            let until = self.store.installed(self.tenant).await?;
            let from = before(until, self.settings.schedule.lookback);
            (summary, now) = self.summary(History::Scan, Window { from, until }).await?;
        }
        self.store.begin_present(self.tenant, summary, now).await
    }
}
