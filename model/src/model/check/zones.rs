//! What can be wrong with zones, and with hosts inside them.

use super::{Checker, Sum};
use crate::{DnsName, Name, RecordType, Zone, budget};

impl Checker<'_> {
    pub(super) fn zones(&mut self) {
        let draft = self.draft;
        self.under("zones", |c| {
            let mut records = Sum::default();
            for (apex, zone) in &draft.zones {
                records.add(apex, zone.records.iter().map(|(_, set)| set.len()).sum());
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
        if zone.records.get(apex, RecordType::NS).is_none() {
            self.refuse(
                "zone-without-ns",
                format!("zone {apex} has no NS records at its apex"),
                Some("add a record {name: \"@\", type: NS, value: ns1.example.net.}".to_owned()),
            );
        }
        self.under("records", |c| {
            for (owner, set) in zone.records.iter() {
                let rtype = set.record_type();
                c.at.extend([owner.to_string().as_str().into(), rtype.to_string().as_str().into()]);
                if !owner.is_within(apex) {
                    c.refuse("record-outside-zone", format!("{owner} {rtype} lies outside zone {apex}"), None);
                } else if rtype == RecordType::CNAME && owner == apex {
                    c.refuse("cname-at-apex", format!("{owner} is the zone's apex and cannot be a CNAME (RFC 1034 section 3.6.2)"), None);
                } else if rtype == RecordType::CNAME && (set.len() > 1 || zone.records.at(owner).count() > 1) {
                    c.refuse("cname-and-other-data", format!("{owner} has a CNAME, so it can have no other record (RFC 1034 section 3.6.2)"), None);
                } else if rtype == RecordType::NS && owner != apex {
                    c.refuse("delegation-not-available", format!("{owner} NS is a delegation; this version answers NS at the apex only"), None);
                } else if rtype == RecordType::SOA {
                    c.refuse("record-form", format!("{owner} SOA is no record of its own; the zone's `soa` is"), None);
                }
                let octets = set.data().map(|data| 12 + data.wire().len()).sum();
                c.within(&format!("octets in RRset {owner} {rtype}"), octets, budget::RRSET_OCTETS);
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
            for rtype in [RecordType::A, RecordType::AAAA, RecordType::CNAME] {
                if zone.is_some_and(|zone| zone.records.get(host, rtype).is_some()) {
                    self.under(name.to_string().as_str(), |c| {
                        c.under("records", |c| {
                            c.at.extend([host.to_string().as_str().into(), rtype.to_string().as_str().into()]);
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
