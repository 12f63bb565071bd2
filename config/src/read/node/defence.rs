//! `node.dns.limits` and `node.dns.log`.

use std::path::PathBuf;
use std::time::Duration;

use windrose_model::Percent;

use super::super::{Found, number, single, value};
use crate::node::{
    DnsLimit, DnsLimits, DnsLog, DnsLogFormat, DnsResponseLimit, LimitMode, LogTarget,
};
use crate::problem::Problem;
use crate::scalar;
use crate::tree::Node;

/// What a bucket may save up: after more than a minute it is no burst any more.
const WINDOW: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(60);

pub(super) fn limits(node: &Node, found: &mut Found) -> DnsLimits {
    let defaults = DnsLimits::default();
    DnsLimits {
        responses: responses(node.get("responses"), defaults.responses, found),
        queries: limit(node.get("queries"), defaults.queries, found),
        ipv4_prefix: number(node, "ipv4_prefix", defaults.ipv4_prefix),
        ipv6_prefix: number(node, "ipv6_prefix", defaults.ipv6_prefix),
        exempt: found.list(node.get("exempt"), |_, item| single(item, scalar::cidr)),
    }
}

fn responses(
    node: Option<&Node>,
    defaults: DnsResponseLimit,
    found: &mut Found,
) -> DnsResponseLimit {
    let rates = node.and_then(|node| node.get("rates"));
    let rate = |class| {
        let rates = rates?;
        rates.get(class).map(|_| number(rates, class, 0))
    };
    DnsResponseLimit {
        limit: limit(node, defaults.limit, found),
        positive: rate("positive"),
        wildcard: rate("wildcard"),
        nxdomain: rate("nxdomain"),
        nodata: rate("nodata"),
        referral: rate("referral"),
        error: rate("error"),
    }
}

/// What is not written is off; what is written runs dry until it says otherwise.
fn limit(node: Option<&Node>, defaults: DnsLimit, found: &mut Found) -> DnsLimit {
    let Some(node) = node else { return defaults };
    let window = value(node, "window", scalar::duration).unwrap_or(defaults.window);
    if let Some(written) = node.get("window")
        && !WINDOW.contains(&window)
    {
        let text = written.text().unwrap_or_default();
        let message = format!("`window` is {text}, must be 1ms to 1m");
        let problem = Problem::error("bad-window", written.span, message);
        found.problems.push(problem);
    }
    DnsLimit {
        mode: match node.get("mode").and_then(Node::text) {
            Some("off") => LimitMode::Off,
            Some("on") => LimitMode::On,
            _ => LimitMode::DryRun,
        },
        rate: number(node, "rate", defaults.rate),
        window,
        slip: number(node, "slip", defaults.slip),
        buckets: number(node, "buckets", defaults.buckets),
    }
}

/// `None` when it does not say where to, which the language asks for.
pub(super) fn log(node: &Node, found: &mut Found) -> Option<DnsLog> {
    let defaults = DnsLog::new(log_target(node)?);
    let sample = value(node, "sample", scalar::fraction);
    if let Some(written) = node.get("sample")
        && sample == Some(Percent::ZERO)
    {
        let text = written.text().unwrap_or_default();
        let message = format!("`sample` is {text}, must be 0.0001 to 1");
        let problem = Problem::error("bad-sample", written.span, message)
            .help("take `log` out to write none");
        found.problems.push(problem);
    }
    Some(DnsLog {
        format: match node.get("format").and_then(Node::text) {
            Some("dnstap") => DnsLogFormat::Dnstap,
            _ => DnsLogFormat::Json,
        },
        sample: sample.unwrap_or(defaults.sample),
        per_second: number(node, "per_second", defaults.per_second),
        max_bytes: value(node, "max_bytes", scalar::size).unwrap_or(defaults.max_bytes),
        keep: number(node, "keep", defaults.keep),
        to: defaults.to,
    })
}

/// Where a log goes, if it says so.
pub(super) fn log_target(node: &Node) -> Option<LogTarget> {
    let text = node.get("to").and_then(Node::text)?;
    Some(match text.strip_prefix("unix:") {
        Some(path) => LogTarget::Unix(PathBuf::from(path)),
        None => LogTarget::File(PathBuf::from(text)),
    })
}
