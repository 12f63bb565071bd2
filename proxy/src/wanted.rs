//! Whether an endpoint that a stream goes to is still one of its app's, and not down. Looked up by
//! name and address, because a stream holds no Table.

use std::net::SocketAddr;

use windrose_model::Name;
use windrose_routing::AppEntry;

use crate::worker::Worker;

/// An endpoint of an app.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) app: Name,
    pub(crate) address: SocketAddr,
}

impl Wanted {
    /// Whether the published Table has it, and not as down.
    pub(crate) fn holds(&self, worker: &Worker) -> bool {
        let table = worker.table();
        let Some(id) = table.app_by_name(self.app.as_str()) else {
            return false;
        };
        standing(table.app(id), self.address) == Some(true)
    }
}

/// Whether an endpoint of an app is up; `None` when the app has none there.
pub(crate) fn standing(app: &AppEntry, address: SocketAddr) -> Option<bool> {
    let groups = app.plan.versions.iter().flat_map(|version| &version.groups);
    let mut endpoints = groups.flat_map(|group| &group.endpoints);
    let endpoint = endpoints.find(|endpoint| endpoint.address == address)?;
    Some(app.endpoint_up(endpoint.index))
}
