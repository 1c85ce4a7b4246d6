//! What is found about the logs themselves: their health, by the `blind-spot` detector, and what was done to them, by rules
//! over single events.
//!
//! Health depends on the clock, so it is checked beside live polling only, never in `import` or `replay`. What was done to
//! a log is found wherever events are read.

mod deeds;
mod record;

use chrono::TimeDelta;

pub use self::record::LogRecorder;
use crate::atlassian::Mapper;
use crate::outcome::Outcome;
use crate::storage::{StoreError, StreamId};
use pagewarden_core::detect::blind_spot::{self, Failing, Key, LogHealth, USUAL_DAYS, Views};
use pagewarden_core::model::{Class, StreamName};
use pagewarden_core::time::DAY_SECONDS;

/// How long Atlassian keeps the organisation's events.
const ACCESS_KEPT: TimeDelta = TimeDelta::days(180);
/// How long it keeps a site audit log at most.
const AUDIT_KEPT: TimeDelta = TimeDelta::days(365);

/// A stream as it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    /// Its number.
    pub id: StreamId,
    /// Which log.
    pub name: StreamName,
    /// How messages call it.
    pub words: &'a str,
}

/// Everything that looking at a tenant needs.
#[derive(Debug, Clone, Copy)]
pub struct Looking<'a> {
    /// Records what is found.
    pub recorder: LogRecorder<'a>,
    /// How its actions become classes.
    pub mapper: &'a Mapper,
    /// Its streams that are polled.
    pub streams: &'a [Looked<'a>],
    /// Its keys whose end is known.
    pub keys: &'a [Key],
}

impl Looking<'_> {
    /// Checks the health of the logs, records what is new or over, and puts it into the outbox.
    pub async fn look(&self) -> Result<Outcome, StoreError> {
        let found = blind_spot::inspect(&self.log_health().await?);
        self.recorder.record(found, true).await
    }

    /// Records that a stream was last read longer ago than Atlassian keeps it, if so; to be asked before it is polled again.
    pub async fn look_back(&self, stream: Looked<'_>) -> Result<Outcome, StoreError> {
        let kept = match stream.name {
            StreamName::Access => ACCESS_KEPT,
            StreamName::Audit => AUDIT_KEPT,
        };
        let last = self.recorder.store.last_success(stream.id).await?;
        let gap =
            last.and_then(|last| blind_spot::gap(stream.words, last, self.recorder.now, kept));
        match gap {
            Some(gap) => self.recorder.record(vec![gap], false).await,
            None => Ok(Outcome::default()),
        }
    }

    /// What is known of the health of the tenant's logs.
    async fn log_health(&self) -> Result<LogHealth, StoreError> {
        let LogRecorder {
            store, tenant, now, ..
        } = self.recorder;
        let rows = store.tenants().await?;
        let row = rows.iter().find(|row| row.id == tenant);
        let counted = match row {
            Some(row) => store.stream_status(row).await?,
            None => Vec::new(),
        };
        let mut log_health = LogHealth {
            now,
            installed: store.installed(tenant).await?,
            views: None,
            keys: self.keys.to_vec(),
            failing: Vec::new(),
        };
        for looked in self.streams {
            let Some(counted) = counted.iter().find(|counted| counted.id == looked.id) else {
                continue;
            };
            let newest = counted.newest.map(|newest| newest.timestamp());
            log_health
                .failing
                .extend(counted.last_error.as_ref().map(|why| Failing {
                    stream: looked.words.to_owned(),
                    last_success: counted.last_success,
                    why: why.clone(),
                }));
            if looked.name == StreamName::Access {
                log_health.views = Some(Views {
                    ever: counted.reading,
                    stored: counted.stored,
                    kinds: self.kinds().await?,
                    hours: self.hours(looked.id, newest).await?,
                });
            }
        }
        Ok(log_health)
    }

    /// How many kinds of event the tenant says it has, and whether page views are among them.
    async fn kinds(&self) -> Result<Option<(u64, bool)>, StoreError> {
        let (actions, _) = self.recorder.store.actions(self.recorder.tenant).await?;
        let views = actions
            .iter()
            .any(|action| self.mapper.class(&action.id) == Class::View);
        let kinds = u64::try_from(actions.len()).unwrap_or(u64::MAX);
        Ok((kinds > 0).then_some((kinds, views)))
    }

    async fn hours(
        &self,
        stream: StreamId,
        newest: Option<i64>,
    ) -> Result<Vec<blind_spot::Hour>, StoreError> {
        let (Some(newest), Some(last)) = (newest, self.recorder.store.last_view(stream).await?)
        else {
            return Ok(Vec::new());
        };
        let usual = USUAL_DAYS * DAY_SECONDS;
        self.recorder
            .store
            .hours(stream, (newest - 2 * usual).min(last - usual))
            .await
    }
}
