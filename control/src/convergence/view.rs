//! What others see of it.

use std::collections::HashMap;

use windrose_model::{Name, WallTime};
use windrose_telemetry::Prefix;

/// How traffic follows the answers, as this node sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Convergence {
    /// The latest changes, oldest first; bounded.
    pub shifts: Vec<ShiftView>,
    /// Drained clusters by the slot of (app, cluster).
    pub drains: HashMap<u32, Drain>,
    /// Clusters that left the answers of an app since the start.
    pub out: u64,
    /// Clusters that came back.
    pub back: u64,
    /// Changes that were not watched, because too many were at the time.
    pub unwatched: u64,
    /// Client prefixes remembered.
    pub held: usize,
}

/// What a change did to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It left the answers.
    Out,
    /// It came back.
    Back,
}

/// A change, and how much of the traffic has followed.
#[derive(Debug, Clone, PartialEq)]
pub struct ShiftView {
    /// When it was published.
    pub at: WallTime,
    /// Whose answers.
    pub app: Name,
    /// Which cluster.
    pub cluster: Name,
    /// Out or back.
    pub kind: Kind,
    /// Still watched.
    pub open: bool,
    /// By client prefixes that were answered before and have not asked again.
    pub dns: Side,
    /// By requests that still come in at the cluster's edge. For a cluster that came back: what
    /// comes in again, and no times.
    pub http: Side,
}

/// One side's evidence. Where there was no traffic before, there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    /// Per second before the change.
    pub former_per_s: f64,
    /// Per second now; of DNS: what those who have not asked again used to ask.
    pub now_per_s: f64,
    /// The share of the former that has not moved, 0 to 1.
    pub remaining: f64,
    /// Seconds until 95 % had moved, and stayed so.
    pub moved_95_s: Option<f64>,
    /// Seconds until 99 % had moved, and stayed so.
    pub moved_99_s: Option<f64>,
    /// The prefixes that matter most of those that have not moved, per second; at most 10.
    pub still: Vec<(Prefix, f64)>,
    /// Prefixes that fell silent instead of asking again, and count for neither side.
    pub silent: u32,
}

/// A drained cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drain {
    /// Requests a second that still come in at its edge here.
    pub arriving_per_s: f64,
    /// Less than 1 % of the former traffic is left, on both sides.
    pub drained: bool,
}
