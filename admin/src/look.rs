//! A snapshot of control, told in the words of `/status`.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use windrose_control::convergence::{self, Kind, ShiftView, Side};
use windrose_control::{Convergence, Snapshot};
use windrose_model::{
    AliasStatus, DnsName, EndpointState, Percent, Verdict, WallTime, WhenAllDown,
};
use windrose_routing::{AppEntry, Standing};
use windrose_telemetry::Live;

use crate::status::{
    Alias, AppStatus, ClusterStatus, Decision, Drain, Endpoints, Moved, NodeStatus, Reload,
    RoundTrip, SCHEMA, Shift, Stamp, Still,
};
use crate::{Identity, breakers, excluded, faults, overload};

/// Shifts shown.
const SHIFTS: usize = 32;

/// What the node says of itself at `now`.
pub(crate) fn look(
    snapshot: &Snapshot,
    convergence: &Convergence,
    live: &Live,
    identity: &Identity,
    now: SystemTime,
) -> NodeStatus {
    let uptime = now.duration_since(identity.started).unwrap_or_default();
    NodeStatus {
        schema: SCHEMA,
        at: Timestamp::try_from(now).unwrap_or_default(),
        node: identity.node.clone(),
        version: identity.version.clone(),
        commit: identity.commit.clone(),
        uptime_s: uptime.as_secs(),
        ready: snapshot.ready.ready,
        missing: snapshot.ready.missing.clone(),
        stamp: stamp(snapshot.table.stamp()),
        digest: digest(snapshot),
        reload: Reload {
            ok: snapshot.reload.ok,
            at: timestamp(snapshot.reload.at),
            error: snapshot.reload.error.clone(),
        },
        journal_lines_lost: snapshot.journal_lost,
        apps: (snapshot.table.apps())
            .map(|(_, entry)| app(entry, convergence))
            .collect(),
        decisions: snapshot.decisions.iter().map(decision).collect(),
        aliases: snapshot.aliases.iter().map(alias).collect(),
        shifts: latest(&convergence.shifts).iter().map(shift).collect(),
        round_trips: snapshot.round_trips.iter().map(round_trip).collect(),
        ejected: excluded::ejected(&snapshot.table, &live.exclusions),
        faults: faults::shown(&snapshot.table, now),
        overload: overload::shown(&live.overload),
        breakers: breakers::shown(&snapshot.table, &live.breakers, now),
    }
}

/// The digest of the published Table, in hexadecimal.
pub(crate) fn digest(snapshot: &Snapshot) -> String {
    format!("{:032x}", snapshot.table.digest())
}

/// How many endpoints of an app are how, by local cluster.
pub(crate) fn endpoints(entry: &AppEntry) -> Vec<Endpoints> {
    let mut counts = vec![Endpoints::default(); entry.plan.clusters.len()];
    for version in &entry.plan.versions {
        for (count, group) in counts.iter_mut().zip(&version.groups) {
            for (at, endpoint) in group.endpoints.iter().enumerate() {
                count.drained += u32::from(!group.takes(at));
                match entry.status.endpoints.get(usize::from(endpoint.index)) {
                    Some(EndpointState::Up) => count.up += 1,
                    Some(EndpointState::Down) => count.down += 1,
                    Some(EndpointState::Unknown) | None => count.unknown += 1,
                }
            }
        }
    }
    counts
}

fn app(entry: &AppEntry, convergence: &Convergence) -> AppStatus {
    let clusters = entry.plan.clusters.iter().zip(&entry.status.clusters);
    AppStatus {
        name: entry.plan.name.to_string(),
        ttl_s: entry.ttl(),
        ttl_cause: entry.why_ttl(),
        exception: exception(entry),
        clusters: clusters
            .zip(endpoints(entry))
            .map(|((cluster, status), endpoints)| ClusterStatus {
                name: cluster.name.to_string(),
                verdict: status.verdict.to_string(),
                usable: status.usable,
                share_percent: percent(status.share),
                cause: status.cause.to_string(),
                since: timestamp(status.since),
                endpoints,
                drain: (status.verdict == Verdict::Draining)
                    .then(|| drain(convergence.drains.get(&cluster.slot))),
            })
            .collect(),
    }
}

