//! The status in words, for people.

use std::io;

use chrono::{DateTime, Utc};

use super::{
    Admins, Backfill, Coverage, Credential, Deliveries, Reason, Status, StreamStatus, Suppression,
    Tenant,
};
use crate::output::style::{Ink, Look, pad, wrap};
use pagewarden_core::text::{self, count, number, plain};

/// The column at which the values begin.
const VALUES: usize = 14;

/// The longest untrusted text that is shown.
const WORDS: usize = 300;

/// How many days before its end a credential is shown as ending.
const ENDING_DAYS: i64 = 30;

/// Writes the status for people; `now` decides how long keys still work.
pub fn write_text(
    status: &Status,
    now: DateTime<Utc>,
    look: Look,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    for (nth, tenant) in status.tenants.iter().enumerate() {
        if nth > 0 {
            writeln!(out)?;
        }
        writeln!(
            out,
            "{}",
            look.paint(Ink::Bold, &plain(&tenant.name, WORDS))
        )?;
        for (label, lines) in tenant_lines(tenant, now) {
            let mut label = label.as_str();
            for Line { warning, text } in lines {
                for line in wrap(&text, look.columns() - VALUES - 2) {
                    let value = if warning {
                        look.paint(Ink::Warning, &line)
                    } else {
                        line
                    };
                    writeln!(
                        out,
                        "  {}{value}",
                        look.paint(Ink::Dim, &pad(label, VALUES))
                    )?;
                    label = "";
                }
            }
        }
    }
    Ok(())
}

/// One value of the text form.
struct Line {
    /// Whether a person should see to it.
    warning: bool,
    /// The words, fit for a terminal.
    text: String,
}

impl Line {
    /// Something that is so.
    const fn fact(text: String) -> Self {
        Self {
            warning: false,
            text,
        }
    }

    /// Something that somebody should see to.
    const fn warning(text: String) -> Self {
        Self {
            warning: true,
            text,
        }
    }
}

/// Everything about one tenant, by label.
fn tenant_lines(tenant: &Tenant, now: DateTime<Utc>) -> Vec<(String, Vec<Line>)> {
    let Tenant {
        name: _,
        streams,
        admins,
        coverage,
        findings,
        deliveries,
        credentials,
        suppressed,
        suppressions,
        problems: _,
    } = tenant;
    let mut lines: Vec<(String, Vec<Line>)> = streams
        .iter()
        .map(|stream| (stream.name.as_str().to_owned(), stream_lines(stream)))
        .collect();
    lines.push(("admins".into(), admins_lines(admins)));
    lines.push(("coverage".into(), coverage_lines(coverage)));
    let mut found = format!(
        "{} open of {}",
        number(findings.open),
        number(findings.total)
    );
    if *suppressed > 0 {
        found.push_str(&format_args!("; {} suppressed", count(*suppressed, "event")).to_string());
    }
    lines.push(("findings".into(), vec![Line::fact(found)]));
    if !suppressions.is_empty() {
        let rules = suppressions.iter().map(suppression_line).collect();
        lines.push(("suppressed".into(), rules));
    }
    let Deliveries {
        waiting,
        sent,
        given_up,
        given_up_lately: _,
    } = deliveries;
    let line = format!(
        "{} sent, {} waiting, {} given up",
        number(*sent),
        number(*waiting),
        number(*given_up)
    );
    let line = if *given_up > 0 {
        Line::warning(line)
    } else {
        Line::fact(line)
    };
    lines.push(("deliveries".into(), vec![line]));
    if !credentials.is_empty() {
        lines.push((
            "keys".into(),
            credentials
                .iter()
                .map(|key| credential_line(key, now))
                .collect(),
        ));
    }
    lines
}

