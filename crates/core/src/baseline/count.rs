//! How much one person reads: the beta-negative-binomial law of `x`, and what is remembered of the past.
//!
//! `x` is different pages minus one. Given the person's `p`, `x` is negative binomial (failures before `r` successes);
//! `p` is Beta(a, b) among the peers. The past needs two numbers, so the predictive law has
//! `A = a + r m` and `B = b + S`:
//!
//! ```text
//! P(x = k) = Gamma(r+k) / (k! Gamma(r)) * B(A + r, B + k) / B(A, B)                     (1)
//! pmf(k+1) = pmf(k) * (r+k)/(k+1) * (B+k)/(A+r+B+k),   T(k+1) = T(k) - pmf(k)           (2)
//! ```

use serde::{Deserialize, Serialize};

use super::gamma::{ln_gamma, ln_rising};

/// In how many days the weight of the past halves.
pub const HALF_LIFE_DAYS: f64 = 60.0;

/// The most units that the past weighs.
pub const MOST_REMEMBERED: f64 = 20.0;

/// The largest `x` that a quantile goes to.
const FARTHEST: u32 = 65_536;

/// Which clock a unit is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// One session.
    Session,
    /// One person's day.
    Day,
    /// The rarity of the pages new to one person in a day, in steps of two bits.
    Rarity,
}

/// What is usual among the peers, as the prior of one scale: the `r`, `a` and `b` of the law. All are positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// How even one person's units are: the larger, the closer to Poisson.
    pub r: f64,
    /// How alike the peers are, and how light the tail: a newcomer's tail falls as `x^-a`.
    pub a: f64,
    /// With `a`, how much is read: the mean is `r b / (a - 1)`.
    pub b: f64,
}

impl Shape {
    /// What to assume of a tenant of which nothing is known.
    pub const fn usual(scale: Scale) -> Self {
        match scale {
            Scale::Session => Self {
                r: 0.5,
                a: 4.0,
                b: 1.5,
            },
            Scale::Day => Self {
                r: 1.1,
                a: 3.6,
                b: 1.1,
            },
            Scale::Rarity => Self {
                r: 0.5,
                a: 3.0,
                b: 2.0,
            },
        }
    }
}

/// What is remembered of one person on one scale: a decayed number of units and a decayed sum.
///
/// It changes only in [`learn`](Self::learn), so that how often it is looked at cannot change it by a rounding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// How many units the past weighs, at most [`MOST_REMEMBERED`].
    pub m: f64,
    /// The sum of their `x`, with the same weights.
    pub sum: f64,
    /// The UTC day to which both were decayed.
    pub day: i64,
}

impl History {
    /// The history as it weighs on a day; unchanged for a day that is not later.
    #[must_use]
    pub fn decayed(&self, day: i64) -> Self {
        let days = day.saturating_sub(self.day);
        if days <= 0 {
            return *self;
        }
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        let left = (-f64::from(days) / HALF_LIFE_DAYS).exp2();
        Self {
            m: self.m * left,
            sum: self.sum * left,
            day,
        }
    }

    /// Learns one settled unit of a day (equation 3). `cap` comes from [`cap`](super::cap) and keeps a bulk collection from
    /// teaching itself (equation 4). A unit of an earlier day than the last counts as of that last day.
    pub fn learn(&mut self, x: u32, day: i64, cap: u32) {
        let mut next = self.decayed(day);
        next.m += 1.0;
        next.sum += f64::from(x.min(cap));
        if next.m > MOST_REMEMBERED {
            next.sum *= MOST_REMEMBERED / next.m;
            next.m = MOST_REMEMBERED;
        }
        *self = next;
    }
}

/// The predictive law of the next unit of one person.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Predictive {
    /// `r` of the peers.
    r: f64,
    /// `a` of the peers, and `r` for each unit of the past. The exponent of the tail.
    a: f64,
    /// `b` of the peers, and the sum of the past.
    b: f64,
}

impl Predictive {
    /// The law after a history, which the caller has [decayed](History::decayed) to the day in question.
    pub fn new(shape: &Shape, history: &History) -> Self {
        Self {
            r: shape.r,
            a: shape.a + shape.r * history.m,
            b: shape.b + history.sum,
        }
    }

    /// The law of somebody without a past.
    pub fn newcomer(shape: &Shape) -> Self {
        Self::new(shape, &History::default())
    }

    /// The mean of `x`; infinite for a tail exponent of one or less.
    pub fn mean(&self) -> f64 {
        if self.a > 1.0 {
            self.r * self.b / (self.a - 1.0)
        } else {
            f64::INFINITY
        }
    }

    /// The smallest `x` that at least this share of units stays at or under; at most 65,536. Walks, so not for the path
    /// of an event. In pages: of 100 units 99 have at most `quantile(0.99) + 1`, and stay under `quantile(0.99) + 2`.
    pub fn quantile(&self, share: f64) -> u32 {
        let mut tail = self.tail_from_zero();
        while tail.n < FARTHEST {
            tail.advance();
            if tail.above <= 1.0 - share {
                return tail.n - 1;
            }
        }
        FARTHEST
    }

