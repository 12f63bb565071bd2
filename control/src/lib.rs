//! The brain of a node: what is probed, what follows from it, and what is published.
//!
//! [`Controller`] is sans-IO: events in, effects out, time as an argument. It owns the [`probe`]
//! machine and the pure [`fold`]. [`start`] runs it on one thread that performs its effects: probes,
//! journal, publication of Tables. The rest of the node talks to that thread through a [`Handle`].
//!
//! Deliberately absent: configuration text, sockets that listen, locking of the data directory.

mod controller;
pub mod convergence;
mod decision;
mod driver;
pub mod event;
pub mod fold;
mod handle;
mod options;
pub mod probe;
mod remembered;
pub mod resolve;
mod snapshot;

pub use controller::Controller;
pub use convergence::Convergence;
pub use decision::{Decision, Decisions, Why};
pub use driver::start;
pub use handle::Handle;
pub use options::{Budget, CheckPassed, Forget, Options, SteeringPace};
pub use remembered::Remembered;
pub use snapshot::{Readiness, Reload, Snapshot};
