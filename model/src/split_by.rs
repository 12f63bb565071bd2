//! What makes a split sticky: by which key of a request its version is chosen.
//!
//! The version is that of the point where the hash of key and salt falls among the shares of the
//! versions, in the order of their names. So a user whose version gains weight keeps it.

use std::fmt;

use http::HeaderName;

use crate::Ttl;

/// How a split knows its users again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SplitBy {
    /// What of a request stands for its user. Of a request without it the version is drawn by chance.
    pub key: SplitKey,
    /// Mixed into the hash, so that splits of different salts choose independently; none: the name
    /// of the app.
    pub salt: Option<Box<str>>,
}

/// What of a request stands for its user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SplitKey {
    /// A header field; repeated lines are one value, joined by `, `.
    Header(HeaderName),
    /// A cookie that the backends set.
    Cookie(Box<str>),
    /// A cookie that Windrose sets where a request brings none, and for how long it is kept.
    SetCookie(Box<str>, Ttl),
    /// The address of the client, cut to a prefix.
    Client {
        /// Bits that count of an IPv4 address, 1 to 32; default 32.
        ipv4: u8,
        /// Bits that count of an IPv6 address, 1 to 128; default 64.
        ipv6: u8,
    },
}

impl SplitKey {
    /// By address, as precise as clients are told apart elsewhere.
    pub const CLIENT: Self = Self::Client { ipv4: 32, ipv6: 64 };
}

impl fmt::Display for SplitKey {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) | Self::SetCookie(name, _) => write!(f, "cookie {name}"),
            Self::Client { ipv4, ipv6 } => write!(f, "client /{ipv4} or /{ipv6}"),
        }
    }
}
