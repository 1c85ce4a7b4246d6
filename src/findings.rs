//! Records what an analysis found, with its messages in one transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::analysis::{self, Analysis, Analyst};
use crate::config;
use crate::notify::{self, Content};
use crate::outcome::Outcome;
use crate::output::summary;
use crate::storage::{Changes, NewDelivery, Posted, Recorded, Store, StoreError, TenantId};
use pagewarden_core::model::{Finding, FindingId};
use pagewarden_core::time::{Window, after};

/// The history that a summary is still to cover: findings about it are recorded, and no message is sent for each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PendingSummary {
    /// When the tenant was installed.
    pub installed: DateTime<Utc>,
    /// The spans of event time.
    pub spans: Vec<Window>,
}

impl PendingSummary {
    /// What is left to a summary of these spans, and all history before a first reading of the tenant was summed up.
    pub async fn of(
        store: &dyn Store,
        tenant: TenantId,
        mut spans: Vec<Window>,
    ) -> Result<Self, StoreError> {
        if !store.is_present(tenant).await? {
            spans.push(Window {
                from: DateTime::<Utc>::MIN_UTC,
                until: DateTime::<Utc>::MAX_UTC,
            });
        }
        Ok(Self {
            installed: store.installed(tenant).await?,
            spans,
        })
    }

    /// Whether something that lasted from one moment to another is left to a summary.
    pub fn covers(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        let within = |span: &Window| start < span.until && end >= span.from;
        end < self.installed && self.spans.iter().any(within)
    }
}

/// Analyses one tenant and records what is new.
#[derive(Debug, Clone, Copy)]
pub struct Recorder<'a> {
    /// Where everything is.
    pub store: &'a dyn Store,
    /// Where findings are sent.
    pub notifiers: &'a [config::Notifier],
    /// Which tenant, by which rules.
    pub subject: analysis::Subject<'a>,
    /// The present moment.
    pub now: DateTime<Utc>,
    /// Cancelled when nobody waits for the result any more: then nothing is recorded.
    pub stop: &'a CancellationToken,
    /// What is left to a summary.
    pub pending_summary: &'a PendingSummary,
}

impl Recorder<'_> {
    /// Analyses what is stored, records what is new, and puts it into the outbox.
    pub async fn analyse(&self) -> Result<Outcome, StoreError> {
        self.analyse_with(&mut Analyst::once()).await
    }

    /// Analyses with an analyst that may know what was analysed before.
    pub async fn analyse_with(&self, analyst: &mut Analyst) -> Result<Outcome, StoreError> {
        let Analysis {
            changed,
            retracted,
            state,
        } = analyst.analyse(self.store, &self.subject).await?;
        let Some(state) = state else {
            return Ok(Outcome::default());
        };
        if self.stop.is_cancelled() {
            return Ok(Outcome::default());
        }
        let (outcome, mut messages) = self.report(&changed).await?;
        for id in &retracted {
            messages.retract(id).await?;
        }
        let changed = changed.into_iter().map(|(recorded, _)| recorded).collect();
        let all = messages.with(changed, retracted);
        self.store
            .record_analysis(self.subject.tenant, state, all, self.now)
            .await?;
        analyst.recorded();
        Ok(outcome)
    }

    /// Analyses while history is still being read, by policy detectors that need none: nothing that was recorded by other rules is
    /// touched, and no working state is kept, because these rules are not those of the next analysis.
    pub async fn analyse_policies(&self) -> Result<Outcome, StoreError> {
        let Analysis { mut changed, .. } = analysis::analyse(self.store, &self.subject).await?;
        if self.stop.is_cancelled() {
            return Ok(Outcome::default());
        }
        changed.retain(|(recorded, before)| {
            let detector = &recorded.finding.detector;
            before
                .as_ref()
                .is_none_or(|before| before.detector == *detector)
        });
        let (outcome, messages) = self.report(&changed).await?;
        let mut changed: Vec<_> = changed.into_iter().map(|(recorded, _)| recorded).collect();
        for recorded in &mut changed {
            // The next analysis hands out everything again.
            recorded.settled = false;
        }
        let all = messages.with(changed, Vec::new());
        self.store
            .record(self.subject.tenant, all, self.now)
            .await?;
        Ok(outcome)
    }

    /// What is new of the findings that changed, each with what was recorded before, and the messages about it.
    async fn report(
        &self,
        changed: &[(Recorded, Option<Finding>)],
    ) -> Result<(Outcome, Messages<'_>), StoreError> {
        let mut outcome = Outcome::default();
        let mut messages = Messages::new(self.store, self.notifiers, self.now);
        for (Recorded { finding, .. }, before) in changed {
            let escalated = before
                .as_ref()
                .is_some_and(|before| finding.severity > before.severity);
            if escalated || before.is_none() {
                outcome.note(finding);
            }
            // History does not page people: a walk through it ends with one summary. A rise in severity always does.
            let history = finding
                .window
                .is_some_and(|(start, end)| self.pending_summary.covers(start, end));
            let grown = before
                .as_ref()
                .is_none_or(|before| finding.revision > before.revision);
            if escalated || (grown && !history) {
                // Late events are waited for, so that the first message covers them too.
                let due = after(finding.last_seen, self.subject.detect.lateness).max(self.now);
                messages.report(finding, due).await?;
            } else if before.is_some() {
                messages.refresh(finding).await?;
            }
        }
        Ok((outcome, messages))
    }
}

