//! What steps read of a client's place.

use std::collections::BTreeSet;

use ipnet::IpNet;
use windrose_model::{Asn, City, ClientSet, GeoRules, Name, Step, Subdivision};

/// What is read; all else is left out of the atlas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Reads {
    /// Countries, and by them continents.
    pub(crate) countries: bool,
    /// Where in the country, to measure distances.
    pub(crate) points: bool,
    /// Round trips: the prefixes of the matrix beside countries and points.
    pub(crate) latency: bool,
    pub(crate) subdivisions: BTreeSet<Subdivision>,
    pub(crate) cities: BTreeSet<City>,
    pub(crate) asns: BTreeSet<Asn>,
    /// Without bits behind the prefix.
    pub(crate) cidrs: BTreeSet<IpNet>,
    pub(crate) lists: BTreeSet<Name>,
}

impl Reads {
    /// Of the steps of one steering.
    pub(crate) fn of(steps: &[Step]) -> Self {
        let mut reads = Self::default();
        reads.add(steps);
        reads
    }

    /// Adds those of another steering.
    pub(crate) fn add(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Nearest(_) | Step::Latency(_) => {
                    self.countries = true;
                    self.points = true;
                    self.latency |= matches!(step, Step::Latency(_));
                }
                Step::Geo(rules) => self.geo(rules),
                Step::Fence(rules) => {
                    for rule in rules {
                        self.clients(&rule.clients);
                    }
                }
                Step::Weighted(_) | Step::Failover(_) => {}
            }
        }
    }

    fn geo(&mut self, rules: &GeoRules) {
        self.countries |= !rules.countries.is_empty() || !rules.continents.is_empty();
        self.subdivisions.extend(rules.subdivisions.keys());
        self.cities.extend(rules.cities.keys().cloned());
        self.asns.extend(rules.asns.keys());
        self.cidrs.extend(rules.cidrs.keys().map(IpNet::trunc));
        self.lists.extend(rules.lists.keys().cloned());
    }

    /// Adds those of a set of clients.
    pub(crate) fn clients(&mut self, set: &ClientSet) {
        self.countries |= !set.countries.is_empty() || !set.continents.is_empty();
        self.subdivisions.extend(&set.subdivisions);
        self.cities.extend(set.cities.iter().cloned());
        self.asns.extend(&set.asns);
        self.cidrs.extend(set.cidrs.iter().map(IpNet::trunc));
        self.lists.extend(set.lists.iter().cloned());
    }

    /// Whether anything of a geo database is read but autonomous systems.
    pub(crate) fn spots(&self) -> bool {
        self.countries || self.points || !self.subdivisions.is_empty() || !self.cities.is_empty()
    }

    /// Whether places are told apart at all.
    pub(crate) fn any(&self) -> bool {
        let named = self.asns.is_empty() && self.cidrs.is_empty() && self.lists.is_empty();
        self.spots() || !named
    }
}
