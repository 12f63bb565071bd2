//! A histogram of durations: 16 buckets per power of two, so a quantile is right within 7 %.

use std::time::Duration;

const STEPS: usize = 16;

/// Counts of durations from 1 ns up.
pub(crate) struct Latency {
    buckets: Vec<u64>,
    total: u64,
}

impl Latency {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![0; 64 * STEPS],
            total: 0,
        }
    }

    pub(crate) fn record(&mut self, duration: Duration) {
        let nanos = (duration.as_nanos() as u64).max(1);
        self.buckets[bucket(nanos)] += 1;
        self.total += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// The duration that this share of all stays below, in microseconds (lower edge of its bucket); 0 if none.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share) as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen > rank {
                return lower_edge(index) / 1e3;
            }
        }
        0.0
    }

    /// `{"p50":…,"p90":…,"p99":…,"p999":…}` in microseconds.
    pub(crate) fn json(&self) -> String {
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| self.quantile_us(share));
        format!(r#"{{"p50":{p50:.0},"p90":{p90:.0},"p99":{p99:.0},"p999":{p999:.0}}}"#)
    }
}

fn bucket(nanos: u64) -> usize {
    let power = nanos.ilog2() as usize;
    let within = ((u128::from(nanos) * STEPS as u128) >> power) as usize - STEPS;
    power * STEPS + within
}

fn lower_edge(bucket: usize) -> f64 {
    let (power, within) = (bucket / STEPS, bucket % STEPS);
    2f64.powi(power as i32) * (1.0 + within as f64 / STEPS as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_seven_percent() {
        let mut latency = Latency::new();
        for micros in 1..=1000 {
            latency.record(Duration::from_micros(micros));
        }
        for share in [0.1, 0.5, 0.9, 0.99] {
            let found = latency.quantile_us(share);
            let exact = share * 1000.0;
            assert!((found - exact).abs() / exact < 0.07, "{share}: {found}");
        }
    }

    #[test]
    fn the_smallest_and_the_largest_have_a_bucket() {
        let mut latency = Latency::new();
        latency.record(Duration::ZERO);
        latency.record(Duration::from_secs(u64::MAX / 1_000_000_000));
        assert_eq!(latency.total, 2);
    }
}
