//! What is usual among peers: pooled histograms by week, and the survival function frozen from them at a refit.

use serde::{Deserialize, Serialize};

use super::histogram::EXACT;
use super::number::{real, whole};
use super::weekly::ENOUGH_PERSON_DAYS;
use super::{Histogram, Predictive, Scale, Shape, Weekly};

/// The share of units beyond the knee, where counting ends and the Pareto tail begins.
const BEYOND_KNEE: f64 = 0.005;

/// The Pareto exponent to assume while there are few units beyond the knee.
const USUAL_ETA: f64 = 2.5;

/// How many units beyond the knee the assumption weighs.
const ETA_WEIGHT: f64 = 20.0;

/// Bounds of the exponent.
const ETA: (f64, f64) = (1.5, 6.0);

/// The smallest knee: a Pareto tail from below says nothing of whole pages.
const LEAST_KNEE: u32 = 4;

/// From how many units on only what was counted is believed.
const TRUSTED_UNITS: f64 = 1_000.0;

/// How far the table reaches at least.
const LEAST_REACH: u32 = 511;

/// What the people of one peer group did, all pooled, by week.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// The `x` of sessions.
    sessions: Weekly,
    /// The `x` of person-days.
    days: Weekly,
    /// The rarity of person-days.
    rarities: Weekly,
    /// The `x` of every session ever, for the fit.
    ever_sessions: Histogram,
    /// The rarity of every person-day ever, for the fit.
    ever_rarities: Histogram,
}

/// What a refit looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerWindow {
    /// The first week of the window.
    pub from: i64,
    /// The `x` of sessions.
    pub sessions: Histogram,
    /// The `x` of person-days.
    pub days: Histogram,
    /// The rarity of person-days.
    pub rarities: Histogram,
}

impl Peers {
    /// Counts one settled unit in the [week](super::week_of) of the day in which it began. Its `x` is not capped.
    pub fn record(&mut self, scale: Scale, week: i64, x: u32) {
        match scale {
            Scale::Session => {
                self.sessions.record(week, x);
                self.ever_sessions.record(x);
            }
            Scale::Day => self.days.record(week, x),
            Scale::Rarity => {
                self.rarities.record(week, x);
                self.ever_rarities.record(x);
            }
        }
    }

    /// Adds what another holds.
    pub fn merge(&mut self, other: &Self) {
        self.sessions.merge(&other.sessions);
        self.days.merge(&other.days);
        self.rarities.merge(&other.rarities);
        self.ever_sessions.merge(&other.ever_sessions);
        self.ever_rarities.merge(&other.ever_rarities);
    }

    /// Every session ever: what goes into [`fit()`](super::fit()) together with sums over everything that each person ever did.
    pub const fn ever_sessions(&self) -> &Histogram {
        &self.ever_sessions
    }

    /// Every person-day's rarity ever, likewise.
    pub const fn ever_rarities(&self) -> &Histogram {
        &self.ever_rarities
    }

    /// The window that ends before week `until`: 26 weeks, or as far back as it takes to hold 5,000 person-days.
    pub fn window(&self, until: i64) -> PeerWindow {
        let from = self.days.start(until, ENOUGH_PERSON_DAYS);
        PeerWindow {
            from,
            sessions: self.sessions.pooled(from, until),
            days: self.days.pooled(from, until),
            rarities: self.rarities.pooled(from, until),
        }
    }

    /// Forgets what lies before a week, the `from` of the last window, save what the fits need.
    pub fn forget_before(&mut self, week: i64) {
        self.sessions.forget_before(week);
        self.days.forget_before(week);
        self.rarities.forget_before(week);
    }
}

/// `P_peer(n)`, the share of the peers' units with `x >= n`: counted up to the 99.5 % point, Pareto beyond.
/// Frozen between refits; a look-up takes constant time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Survival {
    /// `P_peer(n)` by `n`; never rising.
    table: Vec<f64>,
    /// The last `n` of the table.
    reach: f64,
    /// `P_peer` there.
    at_reach: f64,
    /// The Pareto exponent beyond.
    eta: f64,
}

