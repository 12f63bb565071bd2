//! One thing that was seen.

use std::fmt;

use crate::{AppId, ClusterId, RegionId, Rtt, Stamp};

/// An endpoint by position: the `index`-th of [`Model::endpoints`](crate::Model::endpoints).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId {
    /// The app.
    pub app: AppId,
    /// Position among the app's endpoints.
    pub index: u16,
}

/// A fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Enough probes in a row succeeded.
    EndpointUp(EndpointId),
    /// Enough probes failed.
    EndpointDown(EndpointId, ProbeFailure),
    /// Evidence for or against an endpoint has changed, its state has not: fewer or more results
    /// are left until that could change.
    EndpointWavers(EndpointId),
    /// A proxy saw an endpoint fail live traffic; an edge, not a count of requests.
    Passive(EndpointId, PassiveKind),
    /// The shortest round trip that a node of a region has seen to a cluster within one steering
    /// period.
    RoundTrip {
        /// Where the node stands.
        from: RegionId,
        /// Where it went.
        to: ClusterId,
        /// How long that took.
        rtt: Rtt,
    },
}

/// A fact seen by the data path, with the Table it was seen under: ids are valid for
/// `stamp.revision` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Of the Table in use.
    pub stamp: Stamp,
    /// What was seen.
    pub fact: Fact,
}

/// How live traffic failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PassiveKind {
    /// Refused, unreachable, or timed out while connecting.
    Connect,
    /// Closed or reset before a response head.
    Reset,
    /// No response head in time.
    Timeout,
    /// Five 5xx answers in a row.
    Status5xx,
}

/// Why a probe failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProbeFailure {
    /// No connection: refused.
    Refused,
    /// No connection: network or host unreachable, or another error of the system.
    Unreachable,
    /// Not done within the timeout.
    Timeout,
    /// Closed or reset before a response.
    Reset,
    /// The TLS handshake failed, or the certificate is not to be trusted.
    Tls,
    /// Bytes that are no HTTP.
    Garbage,
    /// A status outside the healthy ranges.
    Status(u16),
    /// Live traffic failed.
    Passive(PassiveKind),
}

impl fmt::Display for PassiveKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect failed",
            Self::Reset => "connection reset",
            Self::Timeout => "no response in time",
            Self::Status5xx => "5xx responses in a row",
        })
    }
}

impl fmt::Display for ProbeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Timeout => f.write_str("timeout"),
            Self::Reset => f.write_str("connection reset"),
            Self::Tls => f.write_str("TLS handshake failed"),
            Self::Garbage => f.write_str("not an HTTP response"),
            Self::Status(code) => write!(f, "status {code}"),
            Self::Passive(kind) => write!(f, "live traffic: {kind}"),
        }
    }
}
