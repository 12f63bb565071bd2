//! How a DNS answer comes about.

use std::fmt;
use std::net::IpAddr;

use windrose_model::{DnsName, RecordType, Stamp};

use super::{alias, existence, place, records, say, tiers};
use crate::answers::AnswerRef;
use crate::atlas::embedded_ipv4;
use crate::choose::DnsChoice;
use crate::names::{Lookup, Node, ZoneEntry};
use crate::steered::SteeredSet;
use crate::steering::Steering;
use crate::table::{AppEntry, Table};

/// Aliases followed inside our zones, as the answer does.
pub(super) const HOPS: usize = 8;

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
    /// NOERROR, NXDOMAIN, YXDOMAIN, SERVFAIL or REFUSED.
    pub rcode: &'static str,
    /// Clusters of a steered answer, the lead first.
    pub clusters: Vec<String>,
    /// Records in presentation form: name, TTL, type, data.
    pub records: Vec<String>,
    /// Client-subnet scope of the answer.
    pub scope: u8,
    /// Whether a wildcard or DNAME makes it, for whatever name.
    pub made_up: bool,
    /// Whether it only tells who knows.
    pub referral: bool,
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
        made_up: false,
        referral: false,
    };
    let mut followed = vec![name.clone()];
    while let Some(owner) = followed.last()
        && let Some(target) = step(&mut trace, table, owner, rtype, draw)
    {
        if followed.contains(&target) || followed.len() > HOPS {
            let why = "the aliases lead in a circle, or further than 8: the answer ends here";
            trace.steps.push(why.to_owned());
            break;
        }
        followed.push(target);
    }
    trace
}

/// What stands at one name; the target if that is an alias to follow.
fn step(
    trace: &mut DnsTrace,
    table: &Table,
    owner: &DnsName,
    rtype: RecordType,
    draw: u64,
) -> Option<DnsName> {
    stands(trace, table, table.lookup(owner.wire()), owner, rtype, draw)
}

fn stands(
    trace: &mut DnsTrace,
    table: &Table,
    found: Lookup<'_>,
    owner: &DnsName,
    rtype: RecordType,
    draw: u64,
) -> Option<DnsName> {
    let (zone, node) = match found {
        Lookup::Refused => {
            trace
                .steps
                .push(format!("{owner} lies in no zone of this configuration"));
            if trace.records.is_empty() {
                trace.rcode = "REFUSED";
            }
            return None;
        }
        Lookup::NxDomain { zone } => {
            trace.steps.push(format!(
                "{owner} does not exist in zone {}, and no wildcard covers it; remembered for {} s",
                zone.apex, zone.negative_ttl
            ));
            trace.rcode = "NXDOMAIN";
            return None;
        }
        Lookup::Node { zone, node } => (zone, node),
        Lookup::Delegation { zone, cut, node } => {
            referral(trace, table, zone, cut, &node, owner, rtype);
            return None;
        }
        Lookup::Dname { owner: of, set, .. } => {
            trace.made_up |= trace.steps.is_empty();
            return renamed(trace, owner, of, set);
        }
    };
    trace.made_up |= trace.steps.is_empty() && node.is_wildcard();
    trace.steps.push(existence::of(table, owner, zone, &node));
    if let (Some(app), RecordType::A | RecordType::AAAA) = (node.app, rtype) {
        steered(trace, table, zone, table.app(app), owner, rtype, draw);
        return None;
    }
    let record = |rtype| table.steered(node.set(rtype)?.steered()?);
    let alias = RecordType::CNAME.code();
    if let Some(set) = record(rtype.code()).or_else(|| record(alias)) {
        let target = by_cluster(trace, table, zone, set, owner, rtype, draw);
        return target.filter(|_| rtype != RecordType::CNAME);
    }
    let soa = (node.is_apex() && rtype == RecordType::SOA).then(|| zone.soa.view());
    if let Some(set) = node.set(rtype.code()).or(soa) {
        trace.steps.push(format!(
            "{} {rtype} records from the zone, the same for every client",
            set.count
        ));
        trace.records.extend(records::lines(owner, set.ttl, set));
        return None;
    }
    if let (Some(set), RecordType::A | RecordType::AAAA) =
        (node.set(RecordType::ALIAS.code()), rtype)
    {
        alias::alias(trace, table, zone, owner, set, rtype, draw);
        return None;
    }
    let alias = node.set(RecordType::CNAME.code());
    let Some((set, target)) = alias.and_then(|set| Some((set, records::target(set)?))) else {
        if rtype == RecordType::DS
            && node.is_apex()
            && let Some(found) = table.parent_side(zone)
        {
            trace
                .steps
                .push("DS is for the zone above to say".to_owned());
            return stands(trace, table, found, owner, rtype, draw);
        }
        let most = node.app.map_or(u32::MAX, |app| table.app(app).ttl());
        let empty = existence::empty(zone, most);
        trace.steps.push(format!("no {rtype} there: {empty}"));
        return None;
    };
    trace.steps.push(format!("CNAME to {target}"));
    trace.records.extend(records::lines(owner, set.ttl, set));
    Some(target)
}

