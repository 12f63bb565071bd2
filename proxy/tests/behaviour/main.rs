//! A proxy between clients and backends on loopback: one binary, because each costs a link.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

#[path = "../fuzzed/mod.rs"]
mod fuzzed;

mod access;
mod announce;
mod backends;
mod balancing;
mod breakers;
mod clients;
mod conformance;
mod corpus;
mod fallback;
mod faults;
mod floods;
mod framing;
mod grpc;
mod hedging;
mod http2;
mod http2_backends;
mod http2_endings;
mod https;
mod limits;
mod messages;
mod mirroring;
mod origin;
mod outliers;
mod overload;
mod pools;
mod proxy_protocol;
mod resting;
mod retries;
mod retries_left;
mod rfc9113;
mod splitting;
mod steering;
mod support;
mod tcp;
mod upgrades;
