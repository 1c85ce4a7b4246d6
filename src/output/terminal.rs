//! Findings for people at a terminal: a list, and one in full. Everything untrusted passes through [`text::plain`].

use std::io;

use chrono::{DateTime, Utc};

use super::json::{attack, tenths};
use super::style::{Ink, Look, pad, wrap};
use pagewarden_core::model::finding::Account;
use pagewarden_core::model::{
    ActorKind, Finding, FindingId, Observed, PageRead, Severity, Status, Verdict,
};
use pagewarden_core::text::{self, count, plain};

/// How many pages are shown of one finding.
const PAGES: usize = 20;

/// How much of a finding's id is shown in a list; commands take any beginning that fits one finding only.
const SHORT_ID: usize = 10;

/// The longest name, address or reason that is shown.
const NAME: usize = 60;

/// The longest sentence that is shown.
const SENTENCE: usize = 600;

/// The column at which the text of a list begins.
const MARGIN: usize = 11;

/// The column at which the facts of a finding begin.
const FACTS: usize = 14;

/// Writes findings as a list, most severe first, the newer first among equals, and a last line that counts them. `program` is
/// what a command that can be typed begins with: the program, and the options that it was given.
pub fn list(
    findings: &[Finding],
    program: &str,
    look: Look,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    if findings.is_empty() {
        return writeln!(out, "No findings.");
    }
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by(|one, other| {
        let key = |finding: &Finding| (finding.severity, finding.last_seen);
        key(other)
            .cmp(&key(one))
            .then_with(|| one.id.cmp(&other.id))
    });
    let several = findings
        .windows(2)
        .any(|pair| matches!(pair, [one, other] if one.tenant != other.tenant));
    for finding in &sorted {
        entry(finding, several, look, out)?;
        writeln!(out)?;
    }
    let kinds: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .map(|severity| {
            (
                severity,
                findings
                    .iter()
                    .filter(|finding| finding.severity == *severity)
                    .count(),
            )
        })
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| format!("{count} {}", severity.as_str()))
        .collect();
    let total = count(u64::try_from(findings.len()).unwrap_or(u64::MAX), "finding");
    writeln!(
        out,
        "{}: {}.",
        look.paint(Ink::Bold, &total),
        kinds.join(", ")
    )?;
    let first = sorted
        .first()
        .map(|finding| short(&finding.id))
        .unwrap_or_default();
    let command = look.paint(Ink::Command, &format!("{program} findings show {first}"));
    writeln!(out, "One finding in full: {command}")
}

/// Writes one finding of the list: severity, who, when; its reason; its id.
pub(super) fn entry(
    finding: &Finding,
    tenant: bool,
    look: Look,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let width = look.columns();
    let severity = look.paint(
        Ink::Severity(finding.severity),
        &pad(finding.severity.as_str(), MARGIN - 2),
    );
    let when = look.paint(Ink::Dim, &when(finding, false));
    writeln!(
        out,
        "{severity}  {}  {when}",
        look.paint(Ink::Bold, &who(finding))
    )?;
    let margin = " ".repeat(MARGIN);
    for line in wrap(&plain(&finding.reason, SENTENCE), width - MARGIN) {
        writeln!(out, "{margin}{line}")?;
    }
    let mut notes = vec![
        short(&finding.id),
        plain(&finding.detector, NAME).into_owned(),
    ];
    if !finding.privileged_via.is_empty() {
        notes.push(format!("privileged: {}", privileged(finding)));
    }
    if tenant {
        notes.push(format!("tenant {}", plain(&finding.tenant, NAME)));
    }
    if finding.status != Status::Open {
        notes.push(format!("marked {}", finding.status.as_str()));
    }
    for line in wrap(&notes.join(" · "), width - MARGIN) {
        writeln!(out, "{margin}{}", look.paint(Ink::Dim, &line))?;
    }
    Ok(())
}

/// Writes one finding in full: what it says, the facts, the signals, the pages, and what to do next.
pub fn show(
    finding: &Finding,
    verdicts: &[Verdict],
    program: &str,
    look: Look,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let severity = look.paint(Ink::Severity(finding.severity), finding.severity.as_str());
    let detector = look.paint(Ink::Bold, &plain(&finding.detector, NAME));
    writeln!(
        out,
        "{severity}  {detector}  {}",
        look.paint(Ink::Bold, &who(finding))
    )?;
    writeln!(out)?;
    for line in wrap(&plain(&finding.reason, SENTENCE), look.columns() - 2) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out)?;
    for (label, fact) in facts(finding) {
        let mut label = label;
        for line in wrap(&fact, look.columns() - FACTS) {
            writeln!(
                out,
                "  {}{line}",
                look.paint(Ink::Dim, &pad(label, FACTS - 2))
            )?;
            label = "";
        }
    }
    signals(finding, look, out)?;
    pages(finding, look, out)?;
    said(verdicts, look, out)?;
    next(finding, program, look, out)
}

