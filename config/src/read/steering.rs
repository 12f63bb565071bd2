//! Steering steps.

use windrose_model::{ClientSet, FenceRule, GeoRules, LatencyBand, Name, Preference, Rtt, Step};

use super::{Found, by_key, single, value};
use crate::scalar;
use crate::tree::Node;

pub(super) fn read(steps: Option<&Node>, found: &mut Found) -> Vec<Step> {
    found.list(steps, step)
}

fn step(found: &mut Found, node: &Node) -> Option<Step> {
    let [entry] = node.entries() else { return None };
    let node = &entry.value;
    Some(match &*entry.key {
        "fence" => Step::Fence(found.list(Some(node), rule)),
        "geo" => Step::Geo(geo(found, node)),
        "nearest" => Step::Nearest(by_key(node.get("bias"), scalar::name, |bias| {
            single(bias, scalar::bias)
        })),
        "latency" => Step::Latency(band(node)),
        "weighted" => Step::Weighted(by_key(Some(node), scalar::name, |weight| {
            single(weight, scalar::weight)
        })),
        "failover" => Step::Failover(preference(found, node)),
        _ => return None,
    })
}

fn rule(found: &mut Found, node: &Node) -> Option<FenceRule> {
    let clients = node.get("clients")?;
    Some(FenceRule {
        clients: self::clients(clients, found),
        clusters: names(found, node.get("clusters")?),
    })
}

/// A set of clients.
pub(super) fn clients(node: &Node, found: &mut Found) -> ClientSet {
    ClientSet {
        cidrs: found.list(node.get("cidrs"), |_, item| single(item, scalar::cidr)),
        lists: found.list(node.get("lists"), |_, item| single(item, scalar::name)),
        asns: found.list(node.get("asns"), |_, item| single(item, scalar::asn)),
        cities: found.list(node.get("cities"), |_, item| single(item, scalar::city)),
        subdivisions: found.list(node.get("subdivisions"), |_, item| {
            single(item, scalar::subdivision)
        }),
        countries: found.list(node.get("countries"), |_, item| {
            single(item, scalar::country)
        }),
        continents: found.list(node.get("continents"), |_, item| {
            single(item, scalar::continent)
        }),
    }
}

fn geo(found: &mut Found, node: &Node) -> GeoRules {
    let mut preference = |node: &Node| Some(preference(found, node));
    GeoRules {
        cidrs: by_key(node.get("cidrs"), scalar::cidr, &mut preference),
        lists: by_key(node.get("lists"), scalar::name, &mut preference),
        asns: by_key(node.get("asns"), scalar::asn, &mut preference),
        cities: by_key(node.get("cities"), scalar::city, &mut preference),
        subdivisions: by_key(
            node.get("subdivisions"),
            scalar::subdivision,
            &mut preference,
        ),
        countries: by_key(node.get("countries"), scalar::country, &mut preference),
        continents: by_key(node.get("continents"), scalar::continent, &mut preference),
        default: node
            .get("default")
            .and_then(&mut preference)
            .unwrap_or_default(),
    }
}

fn band(node: &Node) -> LatencyBand {
    let usual = LatencyBand::default();
    LatencyBand {
        within: value(node, "within", scalar::duration).map_or(usual.within, Rtt::from_duration),
        within_percent: value(node, "within_percent", scalar::percent)
            .unwrap_or(usual.within_percent),
        measured: value(node, "measured", scalar::boolean).unwrap_or(usual.measured),
    }
}

/// An item is a cluster, or a list of equals.
fn preference(found: &mut Found, node: &Node) -> Preference {
    found.list(Some(node), |found, item| match item.text() {
        Some(text) => Name::new(text).ok().map(|name| vec![name]),
        None => Some(names(found, item)),
    })
}

fn names(found: &mut Found, node: &Node) -> Vec<Name> {
    found.list(Some(node), |_, item| single(item, scalar::name))
}
