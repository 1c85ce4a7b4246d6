//! The health of a tenant's logs, checked beside its polls.

use chrono::{DateTime, Utc};

use super::{Followed, Watch, credentials};
use crate::findings::PendingSummary;
use crate::log_health::{LogRecorder, Looked, Looking};
use crate::outcome::Outcome;
use crate::storage::{StoreError, StreamId};
use pagewarden_core::detect::blind_spot::Key;

impl Watch {
    /// Checks log health: views that stopped, keys that end, changes to the logs.
    pub async fn look(&self) -> Result<Outcome, StoreError> {
        self.look_at(None).await
    }

    /// Notes that a stream was last read longer ago than Atlassian keeps it, if so.
    pub(super) async fn look_back(&self, followed: &Followed) -> Result<Outcome, StoreError> {
        self.look_at(Some(followed.id)).await
    }

    /// Reports what was done to the logs of late, and from a moment on.
    pub(super) async fn look_at_deeds(
        &self,
        from: Option<DateTime<Utc>>,
    ) -> Result<Outcome, StoreError> {
        let pending_summary = self.pending_summary().await?;
        self.log_recorder(&pending_summary)
            .record_deeds(&self.detect, from)
            .await
    }

    fn log_recorder<'a>(&'a self, pending_summary: &'a PendingSummary) -> LogRecorder<'a> {
        LogRecorder {
            store: self.store.as_ref(),
            notifiers: &self.notifiers,
            tenant: self.tenant,
            name: &self.settings.name,
            now: self.clock.now(),
            pending_summary,
        }
    }

    /// Looks back at one stream or at everything, if the `blind-spot` detector is on.
    async fn look_at(&self, stream: Option<StreamId>) -> Result<Outcome, StoreError> {
        if !self.detect.blind_spot.enabled {
            return Ok(Outcome::default());
        }
        let words: Vec<String> = self.streams.iter().map(Followed::words).collect();
        let streams: Vec<Looked<'_>> = self
            .streams
            .iter()
            .zip(&words)
            .map(|(followed, words)| Looked {
                id: followed.id,
                name: followed.stream.name,
                words,
            })
            .collect();
        let keys: Vec<Key> = credentials(&self.settings)
            .into_iter()
            .filter_map(|(name, expires)| {
                Some(Key {
                    name,
                    expires: expires?,
                })
            })
            .collect();
        let mapper = self.mapper();
        let pending_summary = self.pending_summary().await?;
        let looking = Looking {
            recorder: self.log_recorder(&pending_summary),
            mapper: &mapper,
            streams: &streams,
            keys: &keys,
        };
        let Some(stream) = stream else {
            return looking.look().await;
        };
        match streams.iter().find(|looked| looked.id == stream) {
            Some(looked) => looking.look_back(*looked).await,
            None => Ok(Outcome::default()),
        }
    }
}
