//! A page that nobody has a reason to open was opened.

use chrono::{DateTime, Utc};

use super::{DayDetector, DayUnderTest, Expectation, Meta, Score};
use crate::model::settings::Detect;
use crate::model::{Family, Severity, Signal};
use crate::text;

/// What it is called.
pub const ID: &str = "canary-page";

/// The detector.
pub(super) struct CanaryPage;

const META: Meta = Meta {
    id: ID,
    family: Family::Canary,
    summary: "A page that nobody has a reason to open was opened.",
    looks_for: "Any view of a page that is listed in `canary_pages`. Make one with a tempting title and link it from nowhere: \
                who opens it has searched for secrets or walks through every page.",
    needs: "Page views in the organisation's audit log. Where there are none, a site that gives the view count of a page: a token \
            with scopes needs `read:analytics.content:confluence`.",
    cannot_see: "Views that Atlassian does not log. Who it was and when, where only the number of views is to be had; it is asked as \
                 often as the directories (`schedule.admins`), and the first number says nothing.",
    settings: &[
        (
            "detect.canary_pages",
            "the ids of such pages; none by default",
        ),
        ("detect.canary-page.enabled", "false switches it off"),
    ],
};

impl DayDetector for CanaryPage {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.canary_page.enabled && !settings.canary_pages.is_empty()
    }

    fn inspect(&self, tested: &DayUnderTest<'_>, _: &Detect) -> Option<Score> {
        (tested.canaries > 0).then_some(Score {
            bits: tested.calibrated.score,
            threshold: tested.threshold,
            severity: Severity::High,
        })
    }

    fn signals(
        &self,
        tested: &DayUnderTest<'_>,
        expectation: &Expectation,
        settings: &Detect,
    ) -> Vec<Signal> {
        vec![Signal {
            name: "canary".to_owned(),
            bits: tested.calibrated.score,
            reason: self.reason(tested, expectation, settings),
        }]
    }

    fn reason(&self, tested: &DayUnderTest<'_>, _: &Expectation, _: &Detect) -> String {
        format!(
            "Opened canary pages {}; nobody has a reason to open them.",
            text::count(u64::from(tested.canaries), "time")
        )
    }
}

/// By how much a page was opened more often than when last counted. A first count, and one that fell, are where counting
/// begins.
pub fn rise(before: Option<u32>, now: u32) -> Option<u32> {
    now.checked_sub(before?).filter(|by| *by > 0)
}

/// The reason where only a view count rose; names the site where there are several.
pub fn counted_sentence(
    page: &str,
    site: Option<&str>,
    since: DateTime<Utc>,
    was: u32,
    now: u32,
) -> String {
    let of = site.map_or_else(String::new, |site| format!(" of {site}"));
    format!(
        "Canary page {page}{of} was opened {} since {} UTC (the page's view count rose from {} to {}; a count does not say \
         who it was).",
        text::count(u64::from(now.saturating_sub(was)), "time"),
        since.format("%Y-%m-%d %H:%M"),
        text::number(u64::from(was)),
        text::number(u64::from(now)),
    )
}

#[cfg(test)]
mod tests {
    use super::super::kit::{tally, tested};
    use super::*;

    #[test]
    fn only_a_count_that_rose_is_reported() {
        for (before, now, reported) in [
            (None, 7, None),
            (Some(7), 7, None),
            (Some(7), 3, None),
            (Some(2), 5, Some(3)),
            (Some(0), 1, Some(1)),
        ] {
            assert_eq!(rise(before, now), reported, "{before:?} {now}");
        }
    }

    #[test]
    fn the_sentence_has_every_number() {
        let since = "2026-09-01T10:00:00Z".parse().unwrap();
        assert_eq!(
            counted_sentence("123", None, since, 2, 5),
            "Canary page 123 was opened 3 times since 2026-09-01 10:00 UTC (the page's view count rose from 2 to 5; a count does \
             not say who it was)."
        );
        let one = counted_sentence("123", Some("acme.example"), since, 0, 1);
        assert!(
            one.starts_with("Canary page 123 of acme.example was opened 1 time since"),
            "{one}"
        );
    }

    #[test]
    fn one_view_is_reported_and_none_is_not() {
        let tally = tally(1, 0);
        let opened = DayUnderTest {
            canaries: 1,
            ..tested(&tally, 0.1)
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
                &DayUnderTest {
                    canaries: 0,
                    ..opened
                },
                &Detect::default()
            ),
            None
        );
    }
}
