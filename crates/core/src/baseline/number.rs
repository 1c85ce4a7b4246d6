//! The two conversions between counts and reals that the standard library has no `From` for.

/// A count as a real number; exact up to 2^53.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a count beyond 2^53 may be rounded"
)]
pub(super) const fn real(count: u64) -> f64 {
    count as f64
}

/// A real number rounded down to a count; at least 0, at most `u32::MAX`, and 0 for what is no number.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is wanted"
)]
pub(super) const fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::float_cmp, reason = "small counts are exact")]
    fn conversions_saturate_and_small_counts_are_exact() {
        assert_eq!(real(12_345), 12_345.0);
        assert_eq!(whole(2.99), 2);
        assert_eq!(whole(-3.0), 0);
        assert_eq!(whole(f64::NAN), 0);
        assert_eq!(whole(1e300), u32::MAX);
    }
}