/// A delegation: its name servers, with what is known of their addresses.
fn referral(
    trace: &mut DnsTrace,
    table: &Table,
    zone: &ZoneEntry,
    cut: &[u8],
    node: &Node<'_>,
    owner: &DnsName,
    rtype: RecordType,
) {
    let Some(cut) = DnsName::from_wire(cut) else {
        return;
    };
    if rtype == RecordType::DS && cut == *owner {
        trace.steps.push(format!(
            "zone {} delegates {cut}, and answers DS itself",
            zone.apex
        ));
        match node.set(rtype.code()) {
            Some(set) => trace.records.extend(records::lines(owner, set.ttl, set)),
            None => {
                let empty = existence::empty(zone, u32::MAX);
                trace.steps.push(format!("no DS there: {empty}"));
            }
        }
        return;
    }
    trace.referral = trace.records.is_empty();
    trace.steps.push(format!(
        "zone {} delegates {cut}: a referral to its name servers, with the addresses known here",
        zone.apex
    ));
    let Some(servers) = node.set(RecordType::NS.code()) else {
        return;
    };
    let lines = records::lines(&cut, servers.ttl, servers);
    trace.records.extend(lines);
    for data in servers.data() {
        let name = &servers.wire[data];
        let (Some(node), Some(server)) = (table.addresses(zone, name), DnsName::from_wire(name))
        else {
            continue;
        };
        for rtype in [RecordType::A, RecordType::AAAA] {
            if let Some(set) = node.set(rtype.code()) {
                trace.records.extend(records::lines(&server, set.ttl, set));
            }
        }
    }
}

/// A subtree that is an alias: the new name, if it is not too long.
fn renamed(
    trace: &mut DnsTrace,
    owner: &DnsName,
    of: &[u8],
    set: AnswerRef<'_>,
) -> Option<DnsName> {
    let (of, target) = (DnsName::from_wire(of)?, records::target(set)?);
    trace.steps.push(format!("DNAME of {of} to {target}"));
    trace.records.extend(records::lines(&of, set.ttl, set));
    let kept = owner.wire().len() - of.wire().len();
    let Some(name) = DnsName::from_wire(&[&owner.wire()[..kept], target.wire()].concat()) else {
        trace
            .steps
            .push("the new name would be too long".to_owned());
        trace.rcode = "YXDOMAIN";
        return None;
    };
    trace
        .records
        .push(format!("{owner} {} CNAME {name}", set.ttl));
    Some(name)
}

pub(super) fn steered(
    trace: &mut DnsTrace,
    table: &Table,
    zone: &ZoneEntry,
    entry: &AppEntry,
    owner: &DnsName,
    rtype: RecordType,
    draw: u64,
) {
    trace
        .steps
        .push(format!("app {} steers {rtype} here", entry.plan.name));
    let steering = entry.steering();
    let walked = (steering, &*entry.plan.app.steering);
    let (view, key) = place(table, entry, walked, trace.client, draw, &mut trace.steps);
    tiers(entry, steering, view, &mut trace.steps);
    let mut steps = Vec::new();
    let choice = entry.choose_dns_seen(view, key, &mut |seen| steps.push(say(entry, seen)));
    trace.steps.append(&mut steps);
    match choice {
        DnsChoice::Servfail => trace.rcode = "SERVFAIL",
        DnsChoice::Nodata => trace.steps.push(existence::empty(zone, entry.ttl())),
        DnsChoice::Clusters(picked) => {
            let mut answered = false;
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
                answered |= set.count > 0;
                trace
                    .records
                    .extend(records::lines(owner, entry.ttl(), set.view()));
            }
            if !answered {
                trace.steps.push(existence::empty(zone, entry.ttl()));
            }
        }
    }
    promise(trace, table, entry, steering);
}

