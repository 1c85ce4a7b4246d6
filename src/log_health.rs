//! Checks log health and records where the logs show less than before: the `blind-spot` detector over the store.
//!
//! It depends on the clock, so it runs beside live polling only, never in `import` or `replay`.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::atlassian::{Mapper, log_change};
use crate::config;
use crate::findings::{Messages, PendingSummary};
use crate::outcome::Outcome;
use crate::storage::{Recorded, Store, StoreError, StreamId, TenantId};
use pagewarden_core::detect::blind_spot::{
    self, Blindness, Deed, Failing, Key, LogHealth, META, USUAL_DAYS, Views,
};
use pagewarden_core::model::id::digest16;
use pagewarden_core::model::{
    Class, EventKey, Evidence, Family, Finding, FindingId, LogChange, Signal, StreamName, WordId,
};
use pagewarden_core::time::{DAY_SECONDS, moment};

/// For how many days a change to a log is reported.
const DEEDS_DAYS: i64 = 35;

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
    /// Where everything is.
    pub store: &'a dyn Store,
    /// Where findings are sent.
    pub notifiers: &'a [config::Notifier],
    /// Which tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: &'a str,
    /// How its actions become classes.
    pub mapper: &'a Mapper,
    /// Its streams that are polled.
    pub streams: &'a [Looked<'a>],
    /// Its keys whose end is known.
    pub keys: &'a [Key],
    /// The present moment.
    pub now: DateTime<Utc>,
    /// What is left to a summary.
    pub pending_summary: &'a PendingSummary,
}