impl Survival {
    /// What to assume before anything was counted: the law of a newcomer, and a Pareto tail beyond its 99.5 % point.
    pub fn of_shape(shape: &Shape) -> Self {
        let law = Predictive::newcomer(shape);
        let knee = law
            .quantile(1.0 - BEYOND_KNEE)
            .saturating_add(1)
            .clamp(LEAST_KNEE, EXACT);
        let mut tail = law.tail_from_zero();
        let mut counted = Vec::new();
        for _ in 0..=knee {
            counted.push(tail.probability());
            tail.advance();
        }
        Self::of_table(&extended(counted, USUAL_ETA, LEAST_REACH), USUAL_ETA)
    }

    /// The survival of a window's histogram. Below 1,000 units the fallback takes the rest of the weight, in
    /// proportion: the default of the scale, or the survival of a larger group. Half a unit is added to every count.
    pub fn fitted(units: &Histogram, fallback: &Self) -> Self {
        let total = real(units.total());
        let knee = units.upper_point(BEYOND_KNEE).max(LEAST_KNEE);
        let counted: Vec<f64> = units
            .at_least(knee)
            .into_iter()
            .map(|count| (real(count) + 0.5) / (total + 1.0))
            .collect();
        let eta = hill(units, knee);
        let own = extended(counted, eta, LEAST_REACH.max(whole(fallback.reach)));
        let weight = (total / TRUSTED_UNITS).min(1.0);
        let mixed: Vec<f64> = own
            .iter()
            .zip(0_u32..)
            .map(|(own, n)| {
                if n == 0 {
                    1.0
                } else {
                    weight * own + (1.0 - weight) * fallback.at(n)
                }
            })
            .collect();
        Self::of_table(&mixed, weight * eta + (1.0 - weight) * fallback.eta)
    }

    /// Freezes a table and what follows it.
    fn of_table(table: &[f64], eta: f64) -> Self {
        let reach = u32::try_from(table.len())
            .unwrap_or(u32::MAX)
            .saturating_sub(1);
        let at_reach = table.last().copied().unwrap_or(1.0);
        Self {
            table: table.to_vec(),
            reach: f64::from(reach.max(1)),
            at_reach,
            eta,
        }
    }

    /// `P_peer(n)`: above 0, at most 1, never rising with `n`.
    pub fn at(&self, n: u32) -> f64 {
        let counted = usize::try_from(n).ok().and_then(|n| self.table.get(n));
        counted
            .copied()
            .unwrap_or_else(|| self.at_reach * (self.reach / f64::from(n)).powf(self.eta))
    }

    /// The Pareto exponent far out.
    pub const fn eta(&self) -> f64 {
        self.eta
    }
}

/// Goes on from the last entry of a table, the knee, as a Pareto tail up to `reach`.
fn extended(mut table: Vec<f64>, eta: f64, reach: u32) -> Vec<f64> {
    let knee = u32::try_from(table.len())
        .unwrap_or(u32::MAX)
        .saturating_sub(1)
        .max(1);
    let at_knee = table.last().copied().unwrap_or(1.0);
    for n in knee.saturating_add(1)..=reach {
        table.push(at_knee * (f64::from(knee) / f64::from(n)).powf(eta));
    }
    table
}

