//! What can be wrong with zones, and with hosts inside them.

use super::{Checker, Sum};
use crate::{DnsName, Name, RData, RecordType, Zone, budget};

impl Checker<'_> {
    pub(super) fn zones(&mut self) {
        let draft = self.draft;
        self.under("zones", |c| {
            let mut records = Sum::default();
            for (apex, zone) in &draft.zones {
                records.add(apex, zone.records.values().map(|set| set.data.len()).sum());
            }
            c.within_in_all("records in all zones", &records, budget::RECORDS);
            for (apex, zone) in &draft.zones {
                c.under(apex.to_string().as_str(), |c| c.zone(apex, zone));
            }
            for (app_name, app) in &draft.apps {
                for host in &app.hosts {
                    c.host_in_zone(app_name, host);
                }
            }
        });
    }

    fn zone(&mut self, apex: &DnsName, zone: &Zone) {
        if !zone.records.contains_key(&(apex.clone(), RecordType::Ns)) {
            self.refuse(
                "zone-without-ns",
                format!("zone {apex} has no NS records at its apex"),
                Some("add a record {name: \"@\", type: NS, value: ns1.example.net.}".to_owned()),
            );
        }
        self.under("records", |c| {
            for ((owner, rtype), set) in &zone.records {
                c.at.extend([owner.to_string().as_str().into(), rtype.as_str().into()]);
                let others = RecordType::WRITABLE.iter().filter(|t| *t != rtype);
                if !owner.is_within(apex) {
                    c.refuse("record-outside-zone", format!("{owner} {rtype} lies outside zone {apex}"), None);
                } else if *rtype == RecordType::Cname && owner == apex {
                    c.refuse("cname-at-apex", format!("{owner} is the zone's apex and cannot be a CNAME (RFC 1034 section 3.6.2)"), None);
                } else if *rtype == RecordType::Cname
                    && (set.data.len() > 1 || others.clone().any(|t| zone.records.contains_key(&(owner.clone(), *t))))
                {
                    c.refuse("cname-and-other-data", format!("{owner} has a CNAME, so it can have no other record (RFC 1034 section 3.6.2)"), None);
                } else if *rtype == RecordType::Ns && owner != apex {
                    c.refuse("delegation-not-available", format!("{owner} NS is a delegation; this version answers NS at the apex only"), None);
                }
                let octets = set.data.iter().map(|data| 12 + wire_len(data)).sum();
                c.within(&format!("octets in RRset {owner} {rtype}"), octets, budget::RRSET_OCTETS);
                if set.data.iter().any(|data| data.record_type() != *rtype) || set.data.is_empty() {
                    c.refuse("record-form", format!("{owner} {rtype} holds no data or data of another type"), None);
                } else if set.data.iter().any(is_malformed) {
                    c.refuse("record-form", format!("{owner} {rtype} needs strings of at most 255 octets, at least one"), None);
                }
                c.at.truncate(c.at.len() - 2);
            }
        });
    }

    /// A steered host owns its A, AAAA and so may stand beside other types, but not beside these.
    fn host_in_zone(&mut self, app: &Name, host: &DnsName) {
        let draft = self.draft;
        let mut above = Some(host.clone());
        while let Some(name) = above {
            let zone = draft.zones.get(&name);
            for rtype in [RecordType::A, RecordType::Aaaa, RecordType::Cname] {
                if zone.is_some_and(|zone| zone.records.contains_key(&(host.clone(), rtype))) {
                    self.under(name.to_string().as_str(), |c| {
                        c.under("records", |c| {
                            c.at.extend([host.to_string().as_str().into(), rtype.as_str().into()]);
                            c.refuse(
                                "host-has-record",
                                format!("{host} {rtype} stands in zone {name}, but app `{app}` steers that name"),
                                Some("remove the record or the host".to_owned()),
                            );
                            c.at.truncate(c.at.len() - 2);
                        });
                    });
                }
            }
            above = name.parent();
        }
    }
}

/// Whether a character string cannot be written, or there is none (RFC 1035 section 3.3.14).
fn is_malformed(data: &RData) -> bool {
    match data {
        RData::Txt(strings) => strings.is_empty() || strings.iter().any(|s| s.len() > 255),
        _ => false,
    }
}

fn wire_len(data: &RData) -> usize {
    let mut wire = Vec::new();
    data.write(&mut wire);
    wire.len()
}