impl Looking<'_> {
    /// Looks at everything, records what is new or over, and puts it into the outbox.
    pub async fn look(&self) -> Result<Outcome, StoreError> {
        let found = blind_spot::inspect(&self.log_health().await?);
        self.record(found, true).await
    }

    /// Records that a stream was last read longer ago than Atlassian keeps it, if so; to be asked before it is polled again.
    pub async fn look_back(&self, stream: Looked<'_>) -> Result<Outcome, StoreError> {
        let kept = match stream.name {
            StreamName::Access => ACCESS_KEPT,
            StreamName::Audit => AUDIT_KEPT,
        };
        let last = self.store.last_success(stream.id).await?;
        let gap = last.and_then(|last| blind_spot::gap(stream.words, last, self.now, kept));
        match gap {
            Some(gap) => self.record(vec![gap], false).await,
            None => Ok(Outcome::default()),
        }
    }

    /// What is known of the health of the tenant's logs.
    async fn log_health(&self) -> Result<LogHealth, StoreError> {
        let rows = self.store.tenants().await?;
        let row = rows.iter().find(|row| row.id == self.tenant);
        let counted = match row {
            Some(row) => self.store.stream_status(row).await?,
            None => Vec::new(),
        };
        let mut log_health = LogHealth {
            now: self.now,
            installed: self.store.installed(self.tenant).await?,
            views: None,
            deeds: Vec::new(),
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
            if let Some(newest) = newest {
                let from = newest - DEEDS_DAYS * DAY_SECONDS;
                log_health.deeds.extend(self.deeds(looked, from).await?);
            }
        }
        log_health
            .deeds
            .sort_by(|one, other| (one.at, &one.event).cmp(&(other.at, &other.event)));
        Ok(log_health)
    }

    /// How many kinds of event the tenant says it has, and whether page views are among them.
    async fn kinds(&self) -> Result<Option<(u64, bool)>, StoreError> {
        let (actions, _) = self.store.actions(self.tenant).await?;
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
        let (Some(newest), Some(last)) = (newest, self.store.last_view(stream).await?) else {
            return Ok(Vec::new());
        };
        let usual = USUAL_DAYS * DAY_SECONDS;
        self.store
            .hours(stream, (newest - 2 * usual).min(last - usual))
            .await
    }

    async fn deeds(&self, looked: &Looked<'_>, from: i64) -> Result<Vec<Deed>, StoreError> {
        let events = self
            .store
            .logging_events(looked.id, looked.name, from)
            .await?;
        let accounts: Vec<WordId> = events.iter().map(|event| event.account).collect();
        let actors = self.store.actors(self.tenant, &accounts).await?;
        Ok(events
            .into_iter()
            .zip(actors)
            .map(|(event, actor)| {
                let id = Some(actor.id.to_string()).filter(|id| !id.is_empty());
                Deed {
                    at: moment(event.at),
                    what: log_change(&event.action).unwrap_or(LogChange::Settings),
                    who: actor.name.or(actor.email).or(id),
                    event: event.id,
                }
            })
            .collect())
    }

    /// Records what was found; `all` where everything was looked at, so that what was not found again is over.
    async fn record(&self, found: Vec<Blindness>, all: bool) -> Result<Outcome, StoreError> {
        let recorded = self.store.blindness(self.tenant).await?;
        let mut recorded: BTreeMap<FindingId, Recorded> = recorded
            .into_iter()
            .map(|one| (one.finding.id.clone(), one))
            .collect();
        let mut outcome = Outcome::default();
        let mut changed = Vec::new();
        let mut messages = Messages::new(self.store, self.notifiers, self.now);
        for (id, blindness) in self.by_id(found) {
            let before = recorded.remove(&id);
            let history =
                blindness.over && self.pending_summary.covers(blindness.since, blindness.seen);
            let now = self.finding(id, blindness, before.as_ref());
            if before.as_ref() == Some(&now) {
                continue;
            }
            let Finding {
                revision, severity, ..
            } = now.finding;
            let was = before.as_ref().map(|before| &before.finding);
            if was.is_none_or(|was| severity > was.severity) {
                outcome.note(&now.finding);
            }
            if !history && was.is_none_or(|was| revision > was.revision) {
                messages.report(&now.finding, self.now).await?;
            } else if was.is_some() {
                messages.refresh(&now.finding).await?;
            }
            changed.push(now);
        }
        if all {
            let standing = recorded.into_values().filter(|one| !one.settled);
            for one in standing.map(|one| self.ended(one)) {
                messages.refresh(&one.finding).await?;
                changed.push(one);
            }
        }
        if !changed.is_empty() {
            self.store
                .record(self.tenant, messages.with(changed, Vec::new()), self.now)
                .await?;
        }
        Ok(outcome)
    }

    /// What was found, one for each finding: what came twice in a week is put together.
    fn by_id(&self, found: Vec<Blindness>) -> BTreeMap<FindingId, Blindness> {
        let mut by_id: BTreeMap<FindingId, Blindness> = BTreeMap::new();
        for blindness in found {
            let id = finding_id(self.name, &blindness);
            match by_id.get_mut(&id) {
                None => {
                    by_id.insert(id, blindness);
                }
                Some(kept) => {
                    kept.severity = kept.severity.max(blindness.severity);
                    kept.since = kept.since.min(blindness.since);
                    kept.seen = kept.seen.max(blindness.seen);
                    kept.over &= blindness.over;
                    kept.reasons.extend(blindness.reasons);
                    kept.events.extend(blindness.events);
                }
            }
        }
        by_id
    }

    /// The finding as it stands. Its revision grows with its severity, with each further reason, and when it comes back.
    fn finding(&self, id: FindingId, blindness: Blindness, before: Option<&Recorded>) -> Recorded {
        let Blindness {
            kind,
            severity,
            since,
            seen,
            over,
            reasons,
            events,
        } = blindness;
        let name = kind.split(' ').next().unwrap_or_default();
        let signals: Vec<Signal> = reasons
            .iter()
            .map(|reason| Signal {
                name: name.to_owned(),
                bits: 0.0,
                reason: reason.clone(),
            })
            .collect();
        let (severity, revision) = before.map_or((severity, 1), |before| {
            let Finding {
                revision,
                severity: was,
                signals: known,
                ..
            } = &before.finding;
            let news = severity > *was || signals.len() > known.len() || (before.settled && !over);
            (severity.max(*was), revision + u32::from(news))
        });
        let finding = Finding {
            revision,
            severity,
            reason: reasons.last().cloned().unwrap_or_default(),
            signals,
            evidence: Evidence {
                event_ids: events,
                ..Evidence::default()
            },
            first_seen: since,
            ..Finding::about_nobody(id, self.name, Family::Blind, META.id, seen)
        };
        Recorded {
            finding,
            settled: over,
        }
    }

    /// A finding about what is not so any more. It stays open for people, who have not seen it yet.
    fn ended(&self, mut one: Recorded) -> Recorded {
        let until = self.now.format("%Y-%m-%d %H:%M");
        let reason = &one.finding.reason;
        one.finding.reason = format!("{reason} It was over by {until} UTC.");
        one.settled = true;
        one
    }
}

/// One finding for each kind of blindness in the week in which it began.
fn finding_id(tenant: &str, blindness: &Blindness) -> FindingId {
    let period = blind_spot::period(blindness.since);
    let digest = digest16(&[
        b"finding",
        tenant.as_bytes(),
        Family::Blind.as_str().as_bytes(),
        b"",
        &period.to_le_bytes(),
        blindness.kind.as_bytes(),
    ]);
    FindingId::new(EventKey(digest).hex())
}
