//! `node.dns`.

use std::time::Duration;

use super::super::data::file;
use super::super::{Found, number, value};
use super::defence;
use crate::node::{
    DnsAny, DnsBadCookie, DnsCookies, DnsErrors, DnsLimits, DnsManners, DnsTcpLimits,
};
use crate::problem::Problem;
use crate::scalar;
use crate::source::Sources;
use crate::tree::Node;

/// Octets of a name server identifier: with it and every other option even the longest question fits
/// into the smallest message.
const NSID: usize = 128;
/// Octets of a character string (RFC 1035 section 3.3).
const STRING: usize = 255;

pub(super) fn read(node: &Node, sources: &mut Sources, found: &mut Found) -> DnsManners {
    let defaults = DnsManners::default();
    DnsManners {
        udp_size: number(node, "udp_size", defaults.udp_size),
        any: match text(node, "any") {
            Some("hinfo") => DnsAny::Hinfo,
            _ => DnsAny::OneSet,
        },
        extended_errors: match text(node, "extended_errors") {
            Some("off") => DnsErrors::Off,
            Some("reasons") => DnsErrors::Reasons,
            _ => DnsErrors::Codes,
        },
        nsid: octets(node, "nsid", NSID, found),
        chaos_id: octets(node, "chaos_id", STRING, found),
        chaos_version: octets(node, "chaos_version", STRING, found),
        zone_version: value(node, "zone_version", scalar::boolean).unwrap_or(defaults.zone_version),
        cookies: node
            .get("cookies")
            .map_or_else(DnsCookies::default, |node| cookies(node, sources, found)),
        tcp: node
            .get("tcp")
            .map_or_else(DnsTcpLimits::default, |tcp| tcp_limits(tcp, found)),
        limits: node
            .get("limits")
            .map_or_else(DnsLimits::default, |limits| defence::limits(limits, found)),
        log: (node.get("log")).and_then(|log| defence::log(log, found)),
    }
}

fn cookies(node: &Node, sources: &mut Sources, found: &mut Found) -> DnsCookies {
    let help = "`secrets_file` is a file relative to this one, with 32 hexadecimal digits a line";
    DnsCookies {
        enabled: value(node, "enabled", scalar::boolean).unwrap_or(true),
        secrets_file: node
            .get("secrets_file")
            .and_then(|node| file(node, sources, found, help)),
        badcookie: match text(node, "badcookie") {
            Some("when_limited") => DnsBadCookie::WhenLimited,
            Some("always") => DnsBadCookie::Always,
            _ => DnsBadCookie::Off,
        },
        unproven_size: node
            .get("unproven_size")
            .map(|_| number(node, "unproven_size", 1_232)),
    }
}

/// The unit of the keepalive option (RFC 7828 section 3.1).
const LEAST_IDLE: Duration = Duration::from_millis(100);

fn tcp_limits(node: &Node, found: &mut Found) -> DnsTcpLimits {
    let defaults = DnsTcpLimits::default();
    let idle_timeout = value(node, "idle_timeout", scalar::duration);
    if let Some(written) = node.get("idle_timeout")
        && idle_timeout.is_some_and(|idle| idle < LEAST_IDLE)
    {
        let text = written.text().unwrap_or_default();
        let message = format!("`idle_timeout` is {text}, must be at least 100ms");
        let problem = Problem::error("bad-idle-timeout", written.span, message)
            .help("with less, a connection can end before its first question is read");
        found.problems.push(problem);
    }
    DnsTcpLimits {
        connections: number(node, "connections", defaults.connections),
        per_client: number(node, "per_client", defaults.per_client),
        idle_timeout: idle_timeout.unwrap_or(defaults.idle_timeout),
    }
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key).and_then(Node::text)
}

/// A text, or octets as `0x` and hexadecimal digits; empty without the key.
fn octets(node: &Node, key: &str, most: usize, found: &mut Found) -> Vec<u8> {
    let Some(node) = node.get(key) else {
        return Vec::new();
    };
    let text = node.text().unwrap_or_default();
    let octets = match text.strip_prefix("0x") {
        Some(digits) => hexadecimal(digits),
        None => Some(text.as_bytes().to_vec()),
    };
    let mut refuse = |code, message: String| {
        found
            .problems
            .push(Problem::error(code, node.span, message));
        Vec::new()
    };
    match octets {
        None => refuse(
            "bad-hexadecimal",
            format!("{key} is {text}, must be a text, or 0x and pairs of hexadecimal digits"),
        ),
        Some(octets) if octets.is_empty() || octets.len() > most => refuse(
            "bad-length",
            format!("{key} has {} octets, must be 1 to {most}", octets.len()),
        ),
        Some(octets) => octets,
    }
}

fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let value = |digit: u8| char::from(digit).to_digit(16);
            let [high, low] = pair else { return None };
            u8::try_from(value(*high)? << 4 | value(*low)?).ok()
        })
        .collect()
}
