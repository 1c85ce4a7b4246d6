//! More different pages than this account usually reads, and than colleagues do.

use std::time::Duration;

use super::{Detector, Meta, Score, Subject, Unit, Usual};
use crate::baseline::bits;
use crate::model::settings::Detect;
use crate::model::{Family, Severity, Signal};
use crate::text;

/// The detector.
pub(super) struct VolumeAnomaly;

const META: Meta = Meta {
    id: "volume-anomaly",
    family: Family::Reading,
    summary: "An account read more different pages than is usual for it and for its colleagues.",
    looks_for: "Counts the different pages of each session and of each day, and asks how surprising the number is: given what \
                this account read before (a beta-negative-binomial model that forgets with a half-life of 60 days), and given \
                what colleagues read. Both must be unlikely: a very regular past alone cannot raise an alarm. The surprise is \
                measured in bits: 10 bits is one chance in 1,024. It is told from 3 bits over the line that spends \
                `alerts_per_week`. What one harvest reads cannot teach the model that harvests are usual.",
    needs: "Page views in the organisation's audit log (Guard Premium or Cloud Enterprise).",
    cannot_see: "Reading that Atlassian does not log, and small harvests spread over many days.",
    settings: &[
        (
            "detect.alerts_per_week",
            "how many false alarms a week you are ready to look at; sets the line",
        ),
        ("detect.session_gap", "the longest pause within a session"),
        (
            "detect.min_pages",
            "the least that a session or a day must hold to be told",
        ),
        ("detect.volume-anomaly.enabled", "false switches it off"),
    ],
};

impl Detector for VolumeAnomaly {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.volume_anomaly.enabled
    }

    fn inspect(&self, subject: &Subject<'_>, settings: &Detect) -> Option<Score> {
        judge(subject, subject.line, settings)
    }

    fn signals(&self, subject: &Subject<'_>, usual: &Usual, _: &Detect) -> Vec<Signal> {
        signals(subject, usual)
    }

    fn because(&self, subject: &Subject<'_>, usual: &Usual, _: &Detect) -> String {
        sentence(subject, usual)
    }
}

/// Whether the ledger's score is over a line, for a day that is not too small to be told.
pub(super) fn judge(subject: &Subject<'_>, line: f64, settings: &Detect) -> Option<Score> {
    let bits = subject.worth.score;
    let enough = subject.day.pages >= settings.min_pages || subject.slow_leads();
    (enough && bits >= line).then(|| Score {
        bits,
        line,
        severity: Severity::of_excess(bits - line),
    })
}

/// Every signal, strongest first.
pub(super) fn signals(subject: &Subject<'_>, usual: &Usual) -> Vec<Signal> {
    let each = subject.worth.each;
    let mut signals: Vec<Signal> = [
        ("volume", each.peers, volume(subject, usual)),
        ("own-volume", each.own, own(usual)),
        ("new-pages", each.new, new_pages(subject)),
        ("rare-pages", each.rare, rare_pages(subject)),
        ("slow-harvest", each.slow, slow(subject, usual)),
    ]
    .into_iter()
    .filter(|(_, bits, because)| *bits >= 1.0 && !because.is_empty())
    .map(|(name, bits, because)| Signal {
        name: name.to_owned(),
        bits,
        because,
    })
    .collect();
    signals.sort_by(|a, b| b.bits.total_cmp(&a.bits));
    signals
}

/// What was strange, and what is usual.
pub(super) fn sentence(subject: &Subject<'_>, usual: &Usual) -> String {
    let parts = [
        slow(subject, usual),
        volume(subject, usual),
        own(usual),
        new_pages(subject),
        rare_pages(subject),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

fn volume(subject: &Subject<'_>, usual: &Usual) -> String {
    let (took, pages, unit) = match usual.unit {
        Unit::Session => (
            format!(
                "in {}",
                text::duration(Duration::from_secs(
                    subject.session.seconds().unsigned_abs()
                ))
            ),
            subject.session.pages,
            "sittings",
        ),
        Unit::Day => ("in one day".to_owned(), subject.day.pages, "days"),
    };
    format!(
        "Read {} {took}; of its colleagues' {unit}, {} is that large.",
        text::count(u64::from(pages), "different page"),
        text::one_in(bits(usual.colleagues)),
    )
}

fn own(usual: &Usual) -> String {
    let average = usual.mean.round();
    let average = if average < 1.5 {
        "one".to_owned()
    } else {
        format!("{average}")
    };
    format!(
        "This account usually reads about {average} in a sitting, and 99 of 100 of its sittings stay at {} or fewer.",
        usual.p99
    )
}

fn new_pages(subject: &Subject<'_>) -> String {
    format!(
        "{} of {} of the day were new to it.",
        subject.new_pages,
        text::count(u64::from(subject.day.pages), "page"),
    )
}

fn rare_pages(subject: &Subject<'_>) -> String {
    if subject.stale_pages == 0 {
        return String::new();
    }
    format!(
        "{} had been opened by nobody in four weeks.",
        text::count(u64::from(subject.stale_pages), "page"),
    )
}

fn slow(subject: &Subject<'_>, usual: &Usual) -> String {
    let Some((since, days, pages)) = usual.slow else {
        return String::new();
    };
    if !subject.slow_leads() {
        return String::new();
    }
    format!(
        "Since {} it opened {} new to it on {}, more than is usual for it, day after day.",
        crate::time::date(since),
        text::count(u64::from(pages + subject.new_pages), "page"),
        text::count(u64::from(days + 1), "day"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::kit::{USUAL, subject, tally};
    use super::*;

    #[test]
    fn a_harvest_is_told() {
        let tally = tally(187, 22);
        let subject = subject(&tally, 15.1);
        let score = VolumeAnomaly.inspect(&subject, &Detect::default()).unwrap();
        assert_eq!((score.line, score.severity), (13.0, Severity::Medium));
        assert_eq!(
            VolumeAnomaly.because(&subject, &USUAL, &Detect::default()),
            "Read 187 different pages in 22 minutes; this account usually reads about 4 in a sitting, and 99 of 100 of \
             its sittings stay at 31 or fewer. Of its colleagues' sittings, 1 in 9,000 is that large."
        );
    }

    #[test]
    fn a_number_just_under_the_line_is_not_told() {
        let tally = tally(60, 22);
        assert_eq!(
            VolumeAnomaly.inspect(&subject(&tally, 12.99), &Detect::default()),
            None
        );
    }

    #[test]
    fn a_surprising_handful_of_pages_is_not_told() {
        let tally = tally(4, 2);
        assert_eq!(
            VolumeAnomaly.inspect(&subject(&tally, 30.0), &Detect::default()),
            None
        );
    }
}
