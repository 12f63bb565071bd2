//! What is answered to whom, over calls and over sockets: one binary, because each costs a link.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

#[path = "../fuzzed/mod.rs"]
mod fuzzed;
#[path = "../world/mod.rs"]
mod world;

mod corpus;
mod limits;
mod log;
mod properties;
mod scripts;
mod tcp;
mod udp;
