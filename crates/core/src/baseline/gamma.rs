//! The logarithm of the gamma function, and of its ratio without cancellation.

/// From where Stirling's series is exact to the last bits.
const STIRLING_FROM: f64 = 10.0;

/// Half the logarithm of 2 pi.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// What Stirling's series adds to `(x - 1/2) ln x - x + ln(2 pi)/2`, for `x >= STIRLING_FROM`.
fn correction(x: f64) -> f64 {
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let terms = [
        1.0 / 156.0,
        -691.0 / 360_360.0,
        1.0 / 1_188.0,
        -1.0 / 1_680.0,
        1.0 / 1_260.0,
        -1.0 / 360.0,
        1.0 / 12.0,
    ];
    terms.iter().fold(0.0, |sum, term| sum * square + term) * inverse
}

/// `ln Gamma(x)` for `x > 0`.
pub(super) fn ln_gamma(x: f64) -> f64 {
    let (mut at, mut product) = (x, 1.0);
    while at < STIRLING_FROM {
        product *= at;
        at += 1.0;
    }
    (at - 0.5) * at.ln() - at + HALF_LN_TWO_PI + correction(at) - product.ln()
}

/// `ln Gamma(x + by) - ln Gamma(x)` for `x > 0` and `x + by > 0`, accurate where both are large and nearly equal.
pub(super) fn ln_rising(x: f64, by: f64) -> f64 {
    let (mut at, mut above, mut below) = (x, 1.0, 1.0);
    while at.min(at + by) < STIRLING_FROM {
        above *= at;
        below *= at + by;
        at += 1.0;
    }
    let end = at + by;
    (at - 0.5) * (by / at).ln_1p() + by * end.ln() - by
        + (correction(end) - correction(at))
        + (above / below).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64, relative: f64) -> bool {
        (left - right).abs() <= relative * right.abs().max(1.0)
    }

    #[test]
    fn ln_gamma_agrees_with_known_values() {
        let known = [
            (0.001, 6.907_178_885_383_854),
            (0.1, 2.252_712_651_734_206),
            (0.5, 0.572_364_942_924_700_1),
            (1.0, 0.0),
            (1.5, -0.120_782_237_635_245_22),
            (2.0, 0.0),
            (3.7, 1.428_072_326_665_388),
            (10.0, 12.801_827_480_081_469),
            (20.5, 40.831_500_974_530_8),
            (100.0, 359.134_205_369_575_4),
            (1e6, 12_815_504.569_147_61),
        ];
        for (x, expected) in known {
            assert!(
                close(ln_gamma(x), expected, 2e-14),
                "ln_gamma({x}) = {}",
                ln_gamma(x)
            );
        }
    }

    #[test]
    fn a_rise_by_one_is_the_logarithm_of_the_argument() {
        for x in [0.05_f64, 0.5, 1.0, 7.3, 12.0, 640.0, 1e6, 1e9] {
            assert!(close(ln_rising(x, 1.0), x.ln(), 4e-15), "{x}");
            assert!(close(ln_rising(x + 1.0, -1.0), -x.ln(), 4e-15), "{x}");
        }
    }

    #[test]
    fn a_rise_is_the_difference_of_two_logarithms() {
        for (x, by) in [
            (0.3, 0.5),
            (4.0, 0.5),
            (14.0, 600.0),
            (600.0, 0.5),
            (2.0, 3_000.0),
            (50.0, -49.5),
        ] {
            assert!(
                close(ln_rising(x, by), ln_gamma(x + by) - ln_gamma(x), 1e-12),
                "{x} {by}"
            );
        }
    }
}
