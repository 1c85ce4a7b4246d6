//! The ledger: what the signals of one person-day come to together (equations C to J).

use serde::{Deserialize, Serialize};

use super::{Calibration, Measure, Scores};

/// The signals of one person-day as it stands, each in a measure of its own. None falls while the day grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Signals {
    /// How few colleagues' sittings or days are as large, in bits (F).
    pub peers: f64,
    /// How far the largest sitting lies beyond the person's own, as a logarithm (E).
    pub own: f64,
    /// Pages new to the person, the rare ones weighing more, as a logarithm (D).
    pub new: f64,
    /// How rare the pages new to the person are, as a logarithm (C).
    pub rare: f64,
    /// What has added up over days (H).
    pub slow: f64,
}

/// What the signals are worth, in bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// Each alone.
    pub each: Signals,
    /// The mean of the three that speak of volume.
    pub mean: f64,
    /// The strongest of volume, rarity and slow excess, each with its share of the alarms.
    pub strongest: f64,
    /// The score: `2^-score` of all person-days come to as much.
    pub score: f64,
}

/// Shares of the alarms: volume, rarity, slow excess.
const SHARES: [f64; 3] = [0.65, 0.10, 0.25];

/// Turns signals into bits. Frozen between refits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    peers: Calibration,
    own: Calibration,
    new: Calibration,
    rare: Calibration,
    slow: Calibration,
    mean: Calibration,
    strongest: Calibration,
}

impl Default for Ledger {
    fn default() -> Self {
        Pooled::default().ledger(0)
    }
}

impl Ledger {
    /// What a person-day is worth.
    pub fn weigh(&self, signals: &Signals) -> Worth {
        let each = Signals {
            peers: self.peers.k(signals.peers),
            own: self.own.k(signals.own),
            new: self.new.k(signals.new),
            rare: self.rare.k(signals.rare),
            slow: self.slow.k(signals.slow),
        };
        let mean = (each.peers + each.own + each.new) / 3.0;
        let [volume, rare, slow] = SHARES.map(f64::log2);
        let strongest = (self.mean.k(mean) + volume)
            .max(each.rare + rare)
            .max(each.slow + slow)
            .max(0.0);
        Worth {
            each,
            mean,
            strongest,
            score: self.strongest.k(strongest),
        }
    }
}

/// The person-days of a peer group, by what they came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pooled {
    peers: Scores,
    own: Scores,
    new: Scores,
    rare: Scores,
    slow: Scores,
    mean: Scores,
    strongest: Scores,
}

impl Pooled {
    /// Counts one person-day that is over.
    pub fn record(&mut self, week: i64, signals: &Signals, worth: &Worth) {
        self.peers.record(week, signals.peers);
        self.own.record(week, signals.own);
        self.new.record(week, signals.new);
        self.rare.record(week, signals.rare);
        self.slow.record(week, signals.slow);
        self.mean.record(week, worth.mean);
        self.strongest.record(week, worth.strongest);
    }

    /// What the window before week `until` makes of signals.
    pub fn ledger(&self, until: i64) -> Ledger {
        Ledger {
            peers: self.peers.calibration(until, Measure::Bits),
            own: self.own.calibration(until, Measure::LogCount),
            new: self.new.calibration(until, Measure::LogCount),
            rare: self.rare.calibration(until, Measure::LogCount),
            slow: self.slow.calibration(until, Measure::Bits),
            mean: self.mean.calibration(until, Measure::Bits),
            strongest: self.strongest.calibration(until, Measure::Bits),
        }
    }

    /// Forgets what lies before the window that ends before week `until`.
    pub fn forget(&mut self, until: i64) {
        let start = self.peers.start(until);
        for scores in [
            &mut self.peers,
            &mut self.own,
            &mut self.new,
            &mut self.rare,
            &mut self.slow,
            &mut self.mean,
            &mut self.strongest,
        ] {
            scores.forget_before(start);
        }
    }
}
