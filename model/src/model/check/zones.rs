//! What can be wrong with zones, and with hosts inside them.

use std::collections::HashSet;

use super::{Checker, Sum};
use crate::{DnsName, Name, RecordType, RrSet, Zone, budget};

/// Nobody reads more about one zone.
const TOLD: usize = 1_000;

/// Names of a zone below which it has nothing to say, in wire form.
struct Ends<'z> {
    /// Delegations: owners of NS below the apex.
    cuts: HashSet<&'z [u8]>,
    /// Owners of DNAME.
    dnames: HashSet<&'z [u8]>,
}

impl<'z> Ends<'z> {
    fn of(apex: &DnsName, zone: &'z Zone) -> Self {
        let mut ends = Self {
            cuts: HashSet::new(),
            dnames: HashSet::new(),
        };
        for (owner, set) in zone.records.iter() {
            match set.record_type() {
                RecordType::NS if owner != apex => drop(ends.cuts.insert(owner.wire())),
                RecordType::DNAME => drop(ends.dnames.insert(owner.wire())),
                _ => {}
            }
        }
        ends
    }
}

/// The names above a name, nearest first, in wire form.
fn above(name: &DnsName) -> impl Iterator<Item = &[u8]> {
    let mut rest = name.wire();
    std::iter::from_fn(move || {
        let len = usize::from(*rest.first()?);
        rest = rest.get(len + 1..).filter(|_| len > 0)?;
        Some(rest)
    })
}

