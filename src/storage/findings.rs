//! Findings, and what people said of them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{NewDelivery, StoreError, TenantId};
use pagewarden_core::model::{Finding, FindingId, Verdict};

/// A finding as recorded, before verdicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The finding; its revision counts crossings and rises only, its status is open.
    pub finding: Finding,
    /// Whether its period is behind the settle line, so that only a fold from scratch can change it.
    pub settled: bool,
}

/// Some recorded findings, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordedChunk {
    /// The findings.
    pub findings: Vec<Recorded>,
    /// Behind which id the next ones are; none where these are the last.
    pub next: Option<FindingId>,
}

/// What an analysis changes: findings and the messages about them, kept together or not at all.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Findings that are new or have changed.
    pub changed: Vec<Recorded>,
    /// Findings that no longer hold; the messages about them that wait are withdrawn.
    pub gone: Vec<FindingId>,
    /// Findings of which a notifier is not to be told any more.
    pub withdrawn: Vec<(FindingId, String)>,
    /// Messages to put into the outbox.
    pub deliveries: Vec<NewDelivery>,
}

/// What a site last said of a canary page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryView {
    /// The host name of the site.
    pub site: String,
    /// The page.
    pub page: String,
    /// How often it was opened, ever, and when that was asked; none where the site never told.
    pub counted: Option<(u32, DateTime<Utc>)>,
    /// Why the site refused when last asked, if it did. May hold untrusted text.
    pub refused: Option<String>,
}

/// The recorded findings.
#[async_trait]
pub trait Findings: Send + Sync + std::fmt::Debug {
    /// The next of a tenant's recorded findings that follow from its events, behind an id. Those about our own sight do
    /// not, nor canary pages that only a count tells of (see [`Finding::is_folded`]). One that cannot be read back is
    /// left out with a warning.
    async fn recorded_after(
        &self,
        tenant: TenantId,
        after: Option<&FindingId>,
    ) -> Result<RecordedChunk, StoreError>;

    /// A finding as recorded, before verdicts. One at a time: there are more of them the longer we watch.
    async fn recorded_finding(&self, id: &FindingId) -> Result<Option<Recorded>, StoreError>;

    /// The revision of a finding as recorded, before verdicts.
    async fn recorded_revision(&self, id: &FindingId) -> Result<Option<u32>, StoreError>;

    /// The recorded findings of a tenant about our own sight, before verdicts; settled where they are over.
    async fn blindness(&self, tenant: TenantId) -> Result<Vec<Recorded>, StoreError>;

    /// Writes findings that are new or changed, removes those that are no more, and puts their messages into the outbox.
    async fn record(
        &self,
        tenant: TenantId,
        changes: Changes,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Every finding with what people said of it, by id; of one tenant, or of all. One that cannot be read back is left out
    /// with a warning; `state check` names it.
    async fn findings(&self, tenant: Option<&str>) -> Result<Vec<Finding>, StoreError>;

    /// A finding that may not be recorded yet, with what people said of it.
    async fn with_verdicts(&self, finding: Finding) -> Result<Finding, StoreError>;

    /// Everything that people said, with its time and note, oldest first; of one finding only, if named. Those of findings
    /// that are no more are among them.
    async fn verdicts(&self, finding: Option<&FindingId>) -> Result<Vec<Verdict>, StoreError>;

    /// Keeps what a person said. Saying the same again of the same revision changes nothing.
    async fn mark(&self, verdict: &Verdict) -> Result<(), StoreError>;

    /// What the sites of a tenant last said of its canary pages.
    async fn canary_views(&self, tenant: TenantId) -> Result<Vec<CanaryView>, StoreError>;

    /// Keeps what they say now in the place of all that was kept, and what follows from it: both or neither.
    async fn keep_canary_views(
        &self,
        tenant: TenantId,
        views: &[CanaryView],
        changes: Changes,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;
}
