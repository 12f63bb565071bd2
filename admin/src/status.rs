//! What `/status` says: the types of its JSON, for the node that writes it and the client that reads
//! it. Field names are the interface; units are in the names. A reader ignores fields it does not
//! know, so that a newer node can be asked by an older client as long as `schema` is the same.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The `schema` of [`NodeStatus`].
pub const SCHEMA: u32 = 1;

/// A node, as it sees itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When this was written.
    pub at: Timestamp,
    /// Name of the node.
    pub node: String,
    /// Of Windrose.
    pub version: String,
    /// It was built from.
    pub commit: String,
    /// Seconds since the process started.
    pub uptime_s: u64,
    /// Whether the first round of probes is over, or its grace.
    pub ready: bool,
    /// `app/cluster` without a probe result so far.
    pub missing: Vec<String>,
    /// Of the published Table.
    pub stamp: Stamp,
    /// Of the published Table: equal on nodes that answer alike.
    pub digest: String,
    /// The latest change of the configuration.
    pub reload: Reload,
    /// Journal lines that could not be written.
    pub journal_lines_lost: u64,
    /// By name.
    pub apps: Vec<AppStatus>,
    /// The latest changes of mind, oldest first.
    pub decisions: Vec<Decision>,
    /// The foreign names that ALIAS records lead to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
    /// The latest clusters that left the answers of an app or came back, oldest first, and how
    /// traffic follows; at most 32. As this node sees it.
    #[serde(default)]
    pub shifts: Vec<Shift>,
    /// Round trips that this node measures, by region and cluster.
    #[serde(default)]
    pub round_trips: Vec<RoundTrip>,
    /// Endpoints that this node leaves out for what its own traffic showed.
    #[serde(default)]
    pub ejected: Vec<Ejected>,
    /// Breakers of this node that hold something, or whose circuit is not closed.
    #[serde(default)]
    pub breakers: Vec<Breaker>,
    /// How near this node is to its bounds, where it watches them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overload: Option<Overloaded>,
    /// Faults that routes inject on purpose, those that are over too.
    #[serde(default)]
    pub faults: Vec<Fault>,
}

/// How near a node is to its bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overloaded {
    /// Of the bound of memory.
    pub memory_percent: u32,
    /// Of the bound of client connections.
    pub connections_percent: u32,
    /// Of how late a thread may be.
    pub lag_percent: u32,
    /// What it does about it: `keep_alive_off`, `refuse`, `stop_accepting`.
    pub actions: Vec<String>,
}

/// What goes wrong on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Whose.
    pub app: String,
    /// The name of its route, or its position from 1.
    pub route: String,
    /// Whether it is in force.
    pub active: bool,
    /// What happens.
    pub what: String,
    /// When it ends.
    pub until: Timestamp,
}

/// What a cluster of an app holds of what it may hold, and whether it is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Whose.
    pub app: String,
    /// Which cluster.
    pub cluster: String,
    /// Of its circuit.
    pub state: BreakerState,
    /// Why it is not closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// From when on one request may try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_at: Option<Timestamp>,
    /// Connections to endpoints.
    pub connections: BreakerCount,
    /// Requests that wait for one.
    pub pending: BreakerCount,
    /// Requests under way.
    pub requests: BreakerCount,
    /// Those that repeat another.
    pub retries: BreakerCount,
}

/// The state of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Requests pass.
    Closed,
    /// The next request tries.
    HalfOpen,
    /// None passes.
    Open,
}

/// How many there are of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerCount {
    /// Now.
    pub now: u32,
    /// At most; 0 is no limit.
    pub limit: u32,
}

/// An endpoint that a node leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ejected {
    /// Whose.
    pub app: String,
    /// Of which release.
    pub version: String,
    /// Where.
    pub cluster: String,
    /// Its address.
    pub endpoint: String,
    /// Why.
    pub cause: String,
    /// Since when.
    pub since: Timestamp,
    /// From when on one request may try it.
    pub trial_at: Timestamp,
    /// Ejections without a calm between them.
    pub times: u32,
}

