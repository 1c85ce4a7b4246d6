//! An account that became privileged and then reads what it never read.

use serde::{Deserialize, Serialize};

use super::{DayDetector, DayUnderTest, Expectation, Meta, Score};
use crate::model::settings::Detect;
use crate::model::{Family, Severity, Signal};
use crate::text;
use crate::time::{date, day_of};

/// How many times what is usual is too much; and how many times the least number, where too little is known.
const FACTOR: u32 = 4;

/// What an account read since it became privileged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Granted {
    /// When it became so, seconds.
    pub at: i64,
    /// By which role or group.
    pub grant_source: String,
    /// On how many days it has read since, the day that runs included.
    pub days: u32,
    /// Pages opened since that it never opened before.
    pub new_pages: u32,
    /// How many such pages it opened on a usual day before; none where too little is known.
    pub usual: Option<f64>,
}

/// The detector.
pub(super) struct AdminGrant;

const META: Meta = Meta {
    id: "admin-grant",
    family: Family::Admin,
    summary: "An account became privileged and then read what it never read before.",
    looks_for: "From the moment at which an account that was not privileged is given a role or joins a group that makes it so, for \
                the time of `within`, counts the pages that it never opened before. Reported where they are `pages` or more, and four \
                times what as many days of reading usually bring it or more (four times `pages` where it read on fewer than five \
                days before), on a day that itself brings `min_pages` of them. Medium; high from four times that number on.",
    needs: "Page views in the organisation's audit log, and who became privileged when: from the events of either log, or from what \
            the directory says at each look.",
    cannot_see: "Rights on single spaces, and administrators' keys: no record of making one is documented. An account that was \
                 privileged before, and is given more.",
    settings: &[
        (
            "detect.admin-grant.within",
            "for how long after it became privileged an account is watched",
        ),
        (
            "detect.admin-grant.pages",
            "the least number of new pages that is reported",
        ),
        ("detect.admin-grant.enabled", "false switches it off"),
        (
            "tenant.admins",
            "which roles, groups and accounts are privileged",
        ),
    ],
};

impl DayDetector for AdminGrant {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn enabled(&self, settings: &Detect) -> bool {
        settings.admin_grant.enabled
    }

    fn inspect(&self, tested: &DayUnderTest<'_>, settings: &Detect) -> Option<Score> {
        // A day of ordinary reading adds nothing to what was reported.
        let granted = tested
            .granted
            .filter(|_| tested.new_pages >= settings.min_pages)?;
        let least = settings.admin_grant.pages;
        let limit = match granted.usual {
            Some(usual) => {
                f64::from(least).max(f64::from(FACTOR) * usual * f64::from(granted.days))
            }
            None => f64::from(least.saturating_mul(FACTOR)),
        };
        let pages = f64::from(granted.new_pages);
        (pages >= limit).then(|| Score {
            bits: tested.calibrated.score,
            threshold: tested.threshold,
            severity: if pages >= f64::from(FACTOR) * limit {
                Severity::High
            } else {
                Severity::Medium
            },
        })
    }

    fn signals(
        &self,
        tested: &DayUnderTest<'_>,
        expectation: &Expectation,
        settings: &Detect,
    ) -> Vec<Signal> {
        vec![Signal {
            name: "admin-grant".to_owned(),
            bits: 0.0,
            reason: self.reason(tested, expectation, settings),
        }]
    }

    fn reason(&self, tested: &DayUnderTest<'_>, _: &Expectation, _: &Detect) -> String {
        let Some(granted) = tested.granted else {
            return String::new();
        };
        let before = granted.usual.map_or_else(
            || "too little is known of what it read before".to_owned(),
            |usual| format!("before that it opened {usual:.1} on a usual day of reading"),
        );
        format!(
            "Became privileged on {} (UTC; {}), and since then opened {} that it had never opened before, on {}; {before}.",
            date(day_of(granted.at)),
            granted.grant_source,
            text::count(u64::from(granted.new_pages), "page"),
            text::count(u64::from(granted.days), "day"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::kit::{EXPECTATION, tally, tested};
    use super::*;

    fn severity(new_pages: u32, days: u32, usual: Option<f64>) -> Option<Severity> {
        let tally = tally(0, 0);
        let granted = Granted {
            at: 0,
            grant_source: "site-admins".to_owned(),
            days,
            new_pages,
            usual,
        };
        let tested = DayUnderTest {
            granted: Some(&granted),
            new_pages: new_pages.min(5),
            ..tested(&tally, 0.0)
        };
        AdminGrant
            .inspect(&tested, &Detect::default())
            .map(|score| score.severity)
    }

    #[test]
    fn many_new_pages_after_a_grant_are_reported_and_one_fewer_is_not() {
        assert_eq!(severity(20, 1, Some(1.0)), Some(Severity::Medium));
        assert_eq!(severity(19, 1, Some(1.0)), None);
        assert_eq!(severity(80, 1, Some(1.0)), Some(Severity::High));
    }

    #[test]
    fn a_day_that_adds_next_to_nothing_is_not_reported_again() {
        let tally = tally(0, 0);
        let granted = Granted {
            at: 0,
            grant_source: "site-admins".to_owned(),
            days: 9,
            new_pages: 80,
            usual: Some(1.0),
        };
        let tested = DayUnderTest {
            granted: Some(&granted),
            new_pages: 4,
            ..tested(&tally, 0.0)
        };
        assert_eq!(AdminGrant.inspect(&tested, &Detect::default()), None);
    }

    #[test]
    fn who_always_reads_much_anew_must_read_four_times_as_much() {
        assert_eq!(severity(79, 2, Some(10.0)), None);
        assert_eq!(severity(80, 2, Some(10.0)), Some(Severity::Medium));
        assert_eq!(severity(79, 2, None), None);
        assert_eq!(severity(80, 2, None), Some(Severity::Medium));
    }

    #[test]
    fn an_account_without_a_grant_is_not_reported() {
        let tally = tally(500, 10);
        let tested = tested(&tally, 30.0);
        assert_eq!(AdminGrant.inspect(&tested, &Detect::default()), None);
    }

    #[test]
    fn the_sentence_has_every_number() {
        let tally = tally(0, 0);
        let granted = Granted {
            at: 20_000 * 86_400 + 7,
            grant_source: "site-admins".to_owned(),
            days: 2,
            new_pages: 64,
            usual: Some(1.23),
        };
        let tested = DayUnderTest {
            granted: Some(&granted),
            ..tested(&tally, 0.0)
        };
        assert_eq!(
            AdminGrant.reason(&tested, &EXPECTATION, &Detect::default()),
            "Became privileged on 2024-10-04 (UTC; site-admins), and since then opened 64 pages that it had never opened before, on 2 \
             days; before that it opened 1.2 on a usual day of reading."
        );
    }
}
