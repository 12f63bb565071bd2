//! What the rest of the node may see of control.

use std::sync::Arc;

use windrose_model::{Aliases, Model, Status, WallTime};
use windrose_routing::Table;

use crate::Decision;
use crate::fold::RoundTrip;

/// A consistent look at control: this Status was folded against this Model, and this Table compiled
/// from both.
#[derive(Clone)]
pub struct Snapshot {
    /// In force.
    pub model: Arc<Model>,
    /// Concluded.
    pub status: Status,
    /// Published.
    pub table: Arc<Table>,
    /// When control was started.
    pub started: WallTime,
    /// Whether the node may serve.
    pub ready: Readiness,
    /// What is known of the names that aliases lead to; newer than `status`, where nothing changes
    /// by it.
    pub aliases: Arc<Aliases>,
    /// How the latest change of the Model went.
    pub reload: Reload,
    /// The latest 100, oldest first.
    pub decisions: Vec<Decision>,
    /// Round trips that this node measures, by region and cluster.
    pub round_trips: Vec<RoundTrip>,
    /// Journal lines that could not be written.
    pub journal_lost: u64,
}

/// Whether the first round of probes is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Every target has had a result, or the grace is over. Never goes back.
    pub ready: bool,
    /// `app/cluster` of targets without a result so far, at most 100.
    pub missing: Vec<String>,
}

/// How the latest change of the Model went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// Whether it was taken.
    pub ok: bool,
    /// When.
    pub at: WallTime,
    /// Why it was refused.
    pub error: Option<String>,
}
