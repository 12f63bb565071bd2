//! How many requests an app takes from whom.

use std::fmt;
use std::time::Duration;

/// A limit of requests, by a token bucket for each key. Each node counts for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RateLimit {
    /// Requests in [`per`](Self::per), 1 to 1,000,000.
    pub rate: u32,
    /// 1 s to 1 h; default 1 s.
    pub per: Duration,
    /// Requests that may come at once after a rest, 1 to 1,000,000; default as many as `rate`.
    pub burst: u32,
    /// What has a bucket of its own.
    pub by: RateKey,
    /// Whether a request beyond the limit is refused, or only counted.
    pub enforced: bool,
}

/// What has a bucket of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RateKey {
    /// The app: one bucket for all.
    App,
    /// An IPv4 address or IPv6 /64 of the client.
    Client,
    /// A value of this header field, lower-case; without the field, the client.
    Header(String),
    /// A value of this cookie; without it, the client.
    Cookie(String),
}

impl fmt::Display for RateLimit {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, burst, .. } = self;
        let per = self.per.as_secs_f64();
        write!(
            f,
            "{rate} requests in {per} s, {burst} at once, by {}",
            self.by
        )
    }
}

impl fmt::Display for RateKey {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App => f.write_str("app"),
            Self::Client => f.write_str("client"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
        }
    }
}
