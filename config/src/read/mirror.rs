//! Copies of requests.

use windrose_model::{Mirror, Name};

use super::app::{duration, percent};
use super::{Found, number, value};
use crate::scalar;
use crate::tree::Node;

/// One, or a list.
pub(super) fn read(node: Option<&Node>, found: &mut Found) -> Vec<Mirror> {
    match node {
        Some(node) if !node.entries().is_empty() => one(node).into_iter().collect(),
        node => found.list(node, |_, item| one(item)),
    }
}

fn one(node: &Node) -> Option<Mirror> {
    let usual = Mirror::to(value::<Name>(node, "version", scalar::name)?);
    Some(Mirror {
        percent: percent(node, "percent", usual.percent),
        body_limit: value(node, "body_limit", scalar::size).unwrap_or(usual.body_limit),
        max_in_flight: number(node, "max_in_flight", usual.max_in_flight),
        timeout: duration(node, "timeout", usual.timeout),
        host_suffix: node.get("host_suffix").and_then(Node::text).map(Box::from),
        ..usual
    })
}
