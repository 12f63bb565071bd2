//! Why: the choice of the data path itself, told step by step. No second implementation.

use std::fmt;
use std::net::IpAddr;

use windrose_model::{DnsName, RecordType, Stamp};

use crate::choose::{DnsChoice, Seen, prefix_key};
use crate::names::Lookup;
use crate::steering::View;
use crate::table::{AppEntry, Table};

/// How a DNS answer comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsTrace {
    /// Of the Table that was asked.
    pub stamp: Stamp,
    /// What was asked: name, type.
    pub question: (DnsName, String),
    /// Whose answer it is.
    pub client: IpAddr,
    /// In order, one line each.
    pub steps: Vec<String>,
    /// NOERROR, NXDOMAIN, SERVFAIL or REFUSED.
    pub rcode: &'static str,
    /// Clusters of a steered answer, the lead first.
    pub clusters: Vec<String>,
    /// Records in presentation form: name, TTL, type, data.
    pub records: Vec<String>,
    /// Client-subnet scope of the answer.
    pub scope: u8,
}

/// Where a request would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTrace {
    /// Of the Table that was asked.
    pub stamp: Stamp,
    /// Host and path.
    pub request: (String, String),
    /// Whose request it is.
    pub client: IpAddr,
    /// In order, one line each.
    pub steps: Vec<String>,
    /// App, version and cluster, as far as the request got.
    pub app: Option<String>,
    /// See `app`.
    pub version: Option<String>,
    /// See `app`.
    pub cluster: Option<String>,
    /// The endpoints that one of is picked from, by load.
    pub endpoints: Vec<String>,
}

/// Traces a query, as if `draw` had been thrown. CNAMEs are followed inside our zones, at most 8.
pub fn dns(
    table: &Table,
    name: &DnsName,
    rtype: RecordType,
    client: IpAddr,
    draw: u64,
) -> DnsTrace {
    let mut trace = DnsTrace {
        stamp: table.stamp(),
        question: (name.clone(), rtype.to_string()),
        client,
        steps: Vec::new(),
        rcode: "NOERROR",
        clusters: Vec::new(),
        records: Vec::new(),
        scope: 0,
    };
    let mut owner = name.clone();
    for _ in 0..8 {
        match table.lookup(owner.wire()) {
            Lookup::Refused => {
                trace
                    .steps
                    .push(format!("{owner} lies in no zone of this configuration"));
                if trace.records.is_empty() {
                    trace.rcode = "REFUSED";
                }
                return trace;
            }
            Lookup::NxDomain { zone } => {
                trace.steps.push(format!(
                    "{owner} does not exist in zone {}, and no wildcard covers it",
                    zone.apex
                ));
                trace.rcode = "NXDOMAIN";
                return trace;
            }
            Lookup::Node { zone, node } => {
                trace
                    .steps
                    .push(format!("{owner} exists in zone {}", zone.apex));
                if let (Some(app), RecordType::A | RecordType::Aaaa) = (node.app, rtype) {
                    steered(&mut trace, table, table.app(app), &owner, rtype, draw);
                    return trace;
                }
                if let Some(set) = node.set(rtype.code()) {
                    trace.steps.push(format!(
                        "{} {rtype} records from the zone, the same for every client",
                        set.count
                    ));
                    trace.records.push(format!(
                        "{owner} {} {rtype} ({} records)",
                        set.ttl, set.count
                    ));
                    return trace;
                }
                let Some(target) = node.set(5).and_then(|set| set.target()).and_then(name_of)
                else {
                    trace.steps.push(format!(
                        "no {rtype} there: an empty answer with the zone's SOA"
                    ));
                    return trace;
                };
                trace.steps.push(format!("CNAME to {target}"));
                trace.records.push(format!("{owner} CNAME {target}"));
                owner = target;
            }
        }
    }
    trace
        .steps
        .push("more than 8 CNAMEs: the chain ends here".to_owned());
    trace
}

