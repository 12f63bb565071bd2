//! Faults that are injected on purpose, told with names.

use std::time::SystemTime;

use jiff::Timestamp;
use windrose_model::{Fault, WallTime};
use windrose_routing::{AppEntry, Table};
use windrose_telemetry::exposition::Page;
use windrose_telemetry::{Injected, Metrics};

use crate::status;

/// All faults that routes have, those that are over too.
pub(crate) fn shown(table: &Table, now: SystemTime) -> Vec<status::Fault> {
    let now = wall(now);
    let all = each(table).map(|(entry, at, fault)| {
        let name = entry.plan.app.routes[at].name.as_ref();
        status::Fault {
            app: entry.plan.name.to_string(),
            route: name.map_or_else(|| (at + 1).to_string(), ToString::to_string),
            active: fault.is_active(now),
            what: fault.to_string(),
            until: i64::try_from(fault.until.0)
                .ok()
                .and_then(|micros| Timestamp::from_microsecond(micros).ok())
                .unwrap_or_default(),
        }
    });
    all.collect()
}

/// Numbers of apps with faults.
pub(crate) fn families(page: &mut Page, table: &Table, metrics: &Metrics) {
    let mut apps: Vec<(&AppEntry, u64)> = Vec::new();
    let now = wall(SystemTime::now());
    for (entry, _, fault) in each(table) {
        let active = u64::from(fault.is_active(now));
        match apps.last_mut() {
            Some((last, count)) if last.plan.name == entry.plan.name => *count += active,
            _ => apps.push((entry, active)),
        }
    }
    if apps.is_empty() {
        return;
    }
    let mut active = page.gauge(
        "windrose_faults_active",
        "Faults of routes that are in force: what goes wrong there is meant to.",
    );
    for (entry, count) in &apps {
        active.count(&[("app", entry.plan.name.as_str())], *count);
    }
    let mut injected = page.counter(
        "windrose_faults_injected_total",
        "Faults injected into attempts on purpose.",
    );
    for (entry, _) in &apps {
        for cluster in &entry.plan.clusters {
            for what in Injected::ALL {
                let count = metrics.faults.sum(cluster.slot, what as u32);
                let labels = [
                    ("app", entry.plan.name.as_str()),
                    ("cluster", cluster.name.as_str()),
                    ("fault", what.name()),
                ];
                injected.count(&labels, count);
            }
        }
    }
}

fn each(table: &Table) -> impl Iterator<Item = (&AppEntry, usize, &Fault)> {
    table.apps().flat_map(|(_, entry)| {
        let routes = entry.plan.app.routes.iter().enumerate();
        routes.filter_map(move |(at, route)| {
            let filters = route.filters.as_ref()?;
            Some((entry, at, filters.fault.as_deref()?))
        })
    })
}

fn wall(now: SystemTime) -> WallTime {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    WallTime::after_epoch(since.unwrap_or_default())
}
