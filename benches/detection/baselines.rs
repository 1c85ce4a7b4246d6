//! Three simple rules to be held against. This file is fixed: it was not touched after the first figures.
//!
//! Each gives a score to every account and UTC day. Its threshold is the lowest whose alarms in the counted weeks stay
//! within the budget, set on those very weeks: more than anybody who runs such a rule can have.

use std::collections::{HashMap, HashSet};

use pagewarden_core::time::{DAY_SECONDS, day_of};

use crate::injector::{Injection, Part};
use crate::log::Log;
use crate::product::period;
use crate::span::Span;
use crate::statistics::float;

/// What the rules are called: the most different items in any 60 minutes that end on the day; different items of the
/// day in standard deviations above the mean of the account's own earlier active days; different items of the day.
pub(crate) const NAMES: [&str; 3] = ["hour", "own", "global"];

/// How many seconds the first rule looks at.
const HOUR: i64 = 3_600;

/// With fewer earlier active days than this, an account is held against everybody's.
const OWN_DAYS: f64 = 5.0;

/// The scores of the rules, in the order of [`NAMES`].
pub(crate) type Scores = [f64; 3];

/// Count, sum and sum of squares.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.n += 1.0;
        self.sum += value;
        self.squares += value * value;
    }

    /// How many standard deviations, at least of 1, a value lies above the mean.
    fn above(&self, value: f64) -> f64 {
        if self.n < 1.0 {
            return value;
        }
        let mean = self.sum / self.n;
        let variance = (self.squares - self.sum * mean) / (self.n - 1.0).max(1.0);
        (value - mean) / variance.max(0.0).sqrt().max(1.0)
    }
}

/// The scores of one account's day.
#[derive(Debug, Clone, Copy)]
struct Marked {
    user: u32,
    day: i64,
    scores: Scores,
}

/// The rules, with what they know of a log.
#[derive(Debug)]
pub(crate) struct Baselines {
    /// Every reader's active days, and how many different items each had.
    own: Vec<Vec<(i64, f64)>>,
    /// Everybody's active days up to and with a day.
    pooled: Vec<(i64, Moments)>,
    /// The scores of the clean log in the counted weeks.
    clean: Vec<Marked>,
}

impl Baselines {
    /// Learns a log, and scores its counted weeks.
    pub(crate) fn new(log: &Log, span: &Span) -> Self {
        let own: Vec<Vec<(i64, f64)>> = log.by_user.iter().map(|events| counts(events)).collect();
        let mut all: Vec<(i64, f64)> = own.iter().flatten().copied().collect();
        all.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        let mut pooled: Vec<(i64, Moments)> = Vec::new();
        for (day, count) in all {
            let mut moments = pooled
                .last()
                .map(|(_, moments)| *moments)
                .unwrap_or_default();
            moments.add(count);
            match pooled.last_mut() {
                Some(last) if last.0 == day => last.1 = moments,
                _ => pooled.push((day, moments)),
            }
        }
        let mut rules = Self {
            own,
            pooled,
            clean: Vec::new(),
        };
        for (user, events) in (0..).zip(&log.by_user) {
            let days = rules.walk(events, log.first_day(), Moments::default());
            let counted = days.into_iter().filter(|(day, _)| span.holds(*day));
            let marked: Vec<Marked> = counted
                .map(|(day, scores)| Marked { user, day, scores })
                .collect();
            rules.clean.extend(marked);
        }
        rules
    }

    /// The least score that is an alarm, for each rule: above the highest at which the clean log has more alarms in
    /// the counted weeks than are allowed.
    pub(crate) fn thresholds(&self, log: &Log, allowed: f64) -> Scores {
        let threshold = |score: &dyn Fn(&Marked) -> f64| {
            let mut marked: Vec<(f64, &Marked)> =
                self.clean.iter().map(|day| (score(day), day)).collect();
            marked.sort_by(|one, other| other.0.total_cmp(&one.0));
            let mut alarms = HashSet::new();
            for (score, day) in marked {
                alarms.insert((day.user, period(log, day.user, day.day)));
                if float(alarms.len()) > allowed {
                    return score.next_up();
                }
            }
            f64::NEG_INFINITY
        };
        [
            threshold(&|day| day.scores[0]),
            threshold(&|day| day.scores[1]),
            threshold(&|day| day.scores[2]),
        ]
    }

    /// The scores of the days of one reader's part of a bulk collection, in a log that holds it.
    pub(crate) fn collection(
        &self,
        log: &Log,
        injection: &Injection,
        part: &Part,
    ) -> Vec<(i64, Scores)> {
        let own = log.of_user(part.user);
        let last = part.last_day().unwrap_or(injection.last);
        let from = own.partition_point(|(at, _)| *at < injection.first * DAY_SECONDS - HOUR);
        let until = own.partition_point(|(at, _)| day_of(*at) <= last);
        let mut events = own.get(from..until).unwrap_or_default().to_vec();
        events.extend(&part.reads);
        events.sort_by_key(|(at, _)| *at);
        let mut history = Moments::default();
        let days = usize::try_from(part.user)
            .ok()
            .and_then(|user| self.own.get(user));
        for (_, count) in days
            .into_iter()
            .flatten()
            .take_while(|(day, _)| *day < injection.first)
        {
            history.add(*count);
        }
        self.walk(&events, injection.first, history)
    }

    /// Scores the days of one account from a day on; what lies before it only counts for the hour.
    fn walk(&self, events: &[(i64, u32)], from: i64, mut history: Moments) -> Vec<(i64, Scores)> {
        let mut days: Vec<(i64, Scores)> = Vec::new();
        let mut hour: HashMap<u32, u32> = HashMap::new();
        let mut oldest = events.iter().peekable();
        let mut start = 0;
        while let Some((first, _)) = events.get(start) {
            let day = day_of(*first);
            let rest = events.get(start..).unwrap_or_default();
            let length = rest.partition_point(|(at, _)| day_of(*at) == day);
            let today = rest.get(..length).unwrap_or_default();
            start += length;
            let mut most = 0;
            for (at, item) in today {
                *hour.entry(*item).or_default() += 1;
                while let Some((_, gone)) = oldest.next_if(|(old, _)| *old <= at - HOUR) {
                    if let Some(count) = hour.get_mut(gone) {
                        *count -= 1;
                        if *count == 0 {
                            hour.remove(gone);
                        }
                    }
                }
                most = most.max(hour.len());
            }
            if day < from {
                continue;
            }
            let different: HashSet<u32> = today.iter().map(|(_, item)| *item).collect();
            let count = float(different.len());
            let known = if history.n < OWN_DAYS {
                self.before(day)
            } else {
                history
            };
            days.push((day, [float(most), known.above(count), count]));
            history.add(count);
        }
        days
    }

    /// Everybody's active days before a day.
    fn before(&self, day: i64) -> Moments {
        let place = self.pooled.partition_point(|(other, _)| *other < day);
        place
            .checked_sub(1)
            .and_then(|place| self.pooled.get(place))
            .map(|(_, moments)| *moments)
            .unwrap_or_default()
    }
}

/// How many different items each active day had.
fn counts(events: &[(i64, u32)]) -> Vec<(i64, f64)> {
    events
        .chunk_by(|one, other| day_of(one.0) == day_of(other.0))
        .filter_map(|day| {
            let different: HashSet<u32> = day.iter().map(|(_, item)| *item).collect();
            Some((day_of(day.first()?.0), float(different.len())))
        })
        .collect()
}
