//! The report: plain tables on standard output.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use crate::log::Log;
use crate::span::Span;
use crate::statistics::{float, share, wilson};

/// Writes a line.
pub(crate) fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// A found share with its interval.
pub(crate) fn interval(found: usize, tried: usize) -> String {
    let (low, high) = wilson(found, tried);
    format!("{:.3} [{low:.3}, {high:.3}]", share(found, tried))
}

/// Where the tables of a log go.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    name: &'a str,
    tsv: bool,
}

impl<'a> Report<'a> {
    /// A report of a log, for machines too if wanted.
    pub(crate) const fn new(name: &'a str, tsv: bool) -> Self {
        Self { name, tsv }
    }

    /// What the log is.
    pub(crate) fn log(&self, log: &Log, span: &Span) -> io::Result<()> {
        say(&format!(
            "== {}: {} events, {} people, {} items, {} days; {} other lines, {} bad lines",
            self.name,
            log.events.len(),
            log.users.len(),
            log.item_days.len(),
            log.end_day() - log.first_day(),
            log.skipped,
            log.bad,
        ))?;
        say(&format!(
            "   burn-in {} active weeks; counted {} weeks ({} active), {} person-weeks, {:.1} people active in an active week",
            span.burn_in,
            (span.until - span.from) / crate::span::WEEK,
            span.active_weeks,
            span.person_weeks,
            float(span.person_weeks) / float(span.active_weeks.max(1)),
        ))
    }

    /// Begins a table.
    pub(crate) fn title(&self, words: &str) -> io::Result<()> {
        say(&format!("\n{words} ({})", self.name))
    }

    /// Writes a row: the first cell to the left, the others to the right, in columns of their own width.
    pub(crate) fn row(widths: &[usize], cells: &[&str]) -> io::Result<()> {
        let mut line = String::new();
        for (place, cell) in cells.iter().enumerate() {
            let width = widths.get(place).copied().unwrap_or(8);
            let done = if place == 0 {
                write!(line, "{cell:<width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
            done.map_err(io::Error::other)?;
        }
        say(line.trim_end())
    }

    /// Writes a figure for machines, if wanted.
    pub(crate) fn figure(
        &self,
        (kind, method): (&str, &str),
        budget: f64,
        found: usize,
        tried: usize,
    ) -> io::Result<()> {
        if !self.tsv {
            return Ok(());
        }
        say(&format!(
            "tsv\t{}\t{kind}\t{method}\t{budget}\t{found}\t{tried}",
            self.name
        ))
    }
}
