//! The health of a tenant's logs, checked beside its polls.

use super::{Followed, Watch, credentials};
use crate::log_health::{Looked, Looking};
use crate::outcome::Outcome;
use crate::storage::StoreError;
use pagewarden_core::detect::blind_spot::Key;

impl Watch {
    /// Checks log health: views that stopped, keys that end, changes to the logs.
    pub fn look(&self) -> Result<Outcome, StoreError> {
        self.looking(|looking, _| looking.look())
    }

    /// Notes that a stream was last read longer ago than Atlassian keeps it, if so.
    pub(super) fn look_back(&self, followed: &Followed) -> Result<Outcome, StoreError> {
        self.looking(|looking, streams| {
            let stream = streams.iter().find(|stream| stream.id == followed.id);
            stream.map_or_else(
                || Ok(Outcome::default()),
                |stream| looking.look_back(*stream),
            )
        })
    }

    /// Runs the work if the `blind-spot` detector is on.
    fn looking(
        &self,
        work: impl FnOnce(&Looking<'_>, &[Looked<'_>]) -> Result<Outcome, StoreError>,
    ) -> Result<Outcome, StoreError> {
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
        let pending_summary = self.pending_summary()?;
        let looking = Looking {
            store: &self.store,
            notifiers: &self.notifiers,
            tenant: self.tenant,
            name: &self.settings.name,
            mapper: &mapper,
            streams: &streams,
            keys: &keys,
            now: self.clock.now(),
            pending_summary: &pending_summary,
        };
        work(&looking, &streams)
    }
}
