//! Authoritative DNS: a UDP fast path of our own, hickory for what is rarer, one [`answer`] below
//! both.
//!
//! Deliberately absent: zones, steering and health (they are in the Table), recursion, clocks.
#![warn(missing_docs)]

mod answer;
mod chaos;
mod cookie;
mod counters;
mod dice;
mod extended_error;
mod gate;
mod limit;
mod log;
mod manners;
mod message;
mod options;
mod query;
mod reply;
mod respond;
mod slow;
mod subnet;
mod tcp;
mod udp;

pub use answer::{MIN_ROOM, Transport, answer, malformed};
pub use cookie::{BadCookie, CookieSeen, Cookies, Secret, SecretsError, SentCookie};
pub use counters::Counters;
pub use extended_error::ExtendedErrors;
pub use limit::{
    Action, Judgement, Limit, Limited, Limiter, Limits, MAX_RATE, MAX_SLIP, MAX_WINDOW, Mode, Ticks,
};
pub use log::{LogFormat, LogSettings, QueryLog};
pub use manners::{AnyAnswer, Asked, Manners, UDP_SIZE};
pub use message::Rcode;
pub use query::{Edns, Head, Malformed, Parsed, Query, Scratch, parse};
pub use reply::{AnswerClass, Reply, Steered};
pub use respond::respond;
pub use slow::respond as respond_slowly;
pub use subnet::{Subnet, SubnetError};
pub use tcp::{TcpLimits, serve_tcp};
pub use udp::serve_udp;
