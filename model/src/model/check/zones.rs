//! What can be wrong with zones, and with hosts inside them.

use std::collections::HashSet;

use super::{Checker, Sum};
use crate::{DnsName, Name, RecordType, RrSet, Zone, budget};

/// Nobody reads more about one zone.
const TOLD: usize = 1_000;

/// So many changes are looked at one by one in any zone.
const FEW: usize = 16;

/// Names of a zone below which it has nothing to say, in wire form.
#[derive(Default)]
struct Ends<'z> {
    /// Delegations: owners of NS below the apex.
    cuts: HashSet<&'z [u8]>,
    /// Owners of DNAME.
    dnames: HashSet<&'z [u8]>,
}

impl<'z> Ends<'z> {
    /// All of them.
    fn of(apex: &DnsName, zone: &'z Zone) -> Self {
        let mut ends = Self::default();
        for (owner, set) in zone.records.iter() {
            match set.record_type() {
                RecordType::NS if owner != apex => drop(ends.cuts.insert(owner.wire())),
                RecordType::DNAME => drop(ends.dnames.insert(owner.wire())),
                _ => {}
            }
        }
        ends
    }

    /// Adds those at a name, and the DNAMEs above it.
    fn around(&mut self, apex: &DnsName, zone: &Zone, owner: &'z DnsName) {
        let has = |name: &DnsName, rtype| zone.records.get(name, rtype).is_some();
        if owner != apex && has(owner, RecordType::NS) {
            self.cuts.insert(owner.wire());
        }
        let names = std::iter::successors(Some(owner.clone()), DnsName::parent);
        let names = names.take_while(|name| name.is_within(apex));
        for (name, wire) in names.zip(std::iter::once(owner.wire()).chain(above(owner))) {
            if has(&name, RecordType::DNAME) {
                self.dnames.insert(wire);
            }
        }
    }
}

/// Names that hosts have to be held against again.
#[derive(Default)]
struct Touched<'a> {
    /// Something came to stand here.
    names: HashSet<&'a DnsName>,
    /// Here and below, another zone or nobody has the word.
    trees: Vec<&'a DnsName>,
}

impl Touched<'_> {
    fn holds(&self, host: &DnsName) -> bool {
        self.names.contains(host) || self.trees.iter().any(|tree| host.is_within(tree))
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.trees.is_empty()
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

impl<'a> Checker<'a> {
    pub(super) fn zones(&mut self) {
        let draft = self.draft;
        self.under("zones", |c| {
            let mut records = Sum::default();
            let mut aliases = Sum::default();
            for ((apex, zone), count) in draft.zones.iter().zip(draft.aliases.counts()) {
                records.add(apex, zone.records.records());
                aliases.add(apex, count);
            }
            c.within_in_all("records in all zones", &records, budget::RECORDS);
            c.within_in_all("ALIAS records in all zones", &aliases, budget::ALIASES);
            let mut touched = Touched::default();
            for (apex, zone) in &draft.zones {
                c.under(apex.to_string().as_str(), |c| {
                    c.zone(apex, zone, &mut touched);
                });
            }
            let gone = c.since.map_or(&[][..], |since| since.previous.zones());
            let gone = gone.iter().map(|(apex, _)| apex);
            touched
                .trees
                .extend(gone.filter(|apex| draft.zone(apex).is_none()));
            c.hosts_in_zones(&touched);
        });
    }

    fn hosts_in_zones(&mut self, touched: &Touched<'_>) {
        if touched.is_empty() && self.since.is_some_and(|since| since.apps) {
            return;
        }
        for (name, app) in &self.draft.apps {
            let kept = self.since.is_some_and(|since| since.keeps(name, app));
            for host in app.hosts.iter().filter(|h| !kept || touched.holds(h)) {
                self.host_in_zone(name, host);
            }
        }
    }

    fn zone(&mut self, apex: &'a DnsName, zone: &'a Zone, touched: &mut Touched<'a>) {
        if zone.records.get(apex, RecordType::NS).is_none() {
            self.refuse(
                "zone-without-ns",
                format!("zone {apex} has no NS records at its apex"),
                Some("add a record {name: \"@\", type: NS, value: ns1.example.net.}".to_owned()),
            );
        }
        let old = self.since.and_then(|since| since.previous.zone(apex));
        self.under("records", |c| {
            if old.is_some_and(|old| c.changes(apex, zone, old, touched)) {
                return;
            }
            touched.trees.push(apex);
            let ends = Ends::of(apex, zone);
            let before = c.wrong.len();
            for (owner, set) in zone.records.iter() {
                if c.wrong.len() - before >= TOLD {
                    return;
                }
                c.record(apex, zone, &ends, owner, set);
            }
        });
    }

    /// Looks at what differs from a zone that was found right, and at what depends on it; false, and
    /// nothing looked at, when that is much of it.
    fn changes(
        &mut self,
        apex: &DnsName,
        zone: &'a Zone,
        old: &'a Zone,
        touched: &mut Touched<'a>,
    ) -> bool {
        let limit = (zone.records.len() / 8).max(FEW);
        let changes = old.records.diff(&zone.records);
        let changes: Vec<_> = changes.take(limit + 1).collect();
        if changes.len() > limit {
            return false;
        }
        let mut ends = Ends::default();
        let mut owners = Vec::new();
        for change in changes {
            let comes = change.old.is_none() && change.new.is_some();
            if owners.last() != Some(&change.owner) {
                owners.push(change.owner);
                ends.around(apex, zone, change.owner);
            }
            if change.new.is_some() {
                touched.names.insert(change.owner);
            }
            if comes && matches!(change.rtype, RecordType::NS | RecordType::DNAME) {
                touched.trees.push(change.owner);
            }
            // One that is wrong is enough: then everything is looked at.
            let mut below = zone.records.below(change.owner);
            if comes
                && change.rtype == RecordType::DNAME
                && let Some((owner, set)) = below.next()
            {
                self.record(apex, zone, &ends, owner, set);
            }
        }
        for owner in owners {
            for set in zone.records.at(owner) {
                self.record(apex, zone, &ends, owner, set);
            }
        }
        true
    }

    fn record(
        &mut self,
        apex: &DnsName,
        zone: &Zone,
        ends: &Ends<'_>,
        owner: &DnsName,
        set: &RrSet,
    ) {
        self.checked.sets += 1;
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
            .filter_map(|apex| draft.zone(&apex));
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