impl Checker<'_> {
    pub(super) fn zones(&mut self) {
        let draft = self.draft;
        self.under("zones", |c| {
            let mut records = Sum::default();
            let mut aliases = Sum::default();
            for (apex, zone) in &draft.zones {
                records.add(apex, zone.records.iter().map(|(_, set)| set.len()).sum());
                let is_alias = |set: &RrSet| set.record_type() == RecordType::ALIAS;
                let count = zone.records.iter().filter(|(_, set)| is_alias(set)).count();
                aliases.add(apex, count);
            }
            c.within_in_all("records in all zones", &records, budget::RECORDS);
            c.within_in_all("ALIAS records in all zones", &aliases, budget::ALIASES);
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
        let ends = Ends::of(apex, zone);
        let before = self.wrong.len();
        self.under("records", |c| {
            for (owner, set) in zone.records.iter() {
                if c.wrong.len() - before >= TOLD {
                    return;
                }
                c.record(apex, zone, &ends, owner, set);
            }
        });
    }

    fn record(
        &mut self,
        apex: &DnsName,
        zone: &Zone,
        ends: &Ends<'_>,
        owner: &DnsName,
        set: &RrSet,
    ) {
        let rtype = set.record_type();
        let mut refuse = |code, message| self.refuse_record(owner, rtype, code, message);
        if !owner.is_within(apex) {
            return refuse(
                "record-outside-zone",
                format!("{owner} {rtype} lies outside zone {apex}"),
            );
        }
        match rtype {
            RecordType::CNAME if owner == apex => {
                refuse(
                    "cname-at-apex",
                    format!(
                        "{owner} is the zone's apex and cannot be a CNAME (RFC 1034 section 3.6.2)"
                    ),
                );
            }
            RecordType::CNAME if set.len() > 1 || zone.records.at(owner).count() > 1 => {
                refuse(
                    "cname-and-other-data",
                    format!(
                        "{owner} has a CNAME, so it can have no other record (RFC 1034 section 3.6.2)"
                    ),
                );
            }
            RecordType::ALIAS if set.len() > 1 => {
                refuse(
                    "several-aliases",
                    format!("{owner} has {} ALIAS records, one is allowed", set.len()),
                );
            }
            RecordType::ALIAS
                if zone.records.get(owner, RecordType::A).is_some()
                    || zone.records.get(owner, RecordType::AAAA).is_some() =>
            {
                refuse(
                    "alias-and-addresses",
                    format!("{owner} has an ALIAS, so it can have no A or AAAA record"),
                );
            }
            RecordType::NS | RecordType::DNAME if owner.is_wildcard() => {
                refuse(
                    "wildcard-without-meaning",
                    format!(
                        "{owner} {rtype} has no defined meaning at a wildcard (RFC 4592 sections 4.2 and 4.4)"
                    ),
                );
            }
            RecordType::DNAME if set.len() > 1 => {
                refuse(
                    "several-dnames",
                    format!(
                        "{owner} has {} DNAME records, one is allowed (RFC 6672 section 2.4)",
                        set.len()
                    ),
                );
            }
            RecordType::DNAME if ends.cuts.contains(owner.wire()) => {
                refuse(
                    "dname-at-delegation",
                    format!(
                        "{owner} is delegated by its NS records, so it can have no DNAME (RFC 6672 section 2.3)"
                    ),
                );
            }
            RecordType::SOA => {
                refuse(
                    "record-form",
                    format!("{owner} SOA is no record of its own; the zone's `soa` is"),
                );
            }
            _ if rtype.is_meta() => {
                refuse(
                    "record-form",
                    format!("{owner} {rtype} is no record that a zone can have"),
                );
            }
            _ if !ends.dnames.is_empty() && above(owner).any(|name| ends.dnames.contains(name)) => {
                refuse(
                    "data-below-dname",
                    format!(
                        "{owner} {rtype} lies below a DNAME, which renames all that is there (RFC 6672 section 2.4)"
                    ),
                );
            }
            _ => {}
        }
        let octets: usize = set.data().map(|data| 12 + data.wire().len()).sum();
        if octets > budget::RRSET_OCTETS {
            let message = format!(
                "{octets} octets in RRset {owner} {rtype}, at most {} are allowed",
                budget::RRSET_OCTETS
            );
            self.refuse_record(owner, rtype, "budget-exceeded", message);
        }
    }

    /// Refuses what stands at an owner and type; the path is under `records` of a zone.
    fn refuse_record(
        &mut self,
        owner: &DnsName,
        rtype: RecordType,
        code: &'static str,
        message: String,
    ) {
        self.under(&*owner.to_string(), |c| {
            c.under(&*rtype.to_string(), |c| c.refuse(code, message, None));
        });
    }

    /// A steered host owns its A and AAAA and so may stand beside other types, but not beside these,
    /// and not where its zone has nothing to say.
    fn host_in_zone(&mut self, app: &Name, host: &DnsName) {
        let draft = self.draft;
        let zones = std::iter::successors(Some(host.clone()), DnsName::parent)
            .filter_map(|apex| draft.zones.get_key_value(&apex));
        for (at, (apex, zone)) in zones.enumerate() {
            let has = |name: &DnsName, rtype| zone.records.get(name, rtype).is_some();
            for rtype in [
                RecordType::A,
                RecordType::AAAA,
                RecordType::CNAME,
                RecordType::ALIAS,
            ] {
                if has(host, rtype) {
                    let message = format!(
                        "{host} {rtype} stands in zone {apex}, but app `{app}` steers that name"
                    );
                    self.refuse_host(apex, host, rtype, "host-has-record", message);
                }
            }
            // In zones further above the host is not looked for.
            if at > 0 {
                continue;
            }
            for name in std::iter::successors(Some(host.clone()), DnsName::parent)
                .take_while(|name| name != apex)
            {
                if has(&name, RecordType::NS) {
                    let message =
                        format!("{name} is delegated, so app `{app}` cannot steer {host} here");
                    self.refuse_host(
                        apex,
                        &name,
                        RecordType::NS,
                        "host-below-delegation",
                        message,
                    );
                }
            }
            for name in std::iter::successors(host.parent(), DnsName::parent)
                .take_while(|name| name.is_within(apex))
            {
                if has(&name, RecordType::DNAME) {
                    let message =
                        format!("{name} has a DNAME, so app `{app}` cannot steer {host} below it");
                    self.refuse_host(apex, &name, RecordType::DNAME, "data-below-dname", message);
                }
            }
        }
    }

    fn refuse_host(
        &mut self,
        apex: &DnsName,
        owner: &DnsName,
        rtype: RecordType,
        code: &'static str,
        message: String,
    ) {
        self.under(&*apex.to_string(), |c| {
            c.under("records", |c| {
                c.under(&*owner.to_string(), |c| {
                    c.under(&*rtype.to_string(), |c| {
                        let help = "remove the record or the host".to_owned();
                        c.refuse(code, message, Some(help));
                    });
                });
            });
        });
    }
}