    /// `P(x = k)` from equation (1).
    pub fn pmf(&self, k: u32) -> f64 {
        let Self { r, a, b } = *self;
        let k = f64::from(k);
        let choices = -ln_rising(r + k, 1.0 - r) - ln_gamma(r);
        (choices + ln_rising(a, r) - ln_rising(b + k, a + r) + ln_rising(b, a)).exp()
    }

    /// `P(x >= n)` from scratch and from above, so that it keeps its relative accuracy (about six digits) however
    /// small it is. Costs thousands of steps: what [`Tail`] is held against, and not for the path of an event.
    pub fn tail(&self, n: u32) -> f64 {
        if n == 0 {
            return 1.0;
        }
        let Self { r, a, b } = *self;
        let far = 128.0 * (f64::from(n) + a + b + r + 8.0);
        let (mut k, mut term, mut sum) = (f64::from(n), self.pmf(n), 0.0);
        while k < far && term * k > sum * 1e-17 {
            sum += term;
            term *= self.ratio(k);
            k += 1.0;
        }
        // What is left, to second order: sum of pmf from k on is k (A+r+B+k-1) pmf(k) / (A (k + c)).
        let c = (1.0 - r) * (b - 1.0) / (a + 1.0);
        (sum + term * k * (a + r + b + k - 1.0) / (a * (k + c))).min(1.0)
    }

    /// `pmf(k+1) / pmf(k)`.
    fn ratio(&self, k: f64) -> f64 {
        (self.r + k) * (self.b + k) / ((k + 1.0) * (self.a + self.r + self.b + k))
    }

    /// The tail at `x >= 0`, from which to advance.
    pub fn tail_from_zero(&self) -> Tail {
        let Self { r, a, b } = *self;
        Tail {
            law: *self,
            n: 0,
            pmf: (ln_rising(a, r) - ln_rising(a + b, r)).exp().min(1.0),
            above: 1.0,
        }
    }
}

/// `P(x >= n)` for an `n` that grows with every page that is new to the unit (equation 2): constant time, no
/// allocation, and the same bits after being stored and loaded.
///
/// A unit begins with its first page, which is `n = 0`; the second different page is the first
/// [`advance`](Self::advance). Accurate to about 1e-13 absolutely; where that is no longer a share of the whole,
/// it does not fall below the probability of `n` itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// The law.
    law: Predictive,
    /// Different pages of the unit, minus one.
    n: u32,
    /// `P(x = n)`.
    pmf: f64,
    /// `P(x >= n)`, never rising.
    above: f64,
}

impl Tail {
    /// The tail of a unit that has just begun, after a history that was decayed to its day.
    pub fn new(shape: &Shape, history: &History) -> Self {
        Predictive::new(shape, history).tail_from_zero()
    }

    /// One more different page.
    pub fn advance(&mut self) {
        let pmf = self.pmf * self.law.ratio(f64::from(self.n));
        self.above = (self.above - self.pmf)
            .max(pmf)
            .max(f64::MIN_POSITIVE)
            .min(self.above);
        self.pmf = pmf;
        self.n = self.n.saturating_add(1);
    }

    /// The tail so many different pages later.
    #[must_use]
    pub fn advanced(mut self, pages: u32) -> Self {
        for _ in 0..pages {
            self.advance();
        }
        self
    }

    /// `P(x >= n)`: above 0, at most 1, never rising with `n`.
    pub const fn probability(&self) -> f64 {
        self.above
    }

    /// The present `n`: different pages minus one.
    pub const fn n(&self) -> u32 {
        self.n
    }

