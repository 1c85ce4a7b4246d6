//! The score of one person-day from its signals (equations C to J).

use serde::{Deserialize, Serialize};

use super::{Calibration, Measure, Scores};

/// The signals of one person-day as it stands, each in a measure of its own. None falls while the day grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Signals {
    /// How few peers' sessions or days are as large, in bits (F).
    pub peers: f64,
    /// How far the largest session lies beyond the person's own, as a logarithm (E).
    pub own: f64,
    /// Pages new to the person, the rare ones weighing more, as a logarithm (D).
    pub new: f64,
    /// How rare the pages new to the person are, as a logarithm (C).
    pub rare: f64,
    /// What has added up over days (H).
    pub slow: f64,
}

/// The signals in calibrated bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibrated {
    /// Each alone.
    pub each: Signals,
    /// The mean of the four that are about one day.
    pub mean: f64,
    /// The strongest of the day, rarity alone and slow excess, each with its share of the alarms.
    pub strongest: f64,
    /// The score: `2^-score` of all person-days come to as much.
    pub score: f64,
}

/// Shares of the alarms: the day as a whole, rarity alone, slow excess.
const SHARES: [f64; 3] = [0.65, 0.10, 0.25];

/// How many strata of experience there are.
const STRATA: usize = 3;

/// On how many earlier days a person has read. What is new to somebody says nothing on the first day, and little in the
/// first week: in a tenant that is new, that is everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experience(u8);

impl Experience {
    /// After so many days of reading.
    pub fn of(days: f64) -> Self {
        Self(if days < 1.0 {
            0
        } else if days < 6.0 {
            1
        } else {
            2
        })
    }

    fn of_list<T>(self, list: &[T; STRATA]) -> &T {
        let [first, second, third] = list;
        match self.0 {
            0 => first,
            1 => second,
            _ => third,
        }
    }

    fn of_list_mut<T>(self, list: &mut [T; STRATA]) -> &mut T {
        let [first, second, third] = list;
        match self.0 {
            0 => first,
            1 => second,
            _ => third,
        }
    }
}

/// Turns signals into bits. Frozen between refits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scoring {
    peers: Calibration,
    own: Calibration,
    new: [Calibration; STRATA],
    rare: [Calibration; STRATA],
    slow: Calibration,
    mean: Calibration,
    strongest: Calibration,
}

impl Default for Scoring {
    fn default() -> Self {
        Pooled::default().scoring(0)
    }
}

impl Scoring {
    /// The bits of an app's day, which has no peers: against its own past alone.
    pub fn score_alone(&self, signals: &Signals) -> Calibrated {
        let own = self.own.k(signals.own);
        Calibrated {
            each: Signals {
                own,
                ..Signals::default()
            },
            mean: own,
            strongest: own,
            score: self.strongest.k(own),
        }
    }

    /// The bits of a person-day.
    pub fn score(&self, experience: Experience, signals: &Signals) -> Calibrated {
        let each = Signals {
            peers: self.peers.k(signals.peers),
            own: self.own.k(signals.own),
            new: experience.of_list(&self.new).k(signals.new),
            rare: experience.of_list(&self.rare).k(signals.rare),
            slow: self.slow.k(signals.slow),
        };
        let mean = (each.peers + each.own + each.new + each.rare) / 4.0;
        let [day, rare, slow] = SHARES.map(f64::log2);
        let strongest = (self.mean.k(mean) + day)
            .max(each.rare + rare)
            .max(each.slow + slow)
            .max(0.0);
        Calibrated {
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
    new: [Scores; STRATA],
    rare: [Scores; STRATA],
    slow: Scores,
    mean: Scores,
    strongest: Scores,
}

impl Pooled {
    /// Counts one person-day that is over.
    pub fn record(
        &mut self,
        week: i64,
        experience: Experience,
        signals: &Signals,
        calibrated: &Calibrated,
    ) {
        self.peers.record(week, signals.peers);
        self.own.record(week, signals.own);
        experience
            .of_list_mut(&mut self.new)
            .record(week, signals.new);
        experience
            .of_list_mut(&mut self.rare)
            .record(week, signals.rare);
        self.slow.record(week, signals.slow);
        self.mean.record(week, calibrated.mean);
        self.strongest.record(week, calibrated.strongest);
    }

    /// What the window before week `until` makes of signals.
    pub fn scoring(&self, until: i64) -> Scoring {
        let of = |scores: &Scores, measure| {
            scores.calibration(until, measure, &Calibration::assumed(measure))
        };
        let strata = |scores: &[Scores; STRATA]| {
            let all = scores.iter().fold(Scores::default(), |mut all, stratum| {
                all.merge(stratum);
                all
            });
            let all = of(&all, Measure::LogCount);
            scores
                .each_ref()
                .map(|stratum| stratum.calibration(until, Measure::LogCount, &all))
        };
        Scoring {
            peers: of(&self.peers, Measure::Bits),
            own: of(&self.own, Measure::LogCount),
            new: strata(&self.new),
            rare: strata(&self.rare),
            slow: of(&self.slow, Measure::Bits),
            mean: of(&self.mean, Measure::Bits),
            strongest: of(&self.strongest, Measure::Bits),
        }
    }

    /// Forgets what lies before the window that ends before week `until`.
    pub fn forget(&mut self, until: i64) {
        let start = self.peers.start(until);
        let all = [
            &mut self.peers,
            &mut self.own,
            &mut self.slow,
            &mut self.mean,
            &mut self.strongest,
        ];
        for scores in all.into_iter().chain(&mut self.new).chain(&mut self.rare) {
            scores.forget_before(start);
        }
    }
}
