//! What a world is made from.

use chrono::{DateTime, TimeDelta, Utc};

use super::dice::whole;

/// What a world is made from: the same settings make the same world, byte for byte.
#[derive(Debug, Clone, PartialEq)]
pub struct WorldSettings {
    /// Where all its chance comes from.
    pub seed: u64,
    /// How many people have an account, newcomers included; at least 16.
    pub people: u32,
    /// How many weeks are simulated; at least 1.
    pub weeks: u32,
    /// The Monday on which they begin.
    pub start: DateTime<Utc>,
    /// How many pages the wiki has; at least 400.
    pub pages: u32,
    /// The share of events that are processed late, by up to two hours.
    pub late: f64,
    /// The share of events that the stream delivers twice.
    pub repeats: f64,
    /// The share of site audit records that have a twin, equal in every byte.
    pub twins: f64,
    /// Whether bulk collectors hide among the people.
    pub planted: bool,
}

/// 2026-08-03T00:00:00Z, a Monday, in seconds since 1970.
const FIRST_MONDAY: i64 = 1_785_715_200;

/// How many events of the access stream a person makes in a week, about.
const EVENTS_PER_PERSON_WEEK: f64 = 39.5;

/// How many events of the access stream the integration makes in a week, about.
const EVENTS_OF_INTEGRATION_WEEK: f64 = 2_100.0;

impl Default for WorldSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            people: 300,
            weeks: 6,
            start: pagewarden_core::time::moment(FIRST_MONDAY),
            pages: 4_000,
            late: 0.03,
            repeats: 0.005,
            twins: 0.06,
            planted: true,
        }
    }
}

impl WorldSettings {
    /// The usual world of another seed.
    pub fn of_seed(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// A world for tests: thirty people, two weeks, everything else in it.
    pub fn small(seed: u64) -> Self {
        Self {
            seed,
            people: 30,
            weeks: 2,
            pages: 1_200,
            ..Self::default()
        }
    }

    /// A world whose access stream holds about so many events: six weeks of as many people as it takes.
    pub fn of_events(events: u32) -> Self {
        let usual = Self::default();
        let weeks = f64::from(usual.weeks);
        let left = f64::from(events) - EVENTS_OF_INTEGRATION_WEEK * weeks;
        let people = whole(left / (EVENTS_PER_PERSON_WEEK * weeks)).max(30);
        Self { people, ..usual }
    }

    /// The number of whole days that are simulated.
    pub(crate) fn days(&self) -> u32 {
        self.weeks.max(1) * 7
    }

    /// The start in milliseconds since 1970.
    pub(crate) fn start_ms(&self) -> i64 {
        self.start.timestamp_millis()
    }

    /// The first moment after what is simulated.
    pub fn end(&self) -> DateTime<Utc> {
        self.start + TimeDelta::days(i64::from(self.days()))
    }

    /// The first day (from 0, a Monday) of what would be a week (from 1) of six, squeezed into as many as there are.
    pub(crate) fn week(&self, of_six: u32) -> u32 {
        (of_six.saturating_sub(1) * self.weeks.max(1) / 6) * 7
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_start_is_a_monday() {
        let start = WorldSettings::default().start;
        assert_eq!(start.to_rfc3339(), "2026-08-03T00:00:00+00:00");
        assert_eq!(chrono::Datelike::weekday(&start), chrono::Weekday::Mon);
    }

    #[test]
    fn six_weeks_are_squeezed_into_fewer() {
        let six = WorldSettings::default();
        assert_eq!([six.week(1), six.week(3), six.week(5)], [0, 14, 28]);
        let two = WorldSettings::small(1);
        assert_eq!([two.week(1), two.week(3), two.week(5)], [0, 0, 7]);
    }
}
