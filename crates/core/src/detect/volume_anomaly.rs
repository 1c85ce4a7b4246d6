//! More different pages than this account usually reads, and than peers do.

use std::time::Duration;

use super::{DayDetector, Meta, Score, Subject, Unit, Usual};
use crate::baseline::bits;
use crate::model::settings::Detect;
use crate::model::{Family, Severity, Signal};
use crate::text;

/// The detector.
pub(super) struct VolumeAnomaly;

const META: Meta = Meta {
    id: "volume-anomaly",
    family: Family::Reading,
    summary: "An account read more different pages than is usual for it and for its peers.",
    looks_for: "Scores each person's day, in bits of surprise (10 bits is one chance in 1,024): how few of its \
                peers' sessions and days are as large; how far its largest session lies beyond its own; how many pages \
                were new to it; how few people open such pages; and how small excess adds up over weeks. Each is worth what its \
                frequency among all people of the last 26 weeks says, the four that speak of one day are averaged, and the \
                score is calibrated once more: of all days of all people, one in 1,024 comes to 10 bits. It is reported from the \
                threshold on that spends `alerts_per_week`. Bulk collection cannot teach the baseline that it is usual.",
    needs: "Page views in the organisation's audit log (Guard Premium or Cloud Enterprise). From about 300 active people on, \
            the number of alarms is what you asked for; in smaller tenants it can be more.",
    cannot_see: "Reading that Atlassian does not log. Collections of a few pages in one session, or of one or two a day. In a \
                 small tenant, popular pages taken by somebody who reads much.",
    settings: &[
        (
            "detect.alerts_per_week",
            "how many false alarms a week you are ready to look at; sets the threshold",
        ),
        ("detect.session_gap", "the longest pause within a session"),
        (
            "detect.min_pages",
            "the least that a session or a day must hold to be reported",
        ),
        ("detect.volume-anomaly.enabled", "false switches it off"),
    ],
};

impl DayDetector for VolumeAnomaly {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.volume_anomaly.enabled
    }

    fn inspect(&self, subject: &Subject<'_>, settings: &Detect) -> Option<Score> {
        over_threshold(subject, subject.threshold, settings)
    }

    fn signals(&self, subject: &Subject<'_>, usual: &Usual, _: &Detect) -> Vec<Signal> {
        signals(subject, usual)
    }

    fn reason(&self, subject: &Subject<'_>, usual: &Usual, _: &Detect) -> String {
        sentence(subject, usual)
    }
}

/// The score of a day that reaches a threshold (bits) and has enough pages to be reported; none otherwise.
pub(super) fn over_threshold(
    subject: &Subject<'_>,
    threshold: f64,
    settings: &Detect,
) -> Option<Score> {
    let bits = subject.worth.score;
    let enough = subject.day.pages >= settings.min_pages || subject.slow_leads();
    (enough && bits >= threshold).then(|| Score {
        bits,
        threshold,
        severity: Severity::of_excess(bits - threshold),
    })
}

/// Every signal of at least one bit, strongest first.
pub(super) fn signals(subject: &Subject<'_>, usual: &Usual) -> Vec<Signal> {
    let each = subject.worth.each;
    let mut signals: Vec<Signal> = [
        ("volume", each.peers, peers(subject, usual)),
        ("own-volume", each.own, own(usual)),
        ("new-pages", each.new, new_pages(subject, usual)),
        ("rare-pages", each.rare, rare_pages(subject)),
        ("slow-collection", each.slow, slow(subject, usual)),
    ]
    .into_iter()
    .filter(|(_, bits, reason)| *bits >= 1.0 && !reason.is_empty())
    .map(|(name, bits, reason)| Signal {
        name: name.to_owned(),
        bits,
        reason,
    })
    .collect();
    signals.sort_by(|a, b| b.bits.total_cmp(&a.bits));
    signals
}

