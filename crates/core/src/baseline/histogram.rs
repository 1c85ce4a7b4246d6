//! A histogram of counts: exact where people live, geometric beyond, bounded, and merged by addition.

use serde::{Deserialize, Serialize};

/// Every value below has a bucket of its own; from here on an octave has four.
pub const EXACT: u32 = 4_096;

/// How often each value was seen. Two histograms of the same values are equal, in whatever order they were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// How many, by bucket; no longer than the highest bucket in use needs, at most 4,176.
    counts: Vec<u64>,
    /// How many in all.
    total: u64,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u32) {
        self.add(bucket(value), 1);
    }

    /// Adds what another histogram holds.
    pub fn merge(&mut self, other: &Self) {
        for (at, count) in other.counts.iter().enumerate() {
            self.add(at, *count);
        }
    }

    /// Adds to one bucket.
    fn add(&mut self, at: usize, count: u64) {
        if count == 0 {
            return;
        }
        if self.counts.len() <= at {
            self.counts.resize(at.saturating_add(1), 0);
        }
        if let Some(there) = self.counts.get_mut(at) {
            *there = there.saturating_add(count);
            self.total = self.total.saturating_add(count);
        }
    }

    /// How many values were counted.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The buckets in use, lowest first: a value that stands for the bucket, and how many. Exact below [`EXACT`],
    /// the bucket's middle beyond.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (f64, u64)> {
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
            .map(|(at, count)| (middle(at), *count))
    }

    /// For each value from 0 to `reach`, how many are at least as large. `reach` is held to [`EXACT`].
    pub fn at_least(&self, reach: u32) -> Vec<u64> {
        let reach = usize::try_from(reach.min(EXACT)).unwrap_or(0);
        let mut below = 0;
        let mut left = Vec::with_capacity(reach.saturating_add(1));
        for at in 0..=reach {
            left.push(self.total.saturating_sub(below));
            below = self
                .counts
                .get(at)
                .map_or(below, |count| count.saturating_add(below));
        }
        left
    }

    /// The smallest value that no more than this share of all are as large as; held to [`EXACT`], 0 where all is
    /// empty.
    pub fn upper_point(&self, share: f64) -> u32 {
        let allowed = share * super::number::real(self.total);
        let mut left = self.total;
        let mut counts = self.counts.iter();
        let mut value = 0;
        while value < EXACT && super::number::real(left) > allowed {
            left = left.saturating_sub(counts.next().copied().unwrap_or(left));
            value += 1;
        }
        value
    }
}

/// The bucket of a value.
fn bucket(value: u32) -> usize {
    let index = if value < EXACT {
        value
    } else {
        let octave = value.ilog2();
        let quarter = (value >> (octave - 2)) & 3;
        EXACT + (octave - EXACT.ilog2()) * 4 + quarter
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The value that stands for a bucket.
fn middle(bucket: usize) -> f64 {
    let index = u32::try_from(bucket).unwrap_or(u32::MAX);
    if index < EXACT {
        return f64::from(index);
    }
    let above = index - EXACT;
    let octave = f64::from(above / 4 + EXACT.ilog2()).exp2();
    octave * (1.0 + (f64::from(above % 4) + 0.5) / 4.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[u32]) -> Histogram {
        let mut histogram = Histogram::default();
        for value in values {
            histogram.record(*value);
        }
        histogram
    }

    #[test]
    fn buckets_go_on_without_a_hole_and_are_bounded() {
        let mut last = bucket(0);
        for value in 1..20_000 {
            let here = bucket(value);
            assert!(here == last || here == last + 1, "{value}");
            last = here;
        }
        assert_eq!(bucket(4_095), 4_095);
        assert_eq!(bucket(4_096), 4_096);
        assert_eq!(bucket(u32::MAX), 4_175);
    }

    #[test]
    fn a_bucket_stands_for_a_value_inside_it() {
        for value in [0, 7, 4_095, 4_096, 5_000, 10_000, 1 << 20, u32::MAX] {
            assert_eq!(
                bucket(super::super::number::whole(middle(bucket(value)))),
                bucket(value),
                "{value}"
            );
        }
    }

    #[test]
    fn the_upper_point_leaves_at_most_its_share() {
        let histogram = of(&(0..1_000).collect::<Vec<_>>());
        assert_eq!(histogram.upper_point(0.005), 995);
        assert_eq!(histogram.upper_point(1.0), 0);
        assert_eq!(Histogram::default().upper_point(0.005), 0);
        assert_eq!(of(&[1_000_000; 10]).upper_point(0.005), EXACT);
    }

    #[test]
    fn what_is_at_least_counts_down_from_all() {
        assert_eq!(of(&[0, 0, 1, 3, 9_000]).at_least(4), vec![5, 3, 2, 2, 1]);
    }

    proptest! {
        #[test]
        fn a_merge_does_not_care_for_order(left in prop::collection::vec(0_u32..9_000, 0..60), right in prop::collection::vec(0_u32..9_000, 0..60)) {
            let (mut one, mut other) = (of(&left), of(&right));
            one.merge(&of(&right));
            other.merge(&of(&left));
            prop_assert_eq!(&one, &other);
            let both: Vec<u32> = left.into_iter().chain(right).collect();
            prop_assert_eq!(one, of(&both));
        }
    }
}
