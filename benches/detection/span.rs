//! Which weeks of a log are counted, and how many people were active when.

use std::collections::HashSet;

use crate::Done;
use crate::log::Log;
use crate::statistics::float;

/// Days in a week.
pub(crate) const WEEK: i64 = 7;

/// The least burn-in where nobody says, in active weeks.
const LEAST_BURN_IN: usize = 8;

/// The weeks that are counted: whole ones, numbered from the first day of the log.
#[derive(Debug)]
pub(crate) struct Span {
    /// The first day.
    pub(crate) from: i64,
    /// The day after the last.
    pub(crate) until: i64,
    /// The day on which the second half begins.
    pub(crate) middle: i64,
    /// Weeks of burn-in in which anybody read.
    pub(crate) burn_in: usize,
    /// Weeks in the span in which anybody read.
    pub(crate) active_weeks: usize,
    /// How many weeks people were active, summed over people and over the span.
    pub(crate) person_weeks: usize,
    /// The same in the second half.
    pub(crate) later_person_weeks: usize,
    /// How many people were active when.
    pub(crate) active: Active,
}

/// How many people were active when.
#[derive(Debug)]
pub(crate) struct Active {
    first_day: i64,
    /// For each day from the first on, how many people a week were active in the four weeks before.
    days: Vec<f64>,
}

impl Span {
    /// Leaves out the burn-in: so many active weeks, else a third of them, at least eight.
    pub(crate) fn of(log: &Log, burn_in: Option<usize>) -> Done<Self> {
        let first_day = log.first_day();
        let weeks: Vec<usize> = (0..(log.end_day() - first_day) / WEEK)
            .map(|week| distinct(log, first_day + week * WEEK))
            .collect();
        let busy = weeks.iter().filter(|people| **people > 0).count();
        let burn_in = burn_in.unwrap_or_else(|| busy.div_ceil(3).max(LEAST_BURN_IN));
        let mut seen = 0;
        let before = weeks
            .iter()
            .take_while(|people| {
                seen += usize::from(**people > 0);
                seen <= burn_in
            })
            .count();
        let counted = weeks.get(before..).unwrap_or_default();
        if counted.is_empty() {
            return Err(format!(
                "{}: {burn_in} active weeks of burn-in leave nothing to count",
                log.name
            )
            .into());
        }
        let day = |week: usize| i64::try_from(week).map(|week| first_day + week * WEEK);
        let half = counted.len() / 2;
        Ok(Self {
            from: day(before)?,
            until: day(weeks.len())?,
            middle: day(before + half)?,
            burn_in,
            active_weeks: counted.iter().filter(|people| **people > 0).count(),
            person_weeks: counted.iter().sum(),
            later_person_weeks: counted.iter().skip(half).sum(),
            active: Active::of(log),
        })
    }

    /// Whether a day is counted.
    pub(crate) fn holds(&self, day: i64) -> bool {
        (self.from..self.until).contains(&day)
    }
}

impl Active {
    /// Counts the people of a log.
    pub(crate) fn of(log: &Log) -> Self {
        Self {
            first_day: log.first_day(),
            days: (log.first_day()..log.end_day())
                .map(|day| active(log, day))
                .collect(),
        }
    }

    /// How many people were active in a week, in the mean of the four weeks before a day. In the first week of a log:
    /// how many so far; on its first day: how many on that day.
    pub(crate) fn a_week(&self, day: i64) -> f64 {
        usize::try_from(day - self.first_day)
            .ok()
            .and_then(|offset| self.days.get(offset).or(self.days.last()))
            .copied()
            .unwrap_or_default()
    }
}

/// How many people read in the seven days from a day on.
fn distinct(log: &Log, from: i64) -> usize {
    people(log, from, from + WEEK)
}

fn people(log: &Log, from: i64, until: i64) -> usize {
    log.days(from, until)
        .iter()
        .map(|event| event.user)
        .collect::<HashSet<u32>>()
        .len()
}

fn active(log: &Log, day: i64) -> f64 {
    let first = log.first_day();
    if day == first {
        return float(people(log, day, day + 1));
    }
    let blocks: Vec<usize> = (1..=4)
        .map(|back| day - back * WEEK)
        .filter(|from| *from >= first)
        .map(|from| distinct(log, from))
        .collect();
    if blocks.is_empty() {
        return float(people(log, first, day));
    }
    float(blocks.iter().sum()) / float(blocks.len())
}
