//! What a configuration says about this node alone: nothing here enters the Model.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use windrose_model::{Name, PrefixList, UserList};

mod access;
mod defence;
mod dns;
mod overload;
mod tls;

pub use access::AccessLog;
pub use defence::{
    DnsLimit, DnsLimits, DnsLog, DnsLogFormat, DnsResponseLimit, LimitMode, LogTarget,
};
pub use dns::{DnsAny, DnsBadCookie, DnsCookies, DnsErrors, DnsManners, DnsTcpLimits};
pub use overload::Overload;
pub use tls::{CertificateSource, ClientCaFile, TlsConfig, UpstreamTlsFiles};

/// The settings of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Its name; default `n1`.
    pub name: Name,
    /// The region it stands in.
    pub region: Option<Name>,
    /// The cluster it stands in, if it is an edge of one.
    pub home: Option<Name>,
    /// Where it keeps its journal, its lock and what it remembers, relative to the working directory; default
    /// `./windrose-data`.
    pub data_dir: PathBuf,
    /// Threads of the data path; default: one per core.
    pub threads: Option<usize>,
    /// What it listens on.
    pub listeners: Listeners,
    /// Whose `X-Forwarded-For` is believed; default nobody's. From `node.trusted_proxies`.
    pub forwarded_trust: Vec<IpNet>,
    /// Whose connections begin with a PROXY header; default nobody's. From `node.proxy_protocol`.
    pub proxy_trust: ProxyTrust,
    /// Bounds of a request head. From `node.http`.
    pub http_limits: HeadLimits,
    /// The access log. From `node.http.log`.
    pub access_log: Option<AccessLog>,
    /// Whom it asks about the targets of ALIAS records; none: the system's resolvers.
    pub resolvers: Vec<SocketAddr>,
    /// From where on it refuses; none: never for want of its own.
    pub overload: Option<Overload>,
    /// How it speaks DNS. From `node.dns`.
    pub dns: DnsManners,
    /// What TLS is made of. From the root key `tls`, and from apps.
    pub tls: TlsConfig,
}

/// Addresses a node accepts on. Without the key `listeners` there is one of each on loopback; with
/// it, exactly what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listeners {
    /// DNS over UDP and TCP; default 127.0.0.1:5353.
    pub dns: Vec<SocketAddr>,
    /// HTTP; default 127.0.0.1:8080.
    pub http: Vec<SocketAddr>,
    /// HTTPS; default 127.0.0.1:8443 where there are certificates.
    pub https: Vec<SocketAddr>,
    /// TCP by name; default none.
    pub tcp: BTreeMap<Name, Vec<SocketAddr>>,
    /// Metrics and status; default 127.0.0.1:9900.
    pub admin: Option<SocketAddr>,
}

/// Peers whose connections must begin with a PROXY header, by listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyTrust {
    /// Of HTTP listeners.
    pub http: Vec<IpNet>,
    /// Of HTTPS listeners.
    pub https: Vec<IpNet>,
    /// Of TCP listeners, by name.
    pub tcp: BTreeMap<Name, Vec<IpNet>>,
}

/// Bounds of request heads, idle connections and HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Octets of a head; default 64 KiB.
    pub max_head_bytes: usize,
    /// Header fields; default 100.
    pub max_fields: usize,
    /// From the first octet of a head to its last; default 10 s.
    pub head_timeout: Duration,
    /// Between requests of a connection; default 75 s.
    pub idle_timeout: Duration,
    /// HTTP/2 to clients.
    pub http2: Http2,
    /// A client that takes nothing of its response; default 60 s.
    pub send_timeout: Duration,
    /// What is done with fields whose name has an underscore; default: they are left out.
    pub underscores: Underscores,
}

/// HTTP/2 to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http2 {
    /// Whether it is spoken; default true.
    pub enabled: bool,
    /// Open streams of a connection; default 100.
    pub max_streams: u32,
    /// How long a response waits for a client that takes too little of it; default 30 s, zero is off.
    pub window_timeout: Duration,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            enabled: true,
            max_streams: 100,
            window_timeout: Duration::from_secs(30),
        }
    }
}

/// What is done with fields of requests whose name has an underscore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Underscores {
    /// They are left out.
    #[default]
    Drop,
    /// The request is refused.
    Refuse,
    /// They pass, but for those that could be taken for a field of ours.
    Allow,
}

/// Where large inputs come from; the lists are read already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataSources {
    /// Where countries of addresses come from.
    pub geo: GeoSource,
    /// A MaxMind-format file of autonomous systems, if they do not come from `geo`.
    pub asn: Option<PathBuf>,
    /// Lists of prefixes by name.
    pub lists: BTreeMap<Name, PrefixList>,
    /// Lists of users by name.
    pub users: BTreeMap<Name, Arc<UserList>>,
}

/// Where countries of addresses come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum GeoSource {
    /// The database in the binary.
    #[default]
    Builtin,
    /// A MaxMind-format file.
    File(PathBuf),
    /// Nowhere: every client is of unknown place.
    None,
}

impl Default for Listeners {
    fn default() -> Self {
        let on = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            dns: vec![on(5353)],
            http: vec![on(8080)],
            https: Vec::new(),
            tcp: BTreeMap::new(),
            admin: Some(on(9900)),
        }
    }
}

impl Listeners {
    /// The defaults of a node with certificates.
    pub(crate) fn with_https() -> Self {
        Self {
            https: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8443))],
            ..Self::default()
        }
    }
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            max_head_bytes: 64 << 10,
            max_fields: 100,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            http2: Http2::default(),
            send_timeout: Duration::from_secs(60),
            underscores: Underscores::default(),
        }
    }
}

impl NodeConfig {
    /// A node of that name with defaults for all else.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            region: None,
            home: None,
            data_dir: PathBuf::from("./windrose-data"),
            threads: None,
            listeners: Listeners::default(),
            forwarded_trust: Vec::new(),
            proxy_trust: ProxyTrust::default(),
            http_limits: HeadLimits::default(),
            access_log: None,
            resolvers: Vec::new(),
            overload: None,
            dns: DnsManners::default(),
            tls: TlsConfig::default(),
        }
    }
}