/// The facts of a finding, each with its label.
fn facts(finding: &Finding) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(Account {
        id,
        name: _,
        email: _,
        kind,
    }) = &finding.account
    {
        facts.push((
            "account",
            format!("{} ({})", plain(id.as_str(), 2 * NAME), kind_of(*kind)),
        ));
    }
    if !finding.privileged_via.is_empty() {
        facts.push(("privileged", format!("by {}", privileged(finding))));
    }
    facts.push(("when", when(finding, true)));
    if finding.window.is_some() {
        facts.push(("seen", seen(&finding.observed)));
    }
    if let Some(expected) = &finding.expected {
        let most = count(u64::from(expected.pages_p99), "page");
        let usual = tenths(expected.pages);
        facts.push((
            "usual",
            format!("about {usual} pages; 99 of 100 times at most {most}"),
        ));
    }
    if finding.bits > 0.0 {
        let (bits, line) = (tenths(finding.bits), tenths(finding.threshold));
        let rare = text::one_in(finding.bits);
        let line = if finding.threshold.is_finite() {
            format!("the threshold is {line} bits")
        } else {
            "there was no threshold yet".to_owned()
        };
        facts.push(("surprise", format!("{bits} bits, or {rare}; {line}")));
    }
    if let Some(attack) = attack(finding.family, &finding.detector) {
        facts.push((
            "ATT&CK",
            format!("{} ({})", attack.technique, attack.tactic),
        ));
    }
    let tenant = plain(&finding.tenant, NAME);
    facts.push(("tenant", tenant.into_owned()));
    let status = finding.status.as_str();
    facts.push((
        "finding",
        format!(
            "{}, revision {}, {status}",
            id(&finding.id),
            finding.revision
        ),
    ));
    if let Some(before) = &finding.continues {
        facts.push(("continues", id(before)));
    }
    facts
}

/// Writes the signals.
fn signals(finding: &Finding, look: Look, out: &mut dyn io::Write) -> io::Result<()> {
    if finding.signals.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", look.paint(Ink::Bold, "Signals"))?;
    for signal in &finding.signals {
        let bits = if signal.bits > 0.0 {
            format!(" ({} bits)", tenths(signal.bits))
        } else {
            String::new()
        };
        let sentence = plain(&signal.reason, SENTENCE);
        let text = format!("{}{bits}: {sentence}", plain(&signal.name, NAME));
        for (nth, line) in wrap(&text, look.columns() - 4).iter().enumerate() {
            writeln!(out, "  {}{line}", if nth == 0 { "- " } else { "  " })?;
        }
    }
    Ok(())
}

/// Writes the first pages, oldest first, and how many there are beside them.
fn pages(finding: &Finding, look: Look, out: &mut dyn io::Write) -> io::Result<()> {
    let pages = &finding.evidence.pages;
    if pages.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", look.paint(Ink::Bold, "Pages"))?;
    for PageRead { id, space, at } in pages.iter().take(PAGES) {
        let at = look.paint(Ink::Dim, &moment(*at, true));
        let id = plain(id.as_str(), NAME);
        match space {
            Some(space) => {
                let space = look.paint(Ink::Dim, &plain(space.as_str(), NAME));
                writeln!(out, "  {at}  {}  {space}", pad(&id, 10))?;
            }
            None => writeln!(out, "  {at}  {id}")?,
        }
    }
    let hidden = u64::try_from(pages.len().saturating_sub(PAGES)).unwrap_or(u64::MAX);
    let omitted = u64::from(finding.evidence.omitted);
    if hidden > 0 {
        let more = format!(
            "and {} more in `pagewarden findings export`",
            text::number(hidden)
        );
        let rest = if omitted > 0 {
            format!(", {} not kept as evidence", text::number(omitted))
        } else {
            String::new()
        };
        writeln!(out, "  {}", look.paint(Ink::Dim, &format!("{more}{rest}")))?;
    } else if omitted > 0 {
        let rest = format!("and {} not kept as evidence", count(omitted, "page"));
        writeln!(out, "  {}", look.paint(Ink::Dim, &rest))?;
    }
    Ok(())
}

/// Writes what people said of it, oldest first.
fn said(verdicts: &[Verdict], look: Look, out: &mut dyn io::Write) -> io::Result<()> {
    if verdicts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", look.paint(Ink::Bold, "Verdicts"))?;
    for verdict in verdicts {
        let Verdict {
            matter: _,
            finding: _,
            status,
            note,
            at,
            revision: _,
        } = verdict;
        let note = note
            .as_ref()
            .map_or_else(String::new, |note| format!(": {}", plain(note, SENTENCE)));
        let text = format!("{}{note}", status.as_str());
        let at = moment(*at, false);
        let margin = at.len() + 4;
        for (nth, line) in wrap(&text, look.columns() - margin).iter().enumerate() {
            if nth == 0 {
                writeln!(out, "  {}  {line}", look.paint(Ink::Dim, &at))?;
            } else {
                writeln!(out, "{}{line}", " ".repeat(margin))?;
            }
        }
    }
    Ok(())
}

