//! Breakers.

use windrose_model::Breakers;

use super::app::duration;
use super::number;
use crate::tree::Node;

pub(super) fn read(node: &Node) -> Breakers {
    let defaults = Breakers::default();
    Breakers {
        connections: number(node, "connections", defaults.connections),
        pending: number(node, "pending", defaults.pending),
        requests: number(node, "requests", defaults.requests),
        retries: number(node, "retries", defaults.retries),
        failures: number(node, "failures", defaults.failures),
        open_for: duration(node, "open_for", defaults.open_for),
    }
}
