//! One steering with its names resolved to numbers: from a place to its outline.

use std::collections::HashMap;

use windrose_model::{Bias, ClusterId, Coordinates, LatencyBand, Model, Name, Preference, Step};

use super::SteeringKey;
use super::matching::{FenceMatcher, GeoMatcher};
use super::outline::{Effect, Outline, Sight};
use super::reads::Reads;
use crate::atlas::{Atlas, Place, Spot};
use crate::distance::{biased, metres};
use crate::geo;
use crate::latency::Latency;

pub(super) struct Rules<'m> {
    clusters: Vec<Stand<'m>>,
    latency: Option<&'m Latency>,
    steps: Vec<Resolved<'m>>,
    reads: Reads,
    /// By number of the atlas: whether this steering names the CIDR; empty when it names none.
    named: Vec<bool>,
    /// By spot: the number of what this steering sees of it; empty when it sees nothing.
    class_of_spot: Vec<u32>,
}

/// Where a cluster stands.
#[derive(Clone, Copy)]
pub(super) struct Stand<'m> {
    pub(super) name: &'m Name,
    pub(super) region: &'m Name,
    pub(super) point: Coordinates,
}

/// The clusters of a steering by local number.
pub(super) fn stands<'m>(key: &SteeringKey, model: &'m Model) -> Vec<Stand<'m>> {
    let stand = |id: &ClusterId| {
        let (name, cluster) = model.cluster(*id);
        let region = model.regions().get(&cluster.region);
        Stand {
            name,
            region: &cluster.region,
            // A Model refuses clusters of unknown regions.
            point: region.map_or(Coordinates::from_hundredths(0, 0), |r| r.location),
        }
    };
    key.clusters.iter().map(stand).collect()
}

