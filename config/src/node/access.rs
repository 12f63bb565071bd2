//! The access log.

use windrose_model::Percent;

use super::LogTarget;

/// The access log. From `node.http.log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// Where to.
    pub to: LogTarget,
    /// The share of requests that is written; default all.
    pub sample: Percent,
    /// Whether requests that went wrong are written whatever the share; default yes.
    pub errors: bool,
    /// Whether the query of a target is written; default yes.
    pub query: bool,
    /// Most records a second of the node; default 10,000.
    pub per_second: u32,
    /// Octets of a file, then the next one begins; default 64 MiB.
    pub max_bytes: u64,
    /// Older files that are kept; default 5.
    pub keep: u32,
}

impl AccessLog {
    /// A log with defaults for all else.
    pub fn new(to: LogTarget) -> Self {
        Self {
            to,
            sample: Percent::FULL,
            errors: true,
            query: true,
            per_second: 10_000,
            max_bytes: 64 << 20,
            keep: 5,
        }
    }
}
