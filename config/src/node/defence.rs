//! What DNS defends itself with, and what it writes down of queries, as configured.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use windrose_model::Percent;

/// Limits of client prefixes over UDP. From `node.dns.limits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsLimits {
    /// Answers of one class. Off when not written.
    pub responses: DnsResponseLimit,
    /// All queries. Off when not written.
    pub queries: DnsLimit,
    /// Bits of an IPv4 address that make a client, 1 to 32; default 24.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that make a client, 1 to 64; default 56.
    pub ipv6_prefix: u8,
    /// Who is never limited; default nobody.
    pub exempt: Vec<IpNet>,
}

/// One limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsLimit {
    /// Whether it acts; written without it, it runs dry.
    pub mode: LimitMode,
    /// A second; default 5,000.
    pub rate: u32,
    /// What the rate brings in this time may come at once; default 2 s, to a minute.
    pub window: Duration,
    /// Every how many-th limited answer goes out truncated, 0 to 10; default 2.
    pub slip: u8,
    /// What it counts at once, 64 to 4,194,304; default 65,536.
    pub buckets: u32,
}

/// The limiter of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsResponseLimit {
    /// As for any; `rate` (default 200) is for the classes below that have none of their own.
    pub limit: DnsLimit,
    /// Records of one name and type; 0 for no limit, here and below.
    pub positive: Option<u32>,
    /// Records made from wildcards of one zone.
    pub wildcard: Option<u32>,
    /// Names of one zone that do not exist.
    pub nxdomain: Option<u32>,
    /// Types that names of one zone do not have.
    pub nodata: Option<u32>,
    /// Delegations of one zone.
    pub referral: Option<u32>,
    /// Refused, malformed, failed.
    pub error: Option<u32>,
}

/// Whether a limiter acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitMode {
    /// It is not there.
    Off,
    /// It counts what it would do.
    DryRun,
    /// It drops.
    On,
}

/// The sampled query log. From `node.dns.log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsLog {
    /// Where to.
    pub to: LogTarget,
    /// How.
    pub format: DnsLogFormat,
    /// The share of queries that is written; default 1 %.
    pub sample: Percent,
    /// Most records a second of the node; default 1,000.
    pub per_second: u32,
    /// Octets of a file, then the next one begins; default 64 MiB.
    pub max_bytes: u64,
    /// Older files that are kept; default 5.
    pub keep: u32,
}

/// Where a log of records goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// A file.
    File(PathBuf),
    /// A unix stream socket somebody listens on. Written `unix:` and its path.
    Unix(PathBuf),
}

/// How the query log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsLogFormat {
    /// One JSON object a line.
    Json,
    /// dnstap in Frame Streams.
    Dnstap,
}

impl Default for DnsLimits {
    fn default() -> Self {
        let limit = |rate| DnsLimit {
            mode: LimitMode::Off,
            rate,
            window: Duration::from_secs(2),
            slip: 2,
            buckets: 65_536,
        };
        Self {
            responses: DnsResponseLimit {
                limit: limit(200),
                positive: None,
                wildcard: None,
                nxdomain: None,
                nodata: None,
                referral: None,
                error: None,
            },
            queries: limit(5_000),
            ipv4_prefix: 24,
            ipv6_prefix: 56,
            exempt: Vec::new(),
        }
    }
}

impl DnsLog {
    /// A log with defaults for all else.
    pub fn new(to: LogTarget) -> Self {
        Self {
            to,
            format: DnsLogFormat::Json,
            sample: Percent::new(1.0).unwrap_or(Percent::FULL),
            per_second: 1_000,
            max_bytes: 64 << 20,
            keep: 5,
        }
    }
}
