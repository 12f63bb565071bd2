//! Zones and their records: those of YAML, and those of a master file.

use std::collections::BTreeMap;

use windrose_model::{DnsName, RData, RecordType, Soa, Ttl, Zone};

use super::{Found, number, path, value};
use crate::problem::Problem;
use crate::rdata::{self, Words};
use crate::scalar;
use crate::source::{Sources, Span};
use crate::tree::Node;
use crate::zonefile::{self, Budget, Folder, Kept, Record, Unopened, Written};

mod steered;

pub(super) use steered::{Steered, resolve};

/// Octets of one character string (RFC 1035 section 3.3).
const STRING: usize = 255;

pub(super) fn read(
    root: &Node,
    sources: &mut Sources,
    found: &mut Found,
) -> BTreeMap<DnsName, Zone> {
    let zones = root.get("zones").map_or(&[][..], Node::entries);
    let named = zones
        .iter()
        .filter_map(|e| Some((DnsName::parse(&e.key).ok()?, e)));
    let mut budget = Budget::default();
    named
        .map(|(apex, entry)| {
            let mut reader = Reader {
                apex: &apex,
                apex_text: apex.to_string(),
                key: &entry.key,
                found,
                written: Written::default(),
            };
            let zone = reader.zone(&entry.value, entry.key_span, sources, &mut budget);
            (apex.clone(), zone)
        })
        .collect()
}

struct Reader<'a> {
    apex: &'a DnsName,
    apex_text: String,
    /// The apex as written.
    key: &'a str,
    found: &'a mut Found,
    /// All records, wherever they were written.
    written: Written,
}

