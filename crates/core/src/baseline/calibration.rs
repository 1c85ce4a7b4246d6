//! Calibration: the bits of a score of one channel, by how often such scores came among all people
//! (equations 9 and J).

use serde::{Deserialize, Serialize};

use super::number::{real, whole};
use super::weekly::ENOUGH_PERSON_DAYS;
use super::{Histogram, Weekly};

/// Steps of the histogram of scores in one bit.
const STEPS: f64 = 20.0;

/// The share of scores above the knee, where counting ends and the exponential tail begins.
const BEYOND_KNEE: f64 = 0.025;

/// How many scores beyond the knee the assumed spread weighs.
const SPREAD_WEIGHT: f64 = 50.0;

/// Of the scores beyond the knee, the highest one in so many is cut down to the next.
const WINSORISED_ONE_IN: u64 = 100;

/// From how many scores on only what was counted is believed.
const TRUSTED_SCORES: f64 = 1_000.0;

/// What a channel's scores are measured in, which says what to assume of their tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Bits of surprise: each bit more is half as likely.
    Bits,
    /// The binary logarithm of a count: a Pareto tail with exponent 3.
    LogCount,
}

impl Measure {
    /// How many bits one unit of the score counts until there are data.
    const fn bits_per_unit(self) -> f64 {
        match self {
            Self::Bits => 1.0,
            Self::LogCount => 3.0,
        }
    }

    /// From which score on.
    const fn ordinary(self) -> f64 {
        match self {
            Self::Bits => 0.0,
            Self::LogCount => 2.0,
        }
    }
}

/// The scores of one channel, one for each person-day, pooled by week.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scores(Weekly);

impl Scores {
    /// Counts the score of one person-day in its [week](super::week_of). Scores below 0 count as 0.
    pub fn record(&mut self, week: i64, score: f64) {
        self.0.record(week, step(score));
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// The first week of the window that ends before week `until`: 26 weeks, or back to 5,000 person-days.
    pub fn start(&self, until: i64) -> i64 {
        self.0.start(until, ENOUGH_PERSON_DAYS)
    }

    /// Forgets what lies before a week: the start of the last window.
    pub fn forget_before(&mut self, week: i64) {
        self.0.forget_before(week);
    }

    /// The calibration that the window before week `until` gives, where it holds too little mixed with another.
    pub fn calibration(&self, until: i64, measure: Measure, fallback: &Calibration) -> Calibration {
        Calibration::fitted(&self.0.pooled(self.start(until), until), measure, fallback)
    }
}

/// The step of a score.
fn step(score: f64) -> u32 {
    whole(score * STEPS)
}

/// The bits of a score: by rank up to the 97.5 % point, exponential beyond. Frozen between refits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Bits for each step up to the reach; never falling.
    table: Vec<f64>,
    /// The score from which the tail is exponential.
    reach: f64,
    /// Bits there.
    at_reach: f64,
    /// Bits for each unit of score beyond.
    slope: f64,
}

impl Calibration {
    /// What to assume before anything was counted: the score itself for bits; for a logarithm three bits for each unit
    /// beyond the second.
    pub const fn assumed(measure: Measure) -> Self {
        Self {
            table: Vec::new(),
            reach: measure.ordinary(),
            at_reach: 0.0,
            slope: measure.bits_per_unit(),
        }
    }

    /// The calibration of a histogram of [`Scores`]. Below 1,000 scores the fallback takes the rest of the weight, in
    /// proportion.
    fn fitted(scores: &Histogram, measure: Measure, fallback: &Self) -> Self {
        let trust = (real(scores.total()) / TRUSTED_SCORES).min(1.0);
        if trust <= 0.0 {
            return fallback.clone();
        }
        let own = Self::counted(scores, measure);
        let reach = own.reach.max(fallback.reach);
        let mixed = |score| trust * own.k(score) + (1.0 - trust) * fallback.k(score);
        Self {
            table: (0..step(reach))
                .map(|step| mixed(f64::from(step) / STEPS))
                .collect(),
            reach,
            at_reach: mixed(reach),
            slope: trust * own.slope + (1.0 - trust) * fallback.slope,
        }
    }

    /// What the histogram alone says.
    fn counted(scores: &Histogram, measure: Measure) -> Self {
        let all = real(scores.total()) + 1.0;
        let knee_step = scores.upper_point(BEYOND_KNEE);
        let mut table: Vec<f64> = scores
            .at_least(knee_step)
            .into_iter()
            .map(|count| (all / (real(count) + 0.5)).log2().max(0.0))
            .collect();
        // The lowest scores are no surprise, though half a score more would make them one.
        if let Some(lowest) = table.first_mut() {
            *lowest = 0.0;
        }
        let at_reach = table.pop().unwrap_or(0.0);
        let reach = f64::from(knee_step) / STEPS;
        Self {
            table,
            reach,
            at_reach,
            slope: 1.0 / (spread(scores, reach, measure) * std::f64::consts::LN_2),
        }
    }

    /// The bits of a score; never falling with it, and constant time.
    pub fn k(&self, score: f64) -> f64 {
        let score = score.max(0.0);
        let ranked = usize::try_from(step(score))
            .ok()
            .and_then(|step| self.table.get(step));
        ranked
            .copied()
            .unwrap_or_else(|| self.at_reach + (score - self.reach).max(0.0) * self.slope)
    }
}

