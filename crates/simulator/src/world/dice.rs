//! Chance that is the same on every machine and for ever: `SplitMix64`, and the few distributions that habits need.

/// A stream of random numbers; two of the same seed and labels are the same.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    /// The state of `SplitMix64`.
    state: u64,
}

/// One step of `SplitMix64`'s output function.
pub(crate) const fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl Dice {
    /// The stream of a seed and labels: each part of the world throws its own, so that a change in one moves no other.
    pub(crate) fn of(seed: u64, labels: &[u64]) -> Self {
        let state = labels.iter().fold(mix(seed ^ 0x5bd1_e995), |state, label| {
            mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15)
                ^ label.wrapping_mul(0xff51_afd7_ed55_8ccd))
        });
        Self { state }
    }

    /// The next 64 bits.
    pub(crate) const fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// The next 32 bits.
    pub(crate) fn half(&mut self) -> u32 {
        u32::try_from(self.word() >> 32).unwrap_or_default()
    }

    /// A number in (0, 1), never an end.
    pub(crate) fn unit(&mut self) -> f64 {
        (f64::from(self.half()) + 0.5) / 4_294_967_296.0
    }

    /// A number in `[from, to)`.
    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + self.unit() * (to - from)
    }

    /// A whole number below another; 0 below 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        u32::try_from((u64::from(self.half()) * u64::from(end)) >> 32).unwrap_or_default()
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of them; none of none.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(index(self.below(count(of.len()))))
    }

    /// Standard normal (Box and Muller, one of the pair).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Log-normal, by its median and the standard deviation of its logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, spread: f64) -> f64 {
        median * (spread * self.normal()).exp()
    }

    /// Exponential, by its mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.unit().ln()
    }

    /// Gamma of scale 1 (Marsaglia and Tsang).
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = self.unit().powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.unit().ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return d * v;
            }
        }
    }

    /// Poisson, by its mean; at most 1,000.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        let mut product = (-mean.min(600.0)).exp();
        let mut below = product;
        let level = self.unit();
        let mut number = 0_u32;
        while level > below && number < 1_000 {
            number += 1;
            product *= mean.min(600.0) / f64::from(number);
            below += product;
        }
        number
    }

    /// Negative binomial, by its mean and its dispersion: the smaller that is, the heavier the tail.
    pub(crate) fn negative_binomial(&mut self, mean: f64, dispersion: f64) -> u32 {
        let rate = self.gamma(dispersion) * mean / dispersion;
        self.poisson(rate)
    }
}

/// A number as an index.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A length as a number; the largest where it has none.
pub(crate) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A number without its fraction; 0 below 0.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the standard library has no other way; `as` saturates, which is what is wanted"
)]
pub(crate) const fn whole(number: f64) -> u32 {
    number as u32
}

/// Seconds as whole milliseconds.
pub(crate) fn millis(seconds: f64) -> i64 {
    i64::from(whole(seconds * 1_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(mut throw: impl FnMut() -> f64) -> f64 {
        (0..20_000).map(|_| throw()).sum::<f64>() / 20_000.0
    }

    #[test]
    fn the_same_seed_and_labels_throw_the_same() {
        let throws = |labels: &[u64]| {
            let mut dice = Dice::of(1, labels);
            [dice.word(), dice.word()]
        };
        assert_eq!(throws(&[1, 2]), throws(&[1, 2]));
        assert_ne!(throws(&[1, 2]), throws(&[2, 1]));
        assert_ne!(throws(&[1]), throws(&[1, 0]));
    }

    #[test]
    fn the_distributions_have_the_means_they_were_asked_for() {
        let mut dice = Dice::of(7, &[]);
        assert!((mean(|| dice.unit()) - 0.5).abs() < 0.02);
        assert!(mean(|| dice.normal()).abs() < 0.05);
        assert!((mean(|| dice.gamma(0.6)) - 0.6).abs() < 0.05);
        assert!((mean(|| f64::from(dice.poisson(3.5))) - 3.5).abs() < 0.1);
        assert!((mean(|| f64::from(dice.negative_binomial(4.0, 0.7))) - 4.0).abs() < 0.2);
        assert!((mean(|| dice.exponential(60.0)) - 60.0).abs() < 3.0);
    }

    #[test]
    fn nothing_is_picked_from_nothing() {
        assert_eq!(Dice::of(1, &[]).pick::<u8>(&[]), None);
        assert_eq!(Dice::of(1, &[]).below(0), 0);
    }
}
