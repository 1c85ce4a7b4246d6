//! A page that nobody has a reason to open was opened.

use super::{Detector, Meta, Score, Subject, Usual};
use crate::model::settings::Detect;
use crate::model::{Family, Severity, Signal};
use crate::text;

/// The detector.
pub(super) struct CanaryPage;

const META: Meta = Meta {
    id: "canary-page",
    family: Family::Canary,
    summary: "A page that nobody has a reason to open was opened.",
    looks_for: "Any opening of a page that is listed in `canary_pages`. Make one with a tempting title and link it from nowhere: \
                who opens it has searched for secrets or walks through every page.",
    needs: "Page views in the organisation's audit log.",
    cannot_see: "Openings that Atlassian does not log.",
    settings: &[
        (
            "detect.canary_pages",
            "the ids of such pages; none by default",
        ),
        ("detect.canary-page.enabled", "false switches it off"),
    ],
};

impl Detector for CanaryPage {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.canary_page.enabled && !settings.canary_pages.is_empty()
    }

    fn inspect(&self, subject: &Subject<'_>, _: &Detect) -> Option<Score> {
        (subject.canaries > 0).then_some(Score {
            bits: subject.worth.score,
            line: subject.line,
            severity: Severity::High,
        })
    }

    fn signals(&self, subject: &Subject<'_>, usual: &Usual, settings: &Detect) -> Vec<Signal> {
        vec![Signal {
            name: "canary".to_owned(),
            bits: subject.worth.score,
            because: self.because(subject, usual, settings),
        }]
    }

    fn because(&self, subject: &Subject<'_>, _: &Usual, _: &Detect) -> String {
        format!(
            "Opened canary pages {}; nobody has a reason to.",
            text::count(u64::from(subject.canaries), "time")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{subject, tally};
    use super::*;

    #[test]
    fn one_opening_is_told_and_none_is_not() {
        let tally = tally(1, 0);
        let opened = Subject {
            canaries: 1,
            ..subject(&tally, 0.1)
        };
        assert_eq!(
            CanaryPage
                .inspect(&opened, &Detect::default())
                .unwrap()
                .severity,
            Severity::High
        );
        assert_eq!(
            CanaryPage.inspect(
                &Subject {
                    canaries: 0,
                    ..opened
                },
                &Detect::default()
            ),
            None
        );
    }
}
