//! Controller scripts: events in, decisions and Status out, on a virtual clock. No sockets, no
//! sleeps.

#![allow(clippy::unwrap_used, reason = "tests")]

mod detection;
mod failback;
mod first_round;
mod intent;
mod invariants;
mod passive;
mod policies;
mod publication;
mod script;
