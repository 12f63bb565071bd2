//! From the configuration to the limits and the query log of DNS.

use std::sync::Arc;

use windrose_config::{DnsLimit, DnsLimits, DnsLog, DnsLogFormat, LimitMode};
use windrose_dns::{Limit, Limiter, Limits, LogFormat, LogSettings, Mode};
use windrose_telemetry::LogTarget;

use super::seed;

/// The limiter these settings ask for: `old` if it is that one, with what it has counted.
pub(super) fn limiter(wanted: &DnsLimits, old: Option<&Arc<Limiter>>) -> Option<Arc<Limiter>> {
    let limits = limits(wanted);
    match old.filter(|old| *old.limits() == limits) {
        Some(old) => Some(Arc::clone(old)),
        None => Limiter::new(&limits, [seed(), seed()]).map(Arc::new),
    }
}

fn limits(wanted: &DnsLimits) -> Limits {
    let by_class = &wanted.responses;
    // In the order of `AnswerClass`.
    let rates = [
        by_class.positive,
        by_class.wildcard,
        by_class.nxdomain,
        by_class.nodata,
        by_class.referral,
        by_class.error,
    ];
    let common = by_class.limit.rate;
    Limits {
        responses: limit(
            &wanted.responses.limit,
            rates.map(|rate| rate.unwrap_or(common)),
        ),
        queries: limit(&wanted.queries, [wanted.queries.rate]),
        ipv4_prefix: wanted.ipv4_prefix,
        ipv6_prefix: wanted.ipv6_prefix,
        exempt: wanted.exempt.clone(),
    }
}

fn limit<const N: usize>(wanted: &DnsLimit, rates: [u32; N]) -> Limit<N> {
    Limit {
        mode: match wanted.mode {
            LimitMode::Off => Mode::Off,
            LimitMode::DryRun => Mode::DryRun,
            LimitMode::On => Mode::On,
        },
        rates,
        window: wanted.window,
        slip: wanted.slip,
        buckets: wanted.buckets,
    }
}

/// What a log of that configuration runs with.
pub(super) fn log_settings(node: &str, wanted: &DnsLog) -> LogSettings {
    LogSettings {
        node: node.to_owned(),
        version: format!("windrose {}", env!("CARGO_PKG_VERSION")),
        sample: f64::from(wanted.sample.hundredths()) / 10_000.0,
        per_second: wanted.per_second,
        format: match wanted.format {
            DnsLogFormat::Json => LogFormat::Json,
            DnsLogFormat::Dnstap => LogFormat::Dnstap,
        },
        to: log_target(&wanted.to, wanted.max_bytes, wanted.keep),
    }
}

/// Where a log goes.
pub(super) fn log_target(to: &windrose_config::LogTarget, max_bytes: u64, keep: u32) -> LogTarget {
    match to {
        windrose_config::LogTarget::File(path) => LogTarget::File {
            path: path.clone(),
            max_bytes,
            keep,
        },
        windrose_config::LogTarget::Unix(path) => LogTarget::Unix(path.clone()),
    }
}
