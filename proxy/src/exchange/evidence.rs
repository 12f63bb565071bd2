//! What an attempt says about its endpoint, and what a further one costs.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use http::HeaderMap;
use tracing::info;
use windrose_model::{EndpointId, PassiveKind};
use windrose_routing::AppEntry;
use windrose_telemetry::{GroupEvent, PREVENTED};

use crate::breaker;
use crate::connection::Client;
use crate::course::{Failure, Stop, tick};
use crate::errand::{Errand, app_slot};
use crate::ewma;
use crate::outlier::{Change, Outcome, Sight};
use crate::pool::Destination;
use crate::upstream::Upstream;
use crate::wanted::standing;
use crate::worker::{TableHandle, Worker, second};

/// Whether a newer Table calls an endpoint down that was fine when it was picked.
pub(super) fn is_given_up(
    worker: &Worker,
    before: &TableHandle,
    app: &AppEntry,
    address: SocketAddr,
) -> bool {
    let table = worker.table();
    if Rc::ptr_eq(&table, before) {
        return false;
    }
    let Some(id) = table.app_by_name(app.plan.name.as_str()) else {
        return false;
    };
    standing(table.app(id), address) == Some(false)
}

/// Charges a retry to the budget, if there is room.
pub(super) fn charge(worker: &Worker, app: &AppEntry) -> bool {
    let budget = worker.shared.budget(app_slot(app));
    budget.is_none_or(|budget| budget.charge(second(tick(worker)), &app.plan.app.retry_budget))
}

pub(super) fn note_answer(
    client: &Client,
    errand: &Errand,
    stop: &Stop<'_>,
    upstream: &Upstream,
    status: u16,
) {
    let worker = &client.worker;
    observe(worker, errand.app(), stop, upstream, Outcome::of(status));
    let failed = matches!(status, 502..=504);
    breaker::judge(worker, errand.app(), stop, failed, errand.tick);
    if let Some(health) = worker.shared.endpoint(stop.endpoint.slot)
        && health.answered(status)
    {
        report(worker, errand, stop, PassiveKind::Status5xx);
    }
}

pub(super) fn note_failure(
    client: &Client,
    errand: &mut Errand,
    stop: &Stop<'_>,
    failure: Failure,
    uploaded: bool,
) {
    let worker = &client.worker;
    // An exchange may take too long because its client is slow to send.
    let late = failure == Failure::Duration && uploaded;
    if failure.evidence().is_some() || late {
        breaker::judge(worker, errand.app(), stop, true, tick(worker));
    }
    if failure == Failure::NotSent {
        worker
            .recorder
            .group(stop.group.slot, GroupEvent::ConnectFailure);
    }
    // Another connection to the same endpoint may do.
    if !matches!(failure, Failure::Stale | Failure::Unprocessed) {
        errand.course.exclude(stop.endpoint);
    }
    let Some(kind) = failure.evidence() else {
        return;
    };
    let Some(health) = worker.shared.endpoint(stop.endpoint.slot) else {
        return;
    };
    if health.failed(tick(worker)) {
        report(worker, errand, stop, kind);
    }
    let to = Destination::of(errand.app(), stop.cluster, stop.endpoint);
    let upstream = worker.upstreams.at(stop.endpoint.slot, to);
    let outcome = Outcome::NoResponse;
    observe(worker, errand.app(), stop, &upstream, outcome);
}

/// An answer goes into the latency of its endpoint, where that decides.
#[cold]
#[inline(never)]
pub(crate) fn weigh_answer(
    worker: &Worker,
    upstream: &Upstream,
    (status, headers): (u16, &HeaderMap),
    began: Instant,
) {
    let time = match Outcome::of(status) {
        Outcome::Good => began.elapsed(),
        _ => ewma::penalty(Some(headers)).max(began.elapsed()),
    };
    upstream.took(tick(worker), time);
}

/// The same for an attempt without an answer. Who left while waiting has waited so long.
#[cold]
#[inline(never)]
pub(crate) fn weigh_failure(
    worker: &Worker,
    upstream: &Upstream,
    failure: Failure,
    began: Instant,
) {
    let time = match failure {
        Failure::ClientGone | Failure::Duration | Failure::GivenUp => began.elapsed(),
        failure if failure.evidence().is_some() => ewma::penalty(None).max(began.elapsed()),
        _ => return,
    };
    upstream.took(tick(worker), time);
}

/// What came of a request goes into the judgement of its endpoint, where outliers are ejected.
#[inline]
pub(crate) fn observe(
    worker: &Worker,
    entry: &AppEntry,
    stop: &Stop<'_>,
    upstream: &Upstream,
    outcome: Outcome,
) {
    if entry.plan.app.outliers.is_some() || stop.trial {
        judge(worker, entry, stop, upstream, outcome);
    }
}

#[cold]
#[inline(never)]
fn judge(
    worker: &Worker,
    entry: &AppEntry,
    stop: &Stop<'_>,
    upstream: &Upstream,
    outcome: Outcome,
) {
    let (shared, endpoint) = (&worker.shared, stop.endpoint);
    let now = tick(worker);
    let Some(rule) = &entry.plan.app.outliers else {
        // Ejected by a rule that is no more.
        shared.restore(endpoint.slot, now);
        return;
    };
    let Some(outlier) = shared.outlier(endpoint.slot) else {
        return;
    };
    let sight = Sight {
        rule,
        entry,
        group: stop.group,
        endpoint,
        trial: stop.trial,
    };
    let window = upstream.window(|| outlier.join());
    let change = shared.observe(sight, window, outcome, now, worker.dice.draw());
    let Some(change) = change else { return };
    let Some(cluster) = entry.plan.clusters.get(usize::from(stop.cluster)) else {
        return;
    };
    let (app, at) = (entry.plan.name.as_str(), cluster.name.as_str());
    let address = endpoint.address;
    match change {
        Change::Ejected(cause, lasts) => {
            worker.recorder.ejected(cluster.slot, cause.cell());
            info!(app, cluster = at, %address, %cause, ?lasts, "endpoint ejected");
        }
        Change::Prevented => worker.recorder.ejected(cluster.slot, PREVENTED),
        Change::Restored => info!(app, cluster = at, %address, "endpoint in again"),
    }
}

fn report(worker: &Worker, errand: &Errand, stop: &Stop<'_>, kind: PassiveKind) {
    let endpoint = EndpointId {
        app: errand.app,
        index: stop.endpoint.index,
    };
    worker.report(errand.table.stamp(), endpoint, kind);
}
