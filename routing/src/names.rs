//! Names: from a query's name to its zone and node. HOT: [`NameIndex::lookup`].

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashTable;
use windrose_model::{AppId, DnsName, Model, Zone};
use xxhash_rust::xxh3::xxh3_64;

use crate::answers::{AnswerSet, wildcard_of};
use crate::digest::Digester;
use crate::slots::Slots;

/// What a name leads to.
#[derive(Debug, Clone, Copy)]
pub enum Lookup<'t> {
    /// No zone of ours.
    Refused,
    /// The name does not exist in this zone, and no wildcard covers it.
    NxDomain {
        /// The zone.
        zone: &'t ZoneEntry,
    },
    /// The name exists, by itself or through a wildcard (RFC 4592).
    Node {
        /// The zone.
        zone: &'t ZoneEntry,
        /// What stands there; with no sets and no app, an empty non-terminal.
        node: &'t Node,
    },
}

/// A zone, as far as answers need it.
#[derive(Debug, PartialEq, Eq)]
pub struct ZoneEntry {
    /// Its name.
    pub apex: DnsName,
    /// Its SOA record.
    pub soa: AnswerSet,
    /// min(SOA TTL, SOA minimum), RFC 2308 section 5.
    pub negative_ttl: u32,
    /// Number for metrics.
    pub slot: u32,
}

/// What stands at a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// RRsets by type.
    pub sets: Box<[AnswerSet]>,
    /// The app that steers A and AAAA here.
    pub app: Option<AppId>,
}

impl Node {
    /// The RRset of a type.
    #[inline]
    pub fn set(&self, rtype: u16) -> Option<&AnswerSet> {
        self.sets.iter().find(|set| set.rtype == rtype)
    }
}

pub(crate) struct NameIndex {
    shards: Box<[Shard]>,
    zones: Box<[Arc<ZoneEntry>]>,
    apexes: HashTable<(DnsName, u32)>,
    /// What it was built from, to see whether it still holds.
    sources: Vec<Arc<Zone>>,
    digest: u128,
}

type Shard = HashTable<Named>;

struct Named {
    name: DnsName,
    zone: u32,
    node: Node,
}

impl NameIndex {
    pub(crate) fn build(model: &Model, slots: &Slots) -> Self {
        let mut digest = Digester::new();
        let zones: Box<[Arc<ZoneEntry>]> = model
            .zones()
            .iter()
            .zip(slots.zones.iter().copied().chain(std::iter::repeat(0)))
            .map(|((apex, zone), slot)| {
                digest.add(&(apex, &**zone));
                Arc::new(ZoneEntry {
                    apex: apex.clone(),
                    soa: AnswerSet::soa(&zone.soa),
                    negative_ttl: zone.soa.minimum.min(zone.soa.ttl.seconds()),
                    slot,
                })
            })
            .collect();
        let mut apexes = HashTable::with_capacity(zones.len());
        for (i, zone) in (0u32..).zip(&zones) {
            apexes.insert_unique(
                hash(zone.apex.wire()),
                (zone.apex.clone(), i),
                |(name, _)| hash(name.wire()),
            );
        }
        let sources = model
            .zones()
            .iter()
            .map(|(_, zone)| Arc::clone(zone))
            .collect();
        let mut index = Self {
            shards: Box::default(),
            zones,
            apexes,
            sources,
            digest: 0,
        };
        let nodes = index.nodes(model);
        for (_, name, app) in model.app_ids() {
            digest.add(&(name, &app.hosts));
        }
        index.digest = digest.finish();
        let shards = (nodes.len() / 1_024).next_power_of_two();
        index.shards = (0..shards).map(|_| Shard::new()).collect();
        for (name, (zone, node)) in nodes {
            let hash_of_name = hash(name.wire());
            let shard = &mut index.shards[shard_of(hash_of_name, shards)];
            shard.insert_unique(hash_of_name, Named { name, zone, node }, |named| {
                hash(named.name.wire())
            });
        }
        index
    }

    /// Whether these are the zones and slots it was built from.
    pub(crate) fn same_zones(&self, model: &Model, slots: &Slots) -> bool {
        self.zones.len() == model.zones().len()
            && (self.zones.iter().zip(&self.sources).zip(model.zones())).all(
                |((entry, source), (apex, zone))| entry.apex == *apex && Arc::ptr_eq(source, zone),
            )
            && self
                .zones
                .iter()
                .zip(&slots.zones)
                .all(|(entry, slot)| entry.slot == *slot)
    }