/// The round trip from the region of a node to a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// Where the node stands.
    pub region: String,
    /// Where it connects to.
    pub cluster: String,
    /// The shortest of late.
    pub latest_ms: f64,
    /// What steering uses; null while it warms up, then the matrix holds.
    pub rtt_ms: Option<f64>,
    /// Whether the latest differs from it, by too little for a change.
    pub held: bool,
    /// Why it is this one.
    pub cause: String,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// The order of what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Counts leaders.
    pub term: u64,
    /// Counts publications of one leader.
    pub epoch: u64,
    /// The configuration it was made from.
    pub revision: u64,
}

/// How the latest change of the configuration went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// Whether it was taken.
    pub ok: bool,
    /// When.
    pub at: Timestamp,
    /// Why it was refused.
    pub error: Option<String>,
}

/// An app.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppStatus {
    /// Its name.
    pub name: String,
    /// TTL of its steered answers now.
    pub ttl_s: u32,
    /// Why.
    #[serde(default)]
    pub ttl_cause: String,
    /// What DNS answers where health leaves too little, for some client at least: `half_alive` (all
    /// members of a tier, those that are down too), or the rule for all-down. None: what is usable.
    #[serde(default)]
    pub exception: Option<String>,
    /// By name.
    pub clusters: Vec<ClusterStatus>,
}

/// An app in one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Name of the cluster.
    pub name: String,
    /// `up`, `degraded`, `draining`, `down` or `unknown`.
    pub verdict: String,
    /// Whether new traffic may go there.
    pub usable: bool,
    /// The share of its traffic it may take.
    pub share_percent: f64,
    /// Why.
    pub cause: String,
    /// Since when.
    pub since: Timestamp,
    /// How many endpoints are how.
    pub endpoints: Endpoints,
    /// How far a drain has come, of a cluster that is drained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
}

/// A foreign name that ALIAS records lead to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alias {
    /// Which.
    pub target: String,
    /// Its addresses, the last that were good.
    pub addresses: Vec<String>,
    /// How long answers live, at most.
    pub ttl_s: u32,
    /// `resolved`, or what keeps it from being.
    pub cause: String,
    /// When the addresses were last confirmed; none before the first success.
    pub confirmed: Option<Timestamp>,
}

/// How far a drain has come, by the traffic this node still sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    /// `draining`, or `drained` when less than 1 % of the former traffic is left.
    pub state: String,
    /// Requests a second that still come in at the cluster's edge here.
    pub arriving_per_s: f64,
}

/// A cluster that left the answers of an app, or came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// When it was published.
    pub at: Timestamp,
    /// Whose answers.
    pub app: String,
    /// Which cluster.
    pub cluster: String,
    /// `out` or `back`.
    pub kind: String,
    /// Whether it is still watched.
    pub open: bool,
    /// By client prefixes that were answered before and have not asked again.
    pub dns: Moved,
    /// By requests that come in at the cluster's edge.
    pub http: Moved,
}

/// How much of the traffic has moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// Per second, before.
    pub former_per_s: f64,
    /// Per second, now.
    pub now_per_s: f64,
    /// The share of the former that has not moved.
    pub remaining_percent: f64,
    /// Seconds until 95 % had moved.
    pub moved_95_after_s: Option<f64>,
    /// Seconds until 99 % had moved.
    pub moved_99_after_s: Option<f64>,
    /// Prefixes that fell silent and count for neither side.
    pub silent: u32,
    /// Who has not moved, by weight; at most 10.
    pub still: Vec<Still>,
}

/// A client prefix that has not moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Still {
    /// /24 or /56.
    pub prefix: String,
    /// How much it sends, or asks, per second.
    pub per_s: f64,
}

/// Endpoints by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// Take traffic.
    pub up: u32,
    /// Take none while others are up.
    pub down: u32,
    /// Not enough was seen yet.
    pub unknown: u32,
    /// Of all these, those that take nothing new: drained, or of weight 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drained: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A change of mind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// The publication that carries it.
    pub stamp: Stamp,
    /// About this app.
    pub app: String,
    /// In this cluster; none: in all of them together.
    pub cluster: Option<String>,
    /// The verdict before.
    pub from: String,
    /// The verdict since.
    pub to: String,
    /// Whether new traffic may go there now.
    pub usable: bool,
    /// The share of its traffic it may take now.
    pub share_percent: f64,
    /// Why.
    pub cause: String,
}