/// Traces a request, as if `draw` had been thrown. `host` without port.
pub fn http(table: &Table, host: &str, path: &str, client: IpAddr, draw: u64) -> HttpTrace {
    let mut trace = HttpTrace {
        stamp: table.stamp(),
        request: (host.to_owned(), path.to_owned()),
        client,
        steps: Vec::new(),
        app: None,
        version: None,
        cluster: None,
        endpoints: Vec::new(),
    };
    let Some(id) = table.host(host) else {
        trace.steps.push(format!("no app has the host {host}: 404"));
        return trace;
    };
    let entry = table.app(id);
    let plan = &entry.plan;
    trace.app = Some(plan.name.to_string());
    trace
        .steps
        .push(format!("host {host} belongs to app {}", plan.name));
    let route = entry.route(path);
    match route
        .0
        .checked_sub(1)
        .and_then(|at| plan.app.routes.get(usize::from(at)))
    {
        Some(r) => trace.steps.push(format!(
            "path {path} takes the route of prefix {}",
            r.path_prefix
        )),
        None => trace.steps.push(format!(
            "path {path} takes no route, so the app's own split holds"
        )),
    }
    let version = entry.version(route, draw);
    let shares: Vec<_> = plan
        .routes
        .weights(route)
        .iter()
        .map(|(v, weight, total)| {
            format!("{} {weight}/{total}", plan.versions[usize::from(*v)].name)
        })
        .collect();
    let name = &plan.versions[usize::from(version)].name;
    trace.steps.push(format!(
        "split {}: this draw takes {name}",
        shares.join(", ")
    ));
    trace.version = Some(name.to_string());
    let (view, key) = place(table, entry, client, draw, &mut trace.steps);
    tiers(entry, view, &mut trace.steps);
    let mut steps = Vec::new();
    let choice = entry.choose_http_seen(view, version, key, 0, &mut |seen| {
        steps.push(say(entry, seen))
    });
    trace.steps.append(&mut steps);
    if let Some(cluster) = choice {
        trace.cluster = Some(plan.clusters[usize::from(cluster)].name.to_string());
        let group = &plan.versions[usize::from(version)].groups[usize::from(cluster)];
        trace.endpoints = group
            .endpoints
            .iter()
            .filter(|e| entry.endpoint_up(e.index))
            .map(|e| e.address.to_string())
            .collect();
        trace.steps.push(format!(
            "one of {} endpoints, by power of two choices on requests in flight",
            trace.endpoints.len()
        ));
    } else {
        trace
            .steps
            .push(format!("no cluster may take version {name}: 503"));
    }
    trace
}

fn steered(
    trace: &mut DnsTrace,
    table: &Table,
    entry: &AppEntry,
    owner: &DnsName,
    rtype: RecordType,
    draw: u64,
) {
    trace
        .steps
        .push(format!("app {} steers {rtype} here", entry.plan.name));
    let (view, key) = place(table, entry, trace.client, draw, &mut trace.steps);
    tiers(entry, view, &mut trace.steps);
    trace.scope = entry.scope(table.leaf(trace.client));
    let mut steps = Vec::new();
    let choice = entry.choose_dns_seen(view, key, &mut |seen| steps.push(say(entry, seen)));
    trace.steps.append(&mut steps);
    match choice {
        DnsChoice::Servfail => trace.rcode = "SERVFAIL",
        DnsChoice::Nodata => trace
            .steps
            .push("an empty answer with the zone's SOA".to_owned()),
        DnsChoice::Clusters(picked) => {
            for &local in picked.iter() {
                let cluster = &entry.plan.clusters[usize::from(local)];
                trace.clusters.push(cluster.name.to_string());
                let set = if rtype == RecordType::A {
                    &cluster.a
                } else {
                    &cluster.aaaa
                };
                if set.count == 0 {
                    trace
                        .steps
                        .push(format!("cluster {} has no {rtype} address", cluster.name));
                }
                let width = if rtype == RecordType::A { 4 } else { 16 };
                for record in set.wire.chunks_exact(12 + width) {
                    let data = match <[u8; 4]>::try_from(&record[12..]) {
                        Ok(v4) => IpAddr::from(v4),
                        Err(_) => {
                            <[u8; 16]>::try_from(&record[12..]).map_or(trace.client, IpAddr::from)
                        }
                    };
                    trace
                        .records
                        .push(format!("{owner} {} {rtype} {data}", entry.ttl()));
                }
            }
        }
    }
    let band = entry.plan.app.ttl;
    trace.steps.push(format!(
        "TTL {} s: how soon a verdict could change, within {} to {} s",
        entry.ttl(),
        band.min.seconds(),
        band.max.seconds()
    ));
    match trace.scope {
        0 => trace
            .steps
            .push("client-subnet scope /0: every client is treated alike".to_owned()),
        scope => trace.steps.push(format!(
            "client-subnet scope /{scope}: the widest prefix around this client with the same tiers"
        )),
    }
}

