//! Records what was found about the logs, with its messages, in one transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::config;
use crate::findings::{Messages, PendingSummary};
use crate::outcome::Outcome;
use crate::storage::{Recorded, Store, StoreError, TenantId};
use pagewarden_core::detect::blind_spot::{self, Blindness};
use pagewarden_core::model::id::digest16;
use pagewarden_core::model::{EventKey, Evidence, Family, Finding, FindingId, Signal};

/// Records what was found about one tenant's logs.
#[derive(Debug, Clone, Copy)]
pub struct LogRecorder<'a> {
    /// Where everything is.
    pub store: &'a dyn Store,
    /// Where findings are sent.
    pub notifiers: &'a [config::Notifier],
    /// Which tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: &'a str,
    /// The present moment.
    pub now: DateTime<Utc>,
    /// What is left to a summary.
    pub pending_summary: &'a PendingSummary,
}

impl LogRecorder<'_> {
    /// Records what was found; `all` where everything was looked at, so that what was not found again is over.
    pub(super) async fn record(
        &self,
        found: Vec<Blindness>,
        all: bool,
    ) -> Result<Outcome, StoreError> {
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
            detector,
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
            ..Finding::about_nobody(id, self.name, Family::Blind, detector, seen)
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
