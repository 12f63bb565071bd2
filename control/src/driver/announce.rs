//! What a probe says first to an endpoint that expects a PROXY header: that the connection is its own.

use windrose_model::ProxyProtocol;

/// `PROXY UNKNOWN` (section 2.1 of HAProxy's `proxy-protocol.txt`) and a `LOCAL` block (section 2.2).
pub(super) const fn local(version: ProxyProtocol) -> &'static [u8] {
    match version {
        ProxyProtocol::V1 => b"PROXY UNKNOWN\r\n",
        ProxyProtocol::V2 => b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    }
}