fn exception(entry: &AppEntry) -> Option<String> {
    let app = &entry.plan.app;
    match entry.standing() {
        Standing::Steered => None,
        Standing::HalfAlive => Some(format!(
            "half_alive: less than {} of a tier is up, so DNS answers all of its members",
            app.min_up_fraction
        )),
        Standing::AllDown => Some(match &app.when_all_down {
            WhenAllDown::LastKnown => {
                let clusters = entry.plan.clusters.iter().enumerate();
                let known = clusters.filter(|(at, _)| entry.status.last_known >> at & 1 == 1);
                let known: Vec<_> = known.map(|(_, cluster)| cluster.name.as_str()).collect();
                match known.as_slice() {
                    [] => "all down: none is known, all are answered".to_owned(),
                    known => format!("all down: last_known answers {}", known.join(", ")),
                }
            }
            WhenAllDown::All => "all down: all are answered".to_owned(),
            WhenAllDown::Fallback(name) => format!("all down: fallback to {name}"),
            WhenAllDown::Servfail => "all down: servfail".to_owned(),
            WhenAllDown::Nodata => "all down: nodata".to_owned(),
        }),
    }
}

fn alias((target, known): (&DnsName, &Arc<AliasStatus>)) -> Alias {
    let v4 = known.v4.iter().map(ToString::to_string);
    Alias {
        target: target.to_string(),
        addresses: v4.chain(known.v6.iter().map(ToString::to_string)).collect(),
        ttl_s: known.ttl.seconds(),
        cause: known.cause.to_string(),
        confirmed: known.is_known().then(|| timestamp(known.confirmed)),
    }
}

/// Nothing was seen yet of a drain that has just begun.
fn drain(seen: Option<&convergence::Drain>) -> Drain {
    let drained = seen.is_some_and(|drain| drain.drained);
    Drain {
        state: if drained { "drained" } else { "draining" }.to_owned(),
        arriving_per_s: hundredths(seen.map_or(0.0, |drain| drain.arriving_per_s)),
    }
}

fn latest(shifts: &[ShiftView]) -> &[ShiftView] {
    &shifts[shifts.len().saturating_sub(SHIFTS)..]
}

fn shift(shift: &ShiftView) -> Shift {
    Shift {
        at: timestamp(shift.at),
        app: shift.app.to_string(),
        cluster: shift.cluster.to_string(),
        kind: match shift.kind {
            Kind::Out => "out",
            Kind::Back => "back",
        }
        .to_owned(),
        open: shift.open,
        dns: moved(&shift.dns),
        http: moved(&shift.http),
    }
}

fn moved(side: &Side) -> Moved {
    let still = side.still.iter().map(|(prefix, per_s)| Still {
        prefix: prefix.to_string(),
        per_s: hundredths(*per_s),
    });
    Moved {
        former_per_s: hundredths(side.former_per_s),
        now_per_s: hundredths(side.now_per_s),
        remaining_percent: hundredths(side.remaining * 100.0),
        moved_95_after_s: side.moved_95_s.map(hundredths),
        moved_99_after_s: side.moved_99_s.map(hundredths),
        silent: side.silent,
        still: still.collect(),
    }
}

/// Rates are measured; more digits would only look it.
fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn round_trip(trip: &windrose_control::fold::RoundTrip) -> RoundTrip {
    let millis = |rtt: windrose_model::Rtt| f64::from(rtt.micros()) / 1e3;
    let warming = || "warming up: the matrix holds".to_owned();
    RoundTrip {
        region: trip.region.to_string(),
        cluster: trip.cluster.to_string(),
        latest_ms: millis(trip.latest),
        rtt_ms: trip.in_force.map(|entry| millis(entry.rtt)),
        held: trip.is_held(),
        cause: trip
            .in_force
            .map_or_else(warming, |entry| entry.cause.to_string()),
        since: trip.in_force.map(|entry| timestamp(entry.since)),
    }
}

fn decision(decision: &windrose_control::Decision) -> Decision {
    Decision {
        at: timestamp(decision.at),
        stamp: stamp(decision.stamp),
        app: decision.app.to_string(),
        cluster: decision.cluster.as_ref().map(ToString::to_string),
        from: decision.from.to_string(),
        to: decision.to.to_string(),
        usable: decision.usable,
        share_percent: percent(decision.share),
        cause: decision.cause.to_string(),
    }
}

fn stamp(stamp: windrose_model::Stamp) -> Stamp {
    Stamp {
        term: stamp.term,
        epoch: stamp.epoch,
        revision: stamp.revision.0,
    }
}

fn percent(share: Percent) -> f64 {
    f64::from(share.hundredths()) / 100.0
}

/// A wall time beyond the year 9999 becomes 1970.
fn timestamp(at: WallTime) -> Timestamp {
    i64::try_from(at.0)
        .ok()
        .and_then(|micros| Timestamp::from_microsecond(micros).ok())
        .unwrap_or_default()
}
