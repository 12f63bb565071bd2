//! Which foreign names the ALIAS records of our zones lead to.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{DnsName, RecordType, Zone};

/// Names followed inside our zones, as answers do.
const HOPS: usize = 8;

/// The aliases of a Model.
#[derive(Debug, Clone, Default)]
pub(super) struct AliasNames {
    /// By zone, in its order: owner and target.
    zones: Vec<Arc<[(DnsName, DnsName)]>>,
    /// Foreign names that some alias leads to.
    pub(super) foreign: BTreeSet<DnsName>,
}

type Zones = [(DnsName, Arc<Zone>)];

impl AliasNames {
    /// Looks at every record of zones that are new or have changed, at none of the others.
    pub(super) fn of(zones: &Zones, previous: Option<(&Zones, &Self)>) -> Self {
        let known = |apex: &DnsName, zone: &Arc<Zone>| {
            let (before, names) = previous?;
            let at = before.binary_search_by(|(name, _)| name.cmp(apex)).ok()?;
            let same = Arc::ptr_eq(&before[at].1, zone);
            same.then(|| names.zones.get(at).map(Arc::clone)).flatten()
        };
        let mut names = Self {
            zones: zones
                .iter()
                .map(|(apex, zone)| known(apex, zone).unwrap_or_else(|| aliases_in(zone)))
                .collect(),
            foreign: BTreeSet::new(),
        };
        let targets = names.all().filter_map(|(_, target)| foreign(zones, target));
        names.foreign = targets.collect();
        names
    }

    /// Owner and target of each.
    pub(super) fn all(&self) -> impl Iterator<Item = &(DnsName, DnsName)> {
        self.zones.iter().flat_map(|zone| zone.iter())
    }
}

fn aliases_in(zone: &Zone) -> Arc<[(DnsName, DnsName)]> {
    let records = zone.records.iter();
    let aliases = records.filter(|(_, set)| set.record_type() == RecordType::ALIAS);
    aliases
        .filter_map(|(owner, set)| {
            let target = DnsName::from_wire(set.data().next()?.wire())?;
            Some((owner.clone(), target))
        })
        .collect()
}

/// Where a target leads outside our zones, through aliases of ours; none when it stays inside.
fn foreign(zones: &Zones, target: &DnsName) -> Option<DnsName> {
    let mut target = target.clone();
    for _ in 0..HOPS {
        let Some(zone) = zone_of(zones, &target) else {
            return Some(target);
        };
        let alias = [RecordType::CNAME, RecordType::ALIAS];
        let set = alias.iter().find_map(|t| zone.records.get(&target, *t))?;
        target = DnsName::from_wire(set.data().next()?.wire())?;
    }
    None
}

/// The deepest zone around a name.
fn zone_of<'z>(zones: &'z Zones, name: &DnsName) -> Option<&'z Zone> {
    let mut above = Some(name.clone());
    while let Some(name) = above {
        if let Ok(at) = zones.binary_search_by(|(apex, _)| apex.cmp(&name)) {
            return Some(&zones[at].1);
        }
        above = name.parent();
    }
    None
}
