//! The controller's language: what happens to it, and what it wants done.

use std::sync::Arc;
use std::time::Duration;

use windrose_model::{Model, Report, Status};
use windrose_routing::Data;

use crate::Decisions;
use crate::probe::{Order, Outcome, ProbeId};
use crate::resolve::{Found, Question};

/// What happened.
#[derive(Clone)]
pub enum Event {
    /// The TCP connection of a probe stood after this time; comes before its [`Event::Probed`], or not
    /// at all.
    Connected(ProbeId, Duration),
    /// A probe ended: the answer to one [`Effect::Probe`].
    Probed(ProbeId, Outcome),
    /// The data path saw something.
    Report(Report),
    /// The operator wants another Model.
    ApplyModel(Arc<Model>, Arc<Data>),
    /// A new configuration was refused, for this reason.
    ReloadFailed(String),
    /// Questions go to other resolvers from now on.
    ResolversChanged,
    /// A question was answered, or was not: what came of one [`Effect::Resolve`].
    Resolved(u64, Found),
    /// A full compile is done: the answer to one [`Effect::Compute`].
    Computed(JobId),
    /// What [`Controller::next_wakeup`](crate::Controller::next_wakeup) asked for. A driver that has
    /// several events at hand handles them all before it wakes the controller.
    Wakeup,
}

/// What to do.
#[derive(Clone)]
pub enum Effect {
    /// Begin a probe; answer by [`Event::Probed`].
    Probe(Order),
    /// Ask about a name; answer by [`Event::Resolved`].
    Resolve(Question),
    /// Compile a Table for a new Model, away from the control thread; answer by
    /// [`Event::Computed`]. Keep it as the cache of the next [`Effect::Publish`] of that revision.
    Compute(JobId, Inputs),
    /// Compile on the last finished Table of that revision, and publish.
    Publish(Inputs),
    /// Write a line for each.
    Journal(Arc<Decisions>),
    /// Tell a person.
    Log(Level, String),
    /// The first round is over: the node may serve.
    Ready,
    /// Readiness or the fate of a reload has changed, without a new Table.
    Inform,
}

/// What a Table is compiled from.
#[derive(Clone)]
pub struct Inputs {
    /// Wanted.
    pub model: Arc<Model>,
    /// Concluded, against exactly that Model.
    pub status: Status,
    /// Read.
    pub data: Arc<Data>,
}

/// A full compile under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JobId(pub(crate) u64);

/// How loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// An action finished.
    Info,
    /// Something went wrong and was dealt with.
    Warn,
    /// Someone must act.
    Error,
}