/// The mean excess over the knee: the highest hundredth cut down, and drawn towards the measure's own.
fn spread(scores: &Histogram, knee: f64, measure: Measure) -> f64 {
    let excesses: Vec<(f64, u64)> = scores
        .iter()
        .map(|(step, count)| ((step + 0.5) / STEPS - knee, count))
        .filter(|(excess, _)| *excess > 0.0)
        .collect();
    let count: u64 = excesses.iter().map(|(_, count)| count).sum();
    let mut left = count / WINSORISED_ONE_IN;
    let limit = excesses.iter().rev().find(|(_, count)| {
        let within = *count > left;
        left = left.saturating_sub(*count);
        within
    });
    let limit = limit.map_or(0.0, |(excess, _)| *excess);
    let sum: f64 = excesses
        .iter()
        .map(|(excess, count)| excess.min(limit) * real(*count))
        .sum();
    let assumed = 1.0 / (measure.bits_per_unit() * std::f64::consts::LN_2);
    (sum + SPREAD_WEIGHT * assumed) / (real(count) + SPREAD_WEIGHT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Scores of `stretch` times as many bits as they are worth, one at each rank.
    fn stretched(people: u32, stretch: f64) -> Scores {
        let mut scores = Scores::default();
        for rank in 0..people {
            scores.record(
                0,
                stretch * -((f64::from(rank) + 0.5) / f64::from(people)).log2(),
            );
        }
        scores
    }

    #[test]
    fn before_anything_was_counted_bits_are_bits_and_logarithms_count_three_times() {
        for score in [0.0, 0.3, 7.0, 40.0] {
            assert!((Calibration::assumed(Measure::Bits).k(score) - score).abs() < 1e-9);
            assert!(
                (Calibration::assumed(Measure::LogCount).k(score) - 3.0 * (score - 2.0).max(0.0))
                    .abs()
                    < 1e-9
            );
        }
    }

    #[test]
    fn overconfident_scores_are_brought_down_to_what_they_are_worth() {
        let calibration = stretched(100_000, 2.0).calibration(
            1,
            Measure::Bits,
            &Calibration::assumed(Measure::Bits),
        );
        for score in [1.0, 4.0, 10.0, 20.0, 30.0] {
            assert!(
                (calibration.k(score) - score / 2.0).abs() < 0.25,
                "{score} {}",
                calibration.k(score)
            );
        }
    }

    #[test]
    fn of_all_scores_two_to_the_minus_b_are_worth_b_bits() {
        let calibration = stretched(50_000, 0.7).calibration(
            1,
            Measure::Bits,
            &Calibration::assumed(Measure::Bits),
        );
        for b in 1..=10 {
            let worth = (0..50_000_u32)
                .map(|rank| calibration.k(0.7 * -((f64::from(rank) + 0.5) / 50_000.0).log2()))
                .filter(|bits| *bits >= f64::from(b))
                .count();
            let share = f64::from(u32::try_from(worth).unwrap()) / 50_000.0;
            assert!((share.log2() + f64::from(b)).abs() < 0.3, "{b} {share}");
        }
    }

    #[test]
    fn one_wild_score_hardly_moves_the_tail() {
        let mut scores = stretched(5_000, 1.0);
        let before = scores
            .calibration(1, Measure::Bits, &Calibration::assumed(Measure::Bits))
            .k(15.0);
        scores.record(0, 200.0);
        let after = scores
            .calibration(1, Measure::Bits, &Calibration::assumed(Measure::Bits))
            .k(15.0);
        assert!((before - after).abs() < 0.5, "{before} {after}");
    }

    #[test]
    fn one_score_more_changes_little_on_both_sides_of_a_thousand() {
        let (before, after) = (stretched(999, 2.0), stretched(1_000, 2.0));
        for score in [1.0, 5.0, 12.0, 25.0] {
            let before = before
                .calibration(1, Measure::Bits, &Calibration::assumed(Measure::Bits))
                .k(score);
            let after = after
                .calibration(1, Measure::Bits, &Calibration::assumed(Measure::Bits))
                .k(score);
            assert!((before - after).abs() < 0.1, "{score} {before} {after}");
        }
    }

    #[test]
    fn scores_that_are_all_alike_are_no_surprise() {
        let mut scores = Scores::default();
        for _ in 0..5_000 {
            scores.record(0, 0.0);
        }
        let calibration =
            scores.calibration(1, Measure::Bits, &Calibration::assumed(Measure::Bits));
        assert!(calibration.k(0.0).abs() < f64::EPSILON);
        assert!(calibration.k(1.0) > 10.0, "{}", calibration.k(1.0));
    }

    #[test]
    fn merging_does_not_care_for_order_and_a_stored_calibration_says_the_same() {
        let (left, mut right) = (stretched(300, 1.0), Scores::default());
        right.record(4, 3.0);
        let (mut one, mut other) = (left.clone(), right.clone());
        one.merge(&right);
        other.merge(&left);
        assert_eq!(one, other);
        let stored = postcard::to_allocvec(&one).unwrap();
        assert_eq!(postcard::from_bytes::<Scores>(&stored).unwrap(), one);
        let calibration = one.calibration(
            5,
            Measure::LogCount,
            &Calibration::assumed(Measure::LogCount),
        );
        let stored = postcard::to_allocvec(&calibration).unwrap();
        assert_eq!(
            postcard::from_bytes::<Calibration>(&stored).unwrap(),
            calibration
        );
    }

    proptest! {
        #[test]
        fn more_score_is_never_worth_less(values in prop::collection::vec(0.0_f64..30.0, 0..1_500)) {
            let mut scores = Scores::default();
            for value in values {
                scores.record(0, value);
            }
            for measure in [Measure::Bits, Measure::LogCount] {
                let calibration = scores.calibration(1, measure, &Calibration::assumed(measure));
                let mut last = 0.0;
                for tenth in 0..600_u32 {
                    let here = calibration.k(f64::from(tenth) / 10.0);
                    prop_assert!(here >= last - 1e-12, "{} {} {}", tenth, here, last);
                    last = here;
                }
            }
        }
    }
}
