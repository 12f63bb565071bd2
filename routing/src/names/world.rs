//! What exists: zones with their records and hosts of apps, seen as one tree of names (RFC 1034
//! section 4.2), with what lies below cuts, DNAMEs and deeper zones taken away.
//!
//! Two ways lead to the same names: [`World::walk`] goes through everything in order, and
//! [`World::at`] asks for one name. The index is built by the first and kept up to date by the
//! second.

use std::sync::Arc;

use windrose_model::{DnsName, RecordType, RrSet, Zone};

use super::node::Flags;
use super::shard::NO_APP;

/// Zones and hosts of one Model, with the numbers of the index.
pub(super) struct World<'a> {
    /// Sorted by apex.
    pub(super) zones: &'a [Source],
    /// Sorted by host, with the number of the app.
    pub(super) hosts: &'a [(DnsName, u32)],
}

/// A zone that names come from.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) apex: DnsName,
    pub(super) zone: Arc<Zone>,
    pub(super) number: u32,
}

/// A name that exists.
pub(super) struct Found<'a> {
    pub(super) name: &'a [u8],
    pub(super) zone: u32,
    pub(super) flags: Flags,
    pub(super) app: u32,
    pub(super) sets: &'a [&'a RrSet],
}

/// What hides the names below it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Veil {
    Cut,
    Dname,
}

impl World<'_> {
    /// The deepest zone around a name, by position.
    pub(super) fn zone_of(&self, name: &DnsName) -> Option<usize> {
        let mut name = name.clone();
        loop {
            if let Ok(at) = self.zones.binary_search_by(|z| z.apex.cmp(&name)) {
                return Some(at);
            }
            name = name.parent()?;
        }
    }

    /// Every name that exists, empty non-terminals and glue included, zone by zone in order.
    pub(super) fn walk(&self, mut found: impl FnMut(Found<'_>)) {
        for at in 0..self.zones.len() {
            self.walk_zone(at, &mut found);
        }
    }

    fn walk_zone(&self, at: usize, found: &mut impl FnMut(Found<'_>)) {
        let Source { apex, zone, number } = &self.zones[at];
        let mut records = zone.records.iter().peekable();
        let mut kids = (self.zones[at + 1..].iter().map(|kid| &kid.apex))
            .take_while(|kid| kid.is_within(apex))
            .peekable();
        let first_host = self.hosts.partition_point(|(host, _)| host < apex);
        let mut hosts = (self.hosts[first_host..].iter())
            .take_while(|(host, _)| host.is_within(apex))
            .peekable();
        let mut sets: Vec<&RrSet> = Vec::new();
        let mut veil: Option<(&DnsName, Veil)> = None;
        let mut deeper: Option<&DnsName> = None;
        let mut last = apex;
        let mut next = Some(apex);
        while let Some(name) = next {
            sets.clear();
            while let Some((_, set)) = records.next_if(|(owner, _)| *owner == name) {
                sets.push(set);
            }
            let host = hosts.next_if(|(host, _)| host == name);
            let app = host.map_or(NO_APP, |(_, app)| *app);
            let kid = kids.next_if(|kid| *kid == name);
            next = [
                records.peek().map(|(owner, _)| *owner),
                hosts.peek().map(|(host, _)| host),
                kids.peek().copied(),
            ]
            .into_iter()
            .flatten()
            .min();
            if deeper.is_some_and(|deeper| name.is_within(deeper)) {
                continue;
            }
            veil = veil.filter(|(top, _)| name.is_within(top));
            let mut say = |name: &[u8], flags, app, sets: &[&RrSet]| {
                found(Found {
                    name,
                    zone: *number,
                    flags,
                    app,
                    sets,
                });
            };
            match veil {
                _ if kid.is_some() => deeper = kid,
                Some((_, Veil::Dname)) => continue,
                Some((_, Veil::Cut)) => {
                    sets.retain(|set| is_address(set));
                    if !sets.is_empty() {
                        say(name.wire(), Flags::GLUE, NO_APP, &sets);
                    }
                    continue;
                }
                None => {}
            }
            if veil.is_none() {
                for above in between(name.wire(), apex.wire()) {
                    if !is_within(last.wire(), above) {
                        say(above, Flags::NONE, NO_APP, &[]);
                    }
                }
                last = name;
            }
            if kid.is_some() {
                continue;
            }
            if name == apex {
                self.parental(at, &mut sets);
            }
            let flags = flags(name == apex, &sets);
            say(name.wire(), flags, app, &sets);
            veil = veil_of(flags).map(|veil| (name, veil));
        }
    }

    /// What the walk says of one name; its sets go to `sets`.
    pub(super) fn at<'s>(
        &'s self,
        name: &'s DnsName,
        sets: &'s mut Vec<&'s RrSet>,
    ) -> Option<Found<'s>> {
        let at = self.zone_of(name)?;
        let Source { apex, zone, number } = &self.zones[at];
        sets.clear();
        sets.extend(zone.records.at(name));
        let mut found = Found {
            name: name.wire(),
            zone: *number,
            flags: Flags::NONE,
            app: NO_APP,
            sets: &[],
        };
        match veil_over(&self.zones[at], name) {
            Some(Veil::Dname) => return None,
            Some(Veil::Cut) => {
                sets.retain(|set| is_address(set));
                found.flags = Flags::GLUE;
                found.sets = sets;
                return (!found.sets.is_empty()).then_some(found);
            }
            None => {}
        }
        if name == apex {
            self.parental(at, sets);
        }
        if let Ok(host) = self.hosts.binary_search_by(|(host, _)| host.cmp(name)) {
            found.app = self.hosts[host].1;
        }
        found.flags = flags(name == apex, sets);
        found.sets = sets;
        let exists = name == apex || !found.sets.is_empty() || found.app != NO_APP;
        (exists || self.has_below(at, name)).then_some(found)
    }

    /// Whether a zone of ours has something strictly below a name.
    fn has_below(&self, at: usize, name: &DnsName) -> bool {
        let next = |list: Option<&DnsName>| list.is_some_and(|next| next.is_within(name));
        let hosts = self.hosts.partition_point(|(host, _)| host <= name);
        let zones = self.zones.partition_point(|zone| zone.apex <= *name);
        next(
            self.zones[at]
                .zone
                .records
                .below(name)
                .next()
                .map(|(o, _)| o),
        ) || next(self.hosts.get(hosts).map(|(host, _)| host))
            || next(self.zones.get(zones).map(|zone| &zone.apex))
    }

    /// At the apex of a zone whose parent is ours too, DS is the parent's to say (RFC 4035 section
    /// 3.1.4.1): its records take the place of what the zone itself has.
    fn parental<'s>(&'s self, at: usize, sets: &mut Vec<&'s RrSet>) {
        let apex = &self.zones[at].apex;
        let Some(above) = self.above(at) else {
            return;
        };
        sets.retain(|set| set.record_type() != RecordType::DS);
        if veil_over(&self.zones[above], apex).is_none() {
            sets.extend(self.zones[above].zone.records.get(apex, RecordType::DS));
        }
    }

    /// The zone of ours above a zone.
    pub(super) fn above(&self, at: usize) -> Option<usize> {
        self.zone_of(&self.zones[at].apex.parent()?)
    }
}

