//! What a message says, and the form in which the outbox keeps it until a notifier renders it.
//!
//! The stored form is ours and has a version: it is not one of the formats for users. Rendering is left to each notifier.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::output::summary::{History, Summary};
use pagewarden_core::model::{Finding, Severity};
use pagewarden_core::time::Window;

/// The version of the stored form. A finding in it has the form of the state file: when that changes so that older text
/// cannot be read, this changes too.
const VERSION: u32 = 1;

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A finding is new, was escalated or has grown; its status is that of the last verdict.
    Finding(Finding),
    /// A finding that was sent no longer holds.
    Retraction {
        /// The finding as it was recorded last.
        finding: Finding,
        /// The revision that the last message about it had.
        revision: u32,
        /// The severity that the last message about it had.
        severity: Severity,
    },
    /// What a walk of history found.
    Summary(Summary),
    /// JSON for a webhook, as a program with schema 1 rendered it: its attempts keep their bytes.
    Rendered(String),
}

/// Why a stored content cannot be read. Holds nothing of the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Another program wrote it.
    #[error("the stored message has form {0}, this program knows form {VERSION}")]
    Version(u32),
    /// It is torn or was changed by hand.
    #[error("the stored message cannot be read (line {line}, column {column})")]
    Broken {
        /// The line at which reading ended.
        line: usize,
        /// The column at which reading ended.
        column: usize,
    },
}

impl From<serde_json::Error> for ContentError {
    fn from(error: serde_json::Error) -> Self {
        Self::Broken {
            line: error.line(),
            column: error.column(),
        }
    }
}

impl Content {
    /// The form for the outbox.
    pub fn to_stored(&self) -> Result<Vec<u8>, ContentError> {
        Ok(serde_json::to_vec(&Stored {
            version: VERSION,
            content: StoredContent::from(self),
        })?)
    }

    /// Reads the form of the outbox.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, ContentError> {
        let Version { version } = serde_json::from_slice(bytes)?;
        if version != VERSION {
            return Err(ContentError::Version(version));
        }
        let stored: Stored<'_> = serde_json::from_slice(bytes)?;
        Ok(Self::from(stored.content))
    }
}

/// The version alone: the rest may have any form.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// A content as the outbox has it.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    version: u32,
    content: StoredContent<'a>,
}

/// The kinds of contents, each under its name. `migrations/2.sql` writes `rendered` too.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredContent<'a> {
    Finding(Cow<'a, Finding>),
    Retraction {
        finding: Cow<'a, Finding>,
        revision: u32,
        severity: Severity,
    },
    Summary(StoredSummary<'a>),
    Rendered(Cow<'a, str>),
}

/// A summary as the outbox has it.
#[derive(Serialize, Deserialize)]
struct StoredSummary<'a> {
    tenant: Cow<'a, str>,
    walk: History,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    by_detector: Cow<'a, BTreeMap<String, u32>>,
    by_severity: BTreeMap<Severity, u32>,
    most_severe: Cow<'a, [Finding]>,
}

impl<'a> From<&'a Content> for StoredContent<'a> {
    fn from(content: &'a Content) -> Self {
        match content {
            Content::Finding(finding) => Self::Finding(Cow::Borrowed(finding)),
            Content::Retraction {
                finding,
                revision,
                severity,
            } => Self::Retraction {
                finding: Cow::Borrowed(finding),
                revision: *revision,
                severity: *severity,
            },
            Content::Summary(summary) => Self::Summary(StoredSummary::from(summary)),
            Content::Rendered(text) => Self::Rendered(Cow::Borrowed(text)),
        }
    }
}

impl From<StoredContent<'_>> for Content {
    fn from(stored: StoredContent<'_>) -> Self {
        match stored {
            StoredContent::Finding(finding) => Self::Finding(finding.into_owned()),
            StoredContent::Retraction {
                finding,
                revision,
                severity,
            } => Self::Retraction {
                finding: finding.into_owned(),
                revision,
                severity,
            },
            StoredContent::Summary(summary) => Self::Summary(Summary::from(summary)),
            StoredContent::Rendered(text) => Self::Rendered(text.into_owned()),
        }
    }
}

impl<'a> From<&'a Summary> for StoredSummary<'a> {
    fn from(summary: &'a Summary) -> Self {
        let Summary {
            tenant,
            walk,
            span: Window { from, until },
            by_detector,
            by_severity,
            most_severe,
        } = summary;
        Self {
            tenant: Cow::Borrowed(tenant),
            walk: *walk,
            from: *from,
            until: *until,
            by_detector: Cow::Borrowed(by_detector),
            by_severity: by_severity.iter().copied().collect(),
            most_severe: Cow::Borrowed(most_severe),
        }
    }
}

impl From<StoredSummary<'_>> for Summary {
    fn from(stored: StoredSummary<'_>) -> Self {
        let StoredSummary {
            tenant,
            walk,
            from,
            until,
            by_detector,
            by_severity,
            most_severe,
        } = stored;
        let count = |severity| by_severity.get(&severity).copied().unwrap_or_default();
        Self {
            tenant: tenant.into_owned(),
            walk,
            span: Window { from, until },
            by_detector: by_detector.into_owned(),
            by_severity: Severity::ALL.map(|severity| (severity, count(severity))),
            most_severe: most_severe.into_owned(),
        }
    }
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;
