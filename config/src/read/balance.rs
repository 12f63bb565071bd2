//! Endpoints, and the balance among them.

use std::collections::BTreeMap;

use windrose_model::{Balance, EndpointTraits, Policy, SplitKey, Version};

use super::{Found, number, objects, single, split_by, value};
use crate::scalar;
use crate::tree::Node;

/// Where a version runs. What is like most is not remembered.
pub(super) fn version(node: &Node, found: &mut Found) -> Version {
    let mut said = BTreeMap::new();
    let endpoints = objects(node, "endpoints", |cluster, list| {
        found.list(Some(list), |_, item| {
            if let Some(address) = single(item, scalar::socket) {
                return Some(address);
            }
            let address = value(item, "address", scalar::socket)?;
            let traits = traits(item);
            if traits != EndpointTraits::default() {
                said.insert((cluster.clone(), address), traits);
            }
            Some(address)
        })
    });
    Version {
        endpoints,
        traits: said,
    }
}

fn traits(node: &Node) -> EndpointTraits {
    let defaults = EndpointTraits::default();
    EndpointTraits {
        weight: value(node, "weight", scalar::weight).unwrap_or(defaults.weight),
        drain: value(node, "drain", scalar::boolean).unwrap_or(defaults.drain),
    }
}

pub(super) fn read(node: &Node) -> Balance {
    let policy = node.text().or_else(|| node.get("policy")?.text());
    Balance {
        policy: match policy {
            Some("round_robin") => Policy::RoundRobin,
            Some("peak_ewma") => Policy::PeakEwma,
            Some("ring_hash") => Policy::RingHash,
            Some("maglev") => Policy::Maglev,
            _ => Policy::TwoChoices,
        },
        by: node.get("by").map_or(SplitKey::CLIENT, split_by::key),
        bounded_load: node
            .get("bounded_load")
            .map(|_| number(node, "bounded_load", 0)),
    }
}