/// The weights that hold inside tiers, by local number: those of the last `weighted` step.
pub(super) fn weights(steps: &[Step], clusters: &[Stand<'_>]) -> Box<[u32]> {
    let last = steps.iter().rev().find_map(|step| match step {
        Step::Weighted(weights) => Some(weights),
        _ => None,
    });
    let weight = |stand: &Stand<'_>| last?.get(stand.name).map(|w| w.value());
    clusters.iter().map(|c| weight(c).unwrap_or(1)).collect()
}

/// What a steering sees of a place: spot, autonomous system, innermost CIDR that it names.
pub(super) type Class = (u32, u32, Option<u32>);

enum Resolved<'m> {
    /// Each rule with the clusters that it allows.
    Fence(Vec<(FenceMatcher<'m>, u16)>),
    Geo(GeoMatcher<'m>),
    /// Bias by local number.
    Nearest(Vec<Bias>),
    Latency(LatencyBand),
    /// Orders nothing: [`weights`] knows.
    Weighted,
    Failover(&'m Preference),
}

impl<'m> Rules<'m> {
    pub(super) fn new(
        key: &'m SteeringKey,
        model: &'m Model,
        atlas: &Atlas,
        latency: Option<&'m Latency>,
    ) -> Self {
        let clusters = stands(key, model);
        let reads = Reads::of(&key.steps);
        let steps = key
            .steps
            .iter()
            .map(|step| Resolved::new(step, &clusters, atlas))
            .collect();
        let mut numbers: HashMap<Spot, u32> = HashMap::new();
        let mut class = |spot: &Spot| {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            *numbers.entry(spot.seen_by(&reads)).or_insert(next)
        };
        let spots = if reads.spots() { atlas.spots() } else { &[] };
        Self {
            class_of_spot: spots.iter().map(&mut class).collect(),
            named: named(&reads, atlas, latency),
            clusters,
            latency,
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

    pub(super) fn outline(&self, place: Place, atlas: &Atlas) -> Outline {
        let mut outline = Outline::of(self.clusters.len());
        for step in &self.steps {
            if let Some(effect) = self.effect(step, place, atlas) {
                outline.then(effect);
            }
        }
        outline
    }

    /// What a step does for a place; none when it leaves the tiers as they are.
    fn effect(&self, step: &Resolved<'_>, place: Place, atlas: &Atlas) -> Option<Effect> {
        Some(match step {
            Resolved::Fence(rules) => {
                let binds =
                    |(rule, _): &&(FenceMatcher<'_>, u16)| rule.find(place, atlas).is_some();
                Effect::Keep(rules.iter().find(binds)?.1)
            }
            Resolved::Geo(rules) => self.prefer(rules.find(place, atlas).1),
            Resolved::Failover(preference) => self.prefer(preference),
            Resolved::Nearest(bias) => {
                // From where the database says that the client is, else from the middle of its
                // country.
                let spot = atlas.spot(place);
                let here = spot.point.or_else(|| geo::centroid(spot.country?))?;
                let far =
                    |(stand, bias): (&Stand<'_>, &Bias)| biased(metres(here, stand.point), *bias);
                Effect::Order(self.clusters.iter().zip(bias).map(far).collect())
            }
            Resolved::Latency(band) => {
                let latency = self.latency?;
                let own = |stand: &Stand<'_>| {
                    let own = latency.own(place, atlas, (stand.name, stand.region))?;
                    Some(own.rtt)
                };
                Effect::Latency(Sight {
                    band: *band,
                    region: latency.region_of(place),
                    own: self.clusters.iter().map(own).collect(),
                })
            }
            Resolved::Weighted => return None,
        })
    }

    fn prefer(&self, preference: &Preference) -> Effect {
        let groups = preference
            .iter()
            .map(|group| mask_of(&self.clusters, group));
        Effect::Prefer(groups.collect())
    }
}

impl<'m> Resolved<'m> {
    fn new(step: &'m Step, clusters: &[Stand<'_>], atlas: &Atlas) -> Self {
        match step {
            Step::Fence(rules) => Self::Fence(
                rules
                    .iter()
                    .map(|rule| {
                        let matcher = FenceMatcher::new(&rule.clients, atlas);
                        (matcher, mask_of(clusters, &rule.clusters))
                    })
                    .collect(),
            ),
            Step::Geo(rules) => Self::Geo(GeoMatcher::new(rules, atlas)),
            Step::Nearest(bias) => Self::Nearest(
                clusters
                    .iter()
                    .map(|stand| bias.get(stand.name).copied().unwrap_or(Bias::NONE))
                    .collect(),
            ),
            Step::Latency(band) => Self::Latency(*band),
            Step::Weighted(_) => Self::Weighted,
            Step::Failover(preference) => Self::Failover(preference),
        }
    }
}

/// Which CIDRs of the atlas are named, in steps or by their lists or by the matrix; empty when none
/// is.
fn named(reads: &Reads, atlas: &Atlas, latency: Option<&Latency>) -> Vec<bool> {
    let matrix = latency.filter(|_| reads.latency);
    let by_matrix = || {
        matrix
            .into_iter()
            .flat_map(|latency| latency.matrix().cidrs())
    };
    if reads.cidrs.is_empty() && reads.lists.is_empty() && by_matrix().next().is_none() {
        return Vec::new();
    }
    let mut named = vec![false; atlas.cidrs().len()];
    let own = reads.cidrs.iter().copied().chain(by_matrix());
    let own = own.filter_map(|net| atlas.cidr_number(&net));
    let lists = reads.lists.iter().flat_map(|name| atlas.list(name));
    for number in own.chain(lists.copied()) {
        named[number as usize] = true;
    }
    named
}

fn mask_of(clusters: &[Stand<'_>], wanted: &[Name]) -> u16 {
    let at = |name| clusters.iter().position(|stand| stand.name == name);
    let bit = |name| at(name).map_or(0, |at| 1 << at);
    wanted.iter().fold(0, |mask, name| mask | bit(name))
}
