//! A snapshot of control, told in the words of `/status`.

use std::time::SystemTime;

use jiff::Timestamp;
use windrose_control::Snapshot;
use windrose_model::{EndpointState, Percent, WallTime};
use windrose_routing::AppEntry;

use crate::Identity;
use crate::status::{
    AppStatus, ClusterStatus, Decision, Endpoints, NodeStatus, Reload, SCHEMA, Stamp,
};

/// What the node says of itself at `now`.
pub(crate) fn look(snapshot: &Snapshot, identity: &Identity, now: SystemTime) -> NodeStatus {
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
        apps: snapshot.table.apps().map(|(_, entry)| app(entry)).collect(),
        decisions: snapshot.decisions.iter().map(decision).collect(),
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
            for endpoint in &group.endpoints {
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

fn app(entry: &AppEntry) -> AppStatus {
    let clusters = entry.plan.clusters.iter().zip(&entry.status.clusters);
    AppStatus {
        name: entry.plan.name.to_string(),
        ttl_s: entry.ttl(),
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
            })
            .collect(),
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
        cause: decision.cause.clone(),
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