/// Messages about findings, collected to be put into the outbox with them.
#[derive(Debug)]
pub(crate) struct Messages<'a> {
    store: &'a dyn Store,
    notifiers: &'a [config::Notifier],
    now: DateTime<Utc>,
    deliveries: Vec<NewDelivery>,
    withdrawn: Vec<(FindingId, String)>,
}

impl<'a> Messages<'a> {
    /// An empty collection.
    pub(crate) const fn new(
        store: &'a dyn Store,
        notifiers: &'a [config::Notifier],
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            store,
            notifiers,
            now,
            deliveries: Vec::new(),
            withdrawn: Vec::new(),
        }
    }

    /// The messages together with the findings that they are about.
    pub(crate) fn with(self, changed: Vec<Recorded>, retracted: Vec<FindingId>) -> Changes {
        Changes {
            changed,
            gone: retracted,
            withdrawn: self.withdrawn,
            deliveries: self.deliveries,
        }
    }

    /// Adds a message about a finding for each notifier that it is routed to, in the place of one that waits, and due no later
    /// than that.
    ///
    /// Its revision is that of the finding, or one more than a receiver may have seen: a finding that was taken back and
    /// holds again is not taken for the message that was taken back.
    pub(crate) async fn report(
        &mut self,
        finding: &Finding,
        due: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let posted = self.store.posted(&finding.id).await?;
        let mut finding = self.store.with_verdicts(finding.clone()).await?;
        finding.revision = finding.revision.max(unseen_revision(&posted));
        let routes: Vec<&str> = notify::route(self.notifiers, finding.severity).collect();
        for message in unsent(&posted) {
            if !routes.contains(&message.notifier.as_str()) {
                self.withdraw(&finding.id, message);
            }
        }
        for notifier in routes {
            // What goes on and grows is reported no later for it.
            let waiting = unsent(&posted).filter(|message| message.notifier == notifier);
            let due = waiting.map(|message| message.due).fold(due, DateTime::min);
            self.deliveries.push(message(&finding, notifier, due)?);
        }
        Ok(())
    }

    /// Brings the waiting messages about a finding up to date, or withdraws them where the finding is not routed to their
    /// notifier any more. They stay due when they were.
    pub(crate) async fn refresh(&mut self, finding: &Finding) -> Result<(), StoreError> {
        let posted = self.store.posted(&finding.id).await?;
        if unsent(&posted).next().is_none() {
            return Ok(());
        }
        let mut finding = self.store.with_verdicts(finding.clone()).await?;
        let routes: Vec<&str> = notify::route(self.notifiers, finding.severity).collect();
        for waiting in unsent(&posted) {
            if !routes.contains(&waiting.notifier.as_str()) {
                self.withdraw(&finding.id, waiting);
                continue;
            }
            // A message that a receiver may have seen is kept; it is replaced where its severity was higher than the present one.
            finding.revision = match (waiting.is_unseen(), waiting.severity > finding.severity) {
                (true, _) => waiting.revision,
                (false, true) => unseen_revision(&posted),
                (false, false) => continue,
            };
            let delivery = message(&finding, &waiting.notifier, waiting.due)?;
            self.deliveries.push(delivery);
        }
        Ok(())
    }

    /// Adds a correction for each notifier that was sent a finding which no longer holds, unless it was corrected since.
    pub(crate) async fn retract(&mut self, id: &FindingId) -> Result<(), StoreError> {
        let posted = self.store.posted(id).await?;
        let mut sent: BTreeMap<&str, &Posted> = BTreeMap::new();
        for message in posted.iter().filter(|one| one.sent && !one.retraction) {
            let last = sent.entry(&message.notifier).or_insert(message);
            if message.revision > last.revision {
                *last = message;
            }
        }
        if sent.is_empty() {
            return Ok(());
        }
        let Some(Recorded { finding, .. }) = self.store.recorded_finding(id).await? else {
            return Ok(());
        };
        for (
            notifier,
            Posted {
                revision, severity, ..
            },
        ) in sent
        {
            let content = Content::Retraction {
                finding: finding.clone(),
                revision: *revision,
                severity: *severity,
            };
            // The same correction again is not put into the outbox: its key is there.
            self.deliveries.push(NewDelivery {
                id: notify::retraction_id(id, *revision),
                subject: id.to_string(),
                notifier: notifier.to_owned(),
                severity: *severity,
                body: stored(&content)?,
                due: self.now,
            });
        }
        Ok(())
    }

    fn withdraw(&mut self, id: &FindingId, message: &Posted) {
        self.withdrawn.push((id.clone(), message.notifier.clone()));
    }
}

