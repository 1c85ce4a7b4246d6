//! The shape of a peer group, fitted to what its people did (equation 6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::gamma::ln_rising;
use super::number::real;
use super::{Histogram, History, Shape};

/// From how many units on the data alone decide.
const TRUSTED_UNITS: f64 = 300.0;

/// From how many people on the data alone decide.
const TRUSTED_PEOPLE: f64 = 30.0;

/// The spread, in each logarithm, of the weak prior round the default. It only decides where the data are silent.
const PRIOR_SPREAD: f64 = 1.0;

/// How many rounds the search takes at most.
const ROUNDS: usize = 400;

/// The search ends when the best and the worst corner differ by no more than this, in log-likelihood...
const FLAT: f64 = 1e-7;

/// ... and lie no farther apart than this, in each logarithm.
const NARROW: f64 = 1e-4;

/// How far the first corners lie from the start, in each logarithm.
const STEP: f64 = 0.4;

/// The least `r`, `a` and `b`. An `a` above one keeps means finite.
const LEAST: [f64; 3] = [0.05, 1.2, 0.05];

/// The most `r`, `a` and `b`.
const MOST: [f64; 3] = [50.0, 50.0, 10_000.0];

/// One person's part in a fit: how many units, and the sum of their `x`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// Units.
    pub m: f64,
    /// The sum of their `x`.
    pub sum: f64,
}

impl Person {
    /// Counts one unit, neither decayed nor capped.
    pub fn add(&mut self, x: u32) {
        self.m += 1.0;
        self.sum += f64::from(x);
    }
}

impl From<&History> for Person {
    fn from(history: &History) -> Self {
        Self {
            m: history.m,
            sum: history.sum,
        }
    }
}

/// The shape that makes a group's units most likely; `usual` is the default of the scale, from which the search starts.
///
/// The order of `people` does not matter, since their numbers are whole. Both must count the same units, neither decayed
/// nor capped: the caller keeps a [`Person`] beside each [`History`], and takes the units from
/// [`Peers::ever_sessions`](super::Peers::ever_sessions) or its twin. Where they differ, the histogram is scaled until
/// its sum is that of all people, which keeps `r` off its bounds and no more. Decayed histories can stand in for the sums, but poorly: they weigh less
/// than they know, so people look more alike than they are, and where they were capped their sums are too small. On a
/// real log that cost a tenth of a bit a unit.
///
/// With little data the answer is drawn towards `usual`: it lies on the straight line (in logarithms) from `usual` to
/// the fit, at the smaller of units/300 and people/30 of the way, at most all of it. A weak prior (one unit of spread
/// in each logarithm) keeps the fit itself from running off where the data say nothing.
pub fn fit(units: &Histogram, people: &[Person], usual: &Shape) -> Shape {
    let present: Vec<Person> = people
        .iter()
        .copied()
        .filter(|person| person.m > 0.0)
        .collect();
    let total = real(units.total());
    let trust = (total / TRUSTED_UNITS)
        .min(headcount(&present) / TRUSTED_PEOPLE)
        .min(1.0);
    let start = [usual.r.ln(), usual.a.ln(), usual.b.ln()];
    if trust <= 0.0 {
        return *usual;
    }
    let (counted, people) = (weighed(units, &present), People::of(&present));
    let found = minimise(start, |at| {
        prior(at, start) - log_likelihood(&shape_at(at), &counted, &people)
    });
    shape_at(along(start, found, trust))
}

/// The values above 0 and how much each weighs, so that their sum is that of all people. With another sum one of the two
/// terms would win and drive `r` to a bound.
fn weighed(units: &Histogram, people: &[Person]) -> Vec<(f64, f64)> {
    let remembered: f64 = people.iter().map(|person| person.sum).sum();
    let counted: f64 = units.iter().map(|(x, count)| x * real(count)).sum();
    let scale = if counted > 0.0 {
        remembered / counted
    } else {
        1.0
    };
    units
        .iter()
        .filter(|(x, _)| *x > 0.0)
        .map(|(x, count)| (x, scale * real(count)))
        .collect()
}

