//! The admin server on loopback, over a snapshot made by hand.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod asking;
mod exposition;
mod metrics;
mod pages;
mod scene;
