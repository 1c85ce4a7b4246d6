//! From stored events to findings: the engine over the store.
//!
//! Everything before the settle line has entered the stored state for good; the tail behind it is kept in memory between
//! cycles (see [`Analyst`]) or read anew, so whatever comes up to `settle` late gives the same findings. What comes later
//! still makes the analysis begin anew.

mod cache;
mod feed;
mod lookup;
mod resident;
mod rules;
pub mod suppression;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};

pub use self::cache::Cache;
use self::feed::Feed;
use self::lookup::Lookup;
pub use self::resident::Analyst;
use self::rules::Context;
use crate::config::{Admins, Detect};
use crate::storage::{EngineState, Recorded, Store, StoreError, TenantId};
use pagewarden_core::engine::Engine;
use pagewarden_core::model::{Finding, FindingId, RosterHistory};

/// Of which tenant, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its number.
    pub tenant: TenantId,
    /// Its name.
    pub name: &'a str,
    /// What makes privileged.
    pub admins: &'a Admins,
    /// The host names of the sites that are scored; empty where all are.
    pub sites: &'a [String],
    /// What is looked for.
    pub detect: &'a Detect,
}

/// What an analysis came to, before it is recorded.
#[derive(Debug, Default)]
pub struct Analysis {
    /// Findings that are new or have changed, with what was recorded before.
    pub changed: Vec<(Recorded, Option<Finding>)>,
    /// Findings that no longer hold.
    pub retracted: Vec<FindingId>,
    /// The working state at its line; to be kept together with the findings.
    pub state: Option<EngineState>,
}

/// Analyses everything that is stored and says what is new, once: for commands that end. Records nothing: final findings
/// are handed out once, so they and the working state behind them must be kept in one transaction.
pub async fn analyse(store: &dyn Store, subject: &Subject<'_>) -> Result<Analysis, StoreError> {
    Analyst::once().analyse(store, subject).await
}

/// Analyses everything that is stored from the first event on, and gives every finding as it would be recorded; changes
/// nothing.
pub async fn from_scratch(
    store: &dyn Store,
    subject: &Subject<'_>,
) -> Result<Vec<Finding>, StoreError> {
    let feed = Feed::of(store, subject.tenant).await?;
    let rules = Context::load(store, subject).await?.rules;
    let mut engine = Engine::new();
    let everything = feed.read(store, (i64::MIN, i64::MAX), |taken| {
        engine.take_any(&rules, taken);
    });
    everything.await?;
    let mut drafts = engine.finished();
    drafts.extend(engine.standing(&rules));
    let lookup = Lookup {
        store,
        subject,
        feed: &feed,
    };
    let mut findings = Vec::with_capacity(drafts.len());
    for draft in &drafts {
        findings.push(lookup.finding(draft).await?);
    }
    Ok(findings)
}

/// Who was privileged when, as far as the store knows.
pub async fn roster(store: &dyn Store, subject: &Subject<'_>) -> Result<RosterHistory, StoreError> {
    let snapshots = store.rosters(subject.tenant).await?;
    let changes = store.membership_changes(subject.tenant).await?;
    let privileging = crate::roster::Privileging::new(subject.admins);
    Ok(
        RosterHistory::new(&snapshots, &changes, |source| privileging.makes(source))
            .listing(&subject.admins.accounts),
    )
}

/// How many accounts are privileged at a moment.
pub async fn privileged_count(
    store: &dyn Store,
    subject: &Subject<'_>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let history = roster(store, subject).await?;
    Ok(history.count(now.timestamp()))
}
