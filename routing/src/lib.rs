//! The Table: what the data path reads. [`compile`] makes it from a Model, a Status and Data;
//! a [`Publisher`] swaps it in; DNS and proxy read it through a [`Reader`]; [`explain`] traces the
//! same code.
//!
//! Deliberately absent: clocks, sockets, files, dice. Time never enters; chance is an argument.
#![warn(missing_docs)]

pub mod explain;
pub mod geo;

mod aliases;
mod answers;
mod atlas;
mod balance;
mod choose;
mod compile;
mod data;
mod digest;
mod distance;
mod hosts;
mod latency;
mod names;
mod plan;
mod publish;
mod routes;
mod slabs;
mod slots;
mod state;
mod steered;
mod steering;
mod table;
mod tcp;

pub use aliases::AliasAnswer;
pub use answers::{AnswerRef, AnswerSet};
pub use atlas::{Leaf, embedded_ipv4};
pub use balance::Balanced;
pub use choose::{AllDown, DnsChoice, Picked, Seen, Standing, prefix_key};
pub use compile::compile;
pub use data::{Data, Lists, Users};
pub use names::{Lookup, Node, ZoneEntry};
pub use plan::{AppPlan, Endpoint, Group, PlanCluster, PlanVersion};
pub use publish::{Publisher, Reader, Source, StaleStamp};
pub use routes::{RequestHead, RouteId, RouteMatch, joined_field, user};
pub use slots::{AppSlots, Released, SlotBook, Slots};
pub use state::AppState;
pub use steered::SteeredSet;
pub use steering::{Row, Steering, Tier, View};
pub use table::{AppEntry, Shared, Table};
pub use tcp::TcpApps;
