//! A rate limit.

use std::time::Duration;

use windrose_model::{RateKey, RateLimit};

use super::{number, value};
use crate::scalar;
use crate::tree::Node;

pub(super) fn read(node: &Node) -> RateLimit {
    let rate = number(node, "rate", 1);
    RateLimit {
        rate,
        per: value(node, "per", scalar::duration).unwrap_or(Duration::from_secs(1)),
        burst: number(node, "burst", rate),
        by: node.get("by").map_or(RateKey::Client, by),
        enforced: node.get("mode").and_then(Node::text) != Some("dry_run"),
    }
}

fn by(node: &Node) -> RateKey {
    let text = |key| node.get(key).and_then(Node::text);
    match (node.text(), text("header"), text("cookie")) {
        (Some("app"), ..) => RateKey::App,
        (_, Some(header), _) => RateKey::Header(header.to_ascii_lowercase()),
        (_, _, Some(cookie)) => RateKey::Cookie(cookie.to_owned()),
        _ => RateKey::Client,
    }
}
