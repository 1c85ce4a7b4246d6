//! What was done to the logs: stored events that are findings by themselves.

use chrono::{DateTime, Utc};

use super::LogRecorder;
use crate::config::Detect;
use crate::outcome::Outcome;
use crate::storage::{StoreError, StreamId};
use pagewarden_core::detect::{Deed, Single, alone, blind_spot, grouped};
use pagewarden_core::model::{ActorKind, Class, StreamName, WordId};
use pagewarden_core::time::{DAY_SECONDS, moment};

/// How many days before the newest event of a log are looked at in any case.
const LOOKED_AT_DAYS: i64 = 35;

impl LogRecorder<'_> {
    /// Records what was done to the logs of late, and from a moment on, and puts what is new into the outbox.
    pub async fn record_deeds(
        &self,
        detect: &Detect,
        from: Option<DateTime<Utc>>,
    ) -> Result<Outcome, StoreError> {
        let mut deeds = Vec::new();
        for (stream, name) in self.store.streams(self.tenant).await? {
            let Some((newest, _)) = self.store.extent(stream).await? else {
                continue;
            };
            let late = newest - LOOKED_AT_DAYS * DAY_SECONDS;
            let from = from.map_or(late, |from| late.min(from.timestamp()));
            // Whole weeks, so that a finding keeps all its reasons.
            let from = blind_spot::week_of(moment(from));
            deeds.extend(self.deeds((stream, name), from, detect).await?);
        }
        deeds.sort_by(|one, other| (one.at, &one.event).cmp(&(other.at, &other.event)));
        self.record(grouped(&deeds), false).await
    }

    async fn deeds(
        &self,
        (stream, name): (StreamId, StreamName),
        from: i64,
        detect: &Detect,
    ) -> Result<Vec<Deed>, StoreError> {
        let events = self.store.logging_events(stream, name, from).await?;
        let accounts: Vec<WordId> = events.iter().map(|event| event.account).collect();
        let actors = self.store.actors(self.tenant, &accounts).await?;
        let mut deeds = Vec::new();
        for (event, actor) in events.into_iter().zip(actors) {
            let id = Some(actor.id.to_string()).filter(|id| !id.is_empty());
            let who = actor.name.or(actor.email).or(id);
            let single = Single {
                at: event.at,
                class: Class::Logging,
                action: &event.action,
                actor: ActorKind::Unknown,
                who: who.as_deref(),
                on_page: false,
                in_space: false,
            };
            deeds.extend(
                alone(&single, detect)
                    .into_iter()
                    .map(|(detector, sign)| Deed {
                        at: moment(event.at),
                        who: who.clone(),
                        event: event.id.clone(),
                        detector,
                        sign,
                    }),
            );
        }
        Ok(deeds)
    }
}
