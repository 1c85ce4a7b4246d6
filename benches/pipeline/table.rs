//! What was measured, for people.

use std::io::{self, Write as _};

use crate::Done;
use crate::usage::Figures;

/// Writes a line.
pub(crate) fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// All runs so far.
pub(crate) struct Table {
    events: u64,
    figures: Vec<Figures>,
}

impl Table {
    /// A table for work on so many events.
    pub(crate) const fn new(events: u64) -> Self {
        Self {
            events,
            figures: Vec::new(),
        }
    }

    /// Adds a run.
    pub(crate) fn add(&mut self, figures: Figures) {
        self.figures.push(figures);
    }

    /// Prints a line for each kind of work: medians, and the ratio to the first kind.
    pub(crate) fn print(&self) -> Done {
        let mut names: Vec<&str> = Vec::new();
        for figures in &self.figures {
            if !names.contains(&figures.name.as_str()) {
                names.push(&figures.name);
            }
        }
        say(&format!(
            "{:<24} {:>9} {:>7} {:>8} {:>15} {:>7} {:>9} {:>9}",
            "", "µs/event", "user", "system", "least..most", "ratio", "peak MiB", "grown MiB"
        ))?;
        let floor = names
            .first()
            .map_or(0, |name| self.median(name, |run| run.user + run.system));
        for name in names {
            let total = |run: &Figures| run.user + run.system;
            let median = self.median(name, total);
            let all = self.sorted(name, total);
            let micros = |ms: u64| decimal(ms * 1_000, self.events, 2);
            let peaks: Vec<u64> = self.of(name).filter_map(|run| run.peak).collect();
            let grown: Vec<u64> = self
                .of(name)
                .filter_map(|run| Some(run.peak?.saturating_sub(run.before)))
                .collect();
            let mib =
                |kib: Option<&u64>| kib.map_or_else(String::new, |kib| decimal(*kib, 1_024, 1));
            say(&format!(
                "{name:<24} {:>9} {:>7} {:>8} {:>15} {:>7} {:>9} {:>9}",
                micros(median),
                micros(self.median(name, |run| run.user)),
                micros(self.median(name, |run| run.system)),
                [all.first(), all.last()]
                    .map(|ms| micros(ms.copied().unwrap_or_default()))
                    .join(".."),
                decimal(median, floor.max(1), 2),
                mib(peaks.iter().max()),
                mib(grown.iter().max()),
            ))?;
        }
        Ok(())
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Figures> {
        self.figures
            .iter()
            .filter(move |figures| figures.name == name)
    }

    fn sorted(&self, name: &str, what: impl Fn(&Figures) -> u64) -> Vec<u64> {
        let mut all: Vec<u64> = self.of(name).map(what).collect();
        all.sort_unstable();
        all
    }

    fn median(&self, name: &str, what: impl Fn(&Figures) -> u64) -> u64 {
        let all = self.sorted(name, what);
        all.get(all.len() / 2).copied().unwrap_or_default()
    }
}

/// A quotient with so many decimals, rounded.
pub(crate) fn decimal(part: u64, whole: u64, decimals: u32) -> String {
    let one = 10_u64.pow(decimals);
    let scaled = (part * one * 2 / whole.max(1)).div_ceil(2);
    let width = usize::try_from(decimals).unwrap_or_default();
    format!("{}.{:0width$}", scaled / one, scaled % one)
}
