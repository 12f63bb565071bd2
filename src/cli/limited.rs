//! Which limits of the configuration an explained answer falls under, if its client asks itself. How
//! full a bucket is, only a running node knows; its `/metrics` tell what was limited.

use std::net::IpAddr;

use windrose_config::{DnsLimit, DnsLimits, LimitMode};
use windrose_dns::AnswerClass;
use windrose_routing::explain::DnsTrace;

use super::explain::masked;
use super::values::Client;

/// What limits an answer over UDP, one line each; nothing where nothing does.
pub(super) fn told(limits: &DnsLimits, trace: &DnsTrace) -> Vec<String> {
    let client = trace.client.to_canonical();
    let class = class(trace);
    let responses = &limits.responses;
    let rate = match class {
        AnswerClass::Positive => responses.positive,
        AnswerClass::Wildcard => responses.wildcard,
        AnswerClass::NxDomain => responses.nxdomain,
        AnswerClass::NoData => responses.nodata,
        AnswerClass::Referral => responses.referral,
        AnswerClass::Error => responses.error,
    };
    let rate = rate.unwrap_or(responses.limit.rate);
    let prefix = prefix(limits, client);
    let queries = line(&limits.queries, limits.queries.rate, "queries", &prefix);
    let answers = format!("{} answers", class.as_str());
    let answers = line(&responses.limit, rate, &answers, &prefix);
    let lines: Vec<_> = queries.into_iter().chain(answers).collect();
    match limits.exempt.iter().find(|net| net.contains(&client)) {
        Some(net) if !lines.is_empty() => vec![format!("no limit: {net} is exempt")],
        _ => lines,
    }
}

/// Who shares a limit with a client.
fn prefix(limits: &DnsLimits, client: IpAddr) -> String {
    let bits = match client {
        IpAddr::V4(_) => limits.ipv4_prefix,
        IpAddr::V6(_) => limits.ipv6_prefix,
    };
    let client = Client {
        ip: client,
        prefix: bits,
    };
    format!("{}/{bits}", masked(client))
}

fn line(limit: &DnsLimit, rate: u32, what: &str, prefix: &str) -> Option<String> {
    let mode = match limit.mode {
        LimitMode::Off => return None,
        LimitMode::DryRun => "dry run, nothing is held back",
        LimitMode::On => match limit.slip {
            0 => "what is over is dropped",
            1 => "what is over is cut short, the client comes by TCP",
            _ => "what is over is dropped or cut short",
        },
    };
    if rate == 0 {
        return Some(format!("limit: {what} to {prefix} are not limited"));
    }
    Some(format!("limit: {rate} {what} a second to {prefix}, {mode}"))
}

/// What the limiter takes the answer for.
fn class(trace: &DnsTrace) -> AnswerClass {
    match trace.rcode {
        "NOERROR" if trace.referral => AnswerClass::Referral,
        "NOERROR" if trace.records.is_empty() => AnswerClass::NoData,
        "NOERROR" if trace.made_up => AnswerClass::Wildcard,
        "NOERROR" => AnswerClass::Positive,
        "NXDOMAIN" => AnswerClass::NxDomain,
        _ => AnswerClass::Error,
    }
}
