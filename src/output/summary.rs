//! One message about a whole walk of history: `pagewarden.summary.v1`. History does not page people.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::json::{At, V1Finding, line, pretty};
use pagewarden_core::model::id::digest16;
use pagewarden_core::model::{EventKey, Finding, Severity};
use pagewarden_core::text;
use pagewarden_core::time::{Window, rfc3339};

/// How many findings a summary has in full.
const MOST_SEVERE: usize = 10;

/// Which reading of history a summary is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum History {
    /// `backfill`, or what a service reads behind live polling.
    Backfill,
    /// `import`.
    Import,
    /// A first `scan`, which begins before the installation.
    Scan,
}

impl History {
    /// The word used in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backfill => "backfill",
            Self::Import => "import",
            Self::Scan => "scan",
        }
    }
}

/// What a walk of history has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The tenant's name.
    pub tenant: String,
    /// Which reading.
    pub walk: History,
    /// The event time that it covered.
    pub span: Window,
    /// How many findings there were by detector.
    pub by_detector: BTreeMap<String, u32>,
    /// How many findings there were by severity, lowest first.
    pub by_severity: [(Severity, u32); 4],
    /// The most severe findings, at most ten, most severe first.
    pub most_severe: Vec<Finding>,
}

impl Summary {
    /// Sums up the findings of one walk of one tenant, in whatever order they come.
    pub fn new(tenant: &str, walk: History, span: Window, findings: &[Finding]) -> Self {
        let mut by_detector = BTreeMap::new();
        for finding in findings {
            *by_detector.entry(finding.detector.clone()).or_insert(0) += 1;
        }
        let count = |severity| {
            findings
                .iter()
                .filter(|finding| finding.severity == severity)
                .count()
        };
        let by_severity = Severity::ALL
            .map(|severity| (severity, u32::try_from(count(severity)).unwrap_or(u32::MAX)));
        let mut sorted: Vec<&Finding> = findings.iter().collect();
        sorted.sort_by(|one, other| {
            let excess = |finding: &Finding| finding.bits - finding.threshold;
            other
                .severity
                .cmp(&one.severity)
                .then_with(|| excess(other).total_cmp(&excess(one)))
                .then_with(|| one.id.cmp(&other.id))
        });
        Self {
            tenant: tenant.to_owned(),
            walk,
            span,
            by_detector,
            by_severity,
            most_severe: sorted.into_iter().take(MOST_SEVERE).cloned().collect(),
        }
    }

    /// The highest severity, by which the summary is routed; none where nothing was found.
    pub fn severity(&self) -> Option<Severity> {
        self.by_severity
            .iter()
            .rev()
            .find(|(_, count)| *count > 0)
            .map(|(severity, _)| *severity)
    }

    /// How many findings there were.
    pub fn total(&self) -> u64 {
        self.by_severity
            .iter()
            .map(|(_, count)| u64::from(*count))
            .sum()
    }

    /// What makes two summaries the same: tenant, walk and span. The idempotency key of its message.
    pub fn id(&self) -> String {
        let span = [self.span.from.timestamp(), self.span.until.timestamp()].map(i64::to_le_bytes);
        let [from, until] = &span;
        let fields: [&[u8]; 5] = [
            b"summary",
            self.tenant.as_bytes(),
            self.walk.as_str().as_bytes(),
            from,
            until,
        ];
        EventKey(digest16(&fields)).hex()
    }

    /// The body of its message: JSON on one line.
    pub fn body(&self) -> Vec<u8> {
        line(&V1Summary::new(self, &self.id()))
    }

    /// Writes it as indented JSON.
    pub fn write_json(&self, out: &mut dyn io::Write) -> io::Result<()> {
        pretty(&V1Summary::new(self, &self.id()), out)
    }

    /// One line for people: "acme, backfill of 2026-10-21 to 2026-11-20: 5 findings (1 critical, 4 low)".
    pub fn headline(&self) -> String {
        let parts: Vec<String> = self
            .by_severity
            .iter()
            .rev()
            .filter(|(_, count)| *count > 0)
            .map(|(severity, count)| {
                format!("{} {}", text::number(u64::from(*count)), severity.as_str())
            })
            .collect();
        let detail = if parts.is_empty() {
            String::new()
        } else {
            format!(" ({})", parts.join(", "))
        };
        let day = |at| rfc3339(at).chars().take(10).collect::<String>();
        format!(
            "{}, {} of {} to {}: {}{detail}",
            text::plain(&self.tenant, 60),
            self.walk.as_str(),
            day(self.span.from),
            day(self.span.until),
            text::count(self.total(), "finding"),
        )
    }
}