fn flags(is_apex: bool, sets: &[&RrSet]) -> Flags {
    let holds = |rtype| sets.iter().any(|set| set.record_type() == rtype);
    let mut flags = if is_apex { Flags::APEX } else { Flags::NONE };
    if !is_apex && holds(RecordType::NS) {
        flags = flags.and(Flags::CUT);
    }
    if holds(RecordType::DNAME) {
        flags = flags.and(Flags::DNAME);
    }
    flags
}

/// What a name with these flags is for the names below it. A cut comes first: a DNAME beside it is
/// on the other side.
fn veil_of(flags: Flags) -> Option<Veil> {
    if flags.has(Flags::CUT) {
        Some(Veil::Cut)
    } else {
        flags.has(Flags::DNAME).then_some(Veil::Dname)
    }
}

/// The topmost cut or DNAME of a zone that a name lies strictly below.
fn veil_over(zone: &Source, name: &DnsName) -> Option<Veil> {
    let Source { apex, zone, .. } = zone;
    let mut veil = None;
    let mut name = name.clone();
    while name != *apex
        && let Some(above) = name.parent()
    {
        if above != *apex && zone.records.get(&above, RecordType::NS).is_some() {
            veil = Some(Veil::Cut);
        } else if zone.records.get(&above, RecordType::DNAME).is_some() {
            veil = Some(Veil::Dname);
        }
        name = above;
    }
    veil
}

fn is_address(set: &RrSet) -> bool {
    matches!(set.record_type(), RecordType::A | RecordType::AAAA)
}

/// The names strictly between a name and its zone's apex, from the top.
fn between<'n>(name: &'n [u8], apex: &[u8]) -> impl Iterator<Item = &'n [u8]> {
    // A name has at most 127 labels.
    let mut starts = [0_u8; 128];
    let mut count = 0;
    let mut at = usize::from(name[0]) + 1;
    while name.len() - at > apex.len() {
        starts[count] = u8::try_from(at).unwrap_or(u8::MAX);
        count += 1;
        at += usize::from(name[at]) + 1;
    }
    (0..count)
        .rev()
        .map(move |i| &name[usize::from(starts[i])..])
}

fn is_within(name: &[u8], zone: &[u8]) -> bool {
    let mut at = 0;
    while name.len() - at > zone.len() {
        at += usize::from(name[at]) + 1;
    }
    name[at..] == *zone
}
