//! How people and tools talk to a node: `/metrics`, `/healthz`, `/readyz` and `/status` over HTTP,
//! and the client that asks for them.
//!
//! Everything is read from the latest [`Snapshot`] and from counters, so it answers while control is
//! busy or stuck. Deliberately absent: anything that changes a node.

mod balance;
mod breakers;
pub mod client;
mod excluded;
mod faults;
mod look;
mod metrics;
mod overload;
mod pages;
mod server;
pub mod status;
mod text;

pub use server::serve;
pub use text::render;

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;
use windrose_control::{Convergence, Snapshot};
use windrose_telemetry::{Live, Metrics};

/// What the pages are made from.
#[derive(Clone)]
pub struct State {
    /// Of control: [`Handle::watch`](windrose_control::Handle::watch).
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Of control: [`Handle::convergence`](windrose_control::Handle::convergence).
    pub convergence: watch::Receiver<Arc<Convergence>>,
    /// Of the node.
    pub metrics: Arc<Metrics>,
    /// What the data path decides by itself.
    pub live: Live,
    /// What TLS is spoken with: for when it ends.
    pub certificates: windrose_tls::Store,
    /// Who answers.
    pub identity: Arc<Identity>,
    /// True once the node accepts nothing new: it is not ready any more.
    pub stopping: watch::Receiver<bool>,
}

/// Who a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `node.name` of the configuration.
    pub node: String,
    /// Of Windrose.
    pub version: String,
    /// It was built from.
    pub commit: String,
    /// When the process started.
    pub started: SystemTime,
}
