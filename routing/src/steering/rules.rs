//! One steering with its names resolved to numbers: from a place to its row.

use std::collections::{HashMap, HashSet};

use windrose_model::{Bias, ClientSet, Coordinates, GeoRules, Model, Name, Preference, Step};

use super::reads::Reads;
use super::{Row, SteeringKey, Tier};
use crate::atlas::{Atlas, Place, Spot};
use crate::distance::{biased, metres};
use crate::geo;

pub(super) struct Rules<'m> {
    names: Vec<&'m Name>,
    points: Vec<Option<Coordinates>>,
    steps: Vec<Resolved<'m>>,
    reads: Reads,
    /// By number of the atlas: whether this steering names the CIDR; empty when it names none.
    named: Vec<bool>,
    /// By spot: the number of what this steering sees of it; empty when it sees nothing.
    class_of_spot: Vec<u32>,
}

/// What a steering sees of a place: spot, autonomous system, innermost CIDR that it names.
pub(super) type Class = (u32, u32, Option<u32>);

enum Resolved<'m> {
    Fence(Vec<FenceRule<'m>>),
    Geo(&'m GeoRules, HashMap<u32, &'m Preference>),
    /// Bias by local number.
    Nearest(Vec<Bias>),
    Weighted(Vec<u32>),
    Failover(&'m Preference),
}

struct FenceRule<'m> {
    clients: &'m ClientSet,
    /// By number, those of lists included.
    cidrs: HashSet<u32>,
    allowed: u16,
}

impl<'m> Rules<'m> {
    pub(super) fn new(key: &'m SteeringKey, model: &'m Model, atlas: &Atlas) -> Self {
        let clusters = || key.clusters.iter().map(|id| model.cluster(*id));
        let names: Vec<_> = clusters().map(|(name, _)| name).collect();
        let region = |name| model.regions().get(name);
        let points = clusters()
            .map(|(_, cluster)| region(&cluster.region).map(|r| r.location))
            .collect();
        let reads = Reads::of(&key.steps);
        let steps = key
            .steps
            .iter()
            .map(|step| Resolved::new(step, &names, atlas))
            .collect();
        let mut numbers: HashMap<Spot, u32> = HashMap::new();
        let mut class = |spot: &Spot| {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(spot.seen_by(&reads)).or_insert(next)
        };
        let spots = if reads.spots() { atlas.spots() } else { &[] };
        Self {
            class_of_spot: spots.iter().map(&mut class).collect(),
            named: named(&reads, atlas),
            names,
            points,
            steps,
            reads,
        }
    }

    /// Whether any step tells places apart.
    pub(super) fn reads_place(&self) -> bool {
        self.reads.any()
    }

    /// Places of equal class have equal rows.
    pub(super) fn class(&self, place: Place, atlas: &Atlas) -> Class {
        let mut cidr = place.cidr;
        while let Some(at) = cidr
            && !self.named.get(at as usize).is_some_and(|named| *named)
        {
            cidr = atlas.cidrs()[at as usize].parent;
        }
        let asn = atlas.asn(place);
        (
            (self.class_of_spot.get(place.spot as usize)).map_or(0, |class| *class),
            asn.filter(|asn| self.reads.asns.contains(asn))
                .map_or(0, |_| place.asn),
            cidr,
        )
    }

    pub(super) fn row(&self, place: Place, atlas: &Atlas) -> Row {
        let mut tiers: Vec<Vec<u8>> = vec![(0u8..).take(self.names.len()).collect()];
        let mut weights = vec![1u32; self.names.len()];
        for step in &self.steps {
            match step {
                Resolved::Fence(rules) => {
                    if let Some(rule) = rules.iter().find(|rule| rule.binds(place, atlas)) {
                        for tier in &mut tiers {
                            tier.retain(|&c| rule.allowed & (1 << c) != 0);
                        }
                    }
                }
                Resolved::Geo(rules, cidrs) => {
                    tiers = self.prefer(tiers, preference(rules, cidrs, place, atlas))
                }
                Resolved::Failover(preference) => tiers = self.prefer(tiers, preference),
                Resolved::Nearest(bias) => tiers = self.by_distance(tiers, atlas.spot(place), bias),
                Resolved::Weighted(given) => weights.clone_from(given),
            }
        }
        let tiers: Box<[Tier]> = tiers
            .into_iter()
            .filter(|tier| !tier.is_empty())
            .map(|tier| Tier {
                mask: tier.iter().fold(0, |mask, &c| mask | 1 << c),
                members: tier.iter().map(|&c| (c, weights[usize::from(c)])).collect(),
            })
            .collect();
        Row {
            members: tiers.iter().fold(0, |mask, tier| mask | tier.mask),
            tiers,
        }
    }

    /// Splits each tier by the groups of a preference; what is not named stays behind.
    fn prefer(&self, tiers: Vec<Vec<u8>>, preference: &Preference) -> Vec<Vec<u8>> {
        let groups: Vec<u16> = preference
            .iter()
            .map(|group| mask_of(&self.names, group))
            .collect();
        let mut out = Vec::new();
        for mut tier in tiers {
            for group in &groups {
                let (named, rest): (Vec<u8>, Vec<u8>) =
                    tier.into_iter().partition(|&c| group & (1 << c) != 0);
                out.push(named);
                tier = rest;
            }
            out.push(tier);
        }
        out
    }

