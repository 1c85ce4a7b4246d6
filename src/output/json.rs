//! Findings as JSON: `pagewarden.finding.v1`, alone, in a list, or one per line.
//!
//! Fields are only ever added. No wall-clock time is in it, so the same input gives the same bytes.

use std::io;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use pagewarden_core::model::finding::{
    Account, Evidence, Expected, Finding, Observed, PageRead, Signal,
};
use pagewarden_core::model::{EventId, Family, FindingId, Severity, SpaceKey, Status};
use pagewarden_core::text;
use pagewarden_core::time::rfc3339;

/// Writes all findings as one document, sorted by id.
pub fn write_json(findings: &[Finding], out: &mut dyn io::Write) -> io::Result<()> {
    let document = V1Findings {
        schema: "pagewarden.findings.v1",
        findings: sorted(findings).into_iter().map(V1Finding::from).collect(),
    };
    pretty(&document, out)
}

/// Writes one finding per line, sorted by id.
pub fn write_ndjson(findings: &[Finding], out: &mut dyn io::Write) -> io::Result<()> {
    for finding in sorted(findings) {
        out.write_all(&one(finding))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// One finding for people who want its JSON: indented, with a line end.
pub fn write_one(finding: &Finding, out: &mut dyn io::Write) -> io::Result<()> {
    pretty(&V1Finding::from(finding), out)
}

/// One finding as the body of a message: on one line, without a line end.
///
/// Words, numbers and lists alone are in it, so there is nothing that could fail to be written.
pub fn one(finding: &Finding) -> Vec<u8> {
    line(&V1Finding::from(finding))
}

/// Writes a frozen copy as indented JSON, with a line end.
pub(super) fn pretty(value: &impl Serialize, out: &mut dyn io::Write) -> io::Result<()> {
    let json = serde_json::to_string_pretty(value)?;
    writeln!(out, "{}", text::json(&json))
}

/// A frozen copy as JSON on one line, without a line end.
pub(super) fn line(value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_string(value).unwrap_or_default();
    text::json(&json).into_owned().into_bytes()
}

/// The findings in the order of their ids.
fn sorted(findings: &[Finding]) -> Vec<&Finding> {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by(|one, other| one.id.cmp(&other.id));
    sorted
}

/// Every finding of an export.
#[derive(Serialize)]
struct V1Findings<'a> {
    schema: &'static str,
    findings: Vec<V1Finding<'a>>,
}

/// A finding, as version 1 has it.
#[derive(Serialize)]
pub(super) struct V1Finding<'a> {
    schema: &'static str,
    id: &'a str,
    revision: u32,
    tenant: &'a str,
    family: Family,
    detector: &'a str,
    severity: Severity,
    bits: f64,
    threshold: f64,
    status: Status,
    account: Option<V1Account<'a>>,
    privileged: V1Privileged<'a>,
    window: Option<V1Window>,
    observed: V1Observed<'a>,
    expected: Option<V1Expected>,
    reason: &'a str,
    signals: Vec<V1Signal<'a>>,
    evidence: V1Evidence<'a>,
    continues: Option<&'a str>,
    attack: Option<V1Attack>,
    first_seen: At,
    last_seen: At,
}

impl<'a> From<&'a Finding> for V1Finding<'a> {
    fn from(finding: &'a Finding) -> Self {
        let Finding {
            id,
            revision,
            tenant,
            family,
            detector,
            severity,
            bits,
            threshold,
            status,
            account,
            privileged_via,
            window,
            observed,
            expected,
            reason,
            signals,
            evidence,
            continues,
            first_seen,
            last_seen,
        } = finding;
        Self {
            schema: "pagewarden.finding.v1",
            id: id.as_str(),
            revision: *revision,
            tenant,
            family: *family,
            detector,
            severity: *severity,
            bits: tenths(*bits),
            threshold: tenths(*threshold),
            status: *status,
            account: account.as_ref().map(V1Account::from),
            privileged: V1Privileged {
                is: !privileged_via.is_empty(),
                via: privileged_via,
            },
            window: window.map(|(start, end)| V1Window {
                start: At(start),
                end: At(end),
            }),
            observed: V1Observed::from(observed),
            expected: expected.as_ref().map(V1Expected::from),
            reason,
            signals: signals.iter().map(V1Signal::from).collect(),
            evidence: V1Evidence::from(evidence),
            continues: continues.as_ref().map(FindingId::as_str),
            attack: attack(*family, detector),
            first_seen: At(*first_seen),
            last_seen: At(*last_seen),
        }
    }
}

