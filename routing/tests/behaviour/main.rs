//! What a Table answers, and what a change makes of it: one binary, because each costs a link.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

mod choice;
mod digest;
mod example_data;
mod explain;
mod health_never_empties;
mod latency;
mod names;
mod names_change;
mod nearest;
mod places;
mod routes;
mod scope_is_exact;
mod steered;
mod support;
mod trickle;