/// A record that differs by cluster; the target if that is an alias to follow.
fn by_cluster(
    trace: &mut DnsTrace,
    table: &Table,
    zone: &ZoneEntry,
    record: &SteeredSet,
    owner: &DnsName,
    rtype: RecordType,
    draw: u64,
) -> Option<DnsName> {
    let (set, ttl) = chosen(trace, table, zone, record, rtype, draw)?;
    trace.records.extend(records::lines(owner, ttl, set));
    records::target(set)
}

/// What the chosen cluster has of a record that differs by cluster, and its TTL; `None` if something
/// else is answered.
pub(super) fn chosen<'t>(
    trace: &mut DnsTrace,
    table: &Table,
    zone: &ZoneEntry,
    record: &'t SteeredSet,
    rtype: RecordType,
    draw: u64,
) -> Option<(AnswerRef<'t>, u32)> {
    let (entry, steering) = (table.app(record.app), record.steering());
    trace.steps.push(format!(
        "{rtype} differs by cluster: the one that app {} chooses",
        entry.plan.name
    ));
    let own = record.own_steps().unwrap_or(&entry.plan.app.steering);
    let (view, key) = place(
        table,
        entry,
        (steering, own),
        trace.client,
        draw,
        &mut trace.steps,
    );
    tiers(entry, steering, view, &mut trace.steps);
    let mut steps = Vec::new();
    let choice = entry.choose_record(record, view, key, &mut |seen| steps.push(say(entry, seen)));
    trace.steps.append(&mut steps);
    let mut found = None;
    match choice {
        DnsChoice::Servfail => trace.rcode = "SERVFAIL",
        DnsChoice::Nodata => trace.steps.push(existence::empty(zone, entry.ttl())),
        DnsChoice::Clusters(picked) => {
            let lead = picked.first().copied();
            if let Some((lead, set)) = lead.and_then(|lead| Some((lead, record.of(lead)?))) {
                let cluster = &entry.plan.clusters[usize::from(lead)];
                trace.clusters.push(cluster.name.to_string());
                found = Some((set.view(), entry.ttl()));
            }
        }
    }
    promise(trace, table, entry, steering);
    found
}

/// How long, and for whom else, a steered answer holds.
fn promise(trace: &mut DnsTrace, table: &Table, entry: &AppEntry, steering: Steering<'_>) {
    let alike = steering.scope(table.leaf(trace.client));
    let (known, offset) = match trace.client {
        IpAddr::V4(_) => (trace.client, 0),
        IpAddr::V6(ip) => embedded_ipv4(ip).map_or((trace.client, 0), |(ip, n)| (ip.into(), n)),
    };
    // What a sticky answer narrows it to, if the resolver tells as much of the client.
    let stuck = match known {
        _ if !entry.sticky() => 0,
        IpAddr::V4(_) => offset + 24,
        IpAddr::V6(_) => 56,
    };
    trace.scope = trace.scope.max(alike).max(stuck);
    if alike > 0
        && steering
            .nowhere(table, table.leaf(trace.client), known)
            .is_some()
    {
        trace.steps.push(format!(
            "{known} is not routed and no rule names it: as a client subnet it says nothing, its resolver's address counts, for no more than the length that was sent"
        ));
    }
    trace
        .steps
        .push(format!("TTL {} s: {}", entry.ttl(), entry.why_ttl()));
    trace.steps.push(match trace.scope {
        0 => "client-subnet scope /0: every client is treated alike".to_owned(),
        scope if scope > alike => format!(
            "client-subnet scope /{scope}: sticky, so the next prefix may lead elsewhere; less if the resolver tells less"
        ),
        scope => format!(
            "client-subnet scope /{scope}: the widest prefix around this client with the same tiers"
        ),
    });
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