/// Whom a finding is about.
#[derive(Serialize)]
pub(super) struct V1Account<'a> {
    id: &'a str,
    name: Option<&'a str>,
    email: Option<&'a str>,
    r#type: &'static str,
}

impl<'a> From<&'a Account> for V1Account<'a> {
    fn from(account: &'a Account) -> Self {
        let Account {
            id,
            name,
            email,
            kind,
        } = account;
        Self {
            id: id.as_str(),
            name: name.as_deref(),
            email: email.as_deref(),
            r#type: kind.account_type(),
        }
    }
}

/// Whether the account was privileged, and by what.
#[derive(Serialize)]
struct V1Privileged<'a> {
    is: bool,
    via: &'a [String],
}

/// First and last event of what is told.
#[derive(Serialize)]
struct V1Window {
    start: At,
    end: At,
}

/// What was seen.
#[derive(Serialize)]
struct V1Observed<'a> {
    pages: u32,
    spaces: u32,
    new_pages: Option<u32>,
    views: u32,
    exports: u32,
    addresses: u32,
    auth: &'a [String],
}

impl<'a> From<&'a Observed> for V1Observed<'a> {
    fn from(observed: &'a Observed) -> Self {
        let Observed {
            pages,
            spaces,
            new_pages,
            views,
            exports,
            addresses,
            auth,
        } = observed;
        Self {
            pages: *pages,
            spaces: *spaces,
            new_pages: *new_pages,
            views: *views,
            exports: *exports,
            addresses: *addresses,
            auth,
        }
    }
}

/// What is usual.
#[derive(Serialize)]
struct V1Expected {
    pages: f64,
    pages_p99: u32,
}

impl From<&Expected> for V1Expected {
    fn from(expected: &Expected) -> Self {
        let Expected { pages, pages_p99 } = expected;
        Self {
            pages: tenths(*pages),
            pages_p99: *pages_p99,
        }
    }
}

/// One measure of surprise.
#[derive(Serialize)]
struct V1Signal<'a> {
    name: &'a str,
    bits: f64,
    reason: &'a str,
}

impl<'a> From<&'a Signal> for V1Signal<'a> {
    fn from(signal: &'a Signal) -> Self {
        let Signal { name, bits, reason } = signal;
        Self {
            name,
            bits: tenths(*bits),
            reason,
        }
    }
}

/// What the finding rests on.
#[derive(Serialize)]
struct V1Evidence<'a> {
    event_ids: Vec<&'a str>,
    pages: Vec<V1Page<'a>>,
    omitted: u32,
}

impl<'a> From<&'a Evidence> for V1Evidence<'a> {
    fn from(evidence: &'a Evidence) -> Self {
        let Evidence {
            event_ids,
            pages,
            omitted,
        } = evidence;
        Self {
            event_ids: event_ids.iter().map(EventId::as_str).collect(),
            pages: pages.iter().map(V1Page::from).collect(),
            omitted: *omitted,
        }
    }
}

/// One page that was read.
#[derive(Serialize)]
struct V1Page<'a> {
    id: &'a str,
    space: Option<&'a str>,
    at: At,
}

