//! What a check of the config, the secrets and everything that they open came to: `pagewarden.check.v1`, as JSON and for
//! people.

use std::io;

use serde::Serialize;

use super::json::pretty;
use pagewarden_core::text::plain;

/// How a matter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is as it should be.
    Ok,
    /// It is as it was asked for, and has a consequence.
    Note,
    /// It works, and should be changed.
    Warn,
    /// It does not work.
    Error,
}

impl Level {
    /// What stands before a line, in as many columns as the longest.
    const fn mark(self) -> &'static str {
        match self {
            Self::Ok => "ok     ",
            Self::Note => "note   ",
            Self::Warn => "warn   ",
            Self::Error => "error  ",
        }
    }
}

/// One matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// How it stands.
    pub level: Level,
    /// Of which tenant, if of one.
    pub tenant: Option<String>,
    /// What it is, and what to do. May hold untrusted text.
    pub text: String,
}

/// Every matter that was looked at, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The matters.
    pub lines: Vec<Line>,
}

impl Report {
    /// Adds a matter of nobody in particular.
    pub fn say(&mut self, level: Level, text: impl Into<String>) {
        self.lines.push(Line {
            level,
            tenant: None,
            text: text.into(),
        });
    }

    /// Adds a matter of a tenant.
    pub fn say_of(&mut self, tenant: &str, level: Level, text: impl Into<String>) {
        self.lines.push(Line {
            level,
            tenant: Some(tenant.to_owned()),
            text: text.into(),
        });
    }

    /// Whether something does not work.
    pub fn has_errors(&self) -> bool {
        self.lines.iter().any(|line| line.level == Level::Error)
    }
}

/// The longest line.
const LONGEST: usize = 1_000;

/// Writes a line for each matter.
pub fn write_text(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    for Line {
        level,
        tenant,
        text,
    } in &report.lines
    {
        let (mark, text) = (level.mark(), plain(text, LONGEST));
        match tenant {
            Some(tenant) => writeln!(out, "{mark}tenant `{tenant}`: {text}")?,
            None => writeln!(out, "{mark}{text}")?,
        }
    }
    Ok(())
}

/// Writes the report as JSON.
pub fn write_json(report: &Report, out: &mut dyn io::Write) -> io::Result<()> {
    /// A report, as version 1 has it.
    #[derive(Serialize)]
    struct V1<'a> {
        schema: &'static str,
        lines: &'a [Line],
    }
    let Report { lines } = report;
    let schema = "pagewarden.check.v1";
    pretty(&V1 { schema, lines }, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::default();
        report.say(Level::Ok, "pagewarden.toml: 1 tenant, 0 notifiers, valid");
        report.say_of("acme", Level::Error, "status 403: \u{1b}[2J\u{202e}no");
        report.say_of("acme", Level::Warn, "the clock is behind");
        report.say(Level::Note, "nothing is sent");
        report
    }

    #[test]
    fn a_line_for_each_matter_steers_no_terminal() {
        let mut out = Vec::new();
        write_text(&report(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn machines_read_every_field_of_version_1() {
        let mut out = Vec::new();
        write_json(&report(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
        assert!(report().has_errors() && !Report::default().has_errors());
    }
}
