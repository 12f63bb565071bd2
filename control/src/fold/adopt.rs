//! How an app enters a Status: from nothing, or from what an earlier Model left.

use std::collections::BTreeSet;
use std::sync::Arc;

use windrose_model::{
    App, AppId, AppStatus, Cause, ClusterStatus, EndpointState, Model, Now, PassiveKind, Percent,
    ProbeFailure, Ttl, TtlCause, Verdict,
};

use super::comeback::Comeback;
use super::tally::Tally;
use super::ttl::Pace;
use super::{Account, Ledger, Seat};

/// An app in an earlier Model.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    pub(crate) model: &'a Model,
    pub(crate) app: AppId,
    pub(crate) ledger: &'a Ledger,
    pub(crate) status: &'a AppStatus,
}

/// The ledger and Status of an app that is new or has changed. Endpoint states come from `state`;
/// clusters go on where they were, by name. The next [`settle`](super::settle) concludes.
pub(crate) fn adopt(
    model: &Model,
    app: AppId,
    before: Option<Before<'_>>,
    state: impl Fn(u16) -> (EndpointState, ProbeFailure),
    now: Now,
) -> (Ledger, Arc<AppStatus>) {
    let ids = model.clusters_of(app);
    let seats = seats(model, app, ids.len());
    let mut clusters = vec![Account::fresh(); ids.len()];
    let mut entries = vec![fresh_entry(now); ids.len()];
    let mut last_known = 0;
    for (local, id) in ids.iter().enumerate() {
        let name = model.cluster(*id).0.as_str();
        let Some((before, at)) =
            before.and_then(|b| Some((b, b.model.local_cluster(b.app, name)?)))
        else {
            continue;
        };
        let old = usize::from(at);
        clusters[local] = before.ledger.clusters[old].clone();
        clusters[local].tally = Tally::default();
        entries[local] = before.status.clusters[old].clone();
        last_known |= (before.status.last_known >> at & 1) << local;
    }
    let endpoints: Vec<_> = (0..)
        .zip(seats.iter())
        .map(|(index, seat)| {
            let (state, failure) = state(index);
            if seat.counts {
                clusters[usize::from(seat.cluster)].seat(state, failure);
            }
            state
        })
        .collect();
    let status = AppStatus {
        clusters: entries,
        endpoints,
        last_known,
        ttl: Ttl::from_duration(std::time::Duration::ZERO),
        ttl_cause: TtlCause::STARTING,
    };
    let ledger = Ledger {
        seats,
        clusters,
        pace: before.map_or_else(Pace::default, |b| b.ledger.pace),
        unsettled: false,
    };
    (ledger, Arc::new(status))
}

impl Account {
    fn fresh() -> Self {
        Self {
            tally: Tally::default(),
            health: Verdict::Unknown,
            last: ProbeFailure::Passive(PassiveKind::Connect),
            comeback: Comeback::NONE,
            fell: None,
        }
    }

    fn seat(&mut self, state: EndpointState, failure: ProbeFailure) {
        self.tally.of += 1;
        self.tally.enter(state);
        if state == EndpointState::Down {
            self.last = failure;
        }
    }
}

/// Not yet known, and not yet concluded: the first fold sets what follows.
fn fresh_entry(now: Now) -> ClusterStatus {
    ClusterStatus {
        verdict: Verdict::Unknown,
        usable: true,
        share: Percent::FULL,
        cause: Cause::Starting,
        since: now.wall,
    }
}

/// Where each endpoint stands, and whether it counts.
fn seats(model: &Model, app: AppId, clusters: usize) -> Arc<[Seat]> {
    let wanted = &model.app(app).1;
    let live = live_versions(wanted);
    let live: Vec<bool> = wanted
        .versions
        .keys()
        .map(|name| live.contains(name.as_str()))
        .collect();
    let is_live = |version: u8| live.get(usize::from(version)).copied().unwrap_or(false);
    let mut served = vec![false; clusters];
    for endpoint in model.endpoints(app) {
        served[usize::from(endpoint.cluster)] |= is_live(endpoint.version);
    }
    model
        .endpoints(app)
        .map(|endpoint| Seat {
            cluster: endpoint.cluster,
            counts: is_live(endpoint.version) || !served[usize::from(endpoint.cluster)],
        })
        .collect()
}

/// The versions that some split sends traffic to.
fn live_versions(app: &App) -> BTreeSet<&str> {
    let of_routes = app.routes.iter().filter_map(|r| r.split.as_deref());
    let splits = of_routes.chain([&app.split]);
    splits
        .flat_map(|split| &split.0)
        .filter(|(_, weight)| weight.value() > 0)
        .map(|(name, _)| name.as_str())
        .collect()
}
