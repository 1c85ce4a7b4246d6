//! Privileged accounts that read the wiki (MITRE DET0358, `UserContext`).

use super::volume_anomaly::{over_threshold, sentence, signals};
use super::{DayDetector, DayUnderTest, Expectation, Meta, Score};
use crate::model::settings::{Detect, PrivilegedMode};
use crate::model::{Family, Severity, Signal};
use crate::text;

/// How much lower the threshold lies for privileged accounts in the mode `unusual`.
const LOWER: f64 = 2.0;

/// The detector.
pub(super) struct PrivilegedReading;

/// Id of the detector; the weekly summary has the same.
pub const ID: &str = "privileged-reading";

const META: Meta = Meta {
    id: ID,
    family: Family::Reading,
    summary: "An account with administrator's rights read more than administrators should.",
    looks_for: "Administrators can open every page, so their accounts are what an intruder wants, and reading is not what they \
                are for. In the mode `unusual` an account that is privileged at that time is scored like every other account, with \
                a threshold that is 2 bits lower. In the mode `strict`, it is reported if it opens more than `pages_per_day` different pages \
                in one UTC day, whatever is usual: medium, high from four times the number. In both, one finding a week, of low \
                severity and about no account, sums up what privileged accounts read from Monday to Sunday (UTC), when the week \
                is over.",
    needs: "Page views in the organisation's audit log, and who is privileged: platform roles (organisation key) or groups \
            (site token).",
    cannot_see: "Privileges that come from neither a platform role nor a group, such as being administrator of one space.",
    settings: &[
        ("detect.privileged-reading.mode", "`unusual` or `strict`"),
        (
            "detect.privileged-reading.pages_per_day",
            "strict: more different pages a day than this are reported",
        ),
        (
            "detect.privileged-reading.weekly",
            "false leaves out the weekly summary",
        ),
        ("detect.privileged-reading.enabled", "false switches it off"),
        (
            "tenant.admins",
            "which roles, groups and accounts are privileged",
        ),
    ],
};

impl DayDetector for PrivilegedReading {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.privileged_reading.enabled
    }

    fn inspect(&self, tested: &DayUnderTest<'_>, settings: &Detect) -> Option<Score> {
        if !tested.privileged {
            return None;
        }
        let strict = settings.privileged_reading;
        match strict.mode {
            PrivilegedMode::Strict => {
                (tested.privileged_pages > strict.pages_per_day).then(|| Score {
                    bits: tested.calibrated.score,
                    threshold: tested.threshold,
                    severity: if tested.privileged_pages >= strict.pages_per_day.saturating_mul(4) {
                        Severity::High
                    } else {
                        Severity::Medium
                    },
                })
            }
            PrivilegedMode::Unusual => over_threshold(tested, tested.threshold - LOWER, settings),
        }
    }

    fn signals(
        &self,
        tested: &DayUnderTest<'_>,
        expectation: &Expectation,
        settings: &Detect,
    ) -> Vec<Signal> {
        match settings.privileged_reading.mode {
            PrivilegedMode::Strict => vec![Signal {
                name: "privileged-pages".to_owned(),
                bits: tested.calibrated.score,
                reason: self.reason(tested, expectation, settings),
            }],
            PrivilegedMode::Unusual => signals(tested, expectation),
        }
    }

    fn reason(
        &self,
        tested: &DayUnderTest<'_>,
        expectation: &Expectation,
        settings: &Detect,
    ) -> String {
        match settings.privileged_reading.mode {
            PrivilegedMode::Strict => format!(
                "Opened {} in one day while privileged; the limit for privileged accounts is {} a day.",
                text::count(u64::from(tested.privileged_pages), "different page"),
                settings.privileged_reading.pages_per_day,
            ),
            PrivilegedMode::Unusual => {
                format!("A privileged account. {}", sentence(tested, expectation))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{EXPECTATION, tally, tested};
    use super::*;

    fn strict() -> Detect {
        let mut settings = Detect::default();
        settings.privileged_reading.mode = PrivilegedMode::Strict;
        settings
    }

    fn day(tally: &super::super::Tally, pages: u32, privileged: bool) -> DayUnderTest<'_> {
        DayUnderTest {
            privileged,
            privileged_pages: pages,
            ..tested(tally, 3.0)
        }
    }

    #[test]
    fn an_administrator_over_the_limit_is_reported() {
        let tally = tally(26, 300);
        let tested = day(&tally, 26, true);
        let score = PrivilegedReading.inspect(&tested, &strict()).unwrap();
        assert_eq!(score.severity, Severity::Medium);
        assert_eq!(
            PrivilegedReading.reason(&tested, &EXPECTATION, &strict()),
            "Opened 26 different pages in one day while privileged; the limit for privileged accounts is 25 a day."
        );
    }

    #[test]
    fn an_administrator_at_the_limit_is_not_reported() {
        let tally = tally(25, 300);
        assert_eq!(
            PrivilegedReading.inspect(&day(&tally, 25, true), &strict()),
            None
        );
    }

    #[test]
    fn anybody_else_is_not_reported() {
        let tally = tally(500, 300);
        assert_eq!(
            PrivilegedReading.inspect(&day(&tally, 500, false), &strict()),
            None
        );
    }

    #[test]
    fn by_default_an_administrator_is_reported_from_two_bits_under_the_common_threshold_on() {
        let tally = tally(30, 300);
        let of = |bits, privileged| {
            let tested = DayUnderTest {
                privileged,
                ..tested(&tally, bits)
            };
            PrivilegedReading
                .inspect(&tested, &Detect::default())
                .map(|score| (score.threshold, score.severity))
        };
        assert_eq!(of(8.0, true), Some((8.0, Severity::Low)));
        assert_eq!(of(7.9, true), None);
        assert_eq!(of(30.0, false), None);
    }
}