/// Hill's estimate of the Pareto exponent from the knee on, drawn towards 2.5 with the weight of 20 units. Half a page
/// is added to what was counted, because a count of `x` stands for all between `x` and `x + 1`.
fn hill(units: &Histogram, knee: u32) -> f64 {
    let knee = f64::from(knee);
    let (mut beyond, mut logs) = (ETA_WEIGHT, ETA_WEIGHT / USUAL_ETA);
    for (x, count) in units.iter().filter(|(x, _)| *x >= knee) {
        beyond += real(count);
        logs += real(count) * ((x + 0.5) / knee).ln();
    }
    (beyond / logs).clamp(ETA.0, ETA.1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fallback() -> Survival {
        Survival::of_shape(&Shape::usual(Scale::Session))
    }

    fn pareto(units: u32, eta: f64) -> Histogram {
        let mut histogram = Histogram::default();
        for unit in 0..units {
            let share = (f64::from(unit) + 0.5) / f64::from(units);
            histogram.record(whole(share.powf(-1.0 / eta)));
        }
        histogram
    }

    #[test]
    fn with_nothing_counted_the_fallback_is_all() {
        let empty = Survival::fitted(&Histogram::default(), &fallback());
        for n in [0, 1, 3, 10, 100, 511, 512, 5_000, u32::MAX] {
            assert!((empty.at(n) / fallback().at(n) - 1.0).abs() < 1e-9, "{n}");
        }
    }

    #[test]
    fn one_unit_more_changes_little_on_both_sides_of_a_thousand() {
        let (before, after) = (pareto(999, 2.0), pareto(1_000, 2.0));
        let (before, after) = (
            Survival::fitted(&before, &fallback()),
            Survival::fitted(&after, &fallback()),
        );
        for n in [1, 4, 9, 40, 400, 4_000] {
            assert!(
                (before.at(n) / after.at(n)).log2().abs() < 0.1,
                "{n} {} {}",
                before.at(n),
                after.at(n)
            );
        }
    }

    #[test]
    fn a_large_group_is_counted_up_to_the_knee_and_pareto_beyond() {
        let units = pareto(200_000, 2.2);
        let survival = Survival::fitted(&units, &fallback());
        assert!((survival.eta() - 2.2).abs() < 0.1, "{}", survival.eta());
        for n in [1, 3, 8, 30, 300, 3_000] {
            let expected = f64::from(n).powf(-2.2);
            assert!(
                (survival.at(n) / expected).log2().abs() < 0.3,
                "{n} {} {expected}",
                survival.at(n)
            );
        }
        assert!((survival.at(0) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_nobody_did_yet_counts_as_half_a_unit() {
        let mut units = Histogram::default();
        for _ in 0..2_000 {
            units.record(0);
        }
        let survival = Survival::fitted(&units, &fallback());
        assert!((survival.at(1) - 0.5 / 2_001.0).abs() < 1e-12);
    }

    #[test]
    fn a_group_that_reads_thousands_still_has_a_bounded_table() {
        let mut units = Histogram::default();
        for unit in 0..2_000 {
            units.record(5_000 + unit);
        }
        let survival = Survival::fitted(&units, &fallback());
        assert!(survival.table.len() <= 4_097);
        assert!(survival.at(4_000) > 0.99);
        assert!(survival.at(1 << 20) < 0.01);
    }

    #[test]
    fn a_window_pools_both_scales_over_the_same_weeks() {
        let mut peers = Peers::default();
        for week in 0..40 {
            for _ in 0..250 {
                peers.record(Scale::Day, week, 2);
            }
            peers.record(Scale::Session, week, 1);
        }
        let window = peers.window(40);
        assert_eq!(
            (window.from, window.days.total(), window.sessions.total()),
            (14, 6_500, 26)
        );
        peers.forget_before(window.from);
        assert_eq!(peers.window(40), window);
        assert_eq!(peers.window(14).days.total(), 0);
        assert_eq!(peers.ever_sessions().total(), 40);
    }

    #[test]
    fn merging_groups_does_not_care_for_order_and_survives_storing() {
        let (mut left, mut right) = (Peers::default(), Peers::default());
        left.record(Scale::Session, 3, 7);
        right.record(Scale::Session, 4, 9);
        right.record(Scale::Day, 4, 9);
        let mut one = left.clone();
        one.merge(&right);
        right.merge(&left);
        assert_eq!(one, right);
        let stored = postcard::to_allocvec(&one).unwrap();
        assert_eq!(postcard::from_bytes::<Peers>(&stored).unwrap(), one);
        let survival = fallback();
        let stored = postcard::to_allocvec(&survival).unwrap();
        assert_eq!(postcard::from_bytes::<Survival>(&stored).unwrap(), survival);
    }

    proptest! {
        #[test]
        fn survival_never_rises_and_never_reaches_zero(values in prop::collection::vec(0_u32..6_000, 0..2_000)) {
            let mut units = Histogram::default();
            for value in values {
                units.record(value);
            }
            let survival = Survival::fitted(&units, &fallback());
            let mut last = 1.0;
            for n in (0..6_000).chain([100_000, u32::MAX]) {
                let here = survival.at(n);
                prop_assert!(here > 0.0 && here <= last, "{} {} {}", n, here, last);
                last = here;
            }
        }
    }
}
