//! Small excess, day after day: a sum that forgets (equation H).

use serde::{Deserialize, Serialize};

use super::mixture::{bits, blend};
use super::{History, Shape, Survival, Tail};

/// In how many days the sum halves.
const HALF_LIFE_DAYS: f64 = 21.0;

/// The most bits that one day counts for: two more to the sum. One wild day is reported by itself; here it would drown what
/// adds up slowly. With 16 the smallest bulk collection found on a year of a company's reading was half as large again.
const MOST_BITS: f64 = 6.0;

/// What remains of one person's excess of the days before.
///
/// `C <- max(0, C 2^(-days/21) - 1 + min(v, 6)/2)` with `v` the surprise of the day in bits: the logarithm of an e-value,
/// calibrated from p by `p^(-1/2)/2` (Vovk and Wang 2021), summed as in a CUSUM (Page 1954).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// The sum.
    sum: f64,
    /// The UTC day up to which it counts.
    day: i64,
    /// The day on which it last left 0.
    since: i64,
    /// Days with reading since then.
    days: u32,
    /// Pages new to the person since then.
    pages: u32,
}

impl Slow {
    /// The sum with a day on which the surprise was so many bits.
    fn with(&self, day: i64, surprise: f64) -> f64 {
        (self.left(day) + added(surprise)).max(0.0)
    }

    /// The same as a signal: nothing on a day that adds nothing, for what is left of earlier days is no news.
    pub fn signal(&self, day: i64, surprise: f64) -> f64 {
        if added(surprise) > 0.0 {
            self.with(day, surprise)
        } else {
            0.0
        }
    }

    /// What is left of it on a day.
    fn left(&self, day: i64) -> f64 {
        let days = i32::try_from(day.saturating_sub(self.day).max(0)).unwrap_or(i32::MAX);
        self.sum * (-f64::from(days) / HALF_LIFE_DAYS).exp2()
    }

    /// Takes a day that is over.
    pub fn close(&mut self, day: i64, surprise: f64, new_pages: u32) {
        let sum = self.with(day, surprise);
        let began = self.sum <= 0.0;
        *self = if sum <= 0.0 {
            Self {
                day,
                ..Self::default()
            }
        } else {
            Self {
                sum,
                day,
                since: if began { day } else { self.since },
                days: if began {
                    1
                } else {
                    self.days.saturating_add(1)
                },
                pages: if began {
                    new_pages
                } else {
                    self.pages.saturating_add(new_pages)
                },
            }
        };
    }

    /// The first day that the present sum counts, if it is not 0.
    pub fn since(&self) -> Option<(i64, u32, u32)> {
        (self.sum > 0.0).then_some((self.since, self.days, self.pages))
    }

    /// The UTC day up to which it counts.
    pub const fn day(&self) -> i64 {
        self.day
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// What a day adds to the sum.
fn added(surprise: f64) -> f64 {
    surprise.min(MOST_BITS) / 2.0 - 1.0
}

/// How surprising the day's new and rare pages are as it goes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SlowDay {
    tail: Tail,
}

impl SlowDay {
    /// Begins a day, after a history decayed to it.
    pub fn new(shape: &Shape, history: &History) -> Self {
        Self {
            tail: Tail::new(shape, history),
        }
    }

    /// The day has come to so much rarity, in bits (R of equation C).
    pub fn reach(&mut self, rarity: f64) {
        let half = super::number::whole(rarity / 2.0);
        while self.tail.n() < half {
            self.tail.advance();
        }
    }

    /// The surprise so far, in bits.
    pub fn surprise(&self, peers: &Survival) -> f64 {
        bits(blend(self.tail.probability(), peers.at(self.tail.n())))
    }

    /// What it came to.
    pub const fn tail(&self) -> &Tail {
        &self.tail
    }
}
