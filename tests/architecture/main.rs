//! Holds the house against its own rules: who may use whom, who may read a clock, what a file looks
//! like, where links lead. `ARCHITECTURE.md` says why.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod edges;
mod map;
mod sources;
mod tree;
