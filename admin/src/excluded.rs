//! What the data path itself decides, told with names: endpoints that are left out.

use std::time::SystemTime;

use jiff::Timestamp;
use windrose_routing::{AppEntry, Endpoint, PlanCluster, PlanVersion, Table};
use windrose_telemetry::exposition::Page;
use windrose_telemetry::{EJECTIONS, Exclusions, Metrics, PREVENTED};

use crate::status::Ejected;

/// All endpoints that are left out.
pub(crate) fn ejected(table: &Table, exclusions: &Exclusions) -> Vec<Ejected> {
    let known = exclusions.list();
    if known.is_empty() {
        return Vec::new();
    }
    let mut all = Vec::with_capacity(known.len());
    for (_, entry) in table.apps() {
        each(entry, |version, cluster, endpoint| {
            let Some(out) = known.get(&endpoint.slot) else {
                return;
            };
            all.push(Ejected {
                app: entry.plan.name.to_string(),
                version: version.name.to_string(),
                cluster: cluster.name.to_string(),
                endpoint: endpoint.address.to_string(),
                cause: out.cause.to_string(),
                since: timestamp(out.since),
                trial_at: timestamp(out.trial_at),
                times: out.times,
            });
        });
    }
    all
}

/// Numbers of apps whose outliers are ejected.
pub(crate) fn families(page: &mut Page, table: &Table, exclusions: &Exclusions, metrics: &Metrics) {
    let known = exclusions.list();
    let apps = || {
        let apps = table.apps().map(|(_, entry)| entry);
        apps.filter(|entry| entry.plan.app.outliers.is_some())
    };
    if apps().next().is_none() {
        return;
    }
    let mut now = page.gauge(
        "windrose_endpoints_ejected",
        "Endpoints that this node leaves out for what its own traffic showed.",
    );
    for entry in apps() {
        let mut counts = vec![0; entry.plan.clusters.len()];
        for version in &entry.plan.versions {
            for (count, group) in counts.iter_mut().zip(&version.groups) {
                let out = group.endpoints.iter();
                *count += out.filter(|e| known.contains_key(&e.slot)).count();
            }
        }
        for (cluster, count) in entry.plan.clusters.iter().zip(counts) {
            now.count(&labels(entry, cluster), count as u64);
        }
    }
    let mut ejections = page.counter(
        "windrose_endpoint_ejections_total",
        "Endpoints ejected for what live traffic showed, by cause.",
    );
    for entry in apps() {
        for cluster in &entry.plan.clusters {
            let [app, at] = labels(entry, cluster);
            for (cell, cause) in (0..PREVENTED).zip(EJECTIONS) {
                let count = metrics.ejections.sum(cluster.slot, cell);
                ejections.count(&[app, at, ("cause", cause)], count);
            }
        }
    }
    let mut prevented = page.counter(
        "windrose_endpoint_ejections_prevented_total",
        "Failures that would have ejected an endpoint, but for the share of others that are out.",
    );
    for entry in apps() {
        for cluster in &entry.plan.clusters {
            let count = metrics.ejections.sum(cluster.slot, PREVENTED);
            prevented.count(&labels(entry, cluster), count);
        }
    }
}

fn labels<'t>(entry: &'t AppEntry, cluster: &'t PlanCluster) -> [(&'static str, &'t str); 2] {
    [
        ("app", entry.plan.name.as_str()),
        ("cluster", cluster.name.as_str()),
    ]
}

fn each<'t>(
    entry: &'t AppEntry,
    mut tell: impl FnMut(&'t PlanVersion, &'t PlanCluster, &'t Endpoint),
) {
    for version in &entry.plan.versions {
        for (cluster, group) in entry.plan.clusters.iter().zip(&version.groups) {
            for endpoint in &group.endpoints {
                tell(version, cluster, endpoint);
            }
        }
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or_default()
}
