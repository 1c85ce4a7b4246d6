//! What a simulation came to, and the table of many.

use std::collections::BTreeMap;

use super::invariants::{self, Violation};
use super::network::Got;

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) got: Vec<Got>,
    pub(crate) findings: usize,
    pub(crate) counted: BTreeMap<&'static str, (u64, u64)>,
    pub(crate) hours: u64,
    pub(crate) violations: Vec<Violation>,
    /// Those of (c) that hold only when the longest processing time is granted.
    pub(crate) close: usize,
}

/// What went wrong in how many steps, and what held.
pub(crate) fn table(reports: &[(u64, Report)]) -> String {
    let examples = if std::env::var_os("PAGEWARDEN_SEEDS").is_some() {
        60
    } else {
        3
    };
    let mut text = format!("{} seeds\n", reports.len());
    let mut counted: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for (_, report) in reports {
        for (word, (times, hours)) in &report.counted {
            let row = counted.entry(word).or_default();
            *row = (row.0 + times, row.1 + hours, row.2 + 1);
        }
    }
    for (word, (times, hours, seeds)) in counted {
        text += &format!("{word:>26} {times:>7} times in {hours:>6} hours of {seeds:>4} seeds\n");
    }
    for (which, words) in invariants::ALL {
        let broken = |report: &Report| {
            report
                .violations
                .iter()
                .filter(|one| one.which == which)
                .count()
        };
        let times: usize = reports.iter().map(|(_, report)| broken(report)).sum();
        let seeds: Vec<u64> = reports
            .iter()
            .filter(|(_, report)| broken(report) > 0)
            .map(|(seed, _)| *seed)
            .collect();
        text += &format!("({which}) {words}: broken {times} times, in seeds {seeds:?}\n");
        let all = reports
            .iter()
            .flat_map(|(seed, report)| report.violations.iter().map(move |one| (seed, one)));
        for (seed, one) in all.filter(|(_, one)| one.which == which).take(examples) {
            text += &format!("      {seed}: {}\n", one.words);
        }
    }
    let messages: usize = reports.iter().map(|(_, report)| report.got.len()).sum();
    let findings: usize = reports.iter().map(|(_, report)| report.findings).sum();
    let steps: u64 = reports.iter().map(|(_, report)| report.hours).sum();
    let close: usize = reports.iter().map(|(_, report)| report.close).sum();
    text + &format!(
        "{steps} steps, {findings} findings, {messages} messages; {close} in time only if late processing counts\n"
    )
}