fn place(
    table: &Table,
    entry: &AppEntry,
    client: IpAddr,
    draw: u64,
    steps: &mut Vec<String>,
) -> (View, u64) {
    let leaf = table.leaf(client);
    let place = table.atlas.places()[table.atlas.place_of(leaf) as usize];
    let mut known: Vec<String> = place
        .country
        .iter()
        .map(|c| format!("country {c}"))
        .collect();
    known.extend(
        table
            .atlas
            .enclosing(place)
            .map(|cidr| format!("inside {}", cidr.net)),
    );
    let known = if known.is_empty() {
        "nothing that steering reads is known".to_owned()
    } else {
        known.join(", ")
    };
    steps.push(format!("client {client}: {known}"));
    let key = if entry.sticky() {
        prefix_key(entry.plan.salt, client)
    } else {
        draw
    };
    if entry.sticky() {
        steps.push("sticky: the client's /24 or /56 is the key".to_owned());
    }
    (entry.view(table, leaf), key)
}

fn tiers(entry: &AppEntry, view: View, steps: &mut Vec<String>) {
    let row = entry.plan.steering.row(view);
    for (at, tier) in row.tiers.iter().enumerate() {
        let members: Vec<String> = tier
            .members
            .iter()
            .map(|&(local, weight)| {
                let name = &entry.plan.clusters[usize::from(local)].name;
                let weight = if tier.members.len() > 1 {
                    format!(" weight {weight}")
                } else {
                    String::new()
                };
                match entry.status.clusters.get(usize::from(local)) {
                    Some(s) if s.usable => {
                        format!("{name}{weight} ({}, share {} %)", s.verdict, s.share)
                    }
                    Some(s) => format!("{name}{weight} (not usable: {}, {})", s.verdict, s.cause),
                    None => format!("{name}{weight}"),
                }
            })
            .collect();
        steps.push(format!("tier {}: {}", at + 1, members.join("; ")));
    }
}

fn say(entry: &AppEntry, seen: Seen) -> String {
    let name = |local: u8| &entry.plan.clusters[usize::from(local)].name;
    match seen {
        Seen::FencedOut => "a fence leaves this client no cluster: fails closed".to_owned(),
        Seen::TierDown { tier } => format!("tier {} rejected: no usable member", tier + 1),
        Seen::HalfAlive { tier } => format!(
            "tier {} rejected: half alive, less than {} % of its weight is usable",
            tier + 1,
            entry.plan.app.min_up_fraction
        ),
        Seen::SentOn { tier, cluster } => {
            format!(
                "tier {}: {} sends this key on, its share is below 100 %",
                tier + 1,
                name(cluster)
            )
        }
        Seen::Won { tier, cluster } => format!("tier {}: {} is chosen", tier + 1, name(cluster)),
        Seen::SharesIgnored => "every share sends this key on, so shares are ignored".to_owned(),
        Seen::AllDown => format!(
            "no cluster is usable: when_all_down is {}",
            AllDownText(entry)
        ),
    }
}

struct AllDownText<'e>(&'e AppEntry);

impl fmt::Display for AllDownText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use windrose_model::WhenAllDown as W;
        match &self.0.plan.app.when_all_down {
            W::LastKnown => f.write_str("last_known"),
            W::All => f.write_str("all"),
            W::Fallback(cluster) => write!(f, "fallback to {cluster}"),
            W::Servfail => f.write_str("servfail"),
            W::Nodata => f.write_str("nodata"),
        }
    }
}

fn name_of(wire: &[u8]) -> Option<DnsName> {
    let mut text = String::new();
    let mut rest = wire;
    while let Some((&len, tail)) = rest.split_first() {
        if len == 0 {
            break;
        }
        text.extend(tail.get(..usize::from(len))?.iter().map(|&b| char::from(b)));
        text.push('.');
        rest = &tail[usize::from(len)..];
    }
    DnsName::parse(if text.is_empty() { "." } else { &text }).ok()
}

impl fmt::Display for DnsTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} {} for {} under table {}",
            self.question.0, self.question.1, self.client, self.stamp
        )?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        writeln!(f, "{}, scope /{}", self.rcode, self.scope)?;
        for record in &self.records {
            writeln!(f, "  {record}")?;
        }
        Ok(())
    }
}

impl fmt::Display for HttpTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}{} for {} under table {}",
            self.request.0, self.request.1, self.client, self.stamp
        )?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        match (&self.version, &self.cluster) {
            (Some(version), Some(cluster)) => writeln!(
                f,
                "version {version} in cluster {cluster}: {}",
                self.endpoints.join(", ")
            ),
            _ => writeln!(f, "not served"),
        }
    }
}