/// What the terms of the likelihood depend on, each value with how many people have it: most share theirs, and a fit
/// looks at them a hundred times.
struct People {
    /// Units.
    m: Vec<(f64, f64)>,
    /// Sums.
    sum: Vec<(f64, f64)>,
    /// Both.
    both: Vec<(Person, f64)>,
}

impl People {
    /// Counts people.
    fn of(people: &[Person]) -> Self {
        Self {
            m: alike(people.iter().map(|person| person.m), f64::to_bits),
            sum: alike(people.iter().map(|person| person.sum), f64::to_bits),
            both: alike(people.iter().copied(), |person| {
                (person.m.to_bits(), person.sum.to_bits())
            }),
        }
    }
}

/// Each value once, in the order of its key, with how often it came.
fn alike<T: Copy, K: Ord>(values: impl Iterator<Item = T>, key: impl Fn(T) -> K) -> Vec<(T, f64)> {
    let mut counted: BTreeMap<K, (T, f64)> = BTreeMap::new();
    for value in values {
        counted.entry(key(value)).or_insert((value, 0.0)).1 += 1.0;
    }
    counted.into_values().collect()
}

/// How many people there are.
fn headcount(people: &[Person]) -> f64 {
    real(u64::try_from(people.len()).unwrap_or(u64::MAX))
}

/// Equation (6), without the terms that do not depend on the shape.
fn log_likelihood(shape: &Shape, units: &[(f64, f64)], people: &People) -> f64 {
    let Shape { r, a, b } = *shape;
    let rises = |from: f64, by: &[(f64, f64)], scale: f64| -> f64 {
        by.iter()
            .map(|(by, weight)| weight * ln_rising(from, scale * by))
            .sum()
    };
    let both: f64 = people
        .both
        .iter()
        .map(|(person, weight)| weight * ln_rising(a + b, r * person.m + person.sum))
        .sum();
    // The ratios are, for each person, ln B(a + r m, b + S) - ln B(a, b).
    rises(r, units, 1.0) + rises(a, &people.m, r) + rises(b, &people.sum, 1.0) - both
}

/// Minus the logarithm of the weak prior.
fn prior(at: [f64; 3], start: [f64; 3]) -> f64 {
    let distance: f64 = at
        .iter()
        .zip(start)
        .map(|(at, start)| ((at - start) / PRIOR_SPREAD).powi(2))
        .sum();
    distance / 2.0
}

/// The shape whose logarithms these are, held within bounds.
fn shape_at(at: [f64; 3]) -> Shape {
    let [r, a, b] = within(at).map(f64::exp);
    Shape { r, a, b }
}

/// The nearest point within bounds.
fn within(at: [f64; 3]) -> [f64; 3] {
    let held = paired(at, LEAST, |value, least| value.max(least.ln()));
    paired(held, MOST, |value, most| value.min(most.ln()))
}

/// The point on the straight line through two, at 0 the one and at 1 the other.
fn along(from: [f64; 3], to: [f64; 3], by: f64) -> [f64; 3] {
    paired(from, to, |from, to| from + by * (to - from))
}

/// Two points joined, coordinate by coordinate.
fn paired(one: [f64; 3], other: [f64; 3], join: impl Fn(f64, f64) -> f64) -> [f64; 3] {
    let ([one_r, one_a, one_b], [other_r, other_a, other_b]) = (one, other);
    [
        join(one_r, other_r),
        join(one_a, other_a),
        join(one_b, other_b),
    ]
}

/// A corner of the simplex, and what is lost there.
#[derive(Clone, Copy)]
struct Corner {
    /// Where it lies.
    at: [f64; 3],
    /// The function there.
    loss: f64,
}

