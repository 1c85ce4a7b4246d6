//! Intervals and quantiles: Wilson, paired differences, Poisson.

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// The share left out on either side of a 95 % interval.
const SIDE: f64 = 0.025;

/// A count as a number to reckon with.
pub(crate) fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// The share of those found.
pub(crate) fn share(found: usize, tried: usize) -> f64 {
    float(found) / float(tried.max(1))
}

/// The 95 % interval of a share, after Wilson.
pub(crate) fn wilson(found: usize, tried: usize) -> (f64, f64) {
    if tried == 0 {
        return (0.0, 1.0);
    }
    let n = float(tried);
    let p = float(found) / n;
    let z2 = Z * Z;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// The difference of two shares of the same trials, and its 95 % interval (Agresti and Min: half a trial is added to
/// each cell, so that agreement of all does not look like certainty). `ours` are found by the first alone.
pub(crate) fn paired(ours: usize, theirs: usize, tried: usize) -> (f64, f64, f64) {
    let (b, c) = (float(ours) + 0.5, float(theirs) + 0.5);
    let n = float(tried) + 2.0;
    let middle = (b - c) / n;
    let half = Z * ((b + c - (b - c).powi(2) / n).max(0.0)).sqrt() / n;
    (
        (float(ours) - float(theirs)) / float(tried.max(1)),
        (middle - half).max(-1.0),
        (middle + half).min(1.0),
    )
}

/// How likely a Poisson number is at most this.
fn poisson_at_most(count: usize, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 1.0;
    }
    let mut log = -mean;
    let mut sum = log.exp();
    for k in 1..=count {
        log += (mean / float(k)).ln();
        sum += log.exp();
    }
    sum.min(1.0)
}

/// The least count that a Poisson number exceeds no more often than `1 - level`.
fn poisson_quantile(level: f64, mean: f64) -> usize {
    if mean <= 0.0 {
        return 0;
    }
    let mut log = -mean;
    let mut sum = log.exp();
    let mut count = 0;
    // Rounding may keep the sum just below a level near 1.
    while sum < level && float(count) < mean * 4.0 + 100.0 {
        count += 1;
        log += (mean / float(count)).ln();
        sum += log.exp();
    }
    count
}

/// The counts that are usual where so many to so many are expected: 95 % intervals.
pub(crate) fn poisson_range(least: f64, most: f64) -> (usize, usize) {
    (
        poisson_quantile(SIDE, least),
        poisson_quantile(1.0 - SIDE, most),
    )
}

/// The exact 95 % interval of the mean of a Poisson number that was counted.
pub(crate) fn poisson_mean(count: usize) -> (f64, f64) {
    let solve = |wanted: f64, count: usize| {
        let (mut low, mut high) = (0.0, float(count) * 2.0 + 20.0);
        for _ in 0..80 {
            let middle = f64::midpoint(low, high);
            if poisson_at_most(count, middle) > wanted {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    };
    let low = count
        .checked_sub(1)
        .map_or(0.0, |below| solve(1.0 - SIDE, below));
    (low, solve(SIDE, count))
}

/// Holds the formulas against values from tables; returns the first that is wrong.
pub(crate) fn self_check() -> Result<(), String> {
    let near = |what: &str, is: f64, should: f64| {
        if (is - should).abs() < 5e-4 {
            Ok(())
        } else {
            Err(format!("{what} is {is}, should be {should}"))
        }
    };
    near("wilson, low", wilson(90, 100).0, 0.8256)?;
    near("wilson, high", wilson(90, 100).1, 0.9448)?;
    near("wilson of none", wilson(0, 10).1, 0.2775)?;
    near("wilson of all", wilson(10, 10).0, 0.7225)?;
    near("paired, difference", paired(30, 10, 100).0, 0.2)?;
    near("paired, equal", paired(0, 0, 98).1, -0.0196)?;
    near("paired, low", paired(30, 10, 100).1, 0.0791)?;
    near("poisson at most", poisson_at_most(2, 3.0), 0.4232)?;
    near("poisson, low", poisson_mean(10).0, 4.7954)?;
    near("poisson, high", poisson_mean(10).1, 18.3904)?;
    near("poisson of none", poisson_mean(0).1, 3.6889)?;
    near(
        "poisson quantile",
        float(poisson_quantile(0.975, 10.0)),
        17.0,
    )?;
    near(
        "poisson quantile, low",
        float(poisson_quantile(0.025, 10.0)),
        4.0,
    )?;
    near(
        "poisson, large",
        poisson_at_most(2_000, 2_000.0).round(),
        1.0,
    )
}
