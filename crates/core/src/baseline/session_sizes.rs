//! How large one person's sessions are, and how much they vary.

use serde::{Deserialize, Serialize};

use super::History;

/// The least number of sessions from which a person's own spread is used.
pub const OWN_SESSIONS: f64 = 5.0;

/// The sizes of one person's sessions: count, sum and squares, decayed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionSizes {
    /// How many, and their sum.
    pub history: History,
    /// The sum of their squares, with the same weights.
    squares: f64,
}

/// Mean and standard deviation, in pages beyond the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub deviation: f64,
}

impl Spread {
    /// From weighted sums.
    pub fn of(count: f64, sum: f64, squares: f64) -> Self {
        let mean = if count > 0.0 { sum / count } else { 0.0 };
        let variance = if count > 0.0 {
            (squares / count - mean * mean).max(0.0)
        } else {
            0.0
        };
        Self {
            mean,
            deviation: variance.sqrt(),
        }
    }

    /// How far beyond the mean, in deviations of at least one page, as `log2(1 + z)` (equation E).
    pub fn excess(&self, x: u32) -> f64 {
        let z = (f64::from(x) - self.mean) / self.deviation.max(1.0);
        (1.0 + z.max(0.0)).log2()
    }
}

impl SessionSizes {
    /// Learns one session; see [`History::learn`].
    pub fn learn(&mut self, x: u32, day: i64, cap: u32) {
        let weight = |history: &History| if history.m > 0.0 { history.m } else { 1.0 };
        let before = self.history;
        let decayed = before.decayed(day);
        self.squares *= decayed.m / weight(&before);
        let x = x.min(cap);
        self.history.learn(x, day, u32::MAX);
        self.squares += f64::from(x) * f64::from(x);
        self.squares *= self.history.m / (decayed.m + 1.0);
    }

    /// The person's own spread on a day; none below five sessions.
    pub fn spread(&self, day: i64) -> Option<Spread> {
        let decayed = self.history.decayed(day);
        if decayed.m < OWN_SESSIONS {
            return None;
        }
        let squares = self.squares * decayed.m / self.history.m;
        Some(Spread::of(decayed.m, decayed.sum, squares))
    }
}