/// The point where a function is least: Nelder and Mead's simplex, from a fixed start, always the same way.
fn minimise(start: [f64; 3], loss: impl Fn([f64; 3]) -> f64) -> [f64; 3] {
    let corner = |at: [f64; 3]| {
        let at = within(at);
        Corner { at, loss: loss(at) }
    };
    let [x, y, z] = start;
    let mut simplex = [
        [x, y, z],
        [x + STEP, y, z],
        [x, y + STEP, z],
        [x, y, z + STEP],
    ]
    .map(corner);
    for _ in 0..ROUNDS {
        simplex.sort_by(|left, right| left.loss.total_cmp(&right.loss));
        let [best, good, poor, worst] = simplex;
        if worst.loss - best.loss <= FLAT && spread(best, [good, poor, worst]) <= NARROW {
            break;
        }
        let middle = along(along(best.at, good.at, 0.5), poor.at, 1.0 / 3.0);
        let toward = |by: f64| corner(along(middle, worst.at, by));
        let mirrored = toward(-1.0);
        let taken = if mirrored.loss < best.loss {
            let farther = toward(-2.0);
            Some(if farther.loss < mirrored.loss {
                farther
            } else {
                mirrored
            })
        } else if mirrored.loss < poor.loss {
            Some(mirrored)
        } else {
            let nearer = toward(if mirrored.loss < worst.loss {
                -0.5
            } else {
                0.5
            });
            (nearer.loss < worst.loss.min(mirrored.loss)).then_some(nearer)
        };
        simplex = match taken {
            Some(taken) => [best, good, poor, taken],
            None => [best.at, good.at, poor.at, worst.at].map(|at| corner(along(best.at, at, 0.5))),
        };
    }
    simplex.sort_by(|left, right| left.loss.total_cmp(&right.loss));
    let [best, ..] = simplex;
    best.at
}

