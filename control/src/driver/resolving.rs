//! Asks resolvers about the names that aliases lead to, by hickory-resolver: those the node is
//! configured with, else the system's. Both families at once, each question within one timeout; a
//! resolver that hangs holds a task, never this thread.

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver, system_conf};
use tokio::sync::mpsc;
use tokio::time::timeout;
use windrose_model::{AliasFailure, DnsName};

use crate::resolve::{Addresses, Found, Question};

/// For one try with one resolver.
const TRY: Duration = Duration::from_secs(2);
/// For a whole question.
const WHOLE: Duration = Duration::from_secs(6);
/// How long a negative answer without an SOA holds.
const NEGATIVE: Duration = Duration::from_secs(60);

/// The resolvers; made when the first question is asked.
pub(super) struct Resolving {
    servers: Vec<SocketAddr>,
    resolver: Option<TokioResolver>,
    /// That there is none was said.
    told: bool,
}

impl Resolving {
    pub(super) fn new(servers: Vec<SocketAddr>) -> Self {
        Self {
            servers,
            resolver: None,
            told: false,
        }
    }

    /// Begins a question; what comes of it is sent to `done`.
    pub(super) fn begin(&mut self, question: Question, done: mpsc::UnboundedSender<(u64, Found)>) {
        if self.resolver.is_none() {
            match make(&self.servers) {
                Ok(resolver) => self.resolver = Some(resolver),
                Err(error) if !self.told => {
                    self.told = true;
                    tracing::error!("targets of ALIAS records cannot be resolved: {error}");
                }
                Err(_) => {}
            }
        }
        let resolver = self.resolver.clone();
        tokio::spawn(async move {
            let found = match (&resolver, name_of(&question.target)) {
                (Some(resolver), Some(name)) => ask(resolver, name).await,
                _ => Found {
                    v4: Err(AliasFailure::Unreachable),
                    v6: Err(AliasFailure::Unreachable),
                },
            };
            let _ = done.send((question.id, found));
        });
    }
}

/// Nothing is cached here: when to ask again is decided elsewhere, and an answer from a cache would
/// be older than it says.
fn make(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let (config, mut options) = match servers {
        [] => system_conf::read_system_conf()?,
        servers => (configured(servers), ResolverOpts::default()),
    };
    options.cache_size = 0;
    options.timeout = TRY;
    options.attempts = 1;
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = true;
    Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
}

fn configured(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
            way.port = server.port();
            way
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    ResolverConfig::from_name_servers(servers.collect())
}

async fn ask(resolver: &TokioResolver, name: Name) -> Found {
    let v4 = family(
        resolver.lookup(name.clone(), RecordType::A),
        |data| match data {
            RData::A(ip) => Some(Ipv4Addr::from(*ip)),
            _ => None,
        },
    );
    let v6 = family(resolver.lookup(name, RecordType::AAAA), |data| match data {
        RData::AAAA(ip) => Some(Ipv6Addr::from(*ip)),
        _ => None,
    });
    let (v4, v6) = tokio::join!(v4, v6);
    Found { v4, v6 }
}

async fn family<A>(
    lookup: impl Future<Output = Result<Lookup, NetError>>,
    address: impl Fn(&RData) -> Option<A>,
) -> Result<Addresses<A>, AliasFailure> {
    let lookup = match timeout(WHOLE, lookup).await {
        Ok(Ok(lookup)) => lookup,
        Ok(Err(error)) => return of_error(&error),
        Err(_) => return Err(AliasFailure::Timeout),
    };
    let mut found = Addresses {
        list: Vec::new(),
        ttl: Duration::MAX,
        through: Vec::new(),
    };
    for record in lookup.answers() {
        found.ttl = found.ttl.min(Duration::from_secs(record.ttl.into()));
        if let RData::CNAME(target) = &record.data {
            found
                .through
                .extend(DnsName::parse(&target.0.to_ascii()).ok());
        }
        found.list.extend(address(&record.data));
    }
    if found.list.is_empty() {
        found.ttl = NEGATIVE;
    }
    Ok(found)
}

fn of_error<A>(error: &NetError) -> Result<Addresses<A>, AliasFailure> {
    Err(match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let ttl = none.negative_ttl.map(|ttl| Duration::from_secs(ttl.into()));
            return Ok(Addresses {
                list: Vec::new(),
                ttl: ttl.unwrap_or(NEGATIVE),
                through: Vec::new(),
            });
        }
        NetError::Dns(DnsError::ResponseCode(code)) => AliasFailure::Refused(u16::from(*code)),
        NetError::Timeout => AliasFailure::Timeout,
        _ => AliasFailure::Unreachable,
    })
}

fn name_of(target: &DnsName) -> Option<Name> {
    let mut name = Name::from_ascii(target.to_string()).ok()?;
    name.set_fqdn(true);
    Some(name)
}