/// The messages that wait, without corrections.
fn unsent(posted: &[Posted]) -> impl Iterator<Item = &Posted> {
    posted.iter().filter(|one| one.waiting && !one.retraction)
}

/// The least revision that no receiver can have seen.
fn unseen_revision(posted: &[Posted]) -> u32 {
    let seen = posted.iter().filter(|one| !one.is_unseen());
    seen.map(|one| one.revision + 1).max().unwrap_or_default()
}

/// A message to a notifier about a finding.
fn message(
    finding: &Finding,
    notifier: &str,
    due: DateTime<Utc>,
) -> Result<NewDelivery, StoreError> {
    Ok(NewDelivery {
        id: notify::message_id(finding),
        subject: finding.id.to_string(),
        notifier: notifier.to_owned(),
        severity: finding.severity,
        body: stored(&Content::Finding(finding.clone()))?,
        due,
    })
}

/// What a message says, in the form of the outbox.
fn stored(content: &Content) -> Result<Vec<u8>, StoreError> {
    content
        .to_stored()
        .map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// Puts one message about a walk of history into the outbox, if it found anything.
pub async fn summarise(
    store: &dyn Store,
    tenant: TenantId,
    name: &str,
    notifiers: &[config::Notifier],
    walk: summary::History,
    span: Window,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let deliveries = summarised(store, tenant, name, notifiers, walk, span, now).await?;
    let changes = Changes {
        deliveries,
        ..Changes::default()
    };
    store.record(tenant, changes, now).await
}

/// One message about a walk of history for each notifier that it is routed to, if the walk found anything.
pub async fn summarised(
    store: &dyn Store,
    tenant: TenantId,
    name: &str,
    notifiers: &[config::Notifier],
    walk: summary::History,
    span: Window,
    now: DateTime<Utc>,
) -> Result<Vec<NewDelivery>, StoreError> {
    let installed = store.installed(tenant).await?;
    let mut findings = store.findings(Some(name)).await?;
    findings.retain(|finding| {
        finding
            .window
            .is_some_and(|(start, end)| end < installed && start < span.until && end >= span.from)
    });
    let summary = summary::Summary::new(name, walk, span, &findings);
    let Some(severity) = summary.severity() else {
        return Ok(Vec::new());
    };
    let id = summary.id();
    let body = stored(&Content::Summary(summary))?;
    Ok(notify::route(notifiers, severity)
        .map(|notifier| NewDelivery {
            id: id.clone(),
            subject: id.clone(),
            notifier: notifier.to_owned(),
            severity,
            body: body.clone(),
            due: now,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::SecretSource;
    use crate::notify::webhook;
    use crate::storage::sqlite::Sqlite;
    use crate::storage::{Findings as _, Outbox as _, Registry as _};
    use pagewarden_core::model::{Family, Severity};
    use pagewarden_core::time::moment;

    fn finding(revision: u32, severity: Severity) -> Finding {
        let id = FindingId::new("f");
        Finding {
            revision,
            severity,
            ..Finding::about_nobody(id, "acme", Family::Reading, "volume-anomaly", moment(50))
        }
    }

    #[tokio::test]
    async fn what_goes_on_and_grows_is_reported_when_it_was_due() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("state.db")).unwrap();
        let tenant = store.tenant("acme", None, moment(0)).await.unwrap();
        let soc = config::Notifier {
            name: "soc".to_owned(),
            kind: webhook::NAME,
            settings: Arc::new(webhook::Settings {
                url: SecretSource::Env("NONE".to_owned()),
                secret: None,
            }),
            min_severity: Severity::Low,
        };
        let report = async |revision, severity, due| {
            let notifiers = std::slice::from_ref(&soc);
            let mut messages = Messages::new(&store, notifiers, moment(60));
            let finding = finding(revision, severity);
            messages.report(&finding, moment(due)).await.unwrap();
            let changes = messages.with(Vec::new(), Vec::new());
            store.record(tenant, changes, moment(60)).await.unwrap();
            let posted = store.posted(&finding.id).await.unwrap();
            let waiting = posted.iter().map(|one| (one.revision, one.due));
            waiting.collect::<Vec<_>>()
        };
        let first = report(1, Severity::Medium, 660).await;
        assert_eq!(first, [(1, moment(660))]);
        let grown = report(2, Severity::Critical, 1_200).await;
        assert_eq!(grown, [(2, moment(660))]);
    }
}
