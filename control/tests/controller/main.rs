//! Controller scripts: events in, decisions and Status out, on a virtual clock. No sockets, no
//! sleeps.

#![allow(clippy::unwrap_used, reason = "tests")]

mod aliases;
mod answers;
mod detection;
mod failback;
mod first_round;
mod intent;
mod invariants;
mod latency;
mod lifetimes;
mod passive;
mod policies;
mod publication;
mod script;
