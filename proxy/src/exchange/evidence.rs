//! What an attempt says about its endpoint, and what a further one costs.

use std::net::SocketAddr;
use std::rc::Rc;

use windrose_model::{EndpointId, PassiveKind};
use windrose_routing::AppEntry;
use windrose_telemetry::GroupEvent;

use crate::connection::Client;
use crate::course::{Failure, Stop, tick};
use crate::errand::{Errand, app_slot};
use crate::wanted::standing;
use crate::worker::{Worker, second};

/// Whether a newer Table calls an endpoint down that was fine when it was picked.
pub(super) fn is_given_up(
    worker: &Worker,
    errand: &Errand,
    app: &AppEntry,
    address: SocketAddr,
) -> bool {
    let table = worker.table();
    if Rc::ptr_eq(&table, &errand.table) {
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
    budget.is_none_or(|budget| budget.charge(second(tick(worker)), &app.plan.app.retry))
}

pub(super) fn note_answer(client: &Client, errand: &Errand, stop: &Stop<'_>, status: u16) {
    let worker = &client.worker;
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
) {
    let worker = &client.worker;
    if failure == Failure::NotSent {
        worker
            .recorder
            .group(stop.group.slot, GroupEvent::ConnectFailure);
    }
    if failure != Failure::Stale {
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
}

fn report(worker: &Worker, errand: &Errand, stop: &Stop<'_>, kind: PassiveKind) {
    let endpoint = EndpointId {
        app: errand.app,
        index: stop.endpoint.index,
    };
    worker.report(errand.table.stamp(), endpoint, kind);
}
