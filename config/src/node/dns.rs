//! How a node speaks DNS, as configured: names, sizes and bounds, no secrets.

use std::path::PathBuf;
use std::time::Duration;

use super::{DnsLimits, DnsLog};

/// How a node speaks DNS, whatever it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsManners {
    /// Largest UDP message that is announced and sent, in octets, 512 to 4,096; default 1,232.
    pub udp_size: u16,
    /// What ANY gets; default one RRset.
    pub any: DnsAny,
    /// What is told of errors; default codes.
    pub extended_errors: DnsErrors,
    /// Name server identifier, at most 128 octets; empty: none.
    pub nsid: Vec<u8>,
    /// Name of the node for class CH, at most 255 octets; empty: none.
    pub chaos_id: Vec<u8>,
    /// Version for class CH, at most 255 octets; empty: none.
    pub chaos_version: Vec<u8>,
    /// Whether the serial of the zone is told; default true.
    pub zone_version: bool,
    /// DNS cookies. From `node.dns.cookies`.
    pub cookies: DnsCookies,
    /// What clients over TCP may take. From `node.dns.tcp`.
    pub tcp: DnsTcpLimits,
    /// What a client prefix may have over UDP. From `node.dns.limits`.
    pub limits: DnsLimits,
    /// The sampled query log. From `node.dns.log`.
    pub log: Option<DnsLog>,
}

/// What ANY gets (RFC 8482 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DnsAny {
    /// One RRset that is there.
    #[default]
    OneSet,
    /// An HINFO record.
    Hinfo,
}

/// What is told of errors (RFC 8914).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DnsErrors {
    /// Nothing.
    Off,
    /// Codes.
    #[default]
    Codes,
    /// Codes and texts.
    Reasons,
}

/// DNS cookies (RFC 7873). No secret is in here, only where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsCookies {
    /// Whether there are any; default true.
    pub enabled: bool,
    /// The file of secrets; without it one by chance.
    pub secrets_file: Option<PathBuf>,
    /// Who is told BADCOOKIE; default nobody.
    pub badcookie: DnsBadCookie,
    /// Octets of the largest UDP message without a valid cookie, 128 to 4,096; default no limit of
    /// its own.
    pub unproven_size: Option<u16>,
}

/// Which clients with a cookie that is not valid are told BADCOOKIE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DnsBadCookie {
    /// None.
    #[default]
    Off,
    /// Those that a limit would silence.
    WhenLimited,
    /// All.
    Always,
}

impl Default for DnsCookies {
    fn default() -> Self {
        Self {
            enabled: true,
            secrets_file: None,
            badcookie: DnsBadCookie::default(),
            unproven_size: None,
        }
    }
}

/// Bounds of DNS over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsTcpLimits {
    /// Open connections of the node; default 512.
    pub connections: usize,
    /// Open connections of one client, an IPv4 address or an IPv6 /56; default 256.
    pub per_client: usize,
    /// Longest time without a whole message; default 10 s.
    pub idle_timeout: Duration,
}

impl Default for DnsManners {
    fn default() -> Self {
        Self {
            udp_size: 1_232,
            any: DnsAny::default(),
            extended_errors: DnsErrors::default(),
            nsid: Vec::new(),
            chaos_id: Vec::new(),
            chaos_version: Vec::new(),
            zone_version: true,
            cookies: DnsCookies::default(),
            tcp: DnsTcpLimits::default(),
            limits: DnsLimits::default(),
            log: None,
        }
    }
}

impl Default for DnsTcpLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_client: 256,
            idle_timeout: Duration::from_secs(10),
        }
    }
}
