//! Which foreign names the ALIAS records of our zones lead to.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::standing::{answering, differing, is_given_away, zone_of};
use crate::{DnsName, RecordType, RrSet, SteeredData, SteeredRecord, Zone};

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
/// In the order of their keys.
type Steered = [((DnsName, RecordType), SteeredRecord)];

impl AliasNames {
    /// Looks at every record of zones that are new, at what is different in those that were there
    /// before. Where they lead is for [`follow`](Self::follow).
    pub(super) fn of(zones: &Zones, previous: Option<(&Zones, &Self)>) -> Self {
        let known = |apex: &DnsName, zone: &Arc<Zone>| {
            let (before, names) = previous?;
            let at = before.binary_search_by(|(name, _)| name.cmp(apex)).ok()?;
            let mut changes = before[at].1.records.diff(&zone.records);
            let same = !changes.any(|change| change.rtype == RecordType::ALIAS);
            same.then(|| names.zones.get(at).map(Arc::clone)).flatten()
        };
        Self {
            zones: zones
                .iter()
                .map(|(apex, zone)| known(apex, zone).unwrap_or_else(|| aliases_in(zone)))
                .collect(),
            foreign: BTreeSet::new(),
        }
    }

    /// Finds the foreign names behind them.
    pub(super) fn follow(mut self, zones: &Zones, steered: &Steered) -> Self {
        let mut foreign = BTreeSet::new();
        for (_, target) in self.all() {
            follow(zones, steered, target, &mut foreign);
        }
        self.foreign = foreign;
        self
    }

    /// How many each zone has, in the order of zones.
    pub(super) fn counts(&self) -> impl Iterator<Item = usize> {
        self.zones.iter().map(|zone| zone.len())
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

/// Adds the names outside our zones that a target leads to, through aliases of ours; none when it
/// stays inside. One that differs by cluster leads to several. Hosts of apps are not known here: what
/// a wildcard around one leads to may be added too, and is never answered with.
fn follow(zones: &Zones, steered: &Steered, target: &DnsName, foreign: &mut BTreeSet<DnsName>) {
    let mut names = BTreeSet::from([target.clone()]);
    for _ in 0..HOPS {
        let mut further = BTreeSet::new();
        for name in names {
            match zone_of(zones, &name) {
                Some((apex, zone)) if !is_given_away(apex, zone, &name) => {
                    further.extend(aliases_at(steered, apex, zone, &name));
                }
                _ => {
                    foreign.insert(name);
                }
            }
        }
        names = further;
    }
}

/// Where an alias at a name of ours leads.
fn aliases_at(steered: &Steered, apex: &DnsName, zone: &Zone, name: &DnsName) -> Vec<DnsName> {
    let targets = |set: &RrSet| -> Vec<DnsName> {
        let data = set.data();
        data.filter_map(|data| DnsName::from_wire(data.wire()))
            .collect()
    };
    let Some(owner) = answering(apex, zone, name) else {
        return Vec::new();
    };
    let alias = [RecordType::CNAME, RecordType::ALIAS];
    let Some(set) = (alias.iter()).find_map(|rtype| zone.records.get(&owner, *rtype)) else {
        return Vec::new();
    };
    if set.steered().is_none() {
        return targets(set);
    }
    match differing(steered, &owner, set.record_type()).map(|record| &record.data) {
        Some(SteeredData::ByCluster(sets)) => sets.values().flat_map(targets).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RData, Records, RrSet, Soa, Ttl};

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    fn zones(records: &[(&str, RData)]) -> Vec<(DnsName, Arc<Zone>)> {
        let ttl = Ttl::new(60).unwrap();
        let mut all = Records::new();
        for (owner, data) in records {
            all.insert(name(owner), RrSet::single(ttl, data));
        }
        let soa = Soa {
            mname: name("ns.test"),
            rname: name("root.test"),
            serial: 1,
            refresh: 1,
            retry: 1,
            expire: 1,
            minimum: 1,
            ttl,
        };
        let zone = Zone { soa, records: all };
        vec![(name("example.com"), Arc::new(zone))]
    }

    fn check(records: &[(&str, RData)], expected: &[&str]) {
        let zones = zones(records);
        let names = AliasNames::of(&zones, None).follow(&zones, &[]);
        let found: Vec<_> = names.foreign.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_alias_that_differs_by_cluster_leads_to_all_of_its_targets() {
        let cname =
            |target: &str| RrSet::single(Ttl::new(60).unwrap(), &RData::cname(&name(target)));
        let mut zones = zones(&[("example.com", RData::alias(&name("by.example.com")))]);
        let zone = Arc::make_mut(&mut zones[0].1);
        let numbered = cname("one.test").numbered(4_711);
        zone.records.insert(name("by.example.com"), numbered);
        let sets = [("a", "one.test"), ("b", "two.test")];
        let sets =
            sets.map(|(cluster, target)| (crate::Name::new(cluster).unwrap(), cname(target)));
        let record = SteeredRecord {
            app: crate::Name::new("shop").unwrap(),
            steering: None,
            data: SteeredData::ByCluster(sets.into()),
        };
        let steered = [((name("by.example.com"), RecordType::CNAME), record)];
        let names = AliasNames::of(&zones, None).follow(&zones, &steered);
        let expected = BTreeSet::from([name("one.test"), name("two.test")]);
        assert_eq!(names.foreign, expected);
    }

    #[test]
    fn a_target_is_foreign_unless_our_zones_answer_for_it() {
        let to = |target: &str| RData::alias(&name(target));
        check(&[("example.com", to("cdn.test"))], &["cdn.test"]);
        check(&[("example.com", to("www.example.com"))], &[]);
        // Through a CNAME of ours.
        let www = ("www.example.com", RData::cname(&name("cdn.test")));
        check(
            &[("example.com", to("www.example.com")), www],
            &["cdn.test"],
        );
        // Delegated away, and renamed.
        let cut = ("k8s.example.com", RData::ns(&name("ns.test")));
        check(
            &[("example.com", to("www.k8s.example.com")), cut],
            &["www.k8s.example.com"],
        );
        let renamed = ("old.example.com", RData::dname(&name("new.test")));
        check(
            &[("example.com", to("www.old.example.com")), renamed],
            &["www.old.example.com"],
        );
        // By a wildcard, but not at a name that is there, or between names.
        let any = ("*.wild.example.com", RData::cname(&name("cdn.test")));
        let deep = ("a.b.wild.example.com", RData::cname(&name("other.test")));
        for (target, leads) in [
            ("x.y.wild.example.com", &["cdn.test"][..]),
            ("a.b.wild.example.com", &["other.test"]),
            ("b.wild.example.com", &[]),
            ("c.b.wild.example.com", &[]),
            ("wild.example.com", &[]),
        ] {
            let records = [("example.com", to(target)), any.clone(), deep.clone()];
            check(&records, leads);
        }
        // A circle leads nowhere.
        check(
            &[
                ("a.example.com", to("b.example.com")),
                ("b.example.com", to("a.example.com")),
            ],
            &[],
        );
    }
}