/// Writes what can be done about it.
fn next(finding: &Finding, program: &str, look: Look, out: &mut dyn io::Write) -> io::Result<()> {
    writeln!(out, "\n{}", look.paint(Ink::Bold, "What to do"))?;
    let advice = if finding.account.is_some() {
        "Ask the owner of the account, through a channel other than the account, whether they did this and why. Then record \
         a verdict:"
    } else {
        "Look into what the finding reports. Then record a verdict:"
    };
    for line in wrap(advice, look.columns() - 2) {
        writeln!(out, "  {line}")?;
    }
    let meanings = [
        ("expected", "known and legitimate"),
        ("confirmed", "a real incident"),
        ("resolved", "dealt with"),
    ];
    for (verdict, meaning) in meanings {
        let command = format!("{program} findings mark {} {verdict}", short(&finding.id));
        let command = look.paint(Ink::Command, &pad(&command, 37 + program.len()));
        writeln!(out, "    {command}{}", look.paint(Ink::Dim, meaning))?;
    }
    Ok(())
}

/// Whom a finding is about, in a name that people know; the tenant, where it is about nobody.
fn who(finding: &Finding) -> String {
    let Some(Account {
        id,
        name,
        email,
        kind: _,
    }) = &finding.account
    else {
        return format!("tenant {}", plain(&finding.tenant, NAME));
    };
    match (name, email) {
        (Some(name), Some(email)) => format!("{} <{}>", plain(name, NAME), plain(email, NAME)),
        (Some(word), None) | (None, Some(word)) => plain(word, NAME).into_owned(),
        (None, None) => plain(id.as_str(), NAME).into_owned(),
    }
}

/// What sort of account it is, in words.
const fn kind_of(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::Person => "a person's account",
        ActorKind::Customer => "a customer's account",
        ActorKind::App => "an app",
        ActorKind::System => "the site itself",
        ActorKind::Unknown => "of an unknown kind",
    }
}

/// The roles and groups that make the account privileged.
fn privileged(finding: &Finding) -> String {
    let sources: Vec<_> = finding
        .privileged_via
        .iter()
        .map(|source| plain(source, NAME))
        .collect();
    sources.join(", ")
}

/// When it was: from and until, the day written once where it is the same.
fn when(finding: &Finding, long: bool) -> String {
    let Some((start, end)) = finding.window else {
        return format!("{} UTC", moment(finding.last_seen, long));
    };
    let until = if start.date_naive() == end.date_naive() {
        clock(end, long)
    } else {
        moment(end, long)
    };
    let length = (end - start).to_std().unwrap_or_default();
    if long {
        format!(
            "{} to {until} UTC, {}",
            moment(start, long),
            text::duration(length)
        )
    } else {
        format!("{} to {until} UTC", moment(start, long))
    }
}

/// Day and time.
fn moment(at: DateTime<Utc>, seconds: bool) -> String {
    format!("{} {}", at.format("%Y-%m-%d"), clock(at, seconds))
}

/// The time of the day.
fn clock(at: DateTime<Utc>, seconds: bool) -> String {
    at.format(if seconds { "%H:%M:%S" } else { "%H:%M" })
        .to_string()
}

/// What was seen, as far as there is any of it.
fn seen(observed: &Observed) -> String {
    let Observed {
        pages,
        spaces,
        new_pages,
        views,
        exports,
        addresses,
        auth,
    } = observed;
    let mut parts = vec![format!(
        "{} in {}",
        count(u64::from(*pages), "different page"),
        count(u64::from(*spaces), "space")
    )];
    if let Some(new) = new_pages {
        // What was new is counted over the day, and what was seen over a session of it.
        let of = if new > pages { " of that day" } else { "" };
        parts.push(format!(
            "{}{of} never opened before",
            text::number(u64::from(*new))
        ));
    }
    parts.push(count(u64::from(*views), "page view"));
    if *exports > 0 {
        let noun = if *exports == 1 {
            "export or download"
        } else {
            "exports or downloads"
        };
        parts.push(format!("{} {noun}", text::number(u64::from(*exports))));
    }
    if *addresses > 0 {
        parts.push(format!("from {}", count(u64::from(*addresses), "address")));
    }
    if !auth.is_empty() {
        let ways: Vec<_> = auth.iter().map(|way| plain(way, NAME)).collect();
        parts.push(format!("by {}", ways.join(", ")));
    }
    parts.join(", ")
}

/// A finding's id.
fn id(id: &FindingId) -> String {
    plain(id.as_str(), 2 * NAME).into_owned()
}

/// The beginning of a finding's id.
fn short(id: &FindingId) -> String {
    id.as_str()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(SHORT_ID)
        .collect()
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