/// The sentence: what was unusual, what is usual for the account, and how rare the day is among peers.
pub(super) fn sentence(subject: &Subject<'_>, usual: &Usual) -> String {
    let slow = if subject.slow_leads() {
        slow(subject, usual)
    } else {
        String::new()
    };
    let parts = [
        slow,
        peers(subject, usual),
        own(usual),
        new_pages(subject, usual),
        rare_pages(subject),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

fn peers(subject: &Subject<'_>, usual: &Usual) -> String {
    let (took, pages, unit) = match usual.unit {
        Unit::Session => (
            format!(
                "in {}",
                text::duration(Duration::from_secs(
                    subject.session.seconds().unsigned_abs()
                ))
            ),
            subject.session.pages,
            "sessions",
        ),
        Unit::Day => ("in one day".to_owned(), subject.day.pages, "days"),
    };
    format!(
        "Read {} {took}; of its peers' {unit}, {} is that large.",
        text::count(u64::from(pages), "different page"),
        text::one_in(bits(usual.peers)),
    )
}

fn own(usual: &Usual) -> String {
    let Some(mean) = usual.mean else {
        return format!(
            "This account has not read before; of a newcomer's sessions, 99 of 100 stay at {} or fewer.",
            text::count(u64::from(usual.p99), "page")
        );
    };
    format!(
        "This account usually reads about {} in a session, and 99 of 100 of its sessions stay at {} or fewer.",
        about(mean),
        usual.p99
    )
}

fn new_pages(subject: &Subject<'_>, usual: &Usual) -> String {
    if subject.new_pages == 0 {
        return String::new();
    }
    let ordinary = usual.new_pages.map_or_else(String::new, |mean| {
        format!(
            "; on an ordinary day it opens about {} new ones",
            about(mean)
        )
    });
    format!(
        "{} of the {} of that day were new to it{ordinary}.",
        text::number(u64::from(subject.new_pages)),
        text::count(u64::from(subject.day.pages), "page"),
    )
}

fn rare_pages(subject: &Subject<'_>) -> String {
    match subject.stale_pages {
        0 => String::new(),
        1 => "One of them had been opened by nobody in the four weeks before.".to_owned(),
        many => format!(
            "{} of them had been opened by nobody in the four weeks before.",
            text::number(u64::from(many))
        ),
    }
}

fn slow(subject: &Subject<'_>, usual: &Usual) -> String {
    let Some((since, days, pages)) = usual.slow else {
        return String::new();
    };
    format!(
        "Since {} it has opened {} new to it on {}, more than is usual for it day after day.",
        crate::time::date(since),
        text::count(u64::from(pages.saturating_add(subject.new_pages)), "page"),
        text::count(u64::from(days.saturating_add(1)), "day"),
    )
}

/// A mean as people say it.
fn about(mean: f64) -> String {
    if mean < 9.95 {
        format!("{mean:.1}").trim_end_matches(".0").to_owned()
    } else {
        format!("{mean:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{USUAL, subject, tally};
    use super::*;

    #[test]
    fn a_bulk_collection_is_reported() {
        let tally = tally(187, 22);
        let subject = subject(&tally, 15.1);
        let score = VolumeAnomaly.inspect(&subject, &Detect::default()).unwrap();
        assert_eq!((score.threshold, score.severity), (10.0, Severity::High));
        assert_eq!(
            VolumeAnomaly.reason(&subject, &USUAL, &Detect::default()),
            "Read 187 different pages in 22 minutes; of its peers' sessions, 1 in 9,000 is that large. This account \
             usually reads about 4.1 in a session, and 99 of 100 of its sessions stay at 31 or fewer. 187 of the 187 pages of \
             that day were new to it; on an ordinary day it opens about 1.2 new ones."
        );
    }

    #[test]
    fn a_slow_collection_is_reported_by_its_days() {
        let tally = tally(9, 40);
        let mut subject = subject(&tally, 12.0);
        subject.worth.each.slow = 14.0;
        subject.stale_pages = 6;
        let usual = Usual {
            slow: Some((20_000, 8, 70)),
            mean: None,
            ..USUAL
        };
        assert_eq!(
            VolumeAnomaly.reason(&subject, &usual, &Detect::default()),
            "Since 2024-10-04 it has opened 79 pages new to it on 9 days, more than is usual for it day after day. Read 9 \
             different pages in 40 minutes; of its peers' sessions, 1 in 9,000 is that large. This account has not read \
             before; of a newcomer's sessions, 99 of 100 stay at 31 pages or fewer. 9 of the 9 pages of that day were new to \
             it; on an ordinary day it opens about 1.2 new ones. 6 of them had been opened by nobody in the four weeks before."
        );
        let signals = VolumeAnomaly.signals(&subject, &usual, &Detect::default());
        assert_eq!(
            signals
                .iter()
                .map(|signal| signal.name.as_str())
                .collect::<Vec<_>>(),
            ["slow-collection"]
        );
    }

    #[test]
    fn a_score_just_under_the_threshold_is_not_reported() {
        let tally = tally(60, 22);
        assert_eq!(
            VolumeAnomaly.inspect(&subject(&tally, 9.99), &Detect::default()),
            None
        );
    }

    #[test]
    fn a_surprising_handful_of_pages_is_not_reported_unless_it_adds_up() {
        let tally = tally(4, 2);
        let mut subject = subject(&tally, 30.0);
        assert_eq!(VolumeAnomaly.inspect(&subject, &Detect::default()), None);
        subject.worth.each.slow = 30.0;
        assert!(
            VolumeAnomaly
                .inspect(&subject, &Detect::default())
                .is_some()
        );
    }
}
