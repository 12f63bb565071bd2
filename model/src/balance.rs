//! How one endpoint of a version in a cluster is chosen, and what is said of single endpoints.

use std::fmt;

use crate::{SplitKey, Weight};

/// How endpoints share the traffic of their version in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Balance {
    /// By which rule.
    pub policy: Policy,
    /// What of a request stands for its user under a policy by hash; not
    /// [`SetCookie`](SplitKey::SetCookie). A request without it goes by chance.
    pub by: SplitKey,
    /// Under a policy by hash: percent of the average load beyond which an endpoint is passed over,
    /// 101 to 1,000; none: never.
    pub bounded_load: Option<u16>,
}

impl Default for Balance {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            by: SplitKey::CLIENT,
            bounded_load: None,
        }
    }
}

/// By which rule an endpoint is chosen among those that may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Of two drawn, the one with fewer requests in flight for its weight (Mitzenmacher 2001).
    #[default]
    TwoChoices,
    /// In turn, each as often as its weight says and as evenly as can be: smooth weighted round robin
    /// (nginx).
    RoundRobin,
    /// Of two drawn, the one with less latency times requests in flight for its weight; a failure counts
    /// as a slow answer (Finagle's and Linkerd's peak EWMA).
    PeakEwma,
    /// The owner of the point of a circle where the key falls (Karger and others 1997).
    RingHash,
    /// The owner of the key's entry in a table that endpoints fill in turn (Eisenbud and others 2016).
    Maglev,
}

impl Policy {
    /// Whether equal keys go to equal endpoints.
    pub const fn is_by_hash(self) -> bool {
        matches!(self, Self::RingHash | Self::Maglev)
    }
}

impl fmt::Display for Policy {
    /// As configurations have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TwoChoices => "two_choices",
            Self::RoundRobin => "round_robin",
            Self::PeakEwma => "peak_ewma",
            Self::RingHash => "ring_hash",
            Self::Maglev => "maglev",
        })
    }
}

/// What is said of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EndpointTraits {
    /// How much it takes beside the others of its version in its cluster; default 1. With 0 it takes
    /// nothing new, as if drained.
    pub weight: Weight,
    /// Takes nothing new, and keeps what it has.
    pub drain: bool,
}

impl Default for EndpointTraits {
    fn default() -> Self {
        Self {
            weight: Weight::ONE,
            drain: false,
        }
    }
}

impl EndpointTraits {
    /// What it takes: its weight, or nothing.
    pub const fn share(&self) -> u32 {
        if self.drain { 0 } else { self.weight.value() }
    }
}
