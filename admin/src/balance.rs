//! How endpoints share the traffic, told with names: those that take nothing new.

use windrose_routing::{AppEntry, Table};
use windrose_telemetry::exposition::Page;

use crate::look;

/// Numbers of apps whose endpoints are not all alike.
pub(crate) fn families(page: &mut Page, table: &Table) {
    let says = |entry: &&AppEntry| {
        let mut versions = entry.plan.app.versions.values();
        versions.any(|version| !version.traits.is_empty())
    };
    let apps = || table.apps().map(|(_, entry)| entry).filter(says);
    if apps().next().is_none() {
        return;
    }
    let mut drained = page.gauge(
        "windrose_endpoints_drained",
        "Endpoints that take nothing new: drained, or of weight 0.",
    );
    for entry in apps() {
        let counts = look::endpoints(entry);
        for (cluster, count) in entry.plan.clusters.iter().zip(counts) {
            let labels = [
                ("app", entry.plan.name.as_str()),
                ("cluster", cluster.name.as_str()),
            ];
            drained.count(&labels, u64::from(count.drained));
        }
    }
}