/// How far one stream has been read.
fn stream_lines(stream: &StreamStatus) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(site) = &stream.site {
        lines.push(Line::fact(plain(site, WORDS).into_owned()));
    }
    let read = match stream.watermark {
        Some(watermark) => format!("read up to {}", text_moment(watermark)),
        None if stream.stored > 0 => "live polling has not begun".to_owned(),
        None => "not read yet".to_owned(),
    };
    let lag = stream.lag_seconds.map_or_else(String::new, |seconds| {
        let lag = text::duration(std::time::Duration::from_secs(seconds));
        format!("; last complete poll {lag} ago")
    });
    lines.push(Line::fact(format!("{read}{lag}")));
    let counts = [
        (stream.stored, "stored"),
        (stream.repeated, "repeated"),
        (stream.late, "late"),
        (stream.unresolved, "without a page"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, word)| *count > 0 || *word == "stored")
        .map(|(count, word)| format!("{} {word}", number(*count)))
        .collect();
    lines.push(Line::fact(counts.join(", ")));
    if stream.unusable > 0 {
        let reasons: Vec<String> = stream
            .unusable_reasons
            .iter()
            .map(|Reason { reason, count }| format!("{} {}", number(*count), plain(reason, WORDS)))
            .collect();
        let reasons = if reasons.is_empty() {
            String::new()
        } else {
            format!(": {}", reasons.join(", "))
        };
        lines.push(Line::warning(format!(
            "{} unusable{reasons}",
            number(stream.unusable)
        )));
    }
    lines.extend(stream.backfill.as_ref().map(backfill_line));
    if let Some(error) = &stream.last_error {
        lines.push(Line::warning(format!(
            "last poll failed: {}",
            plain(error, WORDS)
        )));
    }
    lines
}

/// How far a backfill is.
fn backfill_line(backfill: &Backfill) -> Line {
    let so_far = match (backfill.done, backfill.reached) {
        (true, _) => "done".to_owned(),
        (false, Some(_)) => format!("{} % read", backfill.percent()),
        (false, None) => "asked for, not begun".to_owned(),
    };
    let [from, until] = [backfill.from, backfill.until].map(|at| at.format("%Y-%m-%d"));
    Line::fact(format!("backfill of {from} to {until}: {so_far}"))
}

/// Who is privileged.
fn admins_lines(admins: &Admins) -> Vec<Line> {
    let Admins {
        accounts,
        as_of,
        last_error,
    } = admins;
    let mut lines = vec![match as_of {
        Some(as_of) => Line::fact(format!(
            "{}, as of {}",
            count(*accounts, "account"),
            text_moment(*as_of)
        )),
        None if *accounts > 0 => Line::warning(format!(
            "{}, known in part only: not every directory has answered yet",
            count(*accounts, "account")
        )),
        None => Line::warning("not known yet: nobody counts as privileged".to_owned()),
    }];
    if let Some(error) = last_error {
        lines.push(Line::warning(format!(
            "last refresh failed: {}",
            plain(error, WORDS)
        )));
    }
    lines
}

/// What can be seen.
fn coverage_lines(coverage: &Coverage) -> Vec<Line> {
    let Coverage { page_views, notes } = coverage;
    let mut lines = vec![match page_views {
        Some(true) => Line::fact("page views are seen".to_owned()),
        Some(false) => Line::warning("page views are NOT seen".to_owned()),
        None => Line::fact("not known yet whether page views are seen".to_owned()),
    }];
    lines.extend(
        notes
            .iter()
            .map(|note| Line::warning(plain(note, WORDS).into_owned())),
    );
    lines
}

/// How long a key still works.
fn credential_line(credential: &Credential, now: DateTime<Utc>) -> Line {
    let name = plain(&credential.name, WORDS);
    let Some(expires) = credential.expires else {
        return Line::fact(format!("{name}: no `expires` in the config"));
    };
    let left = (expires - now.date_naive()).num_days();
    let days = |days: i64| count(u64::try_from(days).unwrap_or(0), "day");
    if left < 0 {
        Line::warning(format!("{name}: expired on {expires}, {} ago", days(-left)))
    } else if left <= ENDING_DAYS {
        Line::warning(format!("{name}: expires on {expires}, in {}", days(left)))
    } else {
        Line::fact(format!("{name}: expires on {expires}, in {}", days(left)))
    }
}

/// What one suppression leaves out, why, and until when.
fn suppression_line(rule: &Suppression) -> Line {
    let Suppression {
        kind,
        value,
        reason,
        until,
        ended,
        events,
    } = rule;
    let value = plain(value, WORDS);
    let events = count(*events, "event");
    let reason = plain(reason, WORDS);
    if *ended {
        Line::warning(format!(
            "{kind} {value}: ended on {until}, {events} until then ({reason}); take the rule out, or give it another end"
        ))
    } else {
        Line::fact(format!(
            "{kind} {value}: {events}, until {until} ({reason})"
        ))
    }
}

/// A moment, for people.
fn text_moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
