//! What polling and analysis came to, for exit codes and for what is listed at the end.

use crate::telemetry::events::FindingRecorded;
use pagewarden_core::model::{Finding, FindingId, Severity};

/// What a piece of work came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What could not be done, in words for people.
    pub failures: Vec<String>,
    /// The highest severity of what is new.
    pub highest: Option<Severity>,
    /// Findings that are new or escalated.
    pub news: Vec<FindingId>,
}

impl Outcome {
    /// Adds what another piece of work came to.
    pub fn add(&mut self, other: Self) {
        self.failures.extend(other.failures);
        self.highest = self.highest.max(other.highest);
        self.news.extend(other.news);
    }

    /// Counts a finding that is new or escalated, and logs it.
    pub fn note(&mut self, finding: &Finding) {
        self.highest = self.highest.max(Some(finding.severity));
        self.news.push(finding.id.clone());
        FindingRecorded {
            tenant: &finding.tenant,
            finding: finding.id.as_str(),
            revision: finding.revision,
            detector: &finding.detector,
            severity: finding.severity,
        }
        .emit();
    }
}
