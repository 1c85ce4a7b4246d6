//! Histograms kept by week, so that a window can move on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Histogram;

/// How many weeks a window holds where they hold enough.
pub const WINDOW_WEEKS: i64 = 26;

/// How many person-days a window must hold before it leaves old weeks behind.
pub const ENOUGH_PERSON_DAYS: u64 = 5_000;

/// The week of a UTC day (counted from 1970-01-01). Weeks begin on Sunday 00:00 UTC, because a refit on Monday learns
/// from what ended before Sunday.
pub const fn week_of(day: i64) -> i64 {
    // 1970-01-04, day 3, was a Sunday.
    day.saturating_sub(3).div_euclid(7)
}

/// A histogram for each week in which something was counted. Copies share the weeks that neither changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weekly {
    /// By number of the week.
    weeks: BTreeMap<i64, Arc<Histogram>>,
}

impl Weekly {
    /// Counts one value in a week.
    pub fn record(&mut self, week: i64, value: u32) {
        Arc::make_mut(self.weeks.entry(week).or_default()).record(value);
    }

    /// Adds what another holds, week by week.
    pub fn merge(&mut self, other: &Self) {
        for (week, histogram) in &other.weeks {
            Arc::make_mut(self.weeks.entry(*week).or_default()).merge(histogram);
        }
    }

    /// The first week of the window that ends before week `until`: 26 weeks, or as far back as it takes to hold
    /// `enough`, or all there is.
    pub fn start(&self, until: i64, enough: u64) -> i64 {
        let usual = until.saturating_sub(WINDOW_WEEKS);
        let mut held: u64 = 0;
        for (week, histogram) in self.weeks.range(..until).rev() {
            if *week < usual && held >= enough {
                return usual.min(week.saturating_add(1));
            }
            held = held.saturating_add(histogram.total());
        }
        self.weeks
            .keys()
            .next()
            .map_or(usual, |first| usual.min(*first))
    }

    /// What was counted in weeks `from` to before `until`.
    pub fn pooled(&self, from: i64, until: i64) -> Histogram {
        let mut all = Histogram::default();
        for (week, histogram) in &self.weeks {
            if (from..until).contains(week) {
                all.merge(histogram);
            }
        }
        all
    }

    /// Forgets the weeks before one. Called at a refit with the start of its window: what a refit did not look at is
    /// never looked at again.
    pub fn forget_before(&mut self, week: i64) {
        self.weeks = self.weeks.split_off(&week);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_a_week(weeks: std::ops::Range<i64>) -> Weekly {
        let mut weekly = Weekly::default();
        for week in weeks {
            weekly.record(week, 1);
        }
        weekly
    }

    #[test]
    fn weeks_begin_on_sunday() {
        assert_eq!(week_of(2), -1);
        assert_eq!(week_of(3), 0);
        assert_eq!(week_of(9), 0);
        assert_eq!(week_of(10), 1);
    }

    #[test]
    fn a_window_is_26_weeks_where_they_hold_enough() {
        let weekly = one_a_week(0..100);
        assert_eq!(weekly.start(90, 26), 64);
        assert_eq!(weekly.pooled(64, 90).total(), 26);
    }

    #[test]
    fn a_window_reaches_back_until_it_holds_enough_or_all() {
        let weekly = one_a_week(0..100);
        assert_eq!(weekly.start(90, 40), 50);
        assert_eq!(weekly.start(90, 5_000), 0);
        assert_eq!(Weekly::default().start(90, 5_000), 64);
        let gap = {
            let mut gap = one_a_week(0..2);
            gap.record(89, 1);
            gap
        };
        assert_eq!(gap.pooled(gap.start(90, 2), 90).total(), 2);
    }

    #[test]
    fn what_a_refit_did_not_look_at_can_be_forgotten() {
        let mut weekly = one_a_week(0..100);
        let start = weekly.start(90, 26);
        let before = weekly.pooled(start, 90);
        weekly.forget_before(start);
        assert_eq!(weekly.pooled(i64::MIN, 90), before);
    }

    #[test]
    fn a_merge_does_not_care_for_order() {
        let (left, right) = (one_a_week(0..5), one_a_week(3..9));
        let (mut one, mut other) = (left.clone(), right.clone());
        one.merge(&right);
        other.merge(&left);
        assert_eq!(one, other);
        assert_eq!(one.pooled(3, 5).total(), 4);
    }
}