impl<'a> From<&'a PageRead> for V1Page<'a> {
    fn from(page: &'a PageRead) -> Self {
        let PageRead { id, space, at } = page;
        Self {
            id: id.as_str(),
            space: space.as_ref().map(SpaceKey::as_str),
            at: At(*at),
        }
    }
}

/// Where the matter stands in MITRE ATT&CK.
#[derive(Serialize)]
pub(super) struct V1Attack {
    pub(super) technique: &'static str,
    pub(super) tactic: &'static str,
}

/// The technique that a finding points at; none where it is about our own sight.
pub(super) fn attack(family: Family, detector: &str) -> Option<V1Attack> {
    match (family, detector) {
        (Family::Blind, _) => None,
        (Family::Admin, "admin-grant") => Some(V1Attack {
            technique: "T1098.003",
            tactic: "persistence",
        }),
        (Family::Reading | Family::Export | Family::Canary | Family::Admin, _) => Some(V1Attack {
            technique: "T1213.001",
            tactic: "collection",
        }),
    }
}

/// A moment, written in RFC 3339, UTC, whole seconds.
pub(super) struct At(pub(super) DateTime<Utc>);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

/// A number with one decimal; never minus zero, never infinite, because JSON has no word for that.
pub(super) fn tenths(number: f64) -> f64 {
    if number.is_nan() {
        return 0.0;
    }
    (number.clamp(-9_999.9, 9_999.9) * 10.0).round() / 10.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::super::samples::{blindness, collection, hostile};
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_finding_has_every_field_of_version_1() {
        let mut finding = collection();
        finding.evidence.pages.truncate(2);
        insta::assert_snapshot!(written(|out| write_json(&[finding], out)));
    }

    #[test]
    fn what_is_not_known_is_null() {
        insta::assert_snapshot!(written(|out| write_one(&blindness(), out)));
    }

    #[test]
    fn the_order_of_findings_does_not_change_the_bytes() {
        let forth = written(|out| write_json(&[collection(), blindness()], out));
        let back = written(|out| write_json(&[blindness(), collection()], out));
        assert_eq!(forth, back);
        assert!(forth.find(blindness().id.as_str()) < forth.find(collection().id.as_str()));
    }

    #[test]
    fn a_line_of_ndjson_is_the_body_of_a_message() {
        let lines = written(|out| write_ndjson(&[collection(), blindness()], out));
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].as_bytes(), one(&collection()));
        let value: serde_json::Value = serde_json::from_slice(&one(&collection())).unwrap();
        assert_eq!(value["schema"], "pagewarden.finding.v1");
    }

    #[test]
    fn nothing_found_is_an_empty_list() {
        let expected = "{\n  \"schema\": \"pagewarden.findings.v1\",\n  \"findings\": []\n}\n";
        assert_eq!(written(|out| write_json(&[], out)), expected);
        assert_eq!(written(|out| write_ndjson(&[], out)), "");
    }

    #[test]
    fn reversing_characters_are_spelled_and_still_mean_themselves() {
        let body = String::from_utf8(one(&hostile())).unwrap();
        assert!(
            !body.contains('\u{202e}') && body.contains(r"Eve\u202enimda"),
            "{body}"
        );
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            value["account"]["name"].as_str(),
            hostile().account.unwrap().name.as_deref()
        );
    }

    #[test]
    fn numbers_have_one_decimal_and_always_exist() {
        let shown = |number| format!("{:?}", tenths(number));
        assert_eq!(
            [shown(15.0612), shown(10.65), shown(-0.01)],
            ["15.1", "10.7", "0.0"]
        );
        assert_eq!([shown(f64::INFINITY), shown(f64::NAN)], ["9999.9", "0.0"]);
    }

    #[test]
    fn milliseconds_do_not_reach_the_output() {
        let mut finding = collection();
        finding.last_seen += chrono::TimeDelta::milliseconds(999);
        assert_eq!(one(&finding), one(&collection()));
    }
}
