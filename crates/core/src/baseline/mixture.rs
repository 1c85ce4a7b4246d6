//! Surprise: unusual for this person *and* for peers (equations 4 and 5).

use super::{Survival, Tail};

/// How much is believed, of anybody at any time, that they behave like a random peer for once. It bounds what a
/// regular past can add: at most `log2(1/EPS)`, 5.64 bits, beyond what the peers' tail supports.
pub const EPS: f64 = 0.02;

/// From how many bits on a unit teaches no more than the smallest unit of so many bits.
pub const TAUGHT_BITS: f64 = 10.0;

/// The probability of the person's own law and of the peers', mixed: `(1 - EPS) own + EPS peers`.
pub fn blend(own: f64, peers: f64) -> f64 {
    (1.0 - EPS) * own + EPS * peers
}

/// A probability in bits of surprise, never below 0.
pub fn bits(probability: f64) -> f64 {
    (0.0 - probability.log2()).max(0.0)
}

/// How surprising a unit is that has grown this far, in bits. Never falls while it grows.
pub fn surprise(tail: &Tail, peers: &Survival) -> f64 {
    bits(blend(tail.probability(), peers.at(tail.n())))
}

/// The `cap` for [`History::learn`](super::History::learn) of a unit with `x = tail.n()`: the smallest `x` that has 10
/// bits, or none (`u32::MAX`) where this unit has fewer. Walks only for a unit that surprised.
pub fn cap(tail: &Tail, peers: &Survival) -> u32 {
    if surprise(tail, peers) < TAUGHT_BITS {
        return u32::MAX;
    }
    let mut walk = tail.law().tail_from_zero();
    while walk.n() < tail.n() && surprise(&walk, peers) < TAUGHT_BITS {
        walk.advance();
    }
    walk.n()
}

#[cfg(test)]
mod tests {
    use super::super::{History, Scale, Shape};
    use super::*;

    fn peers() -> Survival {
        Survival::of_shape(&Shape::usual(Scale::Session))
    }

    fn regular() -> Tail {
        Tail::new(
            &Shape::usual(Scale::Session),
            &History {
                m: 20.0,
                sum: 2.0,
                day: 0,
            },
        )
    }

    #[test]
    fn bits_are_zero_for_certainty_and_count_halvings() {
        assert!(bits(1.0).abs() < f64::EPSILON && bits(1.0).is_sign_positive());
        assert!((bits(0.125) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn surprise_grows_with_the_pages() {
        for mut tail in [
            regular(),
            Tail::new(&Shape::usual(Scale::Day), &History::default()),
        ] {
            let mut last = surprise(&tail, &peers());
            for _ in 0..3_000 {
                tail.advance();
                let here = surprise(&tail, &peers());
                assert!(here >= last - 1e-12, "{} {here} {last}", tail.n());
                last = here;
            }
            assert!(last > 20.0);
        }
    }

    #[test]
    fn a_regular_past_adds_at_most_the_logarithm_of_eps() {
        let most = bits(EPS);
        assert!((most - 5.64).abs() < 0.01);
        let mut widest: f64 = 0.0;
        for n in 0..2_000 {
            let beyond = surprise(&regular().advanced(n), &peers()) - bits(peers().at(n));
            assert!(beyond <= most + 1e-9, "{n} {beyond}");
            widest = widest.max(beyond);
        }
        assert!(widest > most - 0.1, "{widest}");
    }

    #[test]
    fn only_a_unit_that_surprised_is_capped_and_where_it_reached_ten_bits() {
        let collection = regular().advanced(300);
        let cap_of_collection = cap(&collection, &peers());
        assert!(surprise(&regular().advanced(cap_of_collection), &peers()) >= TAUGHT_BITS);
        assert!(surprise(&regular().advanced(cap_of_collection - 1), &peers()) < TAUGHT_BITS);
        assert_eq!(
            cap(&regular().advanced(cap_of_collection - 1), &peers()),
            u32::MAX
        );
        assert_eq!(
            cap(&regular().advanced(cap_of_collection), &peers()),
            cap_of_collection
        );
    }
}
