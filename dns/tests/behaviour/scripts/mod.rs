//! Conversations: what is asked, what is answered, and the sentence of the RFC that says so.
//!
//! `?` asks: name, type, then any of `edns=SIZE`, `do`, `version=N`, `subnet=PREFIX`, `tcp`,
//! `from=ADDRESS`, `class=N`, `draw=N`, `option=CODE:HEX`, `questions=N`, `now=SECONDS`. The lines under it are the whole response, as hickory-proto
//! reads it: the head, then its records.

mod aliases;
mod broken;
mod by_cluster;
mod cookies;
mod delegations;
mod dnames;
mod edns;
mod foreign;
mod identity;
mod meta;
mod play;
mod reasons;
mod steering;
mod subnet;
mod wildcards;
mod zones;
