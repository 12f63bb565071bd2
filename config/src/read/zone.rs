//! Zones and their records.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr};

use windrose_model::{DnsName, DnsNameError, RData, RecordType, RrSet, Soa, Ttl, Zone};

use super::{Found, number, path, value};
use crate::problem::Problem;
use crate::scalar;
use crate::source::Span;
use crate::tree::Node;

/// Octets of one character string (RFC 1035 section 3.3).
const STRING: usize = 255;
/// Above this many records in a set it is too large anyway; looking for equals would take too long.
const COMPARED: usize = 4_096;

pub(super) fn read(root: &Node, found: &mut Found) -> BTreeMap<DnsName, Zone> {
    let zones = root.get("zones").map_or(&[][..], Node::entries);
    let named = zones
        .iter()
        .filter_map(|e| Some((DnsName::parse(&e.key).ok()?, e)));
    named
        .map(|(apex, entry)| {
            let mut reader = Reader {
                apex: &apex,
                key: &entry.key,
                found,
                sets: HashMap::new(),
            };
            let soa = reader.soa(entry.value.get("soa"));
            reader.records(&entry.value);
            let records = reader
                .sets
                .into_iter()
                .filter_map(|((owner, _), set)| Some((owner, RrSet::new(set.ttl, &set.data).ok()?)))
                .collect();
            (apex.clone(), Zone { soa, records })
        })
        .collect()
}

/// An RRset while it is read.
struct Set {
    ttl: Ttl,
    data: Vec<RData>,
    /// Of its first record.
    first: Span,
}

struct Reader<'a> {
    apex: &'a DnsName,
    /// The apex as written.
    key: &'a str,
    found: &'a mut Found,
    sets: HashMap<(DnsName, RecordType), Set>,
}

