//! What other settings would have found in the same events: `pagewarden.replay.v1`, as JSON and for people.

use std::io;

use serde::Serialize;

use super::json::{V1Finding, pretty, tenths};
use super::style::{Ink, Look};
use super::terminal::entry;
use pagewarden_core::model::Finding;
use pagewarden_core::text::{count, number, plain};

/// How many findings of a kind are shown to people.
const SHOWN: usize = 20;

/// The longest name that is shown.
const NAME: usize = 60;

/// What came of one tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// Its name.
    pub tenant: String,
    /// How many events were scored.
    pub events: u64,
    /// How many findings stay as they are recorded.
    pub same: u64,
    /// Findings that would be new, most severe first.
    pub appears: Vec<Finding>,
    /// Recorded findings that would not be found, most severe first.
    pub disappears: Vec<Finding>,
    /// Recorded findings that would have another severity or other bits: as recorded, and as they would be.
    pub changes: Vec<(Finding, Finding)>,
}

impl Replay {
    /// Holds what would be found against what is recorded; findings about log health belong to neither.
    pub fn compare(tenant: &str, events: u64, recorded: Vec<Finding>, found: Vec<Finding>) -> Self {
        let mut replay = Self {
            tenant: tenant.to_owned(),
            events,
            same: 0,
            appears: Vec::new(),
            disappears: Vec::new(),
            changes: Vec::new(),
        };
        let mut recorded: std::collections::BTreeMap<_, _> = recorded
            .into_iter()
            .map(|finding| (finding.id.clone(), finding))
            .collect();
        for now in found {
            match recorded.remove(&now.id) {
                None => replay.appears.push(now),
                Some(before) if same(&before, &now) => replay.same += 1,
                Some(before) => {
                    let status = before.status;
                    replay.changes.push((before, Finding { status, ..now }));
                }
            }
        }
        replay.disappears = recorded.into_values().collect();
        let order = |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.id.clone());
        replay.appears.sort_by_key(order);
        replay.disappears.sort_by_key(order);
        replay.changes.sort_by_key(|(_, now)| order(now));
        replay
    }
}

/// Whether two forms of a finding say the same to a reader: same detector, severity, bits and threshold.
fn same(one: &Finding, other: &Finding) -> bool {
    let form = |finding: &Finding| {
        let bits = [tenths(finding.bits), tenths(finding.threshold)].map(f64::to_bits);
        (finding.severity, bits, finding.detector.clone())
    };
    form(one) == form(other)
}

/// Writes it as JSON.
pub fn write_json(replays: &[Replay], out: &mut dyn io::Write) -> io::Result<()> {
    /// All of it, as version 1 has it.
    #[derive(Serialize)]
    struct V1<'a> {
        schema: &'static str,
        tenants: Vec<V1Tenant<'a>>,
    }
    /// One tenant.
    #[derive(Serialize)]
    struct V1Tenant<'a> {
        name: &'a str,
        events: u64,
        same: u64,
        appears: Vec<V1Finding<'a>>,
        disappears: Vec<V1Finding<'a>>,
        changes: Vec<V1Change<'a>>,
    }
    /// One finding before and after.
    #[derive(Serialize)]
    struct V1Change<'a> {
        before: V1Finding<'a>,
        after: V1Finding<'a>,
    }
    let tenants = replays
        .iter()
        .map(|replay| {
            let Replay {
                tenant,
                events,
                same,
                appears,
                disappears,
                changes,
            } = replay;
            V1Tenant {
                name: tenant,
                events: *events,
                same: *same,
                appears: appears.iter().map(V1Finding::from).collect(),
                disappears: disappears.iter().map(V1Finding::from).collect(),
                changes: changes
                    .iter()
                    .map(|(before, after)| V1Change {
                        before: before.into(),
                        after: after.into(),
                    })
                    .collect(),
            }
        })
        .collect();
    let schema = "pagewarden.replay.v1";
    pretty(&V1 { schema, tenants }, out)
}

