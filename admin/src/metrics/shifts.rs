//! How traffic follows the answers, in numbers. Families with an app and a cluster have those whose
//! change is remembered, so they are bounded like it.

use std::collections::BTreeMap;

use windrose_control::Snapshot;
use windrose_control::convergence::{Convergence, Kind, ShiftView, Side};
use windrose_telemetry::Metrics;
use windrose_telemetry::exposition::Page;

pub(super) fn write(
    page: &mut Page,
    snapshot: &Snapshot,
    convergence: &Convergence,
    metrics: &Metrics,
) {
    let mut arrivals = page.counter(
        "windrose_http_arrivals_total",
        "HTTP requests by the cluster at whose edge they came in, wherever they went from there.",
    );
    for (_, entry) in snapshot.table.apps() {
        for cluster in &entry.plan.clusters {
            let count = metrics.http_arrivals.sum(cluster.slot, 0);
            if count > 0 {
                let app = ("app", entry.plan.name.as_str());
                arrivals.count(&[app, ("cluster", cluster.name.as_str())], count);
            }
        }
    }
    let mut moves = page.counter(
        "windrose_cluster_moves_total",
        "Clusters that left the answers of an app, or came back.",
    );
    moves.count(&[("direction", "out")], convergence.out);
    moves.count(&[("direction", "back")], convergence.back);
    page.counter(
        "windrose_cluster_moves_unwatched_total",
        "Moves of which nobody measured how traffic followed, because too many were watched.",
    )
    .count(&[], convergence.unwatched);
    let mut missed = page.counter(
        "windrose_prefixes_missed_total",
        "Answers and requests whose client prefix found no room among those of its second.",
    );
    missed.count(&[("side", "dns")], metrics.dns_footprints.missed());
    missed.count(&[("side", "http")], metrics.http_footprints.missed());
    let latest = latest(convergence);
    for (name, help, side) in [
        (
            "windrose_dns_convergence_seconds",
            "Time until so much of the former query rate had asked again after the cluster left.",
            dns as fn(&ShiftView) -> &Side,
        ),
        (
            "windrose_http_convergence_seconds",
            "Time until so much of the former requests came in at the left cluster no more.",
            http,
        ),
    ] {
        let mut family = page.gauge(name, help);
        for ((app, cluster), shift) in &latest {
            let side = side(shift);
            for (quantile, after) in [("0.95", side.moved_95_s), ("0.99", side.moved_99_s)] {
                if let Some(after) = after {
                    let labels = [("app", *app), ("cluster", *cluster), ("quantile", quantile)];
                    family.sample(&labels, after);
                }
            }
        }
    }
    for (name, help, side) in [
        (
            "windrose_dns_remaining_ratio",
            "Share of the former query rate that has not asked again since the cluster left.",
            dns as fn(&ShiftView) -> &Side,
        ),
        (
            "windrose_http_remaining_ratio",
            "Share of the former requests that still come in at the cluster that left.",
            http,
        ),
    ] {
        let mut family = page.gauge(name, help);
        for ((app, cluster), shift) in &latest {
            let side = side(shift);
            if side.former_per_s > 0.0 {
                let labels = [("app", *app), ("cluster", *cluster)];
                family.sample(&labels, side.remaining);
            }
        }
    }
}

fn dns(shift: &ShiftView) -> &Side {
    &shift.dns
}

fn http(shift: &ShiftView) -> &Side {
    &shift.http
}

/// The last time each cluster left, unless it has come back since.
fn latest(convergence: &Convergence) -> BTreeMap<(&str, &str), &ShiftView> {
    let shifts = convergence.shifts.iter();
    let mut latest: BTreeMap<_, _> = shifts
        .map(|shift| ((shift.app.as_str(), shift.cluster.as_str()), shift))
        .collect();
    latest.retain(|_, shift| shift.kind == Kind::Out);
    latest
}
