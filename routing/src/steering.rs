//! Steering, compiled: each distinct (steps, clusters) pair becomes place → view and leaf → scope.
//! A view is one distinct outline, so places that are treated alike share it; its row is the outline
//! under the round trips of the moment.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use windrose_model::{ClusterId, MeasuredRtts, Model, Rtt, Step};

use self::mapping::Mapping;
use self::outline::{Outline, Trips};
use self::rules::{Class, Rules, stands, weights};
use crate::atlas::{Atlas, Leaf, unroutable, unspecified};
use crate::digest::Digester;
use crate::latency::{Latency, Reach};
use crate::table::Table;

mod mapping;
mod matching;
mod outline;
mod reads;
mod rules;

pub(crate) use self::mapping::Mappings;
pub(crate) use self::matching::{FenceMatcher, GeoMatcher};
pub(crate) use self::reads::Reads;

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
    mapping: Arc<Mapping>,
    shape: Arc<Shape>,
    rows: Box<[Row]>,
    digest: u128,
}

/// What a measured round trip never changes.
struct Shape {
    /// By view.
    outlines: Box<[Outline]>,
    weights: Box<[u32]>,
    reaches: Reaches,
    /// Of the steps as they are written.
    steps: u128,
}

/// From regions to the clusters of a steering, before anything was measured.
#[derive(Default)]
struct Reaches {
    /// By region that some outline reads, then by local number.
    of: HashMap<u16, Box<[Reach]>>,
}

/// The same, under what is measured.
struct Present<'a> {
    reaches: &'a Reaches,
    measured: HashMap<u16, Box<[Option<Rtt>]>>,
}

impl Trips for Present<'_> {
    fn rtt(&self, region: u16, cluster: u8, measured: bool) -> Option<Rtt> {
        let at = usize::from(cluster);
        let seen = || *self.measured.get(&region)?.get(at)?;
        let known = || Some(self.reaches.of.get(&region)?.get(at)?.rtt);
        measured.then(seen).flatten().or_else(known)
    }
}

/// How clients become views, and how wide the views reach. HOT.
#[derive(Clone, Copy)]
pub struct Steering<'t>(pub(crate) &'t CompiledSteering);

impl Steering<'_> {
    /// The view of a client.
    #[inline]
    pub fn view(self, table: &Table, leaf: Leaf) -> View {
        self.0.view(&table.atlas, leaf)
    }

    /// The widest prefix around a client inside which its view is the same, in the family of its
    /// address; 0 when everyone is treated alike. It does not depend on health, weights or chance.
    ///
    /// RFC 7871 section 7.2.1. A sticky answer narrows it to at least /24 or /56 by itself.
    #[inline]
    pub fn scope(self, leaf: Leaf) -> u8 {
        self.0.scope(leaf)
    }

    /// Length of the unroutable block around an address that says nothing about its client: steering
    /// treats it as it treats one that no rule names. The resolver says more then (RFC 7871 section
    /// 10), for a subnet that lies in the block as a whole.
    pub fn nowhere(self, table: &Table, leaf: Leaf, address: IpAddr) -> Option<u8> {
        let block = unroutable(address)?;
        let unspecified = table.leaf(unspecified(address));
        (self.view(table, leaf) == self.view(table, unspecified)).then_some(block)
    }
}

impl CompiledSteering {
    /// Mappings that are there already are shared, and new ones put to them.
    pub(crate) fn build(
        key: &SteeringKey,
        model: &Model,
        atlas: &Atlas,
        latency: Option<&Latency>,
        measured: &MeasuredRtts,
        mappings: &mut Mappings,
    ) -> Self {
        let rules = Rules::new(key, model, atlas, latency);
        let mut outlines: Vec<Outline> = Vec::new();
        let mut known: HashMap<Outline, u32> = HashMap::new();
        let mut seen: HashMap<Class, u32> = HashMap::new();
        // Where no step reads the place, the first one stands for all.
        let places = match (rules.reads_place(), atlas.places()) {
            (false, [first, ..]) => std::slice::from_ref(first),
            (_, places) => places,
        };
        // Neighbours in number are often of one class.
        let mut latest = None;
        let view_of_place: Vec<u32> = (0u32..)
            .zip(places)
            .map(|(number, &place)| {
                if number == atlas.mount_place() {
                    return 0; // Of no client; the first place has made view 0.
                }
                let class = rules.class(place, atlas);
                if let Some((_, view)) = latest.filter(|(of, _)| *of == class) {
                    return view;
                }
                let view = *seen.entry(class).or_insert_with(|| {
                    let outline = rules.outline(place, atlas);
                    *known.entry(outline).or_insert_with_key(|outline| {
                        outlines.push(outline.clone());
                        u32::try_from(outlines.len()).unwrap_or(u32::MAX) - 1
                    })
                });
                latest = Some((class, view));
                view
            })
            .collect();
        let mapping = match outlines.len() {
            ..=1 => Arc::default(),
            _ => mappings.of(view_of_place, atlas),
        };
        let clusters = stands(key, model);
        let shape = Shape {
            reaches: latency.map_or_else(Reaches::default, |latency| {
                Reaches::new(&outlines, latency, &clusters)
            }),
            outlines: outlines.into(),
            weights: weights(&key.steps, &clusters),
            steps: Digester::new().with(&key.steps).finish(),
        };
        Self::under(mapping, Arc::new(shape), key, model, latency, measured)
    }

