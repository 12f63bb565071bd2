//! How a node speaks DNS, as configured: names, sizes and bounds, no secrets.

use std::time::Duration;

/// How a node speaks DNS, whatever it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsManners {
    /// Largest UDP message that is announced and sent, in octets, 512 to 4,096; default 1,232.
    pub udp_size: u16,
    /// What clients over TCP may take. From `node.dns.tcp`.
    pub tcp: DnsTcpLimits,
}

/// Bounds of DNS over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsTcpLimits {
    /// Open connections of the node; default 512.
    pub connections: usize,
    /// Longest time without a whole message; default 10 s.
    pub idle_timeout: Duration,
}

impl Default for DnsManners {
    fn default() -> Self {
        Self {
            udp_size: 1_232,
            tcp: DnsTcpLimits::default(),
        }
    }
}

impl Default for DnsTcpLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            idle_timeout: Duration::from_secs(10),
        }
    }
}
