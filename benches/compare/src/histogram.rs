//! Times of calls go in, percentiles come out. A bucket is 3 % wide.

use std::time::Duration;

/// Buckets of each power of two.
const STEPS: u64 = 32;
/// Up to 2^40 ns, 18 minutes.
const POWERS: u64 = 36;

#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u32>,
    total: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self { counts: vec![0; (STEPS * POWERS) as usize], total: 0 }
    }

    pub fn record(&mut self, time: Duration) {
        let last = self.counts.len() - 1;
        self.counts[bucket(time.as_nanos() as u64).min(last)] += 1;
        self.total += 1;
    }

    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.total += other.total;
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    /// Microseconds that this part of the calls did not exceed; the middle of the bucket.
    pub fn percentile(&self, part: f64) -> f64 {
        let wanted = (self.total as f64 * part).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted.max(1) {
                return (lower(index as u64) + lower(index as u64 + 1)) as f64 / 2000.0;
            }
        }
        f64::NAN
    }
}

/// Below 32 ns each has its own; above, the five bits after the leading one choose within a power of two.
fn bucket(nanoseconds: u64) -> usize {
    if nanoseconds < STEPS {
        return nanoseconds as usize;
    }
    let power = u64::from(nanoseconds.ilog2()) - u64::from(STEPS.ilog2());
    (power * STEPS + (nanoseconds >> power)) as usize
}

/// Where a bucket begins.
fn lower(bucket: u64) -> u64 {
    if bucket < 2 * STEPS {
        return bucket;
    }
    let power = bucket / STEPS - 1;
    (STEPS + bucket % STEPS) << power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_in_the_bucket_that_holds_it() {
        for time in (0..5000).chain([123_456, 9_999_999, 1 << 33]) {
            let bucket = bucket(time) as u64;
            assert!(lower(bucket) <= time && time < lower(bucket + 1), "{time} in {bucket}");
        }
    }

    #[test]
    fn percentiles_are_within_three_percent() {
        let mut times = Histogram::new();
        (1..=1000).for_each(|micros| times.record(Duration::from_micros(micros)));
        assert!((times.percentile(0.5) / 500.0 - 1.0).abs() < 0.03);
        assert!((times.percentile(0.99) / 990.0 - 1.0).abs() < 0.03);
    }
}
