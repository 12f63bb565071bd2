//! The built binary on loopback, one file a behaviour: one binary, because each costs a link.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

mod alias;
mod blackhole;
mod breakers;
mod command_line;
mod demo;
mod dns_defence;
mod documented;
mod documented_routes;
mod end;
mod failover;
mod garbage;
mod grpc;
mod half_open;
mod https;
mod metrics;
mod outliers;
mod reload;
mod resilience;
mod start;
mod support;
mod swaps;
mod terminal;
mod websocket;
