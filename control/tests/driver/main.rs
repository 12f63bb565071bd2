//! The control thread on loopback, against real backends that serve, refuse, stall, reset and send
//! garbage. No fixed ports, no sleeps: each test waits for a snapshot, within bounds.

#![allow(clippy::unwrap_used, reason = "tests")]

mod backend;
mod measuring;
mod node;
mod probes;
mod publishing;
