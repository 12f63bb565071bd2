//! Names: from a query's name to its zone and what stands there (RFC 1034 section 4.3.2). HOT:
//! [`NameIndex::lookup`].

use std::sync::Arc;

use windrose_model::{AppId, DnsName};

use crate::answers::{AnswerSet, wildcard_of};

use node::Flags;
use shard::{Entry, NO_APP, Shard, hash, labels, shard_of};

mod build;
mod node;
mod shard;
mod world;

pub use node::Node;

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
        node: Node<'t>,
    },
    /// The name is a delegation or lies below one.
    Delegation {
        /// The zone that delegates.
        zone: &'t ZoneEntry,
        /// The owner of the NS records: the name asked for, or one above it.
        cut: &'t [u8],
        /// What stands there.
        node: Node<'t>,
    },
    /// The name lies below one that is an alias of its subtree (RFC 6672).
    Dname {
        /// The zone.
        zone: &'t ZoneEntry,
        /// The owner of the DNAME record.
        owner: &'t [u8],
        /// The record.
        set: crate::answers::AnswerRef<'t>,
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
    /// The number of the zone of ours above it.
    above: Option<u32>,
}

/// Every name of every zone and app, in shards by hash.
pub(crate) struct NameIndex {
    shards: Box<[Shard]>,
    /// Labels of the deepest name: nothing deeper needs to be looked for.
    labels: u8,
    /// By number. A number stays with its zone from index to index, so that a new zone changes no
    /// entry of another; one that is free names a zone that is gone.
    zones: Box<[Arc<ZoneEntry>]>,
    /// Numbers of apps likewise.
    apps: Arc<[AppId]>,
    made: build::Made,
}

impl NameIndex {
    /// Equal for equal content.
    pub(crate) fn digest(&self) -> u128 {
        self.made.digest
    }

    /// All zones, by apex.
    pub(crate) fn zones(&self) -> &[Arc<ZoneEntry>] {
        &self.made.sorted
    }

    /// How many of its shards are those of another index, of how many.
    pub(crate) fn shared_with(&self, other: &Self) -> (usize, usize) {
        let pairs = self.shards.iter().zip(&other.shards);
        (
            pairs.filter(|(a, b)| a.is_one_with(b)).count(),
            self.shards.len(),
        )
    }

    /// `qname`: lower-cased wire form with the root octet.
    #[inline]
    pub(crate) fn lookup(&self, qname: &[u8]) -> Lookup<'_> {
        match self.find(qname) {
            Some(entry) if !entry.flags.has(Flags::CUT.and(Flags::GLUE)) => self.node(&entry),
            Some(entry) if entry.flags.has(Flags::CUT) => self.delegation(&entry),
            _ => self.lookup_above(qname),
        }
    }

    /// A name that has no entry of its own, or glue only: what its closest encloser says.
    fn lookup_above(&self, qname: &[u8]) -> Lookup<'_> {
        let mut encloser = self.reachable(qname);
        let entry = loop {
            let label = usize::from(encloser.first().copied().unwrap_or(0));
            if label == 0 {
                return Lookup::Refused;
            }
            encloser = encloser.get(label + 1..).unwrap_or_default();
            // At the latest there is the apex (RFC 4592 section 2.2.1).
            match self.find(encloser) {
                Some(entry) if !entry.flags.has(Flags::GLUE) => break entry,
                _ => {}
            }
        };
        if entry.flags.has(Flags::CUT) {
            return self.delegation(&entry);
        }
        let zone = self.zone(&entry);
        if entry.flags.has(Flags::DNAME)
            && let Some(set) = self.view(&entry).set(DNAME)
        {
            let owner = entry.name;
            return Lookup::Dname { zone, owner, set };
        }
        let mut buffer = [0; 257];
        match wildcard_of(encloser, &mut buffer).and_then(|wildcard| self.find(wildcard)) {
            Some(wildcard) if wildcard.zone == entry.zone => {
                let flags = wildcard.flags.and(Flags::WILDCARD);
                self.node(&Entry { flags, ..wildcard })
            }
            _ => Lookup::NxDomain { zone },
        }
    }

    /// The name without labels that make it more than one label deeper than any there is. So a name
    /// of 127 labels costs no more than one that just misses.
    #[inline]
    fn reachable<'n>(&self, qname: &'n [u8]) -> &'n [u8] {
        let mut beyond = labels(qname).saturating_sub(self.labels + 1);
        let mut rest = qname;
        while beyond > 0 {
            let label = usize::from(rest.first().copied().unwrap_or(0));
            rest = rest.get(label + 1..).unwrap_or_default();
            beyond -= 1;
        }
        rest
    }

    /// What the zone above says of the apex of `zone`, when that is ours too: of its DS records, which
    /// stand on the upper side of a cut (RFC 4035 section 3.1.4.1).
    pub(crate) fn parent_side(&self, zone: &ZoneEntry) -> Option<Lookup<'_>> {
        let above = self.zones.get(zone.above? as usize)?;
        let apex = zone.apex.wire();
        match self.lookup_above(apex) {
            veiled @ (Lookup::Delegation { .. } | Lookup::Dname { .. }) => Some(veiled),
            _ => Some(Lookup::Node {
                zone: above,
                node: Node::new(&[], 0, Flags::NONE, None),
            }),
        }
    }

    /// What a zone knows of a name server's addresses, as data of its own or as glue.
    pub(crate) fn addresses(&self, zone: &ZoneEntry, name: &[u8]) -> Option<Node<'_>> {
        let entry = self.find(name)?;
        std::ptr::eq(self.zone(&entry), zone).then(|| self.view(&entry))
    }

    fn delegation<'t>(&'t self, entry: &Entry<'t>) -> Lookup<'t> {
        Lookup::Delegation {
            zone: self.zone(entry),
            cut: entry.name,
            node: self.view(entry),
        }
    }

    #[inline]
    fn node<'t>(&'t self, entry: &Entry<'t>) -> Lookup<'t> {
        Lookup::Node {
            zone: self.zone(entry),
            node: self.view(entry),
        }
    }

    #[inline]
    fn zone(&self, entry: &Entry<'_>) -> &ZoneEntry {
        &self.zones[entry.zone as usize]
    }

    #[inline]
    fn view<'t>(&self, entry: &Entry<'t>) -> Node<'t> {
        let app = match entry.app {
            NO_APP => None,
            number => self.apps.get(number as usize).copied(),
        };
        Node::new(entry.sets, entry.count, entry.flags, app)
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Option<Entry<'_>> {
        let hash = hash(name);
        self.shards
            .get(shard_of(hash, self.shards.len()))?
            .find(hash, name)
    }
}

/// DNAME (RFC 6672).
const DNAME: u16 = 39;
