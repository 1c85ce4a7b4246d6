//! More different pages than this account usually reads, and than peers do.

use std::time::Duration;

use super::{DayDetector, DayUnderTest, Expectation, Meta, Score, Unit};
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
                were new to it; how few people open such pages; and how small excess adds up over weeks. Each counts as its \
                frequency among all people of the last 26 weeks says, the four that speak of one day are averaged, and the \
                score is calibrated once more: of all days of all people, one in 1,024 comes to 10 bits. It is reported at or above the \
                threshold that follows from `alerts_per_week`. Bulk collection cannot teach the baseline that it is usual.",
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

    fn inspect(&self, tested: &DayUnderTest<'_>, settings: &Detect) -> Option<Score> {
        over_threshold(tested, tested.threshold, settings)
    }

    fn signals(
        &self,
        tested: &DayUnderTest<'_>,
        expectation: &Expectation,
        _: &Detect,
    ) -> Vec<Signal> {
        signals(tested, expectation)
    }

    fn reason(&self, tested: &DayUnderTest<'_>, expectation: &Expectation, _: &Detect) -> String {
        sentence(tested, expectation)
    }
}

/// The score of a day that reaches a threshold (bits) and has enough pages to be reported; none otherwise.
pub(super) fn over_threshold(
    tested: &DayUnderTest<'_>,
    threshold: f64,
    settings: &Detect,
) -> Option<Score> {
    let bits = tested.calibrated.score;
    let enough = tested.day.pages >= settings.min_pages || tested.slow_leads();
    (enough && bits >= threshold).then(|| Score {
        bits,
        threshold,
        severity: Severity::of_excess(bits - threshold),
    })
}

/// Every signal of at least one bit, strongest first.
pub(super) fn signals(tested: &DayUnderTest<'_>, expectation: &Expectation) -> Vec<Signal> {
    let each = tested.calibrated.each;
    let mut signals: Vec<Signal> = [
        ("volume", each.peers, peers(tested, expectation)),
        ("own-volume", each.own, own(expectation)),
        ("new-pages", each.new, new_pages(tested, expectation)),
        ("rare-pages", each.rare, rare_pages(tested)),
        ("slow-collection", each.slow, slow(tested, expectation)),
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
pub(super) fn sentence(tested: &DayUnderTest<'_>, expectation: &Expectation) -> String {
    let slow = if tested.slow_leads() {
        slow(tested, expectation)
    } else {
        String::new()
    };
    let parts = [
        slow,
        peers(tested, expectation),
        own(expectation),
        new_pages(tested, expectation),
        rare_pages(tested),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

fn peers(tested: &DayUnderTest<'_>, expectation: &Expectation) -> String {
    let (took, pages, unit) = match expectation.unit {
        Unit::Session => (
            format!(
                "in {}",
                text::duration(Duration::from_secs(tested.session.seconds().unsigned_abs()))
            ),
            tested.session.pages,
            "sessions",
        ),
        Unit::Day => ("in one day".to_owned(), tested.day.pages, "days"),
    };
    format!(
        "Read {} {took}; of its peers' {unit}, {} is that large.",
        text::count(u64::from(pages), "different page"),
        text::one_in(bits(expectation.peers)),
    )
}

fn own(expectation: &Expectation) -> String {
    let Some(mean) = expectation.mean else {
        return format!(
            "This account has not read before; of a newcomer's sessions, 99 of 100 stay at {} or fewer.",
            text::count(u64::from(expectation.p99), "page")
        );
    };
    format!(
        "This account usually reads about {} in a session, and 99 of 100 of its sessions stay at {} or fewer.",
        about(mean),
        expectation.p99
    )
}

fn new_pages(tested: &DayUnderTest<'_>, expectation: &Expectation) -> String {
    if tested.new_pages == 0 {
        return String::new();
    }
    let ordinary = expectation.new_pages.map_or_else(String::new, |mean| {
        format!(
            "; on an ordinary day it opens about {} new ones",
            about(mean)
        )
    });
    format!(
        "{} of the {} of that day were new to it{ordinary}.",
        text::number(u64::from(tested.new_pages)),
        text::count(u64::from(tested.day.pages), "page"),
    )
}

fn rare_pages(tested: &DayUnderTest<'_>) -> String {
    match tested.stale_pages {
        0 => String::new(),
        1 => "One of them had been opened by nobody in the four weeks before.".to_owned(),
        many => format!(
            "{} of them had been opened by nobody in the four weeks before.",
            text::number(u64::from(many))
        ),
    }
}

fn slow(tested: &DayUnderTest<'_>, expectation: &Expectation) -> String {
    let Some((since, days, pages)) = expectation.slow else {
        return String::new();
    };
    format!(
        "Since {} it has opened {} new to it on {}, more than is usual for it day after day.",
        crate::time::date(since),
        text::count(u64::from(pages.saturating_add(tested.new_pages)), "page"),
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
    use super::super::kit::{EXPECTATION, tally, tested};
    use super::*;

    #[test]
    fn a_bulk_collection_is_reported() {
        let tally = tally(187, 22);
        let tested = tested(&tally, 15.1);
        let score = VolumeAnomaly.inspect(&tested, &Detect::default()).unwrap();
        assert_eq!((score.threshold, score.severity), (10.0, Severity::High));
        assert_eq!(
            VolumeAnomaly.reason(&tested, &EXPECTATION, &Detect::default()),
            "Read 187 different pages in 22 minutes; of its peers' sessions, 1 in 9,000 is that large. This account \
             usually reads about 4.1 in a session, and 99 of 100 of its sessions stay at 31 or fewer. 187 of the 187 pages of \
             that day were new to it; on an ordinary day it opens about 1.2 new ones."
        );
    }

    #[test]
    fn a_slow_collection_is_reported_by_its_days() {
        let tally = tally(9, 40);
        let mut tested = tested(&tally, 12.0);
        tested.calibrated.each.slow = 14.0;
        tested.stale_pages = 6;
        let expectation = Expectation {
            slow: Some((20_000, 8, 70)),
            mean: None,
            ..EXPECTATION
        };
        assert_eq!(
            VolumeAnomaly.reason(&tested, &expectation, &Detect::default()),
            "Since 2024-10-04 it has opened 79 pages new to it on 9 days, more than is usual for it day after day. Read 9 \
             different pages in 40 minutes; of its peers' sessions, 1 in 9,000 is that large. This account has not read \
             before; of a newcomer's sessions, 99 of 100 stay at 31 pages or fewer. 9 of the 9 pages of that day were new to \
             it; on an ordinary day it opens about 1.2 new ones. 6 of them had been opened by nobody in the four weeks before."
        );
        let signals = VolumeAnomaly.signals(&tested, &expectation, &Detect::default());
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
            VolumeAnomaly.inspect(&tested(&tally, 9.99), &Detect::default()),
            None
        );
    }

    #[test]
    fn a_surprising_handful_of_pages_is_not_reported_unless_it_adds_up() {
        let tally = tally(4, 2);
        let mut tested = tested(&tally, 30.0);
        assert_eq!(VolumeAnomaly.inspect(&tested, &Detect::default()), None);
        tested.calibrated.each.slow = 30.0;
        assert!(VolumeAnomaly.inspect(&tested, &Detect::default()).is_some());
    }
}
