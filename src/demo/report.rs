//! The object that an unattended demo prints: its field names are an interface.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::story::Story;
use super::tally::{ByCluster, Counts};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    schema: u32,
    duration_s: f64,
    failures: Vec<FailureReport>,
    pub(crate) requests: Requests,
    dns: Dns,
    shares: Shares,
}

#[derive(Debug, Serialize)]
struct FailureReport {
    cluster: String,
    at_s: f64,
    verdict_after_s: Option<f64>,
    last_dns_answer_after_s: Option<f64>,
    recovered_after_s: Option<f64>,
    complete: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Requests {
    sent: u64,
    ok: u64,
    failed: u64,
    pub(crate) failed_idempotent: u64,
    retried: u64,
    moved_cluster: u64,
}

#[derive(Debug, Serialize)]
struct Dns {
    queries: u64,
    by_rcode: BTreeMap<&'static str, u64>,
}

/// Fractions of 1. A phase that was not reached is empty.
#[derive(Debug, Serialize)]
struct Shares {
    before: Share,
    during: Share,
    after: Share,
}

#[derive(Debug, Serialize)]
struct Share {
    dns: BTreeMap<String, f64>,
    http: BTreeMap<String, f64>,
}

/// What the node itself counted of its attempts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempts {
    pub(crate) retried: u64,
    pub(crate) moved: u64,
}

impl Report {
    pub(crate) fn new(
        names: &[String],
        start: Instant,
        length: Duration,
        story: &Story,
        counts: &Counts,
        attempts: Attempts,
    ) -> Self {
        let failures = story.failures.iter().map(|f| FailureReport {
            cluster: names[f.cluster].clone(),
            at_s: seconds(f.at.duration_since(start)),
            verdict_after_s: f.verdict_after.map(seconds),
            last_dns_answer_after_s: f.last_answer_after.map(seconds),
            recovered_after_s: f.recovered_after.map(seconds),
            complete: f.complete(),
        });
        let [before, during, after] = &counts.phases;
        Self {
            schema: 1,
            duration_s: seconds(length),
            failures: failures.collect(),
            requests: Requests {
                sent: counts.sent,
                ok: counts.ok,
                failed: counts.failed,
                failed_idempotent: counts.failed_idempotent,
                retried: attempts.retried,
                moved_cluster: attempts.moved,
            },
            dns: Dns {
                queries: counts.queries,
                by_rcode: counts.by_rcode.clone(),
            },
            shares: Shares {
                before: share(names, before),
                during: share(names, during),
                after: share(names, after),
            },
        }
    }

    /// The same for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for f in &self.failures {
            let after = |s: Option<f64>| {
                s.map_or_else(|| "not seen".to_owned(), |s| format!("after {s:.2} s"))
            };
            lines.push(format!(
                "{} failed at {:.1} s: verdict down {}, last DNS answer {}, full share again {}",
                f.cluster,
                f.at_s,
                after(f.verdict_after_s),
                after(f.last_dns_answer_after_s),
                after(f.recovered_after_s),
            ));
        }
        let r = &self.requests;
        lines.push(format!(
            "{} requests in {:.1} s: {} ok, {} failed ({} of them idempotent), {} attempts retried, {} requests moved to another cluster",
            r.sent, self.duration_s, r.ok, r.failed, r.failed_idempotent, r.retried, r.moved_cluster
        ));
        lines.push(format!("{} DNS queries", self.dns.queries));
        lines
    }
}

fn share(names: &[String], counts: &ByCluster) -> Share {
    Share {
        dns: fractions(names, &counts.dns),
        http: fractions(names, &counts.http),
    }
}

#[allow(clippy::cast_precision_loss, reason = "for display")]
fn fractions(names: &[String], counts: &[u64]) -> BTreeMap<String, f64> {
    let sum: u64 = counts.iter().sum();
    if sum == 0 {
        return BTreeMap::new();
    }
    let fraction = |n: u64| rounded(n as f64 / sum as f64);
    let pairs = names.iter().zip(counts);
    pairs
        .map(|(name, n)| (name.clone(), fraction(*n)))
        .collect()
}

fn seconds(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64())
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
