//! The cluster and the endpoints of a request or a connection, told.

use windrose_model::Name;

use super::{AllDownText, clusters, say, tiers};
use crate::choose::Seen;
use crate::plan::Endpoint;
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
    key: u64,
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
    at(entry, version, cluster, steps)
}

/// The endpoints of a version in a cluster, told.
pub(super) fn at(entry: &AppEntry, version: u8, cluster: u8, steps: &mut Vec<String>) -> Placed {
    let plan = &entry.plan;
    let name = plan.clusters[usize::from(cluster)].name.to_string();
    let all = &plan.versions[usize::from(version)].groups[usize::from(cluster)].endpoints;
    let up = || all.iter().filter(|e| entry.endpoint_up(e.index));
    let addresses = |endpoints: &mut dyn Iterator<Item = &Endpoint>| -> Vec<String> {
        endpoints.map(|e| e.address.to_string()).collect()
    };
    let endpoints = if up().next().is_some() {
        let endpoints = addresses(&mut up());
        steps.push(format!(
            "one of {} endpoints, by power of two choices on requests in flight",
            endpoints.len()
        ));
        endpoints
    } else {
        let endpoints = addresses(&mut all.iter());
        steps.push(format!(
            "none of its {} endpoints is up: some are tried all the same before the request is refused",
            endpoints.len()
        ));
        endpoints
    };
    Placed {
        cluster: Some(name),
        endpoints,
    }
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