/// A summary, as version 1 has it.
#[derive(Serialize)]
struct V1Summary<'a> {
    schema: &'static str,
    id: &'a str,
    tenant: &'a str,
    walk: History,
    span: V1Span,
    severity: Option<Severity>,
    findings: u64,
    by_detector: &'a BTreeMap<String, u32>,
    by_severity: BTreeMap<Severity, u32>,
    most_severe: Vec<V1Finding<'a>>,
}

impl<'a> V1Summary<'a> {
    /// The frozen copy.
    fn new(summary: &'a Summary, id: &'a str) -> Self {
        let Summary {
            tenant,
            walk,
            span,
            by_detector,
            by_severity,
            most_severe,
        } = summary;
        Self {
            schema: "pagewarden.summary.v1",
            id,
            tenant,
            walk: *walk,
            span: V1Span {
                from: At(span.from),
                until: At(span.until),
            },
            severity: summary.severity(),
            findings: summary.total(),
            by_detector,
            by_severity: by_severity.iter().copied().collect(),
            most_severe: most_severe.iter().map(V1Finding::from).collect(),
        }
    }
}

/// The event time that was covered.
#[derive(Serialize)]
struct V1Span {
    from: At,
    until: At,
}

#[cfg(test)]
mod tests {
    use super::super::samples::{blindness, collection, hostile, start};
    use super::*;
    use pagewarden_core::model::FindingId;
    use pagewarden_core::time::before;

    fn span() -> Window {
        Window {
            from: before(start(), std::time::Duration::from_hours(30 * 24)),
            until: start(),
        }
    }

    #[test]
    fn a_summary_has_the_counts_and_the_most_severe() {
        let mut most_severe = hostile();
        most_severe.evidence.pages.clear();
        let summary = Summary::new(
            "acme",
            History::Backfill,
            span(),
            &[blindness(), most_severe],
        );
        let mut out = Vec::new();
        summary.write_json(&mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
        insta::assert_snapshot!(
            summary.headline(),
            @"acme, backfill of 2026-10-21 to 2026-11-20: 2 findings (1 critical, 1 medium)"
        );
    }

    #[test]
    fn at_most_ten_are_in_full_most_severe_first_in_any_order_of_arrival() {
        let mut findings: Vec<Finding> = (0..30)
            .map(|n| Finding {
                id: FindingId::new(format!("{n:032}")),
                severity: if n % 7 == 0 {
                    Severity::Critical
                } else {
                    Severity::Low
                },
                ..collection()
            })
            .collect();
        let forth = Summary::new("acme", History::Import, span(), &findings);
        findings.reverse();
        assert_eq!(
            Summary::new("acme", History::Import, span(), &findings),
            forth
        );
        assert_eq!((forth.most_severe.len(), forth.total()), (10, 30));
        assert_eq!(
            forth
                .most_severe
                .iter()
                .filter(|finding| finding.severity == Severity::Critical)
                .count(),
            5
        );
        assert_eq!(forth.most_severe[0].severity, forth.severity().unwrap());
    }

    #[test]
    fn an_empty_summary_has_no_severity() {
        let summary = Summary::new("acme", History::Scan, span(), &[]);
        assert_eq!(summary.severity(), None);
        assert!(summary.headline().ends_with("0 findings"));
        let body: serde_json::Value = serde_json::from_slice(&summary.body()).unwrap();
        assert_eq!(
            (&body["severity"], &body["findings"]),
            (&serde_json::Value::Null, &0.into())
        );
    }

    #[test]
    fn its_id_is_of_the_walk_and_not_of_what_it_found() {
        let id =
            |tenant, walk, findings: &[Finding]| Summary::new(tenant, walk, span(), findings).id();
        assert_eq!(
            id("acme", History::Scan, &[]),
            id("acme", History::Scan, &[collection()])
        );
        assert_ne!(
            id("acme", History::Scan, &[]),
            id("acme", History::Import, &[])
        );
        assert_ne!(
            id("acme", History::Scan, &[]),
            id("other", History::Scan, &[])
        );
    }
}
