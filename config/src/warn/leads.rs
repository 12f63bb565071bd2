//! Records that lead to names of ours that are not there, and aliases that lead in a circle.

use std::collections::{BTreeMap, BTreeSet};

use windrose_model::{DnsName, Model, RDataRef, RecordType, RrSet, Standing, SteeredData};

/// Aliases that an answer follows.
const HOPS: usize = 8;

/// Whether records of a type lead to names that should be there.
pub(crate) const fn leads(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::NS | RecordType::MX | RecordType::SRV) || is_alias(rtype)
}

pub(super) const fn is_alias(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::CNAME | RecordType::ALIAS)
}

/// The names of a Model, hosts of apps among them.
pub(super) struct Names<'m> {
    pub(super) model: &'m Model,
    hosts: BTreeSet<&'m DnsName>,
}

/// Where aliases lead that never end.
pub(super) enum Endless {
    /// From the first of these names through all of them and back to it.
    Circle(Vec<DnsName>),
    /// Further than an answer follows.
    TooFar,
}

impl<'m> Names<'m> {
    pub(super) fn of(model: &'m Model) -> Self {
        let apps = model.apps().iter();
        Self {
            model,
            hosts: apps.flat_map(|(_, app)| &app.hosts).collect(),
        }
    }

    pub(super) fn is_host(&self, name: &DnsName) -> bool {
        self.hosts.contains(name)
    }

    /// Whether a set leads to a name in any of our zones.
    pub(super) fn stays(&self, owner: &DnsName, set: &RrSet) -> bool {
        let ours = |name: &DnsName| !matches!(self.model.standing(name), Standing::Foreign);
        self.targets(owner, set).iter().any(ours)
    }

    /// Where a set leads; of one that differs by cluster, anywhere.
    pub(super) fn targets(&self, owner: &DnsName, set: &RrSet) -> Vec<DnsName> {
        if set.steered().is_none() {
            return targets_in(set);
        }
        let record = self.model.steered_at(owner, set.record_type());
        match record.map(|record| &record.data) {
            Some(SteeredData::ByCluster(sets)) => sets.values().flat_map(targets_in).collect(),
            _ => Vec::new(),
        }
    }

    /// The zone in which a name should be and is not. Hosts, names above hosts and zones, and what a
    /// wildcard covers, are there.
    pub(super) fn missing_in(&self, name: &DnsName) -> Option<&'m DnsName> {
        let Standing::Missing(apex) = self.model.standing(name) else {
            return None;
        };
        let zones = self.model.zones();
        let next = zones.partition_point(|(apex, _)| apex < name);
        let above_zone = zones
            .get(next)
            .is_some_and(|(apex, _)| apex.is_within(name));
        let above_host = || {
            let next = self.hosts.range::<DnsName, _>(name..).next();
            next.is_some_and(|host| host.is_within(name))
        };
        let by_wildcard = || {
            std::iter::successors(name.parent(), DnsName::parent)
                .take_while(|above| above.is_within(apex))
                .filter_map(|above| DnsName::relative("*", &above).ok())
                .any(|star| self.is_host(&star))
        };
        (!above_zone && !above_host() && !by_wildcard()).then_some(apex)
    }

    /// Whether an alias never ends. A circle is told of the least name in it only.
    pub(super) fn endless(&self, owner: &DnsName, set: &RrSet) -> Option<Endless> {
        let mut from: BTreeMap<DnsName, DnsName> = BTreeMap::new();
        let mut edge = vec![(owner.clone(), self.targets(owner, set))];
        for _ in 0..HOPS {
            let mut further = Vec::new();
            for (at, targets) in edge {
                for target in targets {
                    let Some((next, targets)) = self.alias_at(&target) else {
                        continue;
                    };
                    if next == *owner {
                        let circle = back(&from, at);
                        let is_least = circle.iter().all(|name| owner <= name);
                        return is_least.then_some(Endless::Circle(circle));
                    }
                    if !from.contains_key(&next) {
                        from.insert(next.clone(), at.clone());
                        further.push((next, targets));
                    }
                }
            }
            if further.is_empty() {
                return None;
            }
            edge = further;
        }
        Some(Endless::TooFar)
    }

    /// The alias that answers for a name, and where it leads.
    fn alias_at(&self, name: &DnsName) -> Option<(DnsName, Vec<DnsName>)> {
        let Standing::At { zone, owner } = self.model.standing(name) else {
            return None;
        };
        // Around a host no wildcard answers.
        if self.is_host(name) || (owner != *name && self.is_below_host(name)) {
            return None;
        }
        let alias = [RecordType::CNAME, RecordType::ALIAS];
        let set = alias
            .iter()
            .find_map(|rtype| zone.records.get(&owner, *rtype))?;
        let targets = self.targets(&owner, set);
        Some((owner, targets))
    }

    fn is_below_host(&self, name: &DnsName) -> bool {
        std::iter::successors(name.parent(), DnsName::parent).any(|above| self.is_host(&above))
    }
}

fn targets_in(set: &RrSet) -> Vec<DnsName> {
    let target = |data: RDataRef<'_>| match set.record_type() {
        RecordType::ALIAS => DnsName::from_wire(data.wire()),
        _ => data.target_name(),
    };
    // A lone dot says that there is none (RFC 7505, RFC 2782).
    let named = set.data().filter_map(target);
    named.filter(|name| name.wire() != [0]).collect()
}

/// The way to a name, the first one first.
fn back(from: &BTreeMap<DnsName, DnsName>, last: DnsName) -> Vec<DnsName> {
    let mut way: Vec<_> =
        std::iter::successors(Some(last), |name| from.get(name).cloned()).collect();
    way.reverse();
    way
}