    /// Every name that exists, with its deepest zone; empty non-terminals included.
    fn nodes(&self, model: &Model) -> BTreeMap<DnsName, (u32, Node)> {
        let mut nodes: BTreeMap<DnsName, (u32, Node)> = BTreeMap::new();
        let mut sets: BTreeMap<&DnsName, Vec<AnswerSet>> = BTreeMap::new();
        for (i, (apex, zone)) in (0u32..).zip(model.zones()) {
            sets.entry(apex)
                .or_default()
                .push(AnswerSet::soa(&zone.soa));
            for (owner, set) in zone.records.iter() {
                // What lies in a deeper zone of ours is occluded by it.
                if self.zone_of(owner.wire()) == Some(i) {
                    sets.entry(owner)
                        .or_default()
                        .push(AnswerSet::of(set, set.record_type().code()));
                }
            }
        }
        let mut place = |name: &DnsName, node: Node| {
            let Some(zone) = self.zone_of(name.wire()) else {
                return;
            };
            let apex = &self.zones[zone as usize].apex;
            let mut above = name.clone();
            while above != *apex
                && let Some(parent) = above.parent()
            {
                nodes
                    .entry(parent.clone())
                    .or_insert_with(|| (zone, Node::default()));
                above = parent;
            }
            let there = &mut nodes
                .entry(name.clone())
                .or_insert_with(|| (zone, Node::default()))
                .1;
            if !node.sets.is_empty() {
                there.sets = node.sets;
            }
            there.app = there.app.or(node.app);
        };
        // A deeper zone of ours exists below its parent, as a delegation would.
        for above in self.zones.iter().filter_map(|zone| zone.apex.parent()) {
            place(&above, Node::default());
        }
        for (name, list) in sets {
            place(
                name,
                Node {
                    sets: list.into(),
                    app: None,
                },
            );
        }
        for (id, _, app) in model.app_ids() {
            for host in &app.hosts {
                place(
                    host,
                    Node {
                        sets: Box::default(),
                        app: Some(id),
                    },
                );
            }
        }
        nodes
    }

    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    pub(crate) fn zones(&self) -> &[Arc<ZoneEntry>] {
        &self.zones
    }

    /// `qname`: lower-cased wire form with the root octet.
    #[inline]
    pub(crate) fn lookup(&self, qname: &[u8]) -> Lookup<'_> {
        match self.find(qname) {
            Some(named) => self.node(named),
            None => self.lookup_missing(qname),
        }
    }

    fn lookup_missing(&self, qname: &[u8]) -> Lookup<'_> {
        let Some(zone) = self.zone_of(qname) else {
            return Lookup::Refused;
        };
        let apex = self.zones[zone as usize].apex.wire();
        // The closest encloser exists: at the latest it is the apex (RFC 4592 section 2.2.1).
        let mut encloser = qname;
        while encloser.len() > apex.len() {
            encloser = &encloser[usize::from(encloser[0]) + 1..];
            if self.find(encloser).is_some() {
                break;
            }
        }
        let mut buffer = [0; 257];
        match wildcard_of(encloser, &mut buffer).and_then(|wildcard| self.find(wildcard)) {
            Some(named) if named.zone == zone => self.node(named),
            _ => Lookup::NxDomain {
                zone: &self.zones[zone as usize],
            },
        }
    }

    #[inline]
    fn node<'t>(&'t self, named: &'t Named) -> Lookup<'t> {
        Lookup::Node {
            zone: &self.zones[named.zone as usize],
            node: &named.node,
        }
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<&Named> {
        let hash = hash(name);
        self.shards
            .get(shard_of(hash, self.shards.len()))?
            .find(hash, |named| named.name.wire() == name)
    }

    /// The deepest zone around a name.
    fn zone_of(&self, name: &[u8]) -> Option<u32> {
        let mut rest = name;
        loop {
            if let Some((_, zone)) = self
                .apexes
                .find(hash(rest), |(apex, _)| apex.wire() == rest)
            {
                return Some(*zone);
            }
            let label = usize::from(*rest.first()?);
            if label == 0 {
                return None;
            }
            rest = rest.get(label + 1..)?;
        }
    }
}

#[inline]
fn hash(name: &[u8]) -> u64 {
    xxh3_64(name)
}

/// The table inside a shard uses the low and the top seven bits; shards go by bits between.
#[inline]
fn shard_of(hash: u64, shards: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, reason = "masked")]
    let bits = (hash >> 32) as usize;
    bits & (shards.wrapping_sub(1))
}
