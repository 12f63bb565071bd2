//! What the zones of a Model have at a name, as answers find it. Hosts of apps are not known here.

use std::sync::Arc;

use super::Model;
use crate::{DnsName, RecordType, SteeredRecord, Zone};

/// What our zones have at a name.
#[derive(Debug)]
pub enum Standing<'m> {
    /// It lies in none of them.
    Foreign,
    /// It lies in one that has nothing to say about it: it is delegated, or lies below a DNAME.
    GivenAway,
    /// It does not exist in the zone of this apex.
    Missing(&'m DnsName),
    /// It exists, or a wildcard answers for it.
    At {
        /// The zone.
        zone: &'m Zone,
        /// Whose records answer: the name, or the wildcard (RFC 4592 section 3.3.1).
        owner: DnsName,
    },
}

impl Model {
    /// What the deepest zone around a name has there.
    pub fn standing(&self, name: &DnsName) -> Standing<'_> {
        let Some((apex, zone)) = zone_of(&self.zones, name) else {
            return Standing::Foreign;
        };
        if is_given_away(apex, zone, name) {
            return Standing::GivenAway;
        }
        let owner = match name == apex {
            true => Some(name.clone()),
            false => answering(apex, zone, name),
        };
        // That there is such a wildcard is not said yet.
        match owner.filter(|at| at == name || zone.records.at(at).next().is_some()) {
            Some(owner) => Standing::At { zone, owner },
            None => Standing::Missing(apex),
        }
    }

    /// The record of a name and type that differs by cluster.
    pub fn steered_at(&self, owner: &DnsName, rtype: RecordType) -> Option<&SteeredRecord> {
        differing(&self.steered, owner, rtype)
    }
}

/// Of records in the order of their keys, that of a key.
pub(super) fn differing<'s>(
    steered: &'s [((DnsName, RecordType), SteeredRecord)],
    owner: &DnsName,
    rtype: RecordType,
) -> Option<&'s SteeredRecord> {
    let at = steered.binary_search_by(|((name, of), _)| (name, of).cmp(&(owner, &rtype)));
    Some(&steered.get(at.ok()?)?.1)
}

/// The name whose records answer for a name: itself, or the wildcard at its closest encloser (RFC
/// 4592 section 3.3.1).
pub(super) fn answering(apex: &DnsName, zone: &Zone, name: &DnsName) -> Option<DnsName> {
    let exists = |at: &DnsName| {
        zone.records.at(at).next().is_some() || zone.records.below(at).next().is_some()
    };
    if exists(name) {
        return Some(name.clone());
    }
    let encloser = std::iter::successors(name.parent(), DnsName::parent)
        .take_while(|at| at.is_within(apex))
        .find(exists)?;
    DnsName::from_wire(&[b"\x01*", encloser.wire()].concat())
}

/// Whether a zone has nothing to say about a name in it: it is delegated, or lies below a DNAME.
pub(super) fn is_given_away(apex: &DnsName, zone: &Zone, name: &DnsName) -> bool {
    let has = |at: &DnsName, rtype| zone.records.get(at, rtype).is_some();
    let cut = std::iter::successors(Some(name.clone()), DnsName::parent)
        .take_while(|at| at != apex)
        .any(|at| has(&at, RecordType::NS));
    cut || std::iter::successors(name.parent(), DnsName::parent)
        .take_while(|at| at.is_within(apex))
        .any(|at| has(&at, RecordType::DNAME))
}

/// The deepest zone around a name.
pub(super) fn zone_of<'z>(
    zones: &'z [(DnsName, Arc<Zone>)],
    name: &DnsName,
) -> Option<(&'z DnsName, &'z Zone)> {
    let mut above = Some(name.clone());
    while let Some(name) = above {
        if let Ok(at) = zones.binary_search_by(|(apex, _)| apex.cmp(&name)) {
            return Some((&zones[at].0, &zones[at].1));
        }
        above = name.parent();
    }
    None
}
