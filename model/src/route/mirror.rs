//! Copies of requests for another version.

use std::time::Duration;

use crate::{Name, Percent};

/// A copy of some requests goes to a version whose responses nobody gets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mirror {
    /// Which version of the app.
    pub version: Name,
    /// Of how many requests; default all.
    pub percent: Percent,
    /// Octets of a body that is copied, at most 16 MiB; a request with a longer one is not. Default
    /// 64 KiB.
    pub body_limit: u64,
    /// Copies under way from one node, over all routes; beyond, none is made. Default 100.
    pub max_in_flight: u32,
    /// For a whole copy, from its connection to the end of its response; default 5 s.
    pub timeout: Duration,
    /// Behind the name in `Host`; none: as the primary has it.
    pub host_suffix: Option<Box<str>>,
}

impl Mirror {
    /// All requests to a version, within the usual limits.
    pub const fn to(version: Name) -> Self {
        Self {
            version,
            percent: Percent::FULL,
            body_limit: 64 << 10,
            max_in_flight: 100,
            timeout: Duration::from_secs(5),
            host_suffix: None,
        }
    }
}
