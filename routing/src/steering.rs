//! Steering, compiled: each distinct (steps, clusters) pair becomes place → view and leaf → scope.
//! A view is one distinct row, so places that are treated alike share it.

use std::collections::{BTreeMap, HashMap, HashSet};

use ipnet::IpNet;
use windrose_model::{
    Bias, ClientSet, ClusterId, Coordinates, Country, GeoRules, Model, Name, Preference, Step,
};

use crate::atlas::{Atlas, Leaf, Place};
use crate::digest::Digester;
use crate::distance::{biased, metres};
use crate::geo;

/// A class of places that one steering treats alike: the number of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View(pub(crate) u32);

/// Ordered tiers of clusters, the most wanted first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Row {
    /// Never an empty tier; no tier at all when a fence leaves nothing.
    pub tiers: Box<[Tier]>,
    /// Every cluster of the row, as a bit by local number.
    pub members: u16,
}

/// Equals, by weight.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tier {
    /// Local cluster number and weight.
    pub members: Box<[(u8, u32)]>,
    /// The same as bits.
    pub mask: u16,
}

/// What a compiled steering depends on, besides the atlas and the clusters' regions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SteeringKey {
    pub(crate) steps: Vec<Step>,
    pub(crate) clusters: Vec<ClusterId>,
}

pub(crate) struct CompiledSteering {
    /// Empty when there is one view, so that steering by weight or order costs nothing per place.
    view_of_place: Box<[u32]>,
    /// Empty when there is one view: the scope is 0 everywhere.
    scope_of_leaf: Box<[u8]>,
    rows: Box<[Row]>,
    digest: u128,
}

impl CompiledSteering {
    pub(crate) fn build(key: &SteeringKey, model: &Model, atlas: &Atlas) -> Self {
        let rules = Rules::new(key, model, atlas);
        let mut rows: Vec<Row> = Vec::new();
        let mut known: HashMap<Row, u32> = HashMap::new();
        let mut seen: HashMap<(Option<u32>, Option<Country>), u32> = HashMap::new();
        // Where no step reads the place, the first one stands for all.
        let places = match (rules.reads_place(), atlas.places()) {
            (false, [first, ..]) => std::slice::from_ref(first),
            (_, places) => places,
        };
        let mut view_of_place: Box<[u32]> = places
            .iter()
            .map(|&place| {
                let class = rules.class(place, atlas);
                *seen.entry(class).or_insert_with(|| {
                    let row = rules.row(place, atlas);
                    *known.entry(row).or_insert_with_key(|row| {
                        rows.push(row.clone());
                        u32::try_from(rows.len()).unwrap_or(u32::MAX) - 1
                    })
                })
            })
            .collect();
        if rows.len() == 1 {
            view_of_place = Box::default();
        }
        let scope_of_leaf = if rows.len() > 1 {
            atlas.scopes(|place| view_of_place[place as usize])
        } else {
            Box::default()
        };
        // The content: which rows there are and, by place, which one holds. Places are numbered by
        // the atlas in address order, so equal atlases number alike.
        let mut digest = Digester::new().with(&rows);
        if rows.len() > 1 {
            digest.add(&view_of_place);
            digest.add(&atlas.digest());
        }
        Self {
            view_of_place,
            scope_of_leaf,
            rows: rows.into(),
            digest: digest.finish(),
        }
    }

    #[inline]
    pub(crate) fn view(&self, atlas: &Atlas, leaf: Leaf) -> View {
        if self.rows.len() == 1 {
            return View(0);
        }
        View(self.view_of_place[atlas.place_of(leaf) as usize])
    }

    #[inline]
    pub(crate) fn scope(&self, leaf: Leaf) -> u8 {
        self.scope_of_leaf
            .get(leaf.0 as usize)
            .copied()
            .unwrap_or(0)
    }

    #[inline]
    pub(crate) fn row(&self, view: View) -> &Row {
        &self.rows[view.0 as usize]
    }

    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }
}

/// Whether these steps read a client's country.
pub(crate) fn reads_country(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Nearest(_) => true,
        Step::Geo(rules) => !rules.countries.is_empty() || !rules.continents.is_empty(),
        Step::Fence(rules) => rules
            .iter()
            .any(|r| !r.clients.countries.is_empty() || !r.clients.continents.is_empty()),
        Step::Weighted(_) | Step::Failover(_) => false,
    })
}

/// The CIDRs these steps name.
pub(crate) fn cidrs(steps: &[Step]) -> impl Iterator<Item = IpNet> + '_ {
    steps
        .iter()
        .flat_map(|step| -> Box<dyn Iterator<Item = IpNet> + '_> {
            match step {
                Step::Geo(rules) => Box::new(rules.cidrs.keys().map(IpNet::trunc)),
                Step::Fence(rules) => Box::new(
                    rules
                        .iter()
                        .flat_map(|r| r.clients.cidrs.iter().map(IpNet::trunc)),
                ),
                Step::Nearest(_) | Step::Weighted(_) | Step::Failover(_) => {
                    Box::new(std::iter::empty())
                }
            }
        })
}

/// One steering with its names resolved to local numbers.
struct Rules<'m> {
    names: Vec<&'m Name>,
    points: Vec<Option<Coordinates>>,
    steps: Vec<Resolved<'m>>,
    reads_country: bool,
    /// By number of the atlas: whether this steering names the CIDR; empty when it names none.
    named: Vec<bool>,
}