    /// The law it follows, which gives mean and quantiles.
    pub const fn law(&self) -> &Predictive {
        &self.law
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn regular() -> Predictive {
        Predictive::new(
            &Shape::usual(Scale::Session),
            &History {
                m: 20.0,
                sum: 60.0,
                day: 0,
            },
        )
    }

    fn laws() -> impl Strategy<Value = Predictive> {
        (0.1..5.0, 1.3..10.0, 0.2..20.0, 0.0..20.0, 0.0..50.0).prop_map(|(r, a, b, m, mean)| {
            Predictive::new(
                &Shape { r, a, b },
                &History {
                    m,
                    sum: m * mean,
                    day: 0,
                },
            )
        })
    }

    proptest! {
        #[test]
        fn the_growing_tail_is_the_tail_from_scratch(law in laws(), n in 0_u32..400) {
            let grown = law.tail_from_zero().advanced(n).probability();
            let direct = law.tail(n);
            prop_assert!((grown - direct).abs() <= 1e-5 * direct + 2e-13, "{} {}", grown, direct);
        }

        #[test]
        fn the_growing_tail_never_rises_and_never_reaches_zero(law in laws()) {
            let mut tail = law.tail_from_zero();
            prop_assert!((tail.probability() - 1.0).abs() < f64::EPSILON);
            for _ in 0..5_000 {
                let before = tail.probability();
                tail.advance();
                prop_assert!(tail.probability() > 0.0 && tail.probability() <= before);
            }
        }

        #[test]
        fn a_stored_tail_goes_on_bit_by_bit(law in laws(), n in 0_u32..200) {
            let tail = law.tail_from_zero().advanced(n);
            let stored = postcard::to_allocvec(&tail).unwrap();
            let loaded: Tail = postcard::from_bytes(&stored).unwrap();
            prop_assert_eq!(tail.advanced(50).probability().to_bits(), loaded.advanced(50).probability().to_bits());
        }
    }

    #[test]
    fn where_subtraction_has_no_digits_left_the_tail_stays_above_its_first_term() {
        for sum in (10..200_u32).step_by(10) {
            let history = History {
                m: 20.0,
                sum: f64::from(sum),
                day: 0,
            };
            let mut tail = Tail::new(&Shape::usual(Scale::Session), &history);
            for _ in 0..5_000 {
                tail.advance();
            }
            let alone = tail.law().pmf(tail.n());
            assert!(tail.probability() >= alone * 0.999, "{sum}");
        }
    }

    #[test]
    fn the_tail_from_scratch_is_right_where_it_is_heaviest() {
        for (r, b) in [(5.0, 20.0), (0.5, 20.0), (0.5, 0.3)] {
            let law = Predictive { r, a: 1.3, b };
            let below: f64 = (0..40).map(|k| law.pmf(k)).sum();
            assert!((law.tail(1) - (1.0 - law.pmf(0))).abs() < 1e-6, "{law:?}");
            assert!((law.tail(40) - (1.0 - below)).abs() < 1e-6, "{law:?}");
        }
    }

    #[test]
    fn the_law_sums_to_one_and_its_mean_is_the_sum() {
        for law in [
            regular(),
            Predictive::newcomer(&Shape::usual(Scale::Day)),
            Predictive {
                r: 3.0,
                a: 9.0,
                b: 40.0,
            },
        ] {
            let (mut all, mut mean) = (0.0, 0.0);
            for k in 0..200_000 {
                let pmf = law.pmf(k);
                all += pmf;
                mean += pmf * f64::from(k);
            }
            assert!((all - 1.0).abs() < 1e-9, "{all}");
            assert!(
                (mean / law.mean() - 1.0).abs() < 1e-6,
                "{mean} {}",
                law.mean()
            );
        }
        assert!(
            Predictive {
                r: 1.0,
                a: 0.9,
                b: 1.0
            }
            .mean()
            .is_infinite()
        );
    }

    #[test]
    fn a_quantile_is_where_the_law_says() {
        for law in [
            regular(),
            Predictive::newcomer(&Shape::usual(Scale::Session)),
        ] {
            let point = law.quantile(0.99);
            let up_to = |last: u32| (0..=last).map(|k| law.pmf(k)).sum::<f64>();
            assert!(up_to(point) >= 0.99, "{point}");
            assert!(up_to(point - 1) < 0.99, "{point}");
        }
        assert_eq!(regular().quantile(0.0), 0);
    }

    #[test]
    fn the_tail_falls_by_a_for_newcomers_and_faster_with_a_past() {
        let newcomer = Predictive::newcomer(&Shape::usual(Scale::Session));
        let slope = |law: &Predictive| (law.tail(4_000) / law.tail(8_000)).log2();
        assert!(
            (slope(&newcomer) - 4.0).abs() < 0.01,
            "{}",
            slope(&newcomer)
        );
        assert!(
            (slope(&regular()) - 14.0).abs() < 0.3,
            "{}",
            slope(&regular())
        );
    }

    #[test]
    fn the_past_halves_in_sixty_days_and_looking_back_changes_nothing() {
        let history = History {
            m: 8.0,
            sum: 24.0,
            day: 100,
        };
        assert_eq!(
            history.decayed(160),
            History {
                m: 4.0,
                sum: 12.0,
                day: 160
            }
        );
        assert_eq!(history.decayed(99), history);
        let forgotten = History {
            day: i64::MIN,
            ..history
        }
        .decayed(i64::MAX);
        assert!(forgotten.m.abs() < 1e-300);
    }

    #[test]
    fn learning_is_capped_in_x_and_in_weight() {
        let mut history = History::default();
        history.learn(500, 3, 40);
        assert_eq!(
            history,
            History {
                m: 1.0,
                sum: 40.0,
                day: 3
            }
        );
        for _ in 0..100 {
            history.learn(5, 3, u32::MAX);
        }
        assert!((history.m - 20.0).abs() < 1e-12);
        assert!((history.sum / history.m - 5.0).abs() < 0.3, "{history:?}");
    }

    #[test]
    fn a_unit_of_an_earlier_day_counts_as_of_the_last() {
        let mut history = History {
            m: 2.0,
            sum: 6.0,
            day: 10,
        };
        history.learn(4, 7, u32::MAX);
        assert_eq!(
            history,
            History {
                m: 3.0,
                sum: 10.0,
                day: 10
            }
        );
    }
}
