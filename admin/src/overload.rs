//! How near the node is to its bounds, told.

use windrose_telemetry::exposition::Page;
use windrose_telemetry::{Actions, Overload, RESOURCES};

use crate::status::Overloaded;

/// What `/status` says; none where nobody watches.
pub(crate) fn shown(overload: &Overload) -> Option<Overloaded> {
    let [memory, connections, lag] = overload.is_watched().then(|| overload.pressure())?;
    let actions = overload.actions();
    let all = Actions::NAMES.iter().enumerate();
    let set = all.filter(|(bit, _)| actions.0 >> bit & 1 == 1);
    Some(Overloaded {
        memory_percent: memory,
        connections_percent: connections,
        lag_percent: lag,
        actions: set.map(|(_, name)| (*name).to_owned()).collect(),
    })
}

/// Numbers, where somebody watches.
pub(crate) fn families(page: &mut Page, overload: &Overload) {
    if !overload.is_watched() {
        return;
    }
    let mut pressure = page.gauge(
        "windrose_overload_pressure_ratio",
        "How much of each bound of the node is used; of what has none, 0.",
    );
    for (resource, percent) in RESOURCES.into_iter().zip(overload.pressure()) {
        pressure.sample(&[("resource", resource)], f64::from(percent) / 100.0);
    }
    let mut active = page.gauge(
        "windrose_overload_active",
        "What the node does for want of memory, connections or time: 1 while it does.",
    );
    let actions = overload.actions();
    for (bit, action) in Actions::NAMES.into_iter().enumerate() {
        active.count(&[("action", action)], u64::from(actions.0 >> bit & 1));
    }
}
