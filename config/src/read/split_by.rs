//! What makes a split sticky.

use std::time::Duration;

use windrose_model::{SplitBy, SplitKey, Ttl};

use super::{number, value};
use crate::scalar;
use crate::tree::Node;

/// How long a cookie is kept when nothing is written.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

pub(super) fn read(node: &Node) -> SplitBy {
    SplitBy {
        key: key(node),
        salt: node.get("salt").and_then(Node::text).map(Box::from),
    }
}

pub(super) fn key(node: &Node) -> SplitKey {
    let header = value(node, "header", scalar::header_name).map(SplitKey::Header);
    let cookie = node.get("cookie").and_then(Node::text);
    header
        .or_else(|| cookie.map(|name| SplitKey::Cookie(name.into())))
        .or_else(|| node.get("set_cookie").map(set_cookie))
        .unwrap_or_else(|| client(node.get("client")))
}

fn set_cookie(node: &Node) -> SplitKey {
    let written = || node.get("name").and_then(Node::text);
    let name = node.text().or_else(written).unwrap_or_default();
    let kept = value(node, "max_age", scalar::seconds);
    SplitKey::SetCookie(
        name.into(),
        kept.unwrap_or_else(|| Ttl::from_duration(KEPT)),
    )
}

fn client(node: Option<&Node>) -> SplitKey {
    let bits = |key, usual| node.map_or(usual, |node| number(node, key, usual));
    SplitKey::Client {
        ipv4: bits("ipv4", 32),
        ipv6: bits("ipv6", 64),
    }
}