/// Writes it for people.
pub fn write_text(replays: &[Replay], look: Look, out: &mut dyn io::Write) -> io::Result<()> {
    for replay in replays {
        let name = plain(&replay.tenant, NAME);
        writeln!(
            out,
            "{}: {} scored again. Nothing was changed.",
            look.paint(Ink::Bold, &name),
            count(replay.events, "event")
        )?;
        section("Would be found besides", &replay.appears, look, out)?;
        section("Would not be found", &replay.disappears, look, out)?;
        heading(
            "Would be reported differently",
            replay.changes.len(),
            look,
            out,
        )?;
        for (before, now) in replay.changes.iter().take(SHOWN) {
            entry(now, false, look, out)?;
            let was = format!(
                "was {} by {}, {} bits where the threshold is {}; would be {} by {}, {} where it is {}",
                before.severity.as_str(),
                plain(&before.detector, NAME),
                tenths(before.bits),
                tenths(before.threshold),
                now.severity.as_str(),
                plain(&now.detector, NAME),
                tenths(now.bits),
                tenths(now.threshold)
            );
            writeln!(out, "           {}\n", look.paint(Ink::Dim, &was))?;
        }
        more(replay.changes.len(), look, out)?;
        writeln!(out, "As recorded: {}.", count(replay.same, "finding"))?;
    }
    Ok(())
}

/// Findings under a heading that counts them.
fn section(
    title: &str,
    findings: &[Finding],
    look: Look,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    heading(title, findings.len(), look, out)?;
    for finding in findings.iter().take(SHOWN) {
        entry(finding, false, look, out)?;
        writeln!(out)?;
    }
    more(findings.len(), look, out)
}

fn heading(title: &str, length: usize, look: Look, out: &mut dyn io::Write) -> io::Result<()> {
    let length = count(u64::try_from(length).unwrap_or(u64::MAX), "finding");
    writeln!(out, "{}: {length}.", look.paint(Ink::Bold, title))
}

/// Says how many were not shown.
fn more(length: usize, look: Look, out: &mut dyn io::Write) -> io::Result<()> {
    let left = u64::try_from(length.saturating_sub(SHOWN)).unwrap_or(u64::MAX);
    if left == 0 {
        return Ok(());
    }
    let words = format!("and {} more with --format json", number(left));
    writeln!(out, "  {}\n", look.paint(Ink::Dim, &words))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{blindness, collection};
    use super::*;
    use pagewarden_core::model::{FindingId, Severity};

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn named(id: &str) -> Finding {
        Finding {
            id: FindingId::new(id),
            ..collection()
        }
    }

    #[test]
    fn what_comes_goes_and_changes_is_distinguished() {
        let more_severe = Finding {
            severity: Severity::Critical,
            bits: 21.0,
            ..named("b")
        };
        // A verdict, or another name, is no change.
        let with_verdict = Finding {
            revision: 9,
            reason: "Read more.".to_owned(),
            ..named("c")
        };
        let recorded = vec![named("a"), named("b"), named("c")];
        let found = vec![more_severe.clone(), with_verdict, named("d")];
        let replay = Replay::compare("acme", 48_210, recorded, found);
        assert_eq!(replay.same, 1);
        assert_eq!(replay.appears, [named("d")]);
        assert_eq!(replay.disappears, [named("a")]);
        assert_eq!(replay.changes, [(named("b"), more_severe)]);
        insta::assert_snapshot!(text(|out| write_text(&[replay], Look::default(), out)));
    }

    #[test]
    fn a_threshold_is_a_part_of_what_is_compared() {
        let moved = Finding {
            threshold: collection().threshold + 1.0,
            ..named("a")
        };
        let replay = Replay::compare("acme", 1, vec![named("a")], vec![moved]);
        assert_eq!((replay.same, replay.changes.len()), (0, 1));
    }

    #[test]
    fn machines_read_both_forms_of_what_changes() {
        let replay = Replay::compare("acme", 1, vec![blindness()], vec![named("d")]);
        let json: serde_json::Value =
            serde_json::from_str(&text(|out| write_json(&[replay], out))).unwrap();
        assert_eq!(json["schema"], "pagewarden.replay.v1");
        let tenant = &json["tenants"][0];
        assert_eq!(tenant["appears"][0]["id"], "d");
        assert_eq!(tenant["disappears"][0]["schema"], "pagewarden.finding.v1");
    }
}