    /// From where the database says that the client is, else from the middle of its country.
    fn by_distance(&self, tiers: Vec<Vec<u8>>, spot: &Spot, bias: &[Bias]) -> Vec<Vec<u8>> {
        let middle = || spot.country.and_then(geo::centroid);
        let Some(here) = spot.point.or_else(middle) else {
            return tiers;
        };
        let far = |c: u8| {
            let at = usize::from(c);
            self.points[at].map_or(u64::MAX, |point| biased(metres(here, point), bias[at]))
        };
        let mut out: Vec<Vec<u8>> = Vec::new();
        for mut tier in tiers {
            tier.sort_by_cached_key(|&c| (far(c), c));
            out.extend(tier.chunk_by(|&a, &b| far(a) == far(b)).map(<[u8]>::to_vec));
        }
        out
    }
}

impl<'m> Resolved<'m> {
    fn new(step: &'m Step, names: &[&Name], atlas: &Atlas) -> Self {
        match step {
            Step::Fence(rules) => Self::Fence(
                rules
                    .iter()
                    .map(|rule| {
                        FenceRule::new(&rule.clients, mask_of(names, &rule.clusters), atlas)
                    })
                    .collect(),
            ),
            Step::Geo(rules) => Self::Geo(rules, by_cidr(rules, atlas)),
            Step::Nearest(bias) => Self::Nearest(
                names
                    .iter()
                    .map(|name| bias.get(*name).copied().unwrap_or(Bias::NONE))
                    .collect(),
            ),
            Step::Weighted(weights) => Self::Weighted(
                names
                    .iter()
                    .map(|name| weights.get(*name).map_or(1, |w| w.value()))
                    .collect(),
            ),
            Step::Failover(preference) => Self::Failover(preference),
        }
    }
}

impl<'m> FenceRule<'m> {
    fn new(clients: &'m ClientSet, allowed: u16, atlas: &Atlas) -> Self {
        let own = clients
            .cidrs
            .iter()
            .filter_map(|net| atlas.cidr_number(net));
        let lists = clients.lists.iter().flat_map(|name| atlas.list(name));
        Self {
            clients,
            cidrs: own.chain(lists.copied()).collect(),
            allowed,
        }
    }

    fn binds(&self, place: Place, atlas: &Atlas) -> bool {
        let (set, spot) = (self.clients, atlas.spot(place));
        let by_country = spot.country.is_some_and(|country| {
            set.countries.contains(&country)
                || geo::continent(country).is_some_and(|c| set.continents.contains(&c))
        });
        by_country
            || spot
                .subdivisions
                .iter()
                .any(|s| set.subdivisions.contains(s))
            || spot.cities.iter().any(|city| set.cities.contains(city))
            || atlas.asn(place).is_some_and(|asn| set.asns.contains(&asn))
            || (!self.cidrs.is_empty()
                && (atlas.enclosing(place)).any(|(number, _)| self.cidrs.contains(&number)))
    }
}

/// The preference of each CIDR. Of a prefix that is written and in a list the written one counts, of
/// one in several lists the list whose name comes first.
fn by_cidr<'m>(rules: &'m GeoRules, atlas: &Atlas) -> HashMap<u32, &'m Preference> {
    let mut preferences = HashMap::new();
    for (net, preference) in &rules.cidrs {
        if let Some(number) = atlas.cidr_number(net) {
            preferences.insert(number, preference);
        }
    }
    for (name, preference) in &rules.lists {
        for number in atlas.list(name) {
            preferences.entry(*number).or_insert(preference);
        }
    }
    preferences
}

/// The most specific CIDR wins over every other rule; then come autonomous system, city,
/// subdivision, country, continent, default.
fn preference<'r>(
    rules: &'r GeoRules,
    cidrs: &HashMap<u32, &'r Preference>,
    place: Place,
    atlas: &Atlas,
) -> &'r Preference {
    if !cidrs.is_empty()
        && let Some(preference) = (atlas.enclosing(place)).find_map(|(at, _)| cidrs.get(&at))
    {
        return preference;
    }
    let spot = atlas.spot(place);
    let by_continent = |country| rules.continents.get(&geo::continent(country)?);
    atlas
        .asn(place)
        .and_then(|asn| rules.asns.get(&asn))
        .or_else(|| spot.cities.iter().find_map(|city| rules.cities.get(city)))
        .or_else(|| (spot.subdivisions.iter()).find_map(|s| rules.subdivisions.get(s)))
        .or_else(|| rules.countries.get(&spot.country?))
        .or_else(|| spot.country.and_then(by_continent))
        .unwrap_or(&rules.default)
}

/// Which CIDRs of the atlas are named, in steps or by their lists; empty when none is.
fn named(reads: &Reads, atlas: &Atlas) -> Vec<bool> {
    if reads.cidrs.is_empty() && reads.lists.is_empty() {
        return Vec::new();
    }
    let mut named = vec![false; atlas.cidrs().len()];
    let own = reads.cidrs.iter().filter_map(|net| atlas.cidr_number(net));
    let lists = reads.lists.iter().flat_map(|name| atlas.list(name));
    for number in own.chain(lists.copied()) {
        named[number as usize] = true;
    }
    named
}

fn mask_of(names: &[&Name], wanted: &[Name]) -> u16 {
    let bit = |name| {
        names
            .iter()
            .position(|n| *n == name)
            .map_or(0, |at| 1 << at)
    };
    wanted.iter().fold(0, |mask, name| mask | bit(name))
}