enum Resolved<'m> {
    Fence(Vec<(&'m ClientSet, HashSet<IpNet>, u16)>),
    Geo(&'m GeoRules, BTreeMap<IpNet, &'m Preference>),
    /// Bias by local number.
    Nearest(Vec<Bias>),
    Weighted(Vec<u32>),
    Failover(&'m Preference),
}

impl<'m> Rules<'m> {
    fn new(key: &'m SteeringKey, model: &'m Model, atlas: &Atlas) -> Self {
        let names: Vec<_> = key
            .clusters
            .iter()
            .map(|id| &model.cluster(*id).0)
            .collect();
        let points = key
            .clusters
            .iter()
            .map(|id| {
                model
                    .regions()
                    .get(&model.cluster(*id).1.region)
                    .map(|r| r.location)
            })
            .collect();
        let mine: HashSet<IpNet> = cidrs(&key.steps).collect();
        let named = match mine.is_empty() {
            true => Vec::new(),
            false => atlas
                .cidrs()
                .iter()
                .map(|cidr| mine.contains(&cidr.net))
                .collect(),
        };
        let mask = |list: &[Name]| {
            list.iter()
                .fold(0, |mask, name| mask | bit_of(&names, name))
        };
        let steps = key
            .steps
            .iter()
            .map(|step| match step {
                Step::Fence(rules) => Resolved::Fence(
                    rules
                        .iter()
                        .map(|r| {
                            (
                                &r.clients,
                                r.clients.cidrs.iter().map(IpNet::trunc).collect(),
                                mask(&r.clusters),
                            )
                        })
                        .collect(),
                ),
                Step::Geo(rules) => Resolved::Geo(
                    rules,
                    rules
                        .cidrs
                        .iter()
                        .map(|(net, p)| (net.trunc(), p))
                        .collect(),
                ),
                Step::Nearest(bias) => Resolved::Nearest(
                    names
                        .iter()
                        .map(|name| bias.get(*name).copied().unwrap_or(Bias::NONE))
                        .collect(),
                ),
                Step::Weighted(weights) => Resolved::Weighted(
                    names
                        .iter()
                        .map(|name| weights.get(*name).map_or(1, |w| w.value()))
                        .collect(),
                ),
                Step::Failover(preference) => Resolved::Failover(preference),
            })
            .collect();
        let reads_country = reads_country(&key.steps);
        Self {
            names,
            points,
            steps,
            reads_country,
            named,
        }
    }

    /// Whether any step tells places apart.
    fn reads_place(&self) -> bool {
        self.reads_country || !self.named.is_empty()
    }

    /// Places of equal class have equal rows: the innermost CIDR that this steering names, and the
    /// country if it reads one.
    fn class(&self, place: Place, atlas: &Atlas) -> (Option<u32>, Option<Country>) {
        let mut cidr = place.cidr;
        while let Some(at) = cidr
            && !self.named.get(at as usize).is_some_and(|named| *named)
        {
            cidr = atlas.cidrs()[at as usize].parent;
        }
        (cidr, place.country.filter(|_| self.reads_country))
    }

    fn row(&self, place: Place, atlas: &Atlas) -> Row {
        let mut tiers: Vec<Vec<u8>> = vec![(0u8..).take(self.names.len()).collect()];
        let mut weights = vec![1u32; self.names.len()];
        for step in &self.steps {
            match step {
                Resolved::Fence(rules) => {
                    if let Some((.., allowed)) = rules
                        .iter()
                        .find(|(set, nets, _)| matches(set, nets, place, atlas))
                    {
                        for tier in &mut tiers {
                            tier.retain(|&c| allowed & (1 << c) != 0);
                        }
                    }
                }
                Resolved::Geo(rules, nets) => {
                    tiers = self.prefer(tiers, preference(rules, nets, place, atlas))
                }
                Resolved::Failover(preference) => tiers = self.prefer(tiers, preference),
                Resolved::Nearest(bias) => tiers = self.by_distance(tiers, place, bias),
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
            .map(|group| {
                group
                    .iter()
                    .fold(0, |mask, name| mask | bit_of(&self.names, name))
            })
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

    fn by_distance(&self, tiers: Vec<Vec<u8>>, place: Place, bias: &[Bias]) -> Vec<Vec<u8>> {
        let Some(here) = place.country.and_then(geo::centroid) else {
            return tiers;
        };
        let far = |c: u8| {
            let at = usize::from(c);
            self.points[at].map_or(u64::MAX, |point| biased(metres(here, point), bias[at]))
        };
        let mut out: Vec<Vec<u8>> = Vec::new();
        for mut tier in tiers {
            tier.sort_by_key(|&c| (far(c), c));
            out.extend(tier.chunk_by(|&a, &b| far(a) == far(b)).map(<[u8]>::to_vec));
        }
        out
    }
}

fn bit_of(names: &[&Name], name: &Name) -> u16 {
    names
        .iter()
        .position(|n| *n == name)
        .map_or(0, |at| 1 << at)
}

fn matches(set: &ClientSet, nets: &HashSet<IpNet>, place: Place, atlas: &Atlas) -> bool {
    let by_country = place.country.is_some_and(|country| {
        set.countries.contains(&country)
            || geo::continent(country).is_some_and(|c| set.continents.contains(&c))
    });
    by_country || (!nets.is_empty() && atlas.enclosing(place).any(|cidr| nets.contains(&cidr.net)))
}

/// The most specific CIDR wins over every other rule; then country, continent, default.
fn preference<'r>(
    rules: &'r GeoRules,
    nets: &BTreeMap<IpNet, &'r Preference>,
    place: Place,
    atlas: &Atlas,
) -> &'r Preference {
    if !nets.is_empty()
        && let Some(preference) = atlas.enclosing(place).find_map(|cidr| nets.get(&cidr.net))
    {
        return preference;
    }
    place
        .country
        .and_then(|country| {
            rules
                .countries
                .get(&country)
                .or_else(|| rules.continents.get(&geo::continent(country)?))
        })
        .unwrap_or(&rules.default)
}
