//! Latencies of many requests in little memory, each kept to within one percent.

use std::time::Duration;

/// Buckets per power of two: the relative error is at most 1 / 128.
const STEPS: u64 = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Latencies up to 2^40 ns (18 minutes); longer ones count as that.
const LONGEST: u64 = 1 << 40;

/// A log-linear histogram of nanoseconds.
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    /// An empty one.
    pub fn new() -> Self {
        Histogram {
            buckets: vec![0; index(LONGEST) + 1],
            count: 0,
        }
    }

    /// Adds one latency.
    pub fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos())
            .unwrap_or(LONGEST)
            .min(LONGEST);
        self.buckets[index(nanoseconds)] += 1;
        self.count += 1;
    }

    /// Adds all latencies of another one.
    pub fn merge(&mut self, other: &Histogram) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.count += other.count;
    }

    /// The latency in µs that this share (0 to 1) of the requests did not exceed; 0 if empty.
    pub fn quantile_us(&self, share: f64) -> f64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, &bucket) in self.buckets.iter().enumerate() {
            seen += bucket;
            if seen >= rank {
                return upper_bound(index) as f64 / 1e3;
            }
        }
        0.0
    }
}

/// Values below `STEPS` have a bucket each; above, each power of two has `STEPS` buckets.
fn index(value: u64) -> usize {
    let shift = value.checked_ilog2().unwrap_or(0).saturating_sub(STEP_BITS);
    (u64::from(shift) * STEPS + (value >> shift)) as usize
}

/// The greatest value of a bucket.
fn upper_bound(index: usize) -> u64 {
    let shift = (index as u64 / STEPS).saturating_sub(1);
    ((index as u64 - shift * STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket() {
        for value in (0..5000)
            .chain((0..40).map(|bit| 1 << bit))
            .chain([999_999_999, LONGEST])
        {
            let upper = upper_bound(index(value));
            assert!(upper >= value, "{value} above {upper}");
            assert!(upper - value <= value / STEPS, "{value} far below {upper}");
        }
    }

    #[test]
    fn quantiles() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile_us(0.5), 0.0);
        for microseconds in 1..=1000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = histogram.quantile_us(share);
            assert!((found / expected - 1.0).abs() < 0.01, "{share}: {found}");
        }
        histogram.record(Duration::from_secs(1 << 30));
        assert!(histogram.quantile_us(1.0) > 1e9);
    }
}