impl Reader<'_> {
    fn zone(&mut self, zone: &Node, key: Span, sources: &mut Sources, budget: &mut Budget) -> Zone {
        let default = value(zone, "ttl", scalar::seconds)
            .unwrap_or_else(|| Ttl::from_duration(std::time::Duration::from_secs(300)));
        let in_file = self.file(zone, default, sources, budget);
        let soa = self.soa(zone.get("soa"), in_file, key);
        self.yaml(zone, default);
        let written = std::mem::take(&mut self.written);
        let (records, places) = written.sets(&mut self.found.problems);
        self.found.records.insert(self.apex.clone(), places);
        Zone { soa, records }
    }

    /// The master file, its records added to what was written. Gives its SOA record.
    fn file(
        &mut self,
        zone: &Node,
        ttl: Ttl,
        sources: &mut Sources,
        budget: &mut Budget,
    ) -> Option<(Soa, Span)> {
        let node = zone.get("file")?;
        let path = node.text().filter(|text| !text.is_empty())?;
        let path = sources.resolve(node.span.source, path);
        match Folder::open(&path, sources, budget) {
            Ok((mut folder, source, octets)) => {
                let read = zonefile::read(source, &octets, self.apex, ttl, &mut folder);
                if read.problems.iter().any(Problem::is_error) {
                    self.taint();
                }
                if let Some(marks) = read.marks.filter(|_| read.problems.is_empty()) {
                    let apex = self.apex.clone();
                    self.found.kept.push(Kept {
                        apex,
                        path,
                        text: octets,
                        marks,
                    });
                }
                self.found.problems.extend(read.problems);
                self.written.in_file(read.records);
                read.soa
            }
            Err(Unopened { reason, code }) => {
                let message = format!("cannot read the zone file {}: {reason}", path.display());
                self.refuse(node.span, code.unwrap_or("unreadable-zone-file"), message);
                None
            }
        }
    }

    /// One of the two must tell the start of authority, and one only.
    fn soa(&mut self, node: Option<&Node>, in_file: Option<(Soa, Span)>, zone: Span) -> Soa {
        match (node, in_file) {
            (None, Some((soa, _))) => return soa,
            (Some(node), Some((_, at))) => {
                let message = "the start of authority is written here and in the zone file";
                let problem = Problem::error("soa-twice", node.span, message)
                    .related(at, "the other is at")
                    .help("take one of them out");
                self.found.problems.push(problem);
            }
            (None, None) => {
                let message = format!("zone {} has no start of authority", self.apex);
                let problem = Problem::error("zone-without-soa", zone, message)
                    .help("add `soa`, or a SOA record to the zone's `file`");
                if !self.is_tainted() {
                    self.found.problems.push(problem);
                }
            }
            (Some(_), None) => {}
        }
        self.soa_of_yaml(node)
    }

    fn soa_of_yaml(&mut self, node: Option<&Node>) -> Soa {
        if node.is_none_or(|n| n.get("serial").is_none()) {
            self.found.counted.push(self.apex.clone());
        }
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

    /// A name relative to the zone.
    fn name(&mut self, node: &Node, text: &str) -> Option<DnsName> {
        match DnsName::relative(text, self.apex) {
            Ok(name) => {
                self.doubled(node, text);
                Some(name)
            }
            Err(error) => {
                let message = format!("\"{text}\" is no name here: {error}");
                self.refuse(node.span, "bad-domain", message);
                None
            }
        }
    }

    /// One that ends in the zone's own name probably lacks its final dot.
    fn doubled(&mut self, node: &Node, text: &str) {
        if zonefile::ends_in(text.as_bytes(), self.apex_text.as_bytes()) {
            let problem = zonefile::relative_name(node.span, text, self.apex);
            self.found.problems.push(problem);
        }
    }

    /// The records of YAML.
    fn yaml(&mut self, zone: &Node, default: Ttl) {
        for record in zone.get("records").map_or(&[][..], Node::items) {
            let rtype = value(record, "type", scalar::record_type);
            let (Some(rtype), Some(name)) = (rtype, record.get("name")) else {
                continue;
            };
            let written = name.text().filter(|text| scalar::relative(text).is_ok());
            let Some(owner) = written.and_then(|text| self.name(name, text)) else {
                continue;
            };
            if self.steered(record, name, &owner, rtype) {
                continue;
            }
            let ttl = value(record, "ttl", scalar::seconds).unwrap_or(default);
            let ttl_at = record.get("ttl").map_or(name.span, |n| n.span);
            let values = record.get("values").map_or(&[][..], Node::items);
            for node in record.get("value").into_iter().chain(values) {
                let Some(text) = node.text() else { continue };
                if let Some(data) = self.data(node, text, rtype) {
                    let owner = owner.clone();
                    let at = name.span;
                    let record = Record {
                        owner,
                        ttl,
                        data,
                        at,
                    };
                    self.written.yaml(record, ttl_at, node.span);
                }
            }
        }
    }

    fn data(&mut self, node: &Node, text: &str, rtype: RecordType) -> Option<RData> {
        // A text is what is written, unless it is put in quotes as a master file has it.
        if rtype == RecordType::TXT && !text.starts_with('"') {
            return match RData::txt(&strings(text)) {
                Ok(data) => Some(data),
                Err(error) => {
                    self.refuse(node.span, "bad-record-value", error.to_string());
                    None
                }
            };
        }
        let read = rdata::tokens(text).and_then(|tokens| {
            let mut words = Words::new(rtype, text.as_bytes(), &tokens, self.apex);
            let data = words.data()?;
            Ok((data, words.names))
        });
        match read {
            Ok((data, names)) => {
                for token in names {
                    let name = String::from_utf8_lossy(token.of(text.as_bytes()));
                    self.doubled(node, &name);
                }
                Some(data)
            }
            Err(bad) => {
                self.refuse(node.span, "bad-record-value", bad.message);
                None
            }
        }
    }

    fn refuse(&mut self, at: Span, code: &'static str, message: String) {
        self.taint();
        self.found.problems.push(Problem::error(code, at, message));
    }

    /// What follows from records that could not be read is not told.
    fn taint(&mut self) {
        if !self.is_tainted() {
            self.found
                .tainted
                .push(path(&["zones", self.key, "records"]));
        }
    }

    fn is_tainted(&self) -> bool {
        let records = path(&["zones", self.key, "records"]);
        self.found.tainted.last() == Some(&records)
    }
}

/// At most 255 octets each.
fn strings(text: &str) -> Vec<Vec<u8>> {
    if text.is_empty() {
        return vec![Vec::new()];
    }
    text.as_bytes().chunks(STRING).map(<[u8]>::to_vec).collect()
}