impl Reader<'_> {
    fn soa(&mut self, node: Option<&Node>) -> Soa {
        let seconds = |key, default| {
            let ttl = node.and_then(|n| value(n, key, scalar::seconds));
            ttl.map_or(default, Ttl::seconds)
        };
        let ttl = Ttl::from_duration(std::time::Duration::from_secs(seconds("ttl", 3_600).into()));
        let (refresh, retry) = (seconds("refresh", 3_600), seconds("retry", 600));
        let (expire, minimum) = (seconds("expire", 604_800), seconds("minimum", 60));
        let apex = self.apex;
        let mut name = |key| {
            let node = node?.get(key)?;
            let text = node.text().filter(|text| scalar::mailbox(text).is_ok())?;
            match text.split_once('@').filter(|(user, _)| !user.is_empty()) {
                Some((user, host)) => DnsName::parse(&format!("{user}.{host}")).ok(),
                None => self.name(node, text),
            }
        };
        let mname = name("mname").unwrap_or_else(|| apex.clone());
        let rname = name("rname").unwrap_or_else(|| apex.clone());
        Soa {
            mname,
            rname,
            serial: node.map_or(1, |n| number(n, "serial", 1)),
            refresh,
            retry,
            expire,
            minimum,
            ttl,
        }
    }

    /// A name relative to the zone. One that ends in the zone's own name probably lacks its final dot.
    fn name(&mut self, node: &Node, text: &str) -> Option<DnsName> {
        let name = match DnsName::relative(text, self.apex) {
            Ok(name) => name,
            Err(error) => {
                self.refuse(
                    node,
                    "bad-domain",
                    format!("\"{text}\" is no name here: {error}"),
                );
                return None;
            }
        };
        let doubled = !text.ends_with('.')
            && text.contains('.')
            && *self.apex != root()
            && DnsName::parse(text).is_ok_and(|n| n.is_within(self.apex));
        if doubled {
            let message = format!("`{text}` is relative to the zone and stands for {name}.");
            self.found
                .problems
                .push(
                    Problem::warning("relative-name", node.span, message).help(format!(
                        "if {text} itself is meant, end it with a dot: {text}."
                    )),
                );
        }
        Some(name)
    }

    fn records(&mut self, zone: &Node) {
        let default = value(zone, "ttl", scalar::seconds)
            .unwrap_or_else(|| Ttl::from_duration(std::time::Duration::from_secs(300)));
        for record in zone.get("records").map_or(&[][..], Node::items) {
            let rtype = value(record, "type", scalar::record_type);
            let (Some(rtype), Some(name)) = (rtype, record.get("name")) else {
                continue;
            };
            let written = name.text().filter(|text| scalar::relative(text).is_ok());
            let Some(owner) = written.and_then(|text| self.name(name, text)) else {
                continue;
            };
            let ttl = value(record, "ttl", scalar::seconds).unwrap_or(default);
            self.set(record, name.span, (owner.clone(), rtype), ttl);
            let values = record.get("values").map_or(&[][..], Node::items);
            for node in record.get("value").into_iter().chain(values) {
                let Some(text) = node.text() else { continue };
                if let Some(data) = self.data(node, text, rtype) {
                    self.add(node, (owner.clone(), rtype), data);
                }
            }
        }
        // A set of which nothing could be read was told already.
        self.sets.retain(|_, set| !set.data.is_empty());
    }

    /// Finds or begins the RRset of a record; its records share one TTL (RFC 2181 section 5.2).
    fn set(&mut self, record: &Node, at: Span, key: (DnsName, RecordType), ttl: Ttl) {
        let (owner, rtype) = key.clone();
        let set = self.sets.entry(key).or_insert_with(|| Set {
            ttl,
            data: Vec::new(),
            first: at,
        });
        if set.ttl != ttl {
            let span = record.get("ttl").map_or(at, |n| n.span);
            let message = format!(
                "{owner} {rtype} has a TTL of {} s here and {} s before; records of one name and type share one",
                ttl.seconds(),
                set.ttl.seconds()
            );
            self.found.problems.push(
                Problem::error("differing-ttls", span, message).related(set.first, "first at"),
            );
        }
    }

    fn add(&mut self, node: &Node, key: (DnsName, RecordType), data: RData) {
        let (owner, rtype) = key.clone();
        let Some(set) = self.sets.get_mut(&key) else {
            return;
        };
        if set.data.len() < COMPARED && set.data.contains(&data) {
            let message = format!("{owner} {rtype} has this value already");
            self.found.problems.push(
                Problem::error("duplicate-record", node.span, message)
                    .related(set.first, "its records begin at"),
            );
        } else {
            set.data.push(data);
        }
    }

    fn data(&mut self, node: &Node, text: &str, rtype: RecordType) -> Option<RData> {
        let bad = |reader: &mut Self, needs: &str| {
            let message = format!("the value of {rtype} is \"{text}\", must be {needs}");
            reader.refuse(node, "bad-record-value", message);
            None
        };
        match rtype {
            RecordType::A => match text.parse::<Ipv4Addr>() {
                Ok(ip) => Some(RData::a(ip)),
                Err(_) => bad(self, "an IPv4 address"),
            },
            RecordType::AAAA => match text.parse::<Ipv6Addr>() {
                Ok(ip) => Some(RData::aaaa(ip)),
                Err(_) => bad(self, "an IPv6 address"),
            },
            RecordType::CNAME => self.name(node, text).map(|name| RData::cname(&name)),
            RecordType::NS => self.name(node, text).map(|name| RData::ns(&name)),
            RecordType::MX => {
                let (preference, host) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
                match preference.parse() {
                    Ok(preference) if !host.trim().is_empty() => self
                        .name(node, host.trim())
                        .map(|host| RData::mx(preference, &host)),
                    _ => bad(
                        self,
                        "a preference from 0 to 65535 and a name, such as \"10 mail\"",
                    ),
                }
            }
            RecordType::TXT => RData::txt(&strings(text)).ok(),
            _ => None,
        }
    }

    fn refuse(&mut self, node: &Node, code: &'static str, message: String) {
        self.found
            .tainted
            .push(path(&["zones", self.key, "records"]));
        self.found
            .problems
            .push(Problem::error(code, node.span, message));
    }
}

/// At most 255 octets each.
fn strings(text: &str) -> Vec<Vec<u8>> {
    if text.is_empty() {
        return vec![Vec::new()];
    }
    text.as_bytes().chunks(STRING).map(<[u8]>::to_vec).collect()
}

fn root() -> DnsName {
    DnsName::parse(".").unwrap_or_else(|_: DnsNameError| unreachable!("`.` is a name"))
}
