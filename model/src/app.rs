//! What clients reach by name: hosts, versions, routes, steering.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::{
    Balance, Breakers, DnsName, EndpointTraits, Fallback, HealthCheck, Hedge, Name, Outliers,
    Percent, Preview, RateLimit, Retry, RetryBudget, Route, Secure, SplitBy, Step, Tcp, Ttl,
    Upstream, Weight,
};

/// An app.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct App {
    /// The names it is reached by; at least one.
    pub hosts: Vec<HostPattern>,
    /// Its releases by name; at least one.
    pub versions: BTreeMap<Name, Version>,
    /// How its endpoints are probed.
    pub health: HealthCheck,
    /// How a client's cluster is chosen; none: all clusters alike.
    pub steering: Vec<Step>,
    /// Addresses of how many clusters one DNS answer carries, 1 to 8.
    pub answers: u8,
    /// Choose by client prefix (/24, /56) instead of by chance.
    pub sticky: bool,
    /// What DNS says when every cluster is down.
    pub when_all_down: WhenAllDown,
    /// Share of the traffic of the tier in use that goes to the next usable tier instead, so that a
    /// standby stays warm; default 0, 100 % makes the switch.
    pub trickle: Percent,
    /// Below this share of up weight, DNS leaves a tier (default 50 %).
    pub min_up_fraction: Percent,
    /// The bounds of derived TTLs.
    pub ttl: TtlBand,
    /// How a cluster comes back.
    pub failback: Failback,
    /// Versions by weight, where no route says otherwise.
    pub split: Split,
    /// Who gets another version, where the app's split holds.
    pub preview: Option<Preview>,
    /// What makes splits sticky; none: each request is drawn for itself.
    pub split_by: Option<SplitBy>,
    /// What is done with which requests; those that none matches have the app's own split.
    pub routes: Vec<Route>,
    /// Where there are routes.
    pub encoded_slashes: EncodedSlashes,
    /// Proxy timeouts.
    pub timeouts: Timeouts,
    /// Proxy retries.
    pub retry: Retry,
    /// How many of them there may be, over all routes.
    pub retry_budget: RetryBudget,
    /// When a request is tried a second time beside the first; none: never.
    pub hedge: Option<Hedge>,
    /// What stands in where nobody could serve; none: an error of ours.
    pub fallback: Option<Box<Fallback>>,
    /// How one endpoint of a version in a cluster is chosen.
    pub balance: Balance,
    /// When its endpoints are left out for what live traffic shows; none: never, beyond the moment
    /// that follows a failure.
    pub outliers: Option<Outliers>,
    /// How much each of its clusters may hold; none: nothing is limited, nor counted.
    pub breakers: Option<Breakers>,
    /// How many requests it takes from whom, by name.
    pub rate_limits: BTreeMap<Name, RateLimit>,
    /// TLS to clients.
    pub tls: Secure,
    /// How connections to its endpoints begin.
    pub upstream: Upstream,
    /// Its TCP connections; such an app is not served over HTTP.
    pub tcp: Option<Tcp>,
}

/// A host an app answers to: a name, or `*.` and a name for everything below it.
pub type HostPattern = DnsName;

/// One release of an app.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// Where it runs, by cluster.
    pub endpoints: BTreeMap<Name, Vec<SocketAddr>>,
    /// What is said of single endpoints, by cluster and address; those that are like most are not
    /// here.
    pub traits: BTreeMap<(Name, SocketAddr), EndpointTraits>,
}

impl Version {
    /// At endpoints that are all alike.
    pub fn at(endpoints: BTreeMap<Name, Vec<SocketAddr>>) -> Self {
        Self {
            endpoints,
            traits: BTreeMap::new(),
        }
    }
}

/// A weighted choice of versions; at least one weight is above zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Split(pub BTreeMap<Name, Weight>);

/// What becomes of an encoded slash (`%2F`, `%5C`) or a backslash in the path of a request, where an
/// app has routes: some backends take it for a slash, so a route could be evaded by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum EncodedSlashes {
    /// 400.
    #[default]
    Refuse,
    /// It is matched and forwarded as it is, part of a segment.
    Keep,
}

/// What DNS answers when no cluster is usable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WhenAllDown {
    /// The clusters that were usable last; with none known, all.
    LastKnown,
    /// All that are neither drained nor fenced.
    All,
    /// One cluster, its health ignored.
    Fallback(Name),
    /// SERVFAIL.
    Servfail,
    /// An empty answer.
    Nodata,
}

/// Derived TTLs stay inside, in whole seconds; defaults 30 and 60.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TtlBand {
    /// Lower bound, at least 1 s. Halved (at least 5 s, or this bound if lower) while a member is down.
    pub min: Ttl,
    /// Upper bound.
    pub max: Ttl,
}

/// How a recovered cluster comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Failback {
    /// Up for this long before it gets traffic again; default 5 min. Doubles per flap, at most
    /// eightfold.
    pub hold_down: Duration,
    /// Then this share more per `ramp_every`; default 2 %.
    pub ramp_step: Percent,
    /// Default 10 s.
    pub ramp_every: Duration,
}

/// Timeouts of the proxy; zero switches one off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timeouts {
    /// Until a connection stands; default 1 s.
    pub connect: Duration,
    /// From the request's last byte to the response head; default 15 s.
    pub first_byte: Duration,
    /// One attempt, from its beginning to the response head; default off.
    pub per_try: Duration,
    /// The whole exchange up to the response's last byte; default off.
    pub request: Duration,
    /// Without an octet either way, after a switch of protocols (WebSocket) and of TCP connections;
    /// default 1 h.
    pub tunnel: Duration,
}

impl Default for TtlBand {
    fn default() -> Self {
        let ttl = |s| Ttl::new(s).unwrap_or_else(|| Ttl::from_duration(Duration::ZERO));
        Self {
            min: ttl(30),
            max: ttl(60),
        }
    }
}

impl Default for Failback {
    fn default() -> Self {
        Self {
            hold_down: Duration::from_secs(300),
            ramp_step: Percent::from_hundredths(200).unwrap_or(Percent::FULL),
            ramp_every: Duration::from_secs(10),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            first_byte: Duration::from_secs(15),
            per_try: Duration::ZERO,
            request: Duration::ZERO,
            tunnel: Duration::from_secs(3_600),
        }
    }
}

impl App {
    /// An app with defaults for everything but its names and places.
    pub fn new(hosts: Vec<HostPattern>, versions: BTreeMap<Name, Version>, split: Split) -> Self {
        Self {
            hosts,
            versions,
            health: HealthCheck::default(),
            steering: Vec::new(),
            answers: 1,
            sticky: false,
            when_all_down: WhenAllDown::LastKnown,
            trickle: Percent::ZERO,
            min_up_fraction: Percent::from_hundredths(5_000).unwrap_or(Percent::FULL),
            ttl: TtlBand::default(),
            failback: Failback::default(),
            split,
            preview: None,
            split_by: None,
            routes: Vec::new(),
            encoded_slashes: EncodedSlashes::default(),
            timeouts: Timeouts::default(),
            retry: Retry::default(),
            retry_budget: RetryBudget::default(),
            hedge: None,
            fallback: None,
            balance: Balance::default(),
            outliers: None,
            breakers: None,
            rate_limits: BTreeMap::new(),
            tls: Secure::default(),
            upstream: Upstream::default(),
            tcp: None,
        }
    }
}
