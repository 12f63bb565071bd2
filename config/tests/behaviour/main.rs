//! What is read from files and what is said about it: one binary, because each costs a link.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

#[path = "../fuzzed/mod.rs"]
mod fuzzed;

mod corpus;
mod defence;
mod examples;
mod hostile;
mod presentation;
mod reading;
mod routes;
mod wrong;
mod zone_files;
