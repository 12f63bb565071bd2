//! The cluster and the endpoints of a request or a connection, told.

use windrose_model::{Name, Policy};

use super::{AllDownText, clusters, say, tiers};
use crate::choose::Seen;
use crate::plan::{Endpoint, Group};
use crate::steering::View;
use crate::table::AppEntry;

/// Where it would go.
pub(super) struct Placed {
    /// `None`: no cluster may take it.
    pub(super) cluster: Option<String>,
    /// Those that are up, or all if none is.
    pub(super) endpoints: Vec<String>,
}

/// Tells the choice, as the proxy makes it.
pub(super) fn placed(
    entry: &AppEntry,
    view: View,
    version: u8,
    (key, hash): (u64, Option<u64>),
    home: Option<&Name>,
    steps: &mut Vec<String>,
) -> Placed {
    let name = &entry.plan.versions[usize::from(version)].name;
    tiers(entry, entry.steering(), view, steps);
    lacking(entry, view, version, steps);
    let mut seen_steps = Vec::new();
    let kept = home.and_then(|home| entry.stays_home(view, version, home, 0));
    if let Some(home) = home {
        seen_steps.push(match kept {
            Some(_) => format!("this node stands in {home}: what arrives here stays there"),
            None => format!(
                "this node stands in {home}, but the request may not stay: {name} does not run or is not up there, or a fence keeps this client out"
            ),
        });
    }
    let choice = kept.or_else(|| entry.choose_http_seen(view, version, key, 0, &mut |seen| {
        seen_steps.push(match seen {
            Seen::AllDown => format!(
                "no cluster is usable for {name}: the proxy tries rather than refuses, where when_all_down ({}) leads if it can",
                AllDownText(entry)
            ),
            seen => say(entry, seen),
        });
    }));
    steps.append(&mut seen_steps);
    let Some(cluster) = choice else {
        return Placed {
            cluster: None,
            endpoints: Vec::new(),
        };
    };
    at(entry, version, (cluster, hash), steps)
}

/// The endpoints of a version in a cluster, told.
pub(super) fn at(
    entry: &AppEntry,
    version: u8,
    (cluster, hash): (u8, Option<u64>),
    steps: &mut Vec<String>,
) -> Placed {
    let plan = &entry.plan;
    let name = plan.clusters[usize::from(cluster)].name.to_string();
    let group = &plan.versions[usize::from(version)].groups[usize::from(cluster)];
    let all = &group.endpoints;
    let takes = |e: &&Endpoint| group.takes(group.position(e));
    let up = || {
        let up = all.iter().filter(|e| entry.endpoint_up(e.index));
        up.filter(takes)
    };
    let idle = all.iter().filter(|e| !takes(e));
    let idle: Vec<_> = idle.map(|e| e.address.to_string()).collect();
    if !idle.is_empty() {
        steps.push(format!(
            "drained, or of weight 0, so nothing new goes to {}",
            idle.join(", ")
        ));
    }
    let addresses = |endpoints: &mut dyn Iterator<Item = &Endpoint>| -> Vec<String> {
        endpoints.map(|e| e.address.to_string()).collect()
    };
    let endpoints = if up().next().is_some() {
        let endpoints = addresses(&mut up());
        steps.push(format!(
            "one of {} endpoints, {}",
            endpoints.len(),
            rule(entry, group)
        ));
        if let Some(owner) = owner(entry, group, hash) {
            steps.push(owner);
        }
        endpoints
    } else {
        let endpoints = addresses(&mut all.iter());
        steps.push(format!(
            "none of its {} endpoints is up{}: some are tried all the same before the request is refused",
            endpoints.len(),
            if idle.is_empty() { "" } else { " and takes something new" },
        ));
        endpoints
    };
    Placed {
        cluster: Some(name),
        endpoints,
    }
}

/// How an endpoint of a group is chosen.
fn rule(entry: &AppEntry, group: &Group) -> String {
    let Some(balanced) = &group.balance else {
        return "by power of two choices on requests in flight".to_owned();
    };
    let weights = balanced.weights().iter().zip(&group.endpoints);
    let weights: Vec<_> = weights
        .filter(|(weight, _)| **weight > 0)
        .map(|(weight, endpoint)| format!("{weight} for {}", endpoint.address))
        .collect();
    let by_weight = match balanced.is_even() {
        true => String::new(),
        false => format!(", by weight: {}", weights.join(", ")),
    };
    match balanced.policy {
        Policy::TwoChoices => {
            format!("by power of two choices on requests in flight{by_weight}")
        }
        Policy::PeakEwma => format!(
            "by power of two choices on latency times requests in flight, as each thread saw it{by_weight}"
        ),
        Policy::RoundRobin => format!("in turn, by each thread for itself{by_weight}"),
        Policy::RingHash => format!(
            "by {} on a ring of {} points{by_weight}",
            entry.plan.app.balance.by,
            balanced.entries()
        ),
        Policy::Maglev => format!(
            "by {} in a Maglev table of {} entries{by_weight}",
            entry.plan.app.balance.by,
            balanced.entries()
        ),
    }
}

/// Whose key it is, under a policy by hash.
fn owner(entry: &AppEntry, group: &Group, hash: Option<u64>) -> Option<String> {
    let balanced = group.balance.as_ref()?;
    if !balanced.policy.is_by_hash() {
        return None;
    }
    let Some(key) = hash else {
        let by = &entry.plan.app.balance.by;
        return Some(format!("there is no {by}: by chance"));
    };
    let owner = |step| {
        let at = balanced.owner(key, step)?;
        group.endpoints.get(at)
    };
    let first = owner(0)?;
    let up = |endpoint: &&Endpoint| entry.endpoint_up(endpoint.index);
    let mut behind = (0..balanced.entries()).filter_map(owner).filter(up);
    let taken = behind.next()?;
    let next = behind.find(|next| next.index != taken.index);
    let down = match taken.index == first.index {
        true => String::new(),
        false => format!("{}, which is down, so of ", first.address),
    };
    let bound = match balanced.bound() {
        Some(bound) => format!(", or has more than {bound} % of the average load"),
        None => String::new(),
    };
    let then = next.map_or(String::new(), |next| {
        format!("; while a node avoids it{bound}, {}", next.address)
    });
    Some(format!("the key is that of {down}{}{then}", taken.address))
}

/// Clusters that are usable, but not for this version.
fn lacking(entry: &AppEntry, view: View, version: u8, steps: &mut Vec<String>) {
    let Some(wanted) = entry.plan.versions.get(usize::from(version)) else {
        return;
    };
    let members = entry.steering.row(view).members;
    let dead = entry.state.up & wanted.runs & !entry.state.version_up(version);
    for (mask, why) in [(!wanted.runs, "does not run in"), (dead, "is down in")] {
        let names = clusters(entry, members & mask);
        if !names.is_empty() {
            steps.push(format!("version {} {why} {names}", wanted.name));
        }
    }
}
