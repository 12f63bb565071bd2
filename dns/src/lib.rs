//! Authoritative DNS: a UDP fast path of our own, hickory for what is rarer, one [`answer`] below
//! both.
//!
//! Deliberately absent: zones, steering and health (they are in the Table), recursion, clocks.
#![warn(missing_docs)]

mod answer;
mod message;
mod query;
mod respond;
mod slow;
mod subnet;

pub use answer::{MIN_ROOM, Reply, Transport, answer, malformed};
pub use message::{Rcode, UDP_SIZE};
pub use query::{Edns, Head, Malformed, Parsed, Query, Scratch, parse};
pub use respond::respond;
pub use subnet::{Subnet, SubnetError};
