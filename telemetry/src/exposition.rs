//! The Prometheus text form (version 0.0.4), written by the `prometheus` crate. Callers bring
//! names, labels and numbers; families without samples are left out.

use std::time::SystemTime;

use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use prometheus::{Encoder, TextEncoder};

use crate::cells::{BUCKET_SECONDS, SUM_CELL};
use crate::process::{Process, seconds_since_epoch};

/// The media type of [`Page::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Families in the order they were begun. Each is written when the next one begins, so that only one
/// is in memory sample by sample.
#[derive(Debug, Default)]
pub struct Page {
    text: Vec<u8>,
    current: MetricFamily,
    failed: Option<prometheus::Error>,
}

/// A family being filled. Label names and order must be the same for all its samples.
#[derive(Debug)]
pub struct Family<'p> {
    family: &'p mut MetricFamily,
}

impl Page {
    /// An empty page.
    pub fn new() -> Self {
        Self::default()
    }

    /// A family of counters; `name` ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::COUNTER)
    }

    /// A family of gauges.
    pub fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::GAUGE)
    }

    /// A family of duration histograms; `name` ends in `_seconds`.
    pub fn duration(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::HISTOGRAM)
    }

    /// A family of histograms of something else than durations.
    pub fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::HISTOGRAM)
    }

    /// The standard process families, under the names of the Prometheus client guidelines.
    pub fn process(&mut self, process: &Process, started: SystemTime) {
        if let Some(seconds) = process.cpu_seconds {
            self.counter(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            )
            .sample(&[], seconds);
        }
        for (name, help, value) in [
            (
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
                process.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
                process.virtual_bytes,
            ),
            (
                "process_open_fds",
                "Number of open file descriptors.",
                process.open_fds,
            ),
            (
                "process_max_fds",
                "Maximum number of open file descriptors.",
                process.max_fds,
            ),
            (
                "process_threads",
                "Number of OS threads in the process.",
                process.threads,
            ),
        ] {
            if let Some(value) = value {
                self.gauge(name, help).sample(&[], value as f64);
            }
        }
        self.gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
        )
        .sample(&[], seconds_since_epoch(started));
    }

    /// The text.
    ///
    /// # Errors
    /// Only if a family is malformed, which the methods here do not make.
    pub fn text(mut self) -> Result<String, prometheus::Error> {
        self.flush();
        match self.failed {
            Some(error) => Err(error),
            None => Ok(String::from_utf8_lossy(&self.text).into_owned()),
        }
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> Family<'_> {
        self.flush();
        self.current.set_name(name.to_owned());
        self.current.set_help(help.to_owned());
        self.current.set_field_type(kind);
        Family {
            family: &mut self.current,
        }
    }

    fn flush(&mut self) {
        let family = std::mem::take(&mut self.current);
        if family.get_metric().is_empty() {
            return;
        }
        if let Err(error) = TextEncoder::new().encode(&[family], &mut self.text) {
            self.failed.get_or_insert(error);
        }
    }
}

impl Family<'_> {
    /// A counter or gauge.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        let mut metric = Metric::from_label(pairs(labels));
        match self.family.get_field_type() {
            MetricType::COUNTER => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            _ => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        self.family.mut_metric().push(metric);
    }

    /// A whole number.
    pub fn count(&mut self, labels: &[(&str, &str)], value: u64) {
        self.sample(labels, value as f64);
    }

    /// A histogram from a row of duration cells (see [`DURATION_CELLS`](crate::DURATION_CELLS)).
    /// Cells that are missing count as zero.
    pub fn histogram(&mut self, labels: &[(&str, &str)], row: &[u64]) {
        let sum = row.get(SUM_CELL as usize).copied().unwrap_or(0);
        let buckets = row.get(..SUM_CELL as usize).unwrap_or(row);
        self.buckets(labels, &BUCKET_SECONDS, buckets, sum as f64 / 1e6);
    }

    /// A histogram from the counts of its buckets and the sum of what was measured. A count beyond
    /// the bounds is of what is larger than all of them; one that is missing is zero.
    pub fn buckets(&mut self, labels: &[(&str, &str)], bounds: &[f64], counts: &[u64], sum: f64) {
        let mut cumulative = 0u64;
        let mut buckets = Vec::with_capacity(bounds.len());
        let counted = counts.iter().copied().chain(std::iter::repeat(0));
        for (bound, count) in bounds.iter().zip(counted) {
            cumulative = cumulative.wrapping_add(count);
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(cumulative);
            buckets.push(bucket);
        }
        let beyond: u64 = counts.iter().skip(bounds.len()).sum();
        let mut histogram = Histogram::default();
        histogram.set_sample_count(cumulative.wrapping_add(beyond));
        histogram.set_sample_sum(sum);
        histogram.set_bucket(buckets);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_histogram(histogram);
        self.family.mut_metric().push(metric);
    }
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    labels
        .iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_prometheus_text() {
        let mut page = Page::new();
        page.counter("a_total", "As.")
            .count(&[("zone", "x\"\\\ny")], 3);
        page.gauge("nothing", "Left out.");
        page.gauge("b", "Bs.").sample(&[], -1.0);
        let text = page.text().unwrap();
        assert_eq!(
            text,
            "# HELP a_total As.\n# TYPE a_total counter\na_total{zone=\"x\\\"\\\\\\ny\"} 3\n\
             # HELP b Bs.\n# TYPE b gauge\nb -1\n"
        );
    }

    #[test]
    fn a_histogram_is_cumulative_and_ends_in_infinity() {
        let mut page = Page::new();
        let mut row = vec![0; 15];
        (row[0], row[1], row[13], row[14]) = (2, 1, 4, 1_500_000);
        page.duration("d_seconds", "Ds.")
            .histogram(&[("app", "shop")], &row);
        let text = page.text().unwrap();
        for line in [
            "d_seconds_bucket{app=\"shop\",le=\"0.001\"} 2",
            "d_seconds_bucket{app=\"shop\",le=\"0.0025\"} 3",
            "d_seconds_bucket{app=\"shop\",le=\"10\"} 3",
            "d_seconds_bucket{app=\"shop\",le=\"+Inf\"} 7",
            "d_seconds_sum{app=\"shop\"} 1.5",
            "d_seconds_count{app=\"shop\"} 7",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
    }
}
