//! What breakers count and which circuits are open, told with names.

use std::time::SystemTime;

use jiff::Timestamp;
use windrose_model::Breakers as Rule;
use windrose_routing::{AppEntry, PlanCluster, Table};
use windrose_telemetry::exposition::Page;
use windrose_telemetry::{Breakers, CIRCUIT, Counted, Metrics, OPENED, OVERFLOWS, OpenCircuit};

use crate::status::{Breaker, BreakerCount, BreakerState};

/// All breakers that hold something, or whose circuit is not closed.
pub(crate) fn shown(table: &Table, breakers: &Breakers, now: SystemTime) -> Vec<Breaker> {
    let open = breakers.open.list();
    let mut all = Vec::new();
    for (entry, rule, cluster) in each(table) {
        let circuit = open.get(&cluster.slot).filter(|_| rule.failures > 0);
        let counts = Counted::ALL.map(|what| BreakerCount {
            now: now_of(breakers, cluster, what),
            limit: limit(rule, what),
        });
        if circuit.is_none() && counts.iter().all(|count| count.now == 0) {
            continue;
        }
        let [connections, pending, requests, retries] = counts;
        all.push(Breaker {
            app: entry.plan.name.to_string(),
            cluster: cluster.name.to_string(),
            state: state(circuit, now),
            cause: circuit.map(|open| format!("{} failures in a row", open.failures)),
            since: circuit.map(|open| timestamp(open.since)),
            trial_at: circuit.map(|open| timestamp(open.trial_at)),
            connections,
            pending,
            requests,
            retries,
        });
    }
    all
}

/// Numbers of apps with breakers.
pub(crate) fn families(page: &mut Page, table: &Table, breakers: &Breakers, metrics: &Metrics) {
    if each(table).next().is_none() {
        return;
    }
    let (listed, now) = (breakers.open.list(), SystemTime::now());
    let mut open = page.gauge(
        "windrose_breaker_open",
        "Whether a breaker of this node keeps requests from a cluster: 1 at a limit or while its circuit is open, 0.5 half open.",
    );
    for (entry, rule, cluster) in each(table) {
        let [app, at] = labels(entry, cluster);
        for what in Counted::ALL {
            let most = limit(rule, what);
            let full = most > 0 && now_of(breakers, cluster, what) >= most;
            let labels = [app, at, ("limit", what.name())];
            open.sample(&labels, f64::from(u8::from(full)));
        }
        let circuit = listed.get(&cluster.slot).filter(|_| rule.failures > 0);
        let value = match state(circuit, now) {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 0.5,
            BreakerState::Open => 1.0,
        };
        let limit = ("limit", OVERFLOWS[CIRCUIT as usize]);
        open.sample(&[app, at, limit], value);
    }
    let mut in_use = page.gauge(
        "windrose_breaker_in_use",
        "What a cluster of an app holds of what its breaker counts, on this node.",
    );
    for (entry, _, cluster) in each(table) {
        let [app, at] = labels(entry, cluster);
        for what in Counted::ALL {
            let count = now_of(breakers, cluster, what);
            in_use.count(&[app, at, ("limit", what.name())], u64::from(count));
        }
    }
    let mut overflows = page.counter(
        "windrose_breaker_overflows_total",
        "Requests that found no room in a cluster, by limit; they went to the next one or were refused.",
    );
    for (entry, _, cluster) in each(table) {
        let [app, at] = labels(entry, cluster);
        for (cell, limit) in (0..).zip(OVERFLOWS) {
            let count = metrics.breakers.sum(cluster.slot, cell);
            overflows.count(&[app, at, ("limit", limit)], count);
        }
    }
    let mut opened = page.counter(
        "windrose_breaker_opened_total",
        "Circuits that opened: so many failures in a row.",
    );
    for (entry, _, cluster) in each(table) {
        let count = metrics.breakers.sum(cluster.slot, OPENED);
        opened.count(&labels(entry, cluster), count);
    }
}

fn each(table: &Table) -> impl Iterator<Item = (&AppEntry, &Rule, &PlanCluster)> {
    let limited = table.apps().filter_map(|(_, entry)| {
        let rule = entry.plan.app.breakers.as_ref()?;
        Some((entry, rule))
    });
    limited.flat_map(|(entry, rule)| {
        let clusters = entry.plan.clusters.iter();
        clusters.map(move |cluster| (entry, rule, cluster))
    })
}

fn state(circuit: Option<&OpenCircuit>, now: SystemTime) -> BreakerState {
    match circuit {
        None => BreakerState::Closed,
        Some(open) if open.trial_at <= now => BreakerState::HalfOpen,
        Some(_) => BreakerState::Open,
    }
}

fn now_of(breakers: &Breakers, cluster: &PlanCluster, what: Counted) -> u32 {
    let in_use = breakers.in_use.made(cluster.slot);
    in_use.map_or(0, |in_use| in_use.now(what))
}

fn limit(rule: &Rule, what: Counted) -> u32 {
    match what {
        Counted::Connections => rule.connections,
        Counted::Pending => rule.pending,
        Counted::Requests => rule.requests,
        Counted::Retries => rule.retries,
    }
}

fn labels<'t>(entry: &'t AppEntry, cluster: &'t PlanCluster) -> [(&'static str, &'t str); 2] {
    [
        ("app", entry.plan.name.as_str()),
        ("cluster", cluster.name.as_str()),
    ]
}

fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or_default()
}
