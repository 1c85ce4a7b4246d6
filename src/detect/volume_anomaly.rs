//! More different pages than this account usually reads, and than colleagues do.

use std::time::Duration;

use super::{Detector, Meta, Score, Subject, Unit, Usual};
use crate::model::settings::Detect;
use crate::model::{Family, Severity};
use crate::text;

/// How far over the line a unit must be to be told: there are two signals, and they are not calibrated yet.
const MARGIN: f64 = 3.0;

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
        let line = subject.line + MARGIN;
        (subject.tally.pages >= settings.min_pages && subject.bits >= line).then(|| Score {
            bits: subject.bits,
            line,
            severity: Severity::of_excess(subject.bits - line),
        })
    }

    fn signal(&self, unit: Unit) -> &'static str {
        unit.volume_signal()
    }

    fn because(&self, subject: &Subject<'_>, usual: &Usual, _: &Detect) -> String {
        volume_sentence(subject, usual)
    }
}

/// How much was read, and how much is usual.
pub(super) fn volume_sentence(subject: &Subject<'_>, usual: &Usual) -> String {
    let Subject { unit, tally, .. } = subject;
    let took = match unit {
        Unit::Session => format!(
            "in {}",
            text::duration(Duration::from_secs(tally.seconds().unsigned_abs()))
        ),
        Unit::Day => "in one day".to_owned(),
    };
    let average = usual.mean.round();
    let average = if average < 1.5 {
        "one".to_owned()
    } else {
        format!("{average}")
    };
    let sitting = unit.sitting();
    format!(
        "Read {} {took}; this account usually reads about {average} in a {sitting}, and 99 of 100 of its {sitting}s stay at \
         {} or fewer. Of its colleagues' {sitting}s, {} is that large.",
        text::count(u64::from(tally.pages), "different page"),
        usual.p99,
        text::one_in(usual.colleagues_bits),
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