/// How far the other corners lie from the best, at most, in one logarithm.
fn spread(best: Corner, others: [Corner; 3]) -> f64 {
    let distances = others
        .iter()
        .flat_map(|other| other.at.into_iter().zip(best.at));
    distances
        .map(|(there, here)| (there - here).abs())
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::super::gamma::ln_gamma;
    use super::super::{Predictive, Scale};
    use super::*;

    /// Draws people from a shape: each unit from the law that those before it leave, which is the same as drawing a `p`.
    fn drawn(shape: &Shape, people: u32, units: u32, seed: u64) -> (Histogram, Vec<Person>) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut histogram, mut drawn) = (Histogram::default(), Vec::new());
        for _ in 0..people {
            let mut person = Person::default();
            for _ in 0..units {
                let past = History {
                    m: person.m,
                    sum: person.sum,
                    day: 0,
                };
                let level = random.f64();
                let mut tail = Predictive::new(shape, &past).tail_from_zero();
                let mut x = 0;
                loop {
                    tail.advance();
                    if tail.probability() <= level {
                        break;
                    }
                    x += 1;
                }
                histogram.record(x);
                person.add(x);
            }
            drawn.push(person);
        }
        (histogram, drawn)
    }

    fn near(found: f64, expected: f64, share: f64) -> bool {
        (found / expected).ln().abs() < share
    }

    #[test]
    fn a_fit_recovers_the_shape_that_the_data_were_drawn_from() {
        for (shape, seed) in [
            (
                Shape {
                    r: 0.5,
                    a: 4.0,
                    b: 1.5,
                },
                1,
            ),
            (
                Shape {
                    r: 1.5,
                    a: 3.0,
                    b: 6.0,
                },
                2,
            ),
        ] {
            let (units, people) = drawn(&shape, 1_500, 15, seed);
            let found = fit(&units, &people, &Shape::usual(Scale::Day));
            assert!(near(found.r, shape.r, 0.15), "{found:?}");
            assert!(near(found.a, shape.a, 0.25), "{found:?}");
            assert!(near(found.b, shape.b, 0.25), "{found:?}");
            let mean = |shape: &Shape| Predictive::newcomer(shape).mean();
            assert!(near(mean(&found), mean(&shape), 0.1), "{found:?}");
        }
    }

    #[test]
    fn the_same_data_give_the_same_bits() {
        let (units, people) = drawn(&Shape::usual(Scale::Day), 100, 10, 3);
        let once = fit(&units, &people, &Shape::usual(Scale::Session));
        let again = fit(
            &units.clone(),
            &people.clone(),
            &Shape::usual(Scale::Session),
        );
        assert_eq!(
            [once.r, once.a, once.b].map(f64::to_bits),
            [again.r, again.a, again.b].map(f64::to_bits)
        );
    }

    #[test]
    fn the_order_of_people_does_not_matter() {
        let usual = Shape::usual(Scale::Session);
        let (units, mut people) = drawn(&Shape::usual(Scale::Day), 100, 10, 3);
        let there = fit(&units, &people, &usual);
        people.reverse();
        assert_eq!(there, fit(&units, &people, &usual));
    }

    #[test]
    fn the_likelihood_is_equation_6() {
        let shape = Shape {
            r: 0.7,
            a: 3.1,
            b: 2.2,
        };
        let (units, people) = drawn(&shape, 5, 4, 9);
        let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
        let Shape { r, a, b } = shape;
        let mut expected = 0.0;
        for (x, count) in units.iter() {
            expected += real(count) * (ln_gamma(r + x) - ln_gamma(r));
        }
        for person in &people {
            expected += ln_beta(a + r * person.m, b + person.sum) - ln_beta(a, b);
        }
        let counted: Vec<(f64, f64)> = units.iter().map(|(x, count)| (x, real(count))).collect();
        assert!((log_likelihood(&shape, &counted, &People::of(&people)) - expected).abs() < 1e-9);
    }

    #[test]
    fn nothing_gives_the_default_and_little_gives_something_between() {
        let usual = Shape::usual(Scale::Session);
        assert_eq!(fit(&Histogram::default(), &[], &usual), usual);
        let (units, people) = drawn(
            &Shape {
                r: 3.0,
                a: 6.0,
                b: 60.0,
            },
            400,
            12,
            4,
        );
        let all = fit(&units, &people, &usual);
        let (units, people) = drawn(
            &Shape {
                r: 3.0,
                a: 6.0,
                b: 60.0,
            },
            6,
            12,
            4,
        );
        let few = fit(&units, &people, &usual);
        assert!(usual.b < few.b && few.b < all.b, "{few:?} {all:?}");
        assert!(few.b < 6.0, "{few:?}");
    }

    #[test]
    fn wild_data_stay_within_bounds() {
        let mut units = Histogram::default();
        let mut people = Vec::new();
        for reads in [0_u32, 1_000_000, 0, 3_000_000_000] {
            for _ in 0..50 {
                let mut person = Person::default();
                for _ in 0..4 {
                    units.record(reads);
                    person.add(reads);
                }
                people.push(person);
            }
        }
        let Shape { r, a, b } = fit(&units, &people, &Shape::usual(Scale::Day));
        for ((value, least), most) in [r, a, b].into_iter().zip(LEAST).zip(MOST) {
            assert!(
                value >= least * 0.999 && value <= most * 1.001,
                "{r} {a} {b}"
            );
        }
    }

    #[test]
    fn sums_that_do_not_match_the_histogram_do_not_drive_the_shape_to_a_bound() {
        let (units, mut people) = drawn(&Shape::usual(Scale::Day), 600, 10, 6);
        for person in &mut people {
            person.sum = person.sum.min(25.0);
            if person.m.min(person.sum) > 4.0 {
                person.m *= 0.6;
                person.sum *= 0.6;
            }
        }
        let found = fit(&units, &people, &Shape::usual(Scale::Day));
        assert!(found.r < 5.0 && found.a < 30.0, "{found:?}");
    }

    #[test]
    fn histories_that_weigh_half_give_nearly_the_same_shape() {
        let shape = Shape::usual(Scale::Day);
        let (units, people) = drawn(&shape, 600, 10, 5);
        let whole = fit(&units, &people, &Shape::usual(Scale::Session));
        let halved: Vec<Person> = people
            .iter()
            .map(|person| Person {
                m: person.m / 2.0,
                sum: person.sum / 2.0,
            })
            .collect();
        let half = fit(&units, &halved, &Shape::usual(Scale::Session));
        let mean = |shape: &Shape| Predictive::newcomer(shape).mean();
        assert!(near(mean(&half), mean(&whole), 0.1), "{half:?} {whole:?}");
    }
}
