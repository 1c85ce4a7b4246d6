//! The alert threshold: the bits from which a finding is reported.

/// The least the threshold can be, in bits.
pub const LEAST_BITS: f64 = 8.0;

/// How much higher the threshold lies during warm-up, in bits.
pub const WARM_UP_BITS: f64 = 2.0;

/// How long the warm-up of a tenant lasts, in days.
pub const WARM_UP_DAYS: i64 = 14;

/// The threshold for a tenant with so many active person-days a week (active people times the days on which each is active)
/// that asked for so many alerts a week, in bits. Asking for none puts it out of reach.
pub fn threshold(active_person_days_per_week: f64, alerts_per_week: f64) -> f64 {
    (active_person_days_per_week / alerts_per_week)
        .log2()
        .max(LEAST_BITS)
}

/// The threshold as it is in force on the day number `age_days` of a tenant, counted from 0 at its first event.
pub fn threshold_in_force(threshold: f64, age_days: i64) -> f64 {
    if age_days < WARM_UP_DAYS {
        threshold + WARM_UP_BITS
    } else {
        threshold
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "powers of two are exact")]
mod tests {
    use super::*;

    #[test]
    fn half_the_alerts_cost_one_bit() {
        assert_eq!(threshold(4_096.0, 2.0), 11.0);
        assert_eq!(threshold(4_096.0, 1.0), 12.0);
    }

    #[test]
    fn the_threshold_never_lies_below_eight_bits() {
        assert_eq!(threshold(100.0, 3.0), LEAST_BITS);
        assert_eq!(threshold(0.0, 3.0), LEAST_BITS);
        assert_eq!(threshold(0.0, 0.0), LEAST_BITS);
    }

    #[test]
    fn asking_for_no_alerts_puts_it_out_of_reach() {
        assert_eq!(threshold(100.0, 0.0), f64::INFINITY);
    }

    #[test]
    fn a_tenant_warms_up_for_two_weeks() {
        assert_eq!(threshold_in_force(9.0, 0), 11.0);
        assert_eq!(threshold_in_force(9.0, 13), 11.0);
        assert_eq!(threshold_in_force(9.0, 14), 9.0);
    }
}
