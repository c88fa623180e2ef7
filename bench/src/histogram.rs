//! Latencies in buckets whose width grows with the value.
//!
//! A bucket is one of 64 equal parts of a power of two, so any quantile is right to 1/64 of its value, over
//! the whole range of a `u64` of nanoseconds, in 30 KiB. Recording is a few instructions and never
//! allocates, which a sorted list of samples could not say. The greatest and the sum are kept exactly.

use std::time::Duration;

const PARTS_BITS: u32 = 6;
const PARTS: u64 = 1 << PARTS_BITS;
/// Values below `PARTS` have a bucket each; every higher power of two has `PARTS` buckets.
const BUCKETS: usize = (64 - PARTS_BITS as usize + 1) << PARTS_BITS;

/// Counts of latencies by size.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum: u128,
    greatest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, sum: 0, greatest: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    pub(crate) fn record(&mut self, latency: Duration) {
        let value = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket_of(value)) {
            *count += 1;
        }
        self.total += 1;
        self.sum += u128::from(value);
        self.greatest = self.greatest.max(value);
    }

    /// Adds everything that `other` counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.sum += other.sum;
        self.greatest = self.greatest.max(other.greatest);
    }

    /// How many were counted.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.total
    }

    /// The average, or zero of nothing.
    pub(crate) fn mean(&self) -> Duration {
        let mean = self.sum.checked_div(u128::from(self.total)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// The greatest latency, exactly.
    pub(crate) fn max(&self) -> Duration {
        Duration::from_nanos(self.greatest)
    }

    /// The latency that `parts_per_thousand` of all do not exceed, rounded up to its bucket's end.
    pub(crate) fn quantile(&self, parts_per_thousand: u64) -> Duration {
        let rank = u128::from(self.total) * u128::from(parts_per_thousand.min(1_000));
        let rank = rank.div_ceil(1_000).max(1);
        let mut seen = 0_u128;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return Duration::from_nanos(end_of(bucket).min(self.greatest));
            }
        }
        self.max()
    }
}

fn bucket_of(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PARTS_BITS + 1);
    // Below twice PARTS the shift is zero and the value is its own bucket.
    let bucket = u64::from(shift) * PARTS + (value >> shift);
    usize::try_from(bucket).unwrap_or(BUCKETS - 1)
}

/// The greatest value that falls into `bucket`.
fn end_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / PARTS).saturating_sub(1);
    let part = u128::from(bucket - shift * PARTS);
    u64::try_from(((part + 1) << shift) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn every_value_lies_within_its_bucket_and_buckets_are_narrow() {
        let mut random = Random::new(7);
        let edges = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, (1 << bit) + 1]);
        for value in edges.chain((0..2_000).map(|_| random.next() >> random.below(64))).chain([u64::MAX]) {
            let bucket = bucket_of(value);
            assert!(bucket < BUCKETS, "{value}");
            assert!(end_of(bucket) >= value, "{value}");
            assert!(bucket == 0 || end_of(bucket - 1) < value, "{value}");
            assert!(end_of(bucket) - value <= value / 64, "{value}");
        }
    }

    #[test]
    fn quantiles_agree_with_a_sorted_list() {
        let mut random = Random::new(42);
        let mut sorted: Vec<u64> =
            (0..10_000).map(|_| random.below(50_000_000) >> random.below(12)).collect();
        let mut histogram = Histogram::default();
        for value in &sorted {
            histogram.record(Duration::from_nanos(*value));
        }
        sorted.sort_unstable();
        for parts in [1, 10, 500, 900, 990, 999, 1_000] {
            let exact = sorted[usize::try_from(parts * 10).unwrap() - 1];
            let found = u64::try_from(histogram.quantile(parts).as_nanos()).unwrap();
            assert!(found >= exact && found - exact <= exact / 64, "{parts}: {found} for {exact}");
        }
        assert_eq!(histogram.max(), Duration::from_nanos(*sorted.last().unwrap()));
        assert_eq!(histogram.mean(), Duration::from_nanos(sorted.iter().sum::<u64>() / 10_000));
    }

    #[test]
    fn merging_is_recording_into_one() {
        let (mut one, mut left, mut right) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 0..1_000_u64 {
            let latency = Duration::from_micros(value * value);
            one.record(latency);
            if value % 3 == 0 { &mut left } else { &mut right }.record(latency);
        }
        left.merge(&right);
        assert_eq!(left.count(), 1_000);
        for parts in [500, 900, 999, 1_000] {
            assert_eq!(left.quantile(parts), one.quantile(parts));
        }
    }

    #[test]
    fn nothing_recorded_is_zero_everywhere() {
        let histogram = Histogram::default();
        assert_eq!((histogram.quantile(990), histogram.max(), histogram.mean()), Default::default());
    }
}
