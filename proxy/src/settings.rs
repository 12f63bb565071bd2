//! What an operator may set on the data plane as a whole; what differs by app is in the Table.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use windrose_model::Name;

use crate::access::AccessLog;
use crate::overload::Bounds;
use crate::underscore::Underscores;

/// Limits and timeouts of all listeners of a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cluster this node stands in: a request that arrives here is kept there while it may be.
    pub home: Option<Name>,
    /// Peers whose `X-Forwarded-*` and `X-Request-Id` are believed: load balancers in front of us.
    pub forwarded_trust: Vec<IpNet>,
    /// Peers whose connections begin with a PROXY header.
    pub proxy_trust: ProxyTrust,
    /// Octets of a request or response head; above: 431.
    pub max_head_bytes: usize,
    /// Header fields of a head; above: 431.
    pub max_fields: usize,
    /// Octets of a request target; above: 414.
    pub max_target_bytes: usize,
    /// What is done with fields of requests whose name has an underscore.
    pub underscores: Underscores,
    /// From the first octet of a request head to its last.
    pub head_timeout: Duration,
    /// From the first octet of a TLS connection to the end of its handshake.
    pub handshake_timeout: Duration,
    /// A client connection without a request.
    pub idle_timeout: Duration,
    /// A body, either way, that does not move.
    pub stream_timeout: Duration,
    /// A client that takes nothing of its response; zero is no limit but the one above.
    pub send_timeout: Duration,
    /// A connection to an endpoint without a request; shorter than usual keep-alives of servers.
    pub upstream_idle_timeout: Duration,
    /// Idle connections kept per pool, so per address, and thread.
    pub upstream_idle_connections: usize,
    /// Octets of a request body kept for another attempt; a longer body is sent once.
    pub replay_bytes: usize,
    /// Client connections per thread; further ones wait in the listener's queue.
    pub max_connections: usize,
    /// HTTP/2 to clients, if it is spoken.
    pub http2: Option<Http2>,
    /// How long open exchanges may go on after a stop.
    pub grace: Duration,
    /// From where on requests are refused for want of memory, connections or time; none: never.
    pub overload: Option<Bounds>,
    /// The access log, if one is kept.
    pub access: Option<Arc<AccessLog>>,
}

/// Peers whose connections must begin with a PROXY header, by kind of listener. From all others none
/// is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyTrust {
    /// Of HTTP.
    pub http: Vec<IpNet>,
    /// Of HTTPS; the header comes before TLS.
    pub https: Vec<IpNet>,
    /// Of TCP, by the listener's name.
    pub tcp: BTreeMap<Name, Vec<IpNet>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            home: None,
            forwarded_trust: Vec::new(),
            proxy_trust: ProxyTrust::default(),
            max_head_bytes: 64 * 1024,
            max_fields: 100,
            max_target_bytes: windrose_model::budget::TARGET_OCTETS,
            underscores: Underscores::default(),
            head_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            stream_timeout: Duration::from_secs(300),
            send_timeout: Duration::from_secs(60),
            upstream_idle_timeout: Duration::from_secs(60),
            upstream_idle_connections: 128,
            replay_bytes: 64 * 1024,
            max_connections: 16_384,
            http2: Some(Http2::default()),
            grace: Duration::from_secs(10),
            overload: None,
            access: None,
        }
    }
}

/// HTTP/2 to clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http2 {
    /// Streams of a connection that are open at one time.
    pub max_streams: u32,
    /// How long a response may wait for a client that gives no window, or a trickle of it, or does not
    /// read; zero: as long as any body that does not move.
    pub window_timeout: Duration,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            max_streams: 100,
            window_timeout: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// Octets buffered per connection and direction.
    pub(crate) fn buffer_bytes(&self) -> usize {
        self.max_head_bytes.max(128 * 1024)
    }

    /// Whether what this peer says about others is believed.
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.forwarded_trust.iter().any(|net| net.contains(&peer))
    }
}