    /// Puts its mapping to others.
    pub(crate) fn share(&self, mappings: &mut Mappings) {
        mappings.keep(&self.mapping);
    }

    /// The same with other round trips: rows change, views and scopes stay. None when no row does.
    pub(crate) fn remeasured(
        &self,
        key: &SteeringKey,
        model: &Model,
        latency: Option<&Latency>,
        measured: &MeasuredRtts,
    ) -> Option<Self> {
        if !self.reads_round_trips() {
            return None;
        }
        let (mapping, shape) = (Arc::clone(&self.mapping), Arc::clone(&self.shape));
        let new = Self::under(mapping, shape, key, model, latency, measured);
        (new.rows != self.rows).then_some(new)
    }

    fn under(
        mapping: Arc<Mapping>,
        shape: Arc<Shape>,
        key: &SteeringKey,
        model: &Model,
        latency: Option<&Latency>,
        measured: &MeasuredRtts,
    ) -> Self {
        let present = Present {
            reaches: &shape.reaches,
            measured: latency.map_or_else(HashMap::new, |latency| {
                seen_from(&shape.reaches, key, model, latency, measured)
            }),
        };
        let rows: Box<[Row]> = shape
            .outlines
            .iter()
            .map(|outline| outline.row(&shape.weights, &present))
            .collect();
        // The content: the steps, which rows there are and, by place, which one holds.
        let mut digest = Digester::new().with(&(shape.steps, &rows));
        if let Some(mapping) = mapping.digest {
            digest.add(&mapping);
        }
        Self {
            rows,
            digest: digest.finish(),
            mapping,
            shape,
        }
    }

    /// Whether some row could change with what is measured.
    pub(crate) fn reads_round_trips(&self) -> bool {
        !self.shape.reaches.of.is_empty()
    }

    #[inline]
    pub(crate) fn view(&self, atlas: &Atlas, leaf: Leaf) -> View {
        if self.rows.len() == 1 {
            return View(0);
        }
        View(self.mapping.view_of_place[atlas.place_of(leaf) as usize])
    }

    #[inline]
    pub(crate) fn scope(&self, leaf: Leaf) -> u8 {
        let scopes = &self.mapping.scope_of_leaf;
        let of = |leaf: u32| scopes.get(leaf as usize).copied().unwrap_or(0);
        match (of(leaf.number), leaf.inside) {
            (scope, None) => scope,
            // All of IPv4 is of one view, and so the prefix that holds it.
            (0, Some((mount, _))) => of(mount),
            (scope, Some((_, offset))) => offset + scope,
        }
    }

    #[inline]
    pub(crate) fn row(&self, view: View) -> &Row {
        &self.rows[view.0 as usize]
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// How many classes of places it tells apart.
    pub(crate) fn views(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }
}

impl Reaches {
    fn new(outlines: &[Outline], latency: &Latency, clusters: &[rules::Stand<'_>]) -> Self {
        let mut of = HashMap::new();
        for region in outlines.iter().flat_map(Outline::regions) {
            of.entry(region).or_insert_with(|| {
                let reach = |stand: &rules::Stand<'_>| {
                    latency.reach(region, (stand.name, stand.region), stand.point)
                };
                clusters.iter().map(reach).collect()
            });
        }
        Self { of }
    }
}

/// What is measured from the regions that a steering reads to its clusters.
fn seen_from(
    reaches: &Reaches,
    key: &SteeringKey,
    model: &Model,
    latency: &Latency,
    measured: &MeasuredRtts,
) -> HashMap<u16, Box<[Option<Rtt>]>> {
    let mut seen = HashMap::new();
    for &region in reaches.of.keys() {
        let Some(to) = measured.get(latency.region_name(region)) else {
            continue;
        };
        let rtt = |id: &ClusterId| to.get(&model.cluster(*id).0).map(|entry| entry.rtt);
        seen.insert(region, key.clusters.iter().map(rtt).collect());
    }
    seen
}
