//! What is known of the foreign names that ALIAS records lead to.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::{DnsName, Ttl, WallTime};

/// By target.
pub type Aliases = BTreeMap<DnsName, Arc<AliasStatus>>;

/// The addresses of a foreign name, as they were last seen.
///
/// What was known stays in force while a resolver fails, or says that there is nothing: a resolver
/// that errs must not take an apex away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasStatus {
    /// Sorted; empty in both families only before the first success.
    pub v4: Vec<Ipv4Addr>,
    /// Sorted.
    pub v6: Vec<Ipv6Addr>,
    /// How long answers live, at most: what the resolver said, in steps, or 30 s while it fails
    /// (RFC 8767 section 5).
    pub ttl: Ttl,
    /// Why.
    pub cause: AliasCause,
    /// When the addresses were last confirmed; zero before the first success.
    pub confirmed: WallTime,
}

impl AliasStatus {
    /// Whether there is something to answer.
    pub fn is_known(&self) -> bool {
        !(self.v4.is_empty() && self.v6.is_empty())
    }
}

/// Why an alias leads where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasCause {
    /// Nobody has answered yet.
    Starting,
    /// Kept over a restart of the node; nobody has answered since.
    Remembered,
    /// As the resolver said.
    Resolved,
    /// The last good answer is kept, or there is none, because of this.
    Failing(AliasFailure),
}

/// Why a name was not resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasFailure {
    /// No resolver answered in time.
    Timeout,
    /// No resolver could be reached.
    Unreachable,
    /// The resolver answered with this code.
    Refused(u16),
    /// The name does not exist, or has no address.
    NoAddress,
    /// It leads back to an alias of ours.
    Loop,
}

impl fmt::Display for AliasCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting: not resolved yet"),
            Self::Remembered => f.write_str("kept over a restart: not resolved since"),
            Self::Resolved => f.write_str("resolved"),
            Self::Failing(failure) => write!(f, "the last good answer is kept: {failure}"),
        }
    }
}

impl fmt::Display for AliasFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no resolver answered in time"),
            Self::Unreachable => f.write_str("no resolver could be reached"),
            Self::Refused(code) => write!(f, "the resolver answered with code {code}"),
            Self::NoAddress => f.write_str("the name does not exist or has no address"),
            Self::Loop => f.write_str("the name leads back to an alias of ours"),
        }
    }
}
