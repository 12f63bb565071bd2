//! How connections to an app's endpoints begin, beneath HTTP or TCP.

use std::fmt;

/// What is spoken to endpoints before their own protocol. Small and comparable: a connection made
/// under one is never used under another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Every connection begins with a PROXY header that says whose it is; none: without.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// A version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProxyProtocol {
    /// A line of text.
    V1,
    /// A block of octets, with a checksum and the name that the client asked for by TLS.
    V2,
}

impl Upstream {
    /// Whether it is the endpoint's own protocol from the first octet.
    pub const fn is_plain(&self) -> bool {
        self.proxy_protocol.is_none()
    }
}

impl fmt::Display for Upstream {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.proxy_protocol {
            Some(ProxyProtocol::V1) => f.write_str("a PROXY header, version 1"),
            Some(ProxyProtocol::V2) => f.write_str("a PROXY header, version 2"),
            None => f.write_str("nothing"),
        }
    }
}
