//! What is new is recorded, and its messages with it in one transaction.

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::analysis::{self, Analysis, Analyst};
use crate::config;
use crate::notify;
use crate::outcome::Outcome;
use crate::output::{json, summary};
use crate::storage::{NewDelivery, Store, StoreError, TenantId};
use pagewarden_core::model::Finding;
use pagewarden_core::time::{Window, after};

/// Everything that judging a tenant needs.
#[derive(Debug, Clone, Copy)]
pub struct Judging<'a> {
    /// Where everything is.
    pub store: &'a Store,
    /// Who is told.
    pub notifiers: &'a [config::Notifier],
    /// Which tenant, by which rules.
    pub subject: analysis::Subject<'a>,
    /// The present moment.
    pub now: DateTime<Utc>,
    /// Says that nobody waits for the result any more: then nothing is recorded.
    pub stop: &'a CancellationToken,
}

impl Judging<'_> {
    /// Analyses what is stored, records what is new, and puts it into the outbox.
    pub fn judge(&self) -> Result<Outcome, StoreError> {
        self.judge_with(&mut Analyst::once())
    }

    /// The same with an analyst that may know what was analysed before.
    pub fn judge_with(&self, analyst: &mut Analyst) -> Result<Outcome, StoreError> {
        let Analysis {
            changed,
            gone,
            state,
        } = analyst.analyse(self.store, &self.subject)?;
        let Some((state, anew)) = state else {
            return Ok(Outcome::default());
        };
        if self.stop.is_cancelled() {
            return Ok(Outcome::default());
        }
        let installed = self.store.installed(self.subject.tenant)?;
        let mut outcome = Outcome::default();
        let mut deliveries = Vec::new();
        for (recorded, before) in &changed {
            let finding = &recorded.finding;
            let rose = before
                .as_ref()
                .is_some_and(|before| finding.severity > before.severity);
            if rose || before.is_none() {
                outcome.note(finding);
            }
            // History does not page people: a walk through it ends with one summary. A rise in severity always does.
            let history = finding.window.is_some_and(|(_, end)| end < installed);
            let grown = before
                .as_ref()
                .is_none_or(|before| finding.revision > before.revision);
            if grown && (rose || !history) {
                // What comes in late is waited for: then the first message tells it too.
                let due = after(finding.last_seen, self.subject.detect.lateness).max(self.now);
                deliveries.extend(messages(self.store, self.notifiers, finding, due)?);
            }
        }
        let changed: Vec<_> = changed.into_iter().map(|(recorded, _)| recorded).collect();
        self.store.record_analysis(
            self.subject.tenant,
            (&state, anew),
            &changed,
            &gone,
            &deliveries,
            self.now,
        )?;
        analyst.recorded();
        Ok(outcome)
    }
}

/// The messages about a finding, one for each notifier that is told of such.
pub(crate) fn messages(
    store: &Store,
    notifiers: &[config::Notifier],
    finding: &Finding,
    due: DateTime<Utc>,
) -> Result<Vec<NewDelivery>, StoreError> {
    let finding = store.with_verdicts(finding.clone())?;
    let routes = notify::route(notifiers, finding.severity);
    Ok(routes
        .map(|notifier| NewDelivery {
            id: notify::message_id(&finding),
            subject: finding.id.to_string(),
            notifier: notifier.to_owned(),
            severity: finding.severity,
            body: json::one(&finding),
            due,
        })
        .collect())
}

/// Puts one message about a walk of history into the outbox, if it found anything.
pub fn summarise(
    store: &Store,
    tenant: TenantId,
    name: &str,
    notifiers: &[config::Notifier],
    walk: summary::History,
    span: Window,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let deliveries = summarised(store, tenant, name, notifiers, walk, span, now)?;
    store.record(tenant, &[], &[], &deliveries, now)
}

/// One message about a walk of history for everybody who is told, if it found anything.
pub fn summarised(
    store: &Store,
    tenant: TenantId,
    name: &str,
    notifiers: &[config::Notifier],
    walk: summary::History,
    span: Window,
    now: DateTime<Utc>,
) -> Result<Vec<NewDelivery>, StoreError> {
    let installed = store.installed(tenant)?;
    let mut findings = store.findings(Some(name))?;
    findings.retain(|finding| {
        finding
            .window
            .is_some_and(|(start, end)| end < installed && start < span.until && end >= span.from)
    });
    let summary = summary::Summary::new(name, walk, span, &findings);
    let Some(severity) = summary.severity() else {
        return Ok(Vec::new());
    };
    Ok(notify::route(notifiers, severity)
        .map(|notifier| NewDelivery {
            id: summary.id(),
            subject: summary.id(),
            notifier: notifier.to_owned(),
            severity,
            body: summary.body(),
            due: now,
        })
        .collect())
}
