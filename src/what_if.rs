//! An imagined world for explanations: a Table compiled from a configuration alone, in which nothing
//! was seen and only what the question says is down. No clock, no probe, no node.

use std::sync::Arc;

use windrose_model::{
    AppId, AppStatus, Cause, ClusterStatus, EndpointState, Model, Percent, ProbeFailure, Stamp,
    Status, Verdict, WallTime,
};
use windrose_routing::{Data, SlotBook, Table, compile};

/// The Table of `model` with the clusters named in `down` down in every app.
pub(crate) fn table(model: &Model, data: &Data, down: &[String]) -> Table {
    let apps = model
        .app_ids()
        .map(|(id, _, _)| Arc::new(app(model, id, down)));
    let status = Status {
        stamp: Stamp {
            term: 0,
            epoch: 1,
            revision: model.revision(),
        },
        apps: apps.collect(),
        ..Status::default()
    };
    let slots = SlotBook::new().assign(model, status.stamp.epoch);
    compile(model, &status, data, &slots, None)
}

fn app(model: &Model, id: AppId, down: &[String]) -> AppStatus {
    let is_down = |local: usize| {
        let (name, _) = model.cluster(model.clusters_of(id)[local]);
        down.iter().any(|d| d == name.as_str())
    };
    let clusters = model.clusters_of(id).iter().enumerate();
    let clusters: Vec<_> = clusters
        .map(|(local, cluster)| {
            let of = model
                .endpoints(id)
                .filter(|e| usize::from(e.cluster) == local);
            cluster_status(
                &model.cluster(*cluster).1,
                u16::try_from(of.count()).unwrap_or(u16::MAX),
                is_down(local),
            )
        })
        .collect();
    let endpoints = model
        .endpoints(id)
        .map(|e| match is_down(e.cluster.into()) {
            true => EndpointState::Down,
            false => EndpointState::Unknown,
        });
    let (_, wanted) = model.app(id);
    AppStatus {
        endpoints: endpoints.collect(),
        last_known: 0,
        ttl_cause: windrose_model::TtlCause::STARTING,
        ttl: wanted.ttl.max,
        clusters,
    }
}

fn cluster_status(wanted: &windrose_model::Cluster, of: u16, is_down: bool) -> ClusterStatus {
    let on = wanted.dial > Percent::ZERO && !wanted.drain;
    let (verdict, cause) = match (is_down, wanted.drain, on) {
        (true, _, _) => {
            let last = ProbeFailure::Timeout;
            (Verdict::Down, Cause::EndpointsDown { of, last })
        }
        (false, true, _) => (Verdict::Draining, Cause::Drained),
        (false, false, false) => (Verdict::Unknown, Cause::DialedOff),
        (false, false, true) => (Verdict::Unknown, Cause::Starting),
    };
    ClusterStatus {
        verdict,
        usable: on && !is_down,
        share: wanted.dial,
        cause,
        since: WallTime::default(),
    }
}
