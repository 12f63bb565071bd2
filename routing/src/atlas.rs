//! The atlas: address → leaf → place, one per Table, shared by all apps. HOT: [`Atlas::leaf`].
//!
//! A leaf is an aligned prefix; leaves partition each family. A place is what steering may know of
//! a client: the spot it lies in, its autonomous system, and the innermost CIDR of any steering that
//! holds it. What no steering reads is left out, so a Table without geo rules has one leaf per
//! family, and a city that no rule names has no leaves of its own.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use windrose_model::{Asn, Fingerprint, LatencyMatrix, Name};

use self::embedded::{MOUNTS, embedded};
use self::partition::{Cut, Layers, partition};
use self::places::{Places, nest};
use self::scopes::{Leaves, Stretch, stretches};
use self::spots::Spots;
use crate::Data;
use crate::digest::Digester;
use crate::steering::Reads;

mod embedded;
mod partition;
mod places;
mod scopes;
mod spots;
#[cfg(test)]
mod tests;
mod unroutable;

pub use self::embedded::embedded_ipv4;
pub(crate) use self::places::{Cidr, Place};
pub(crate) use self::spots::Spot;
pub(crate) use self::unroutable::{unroutable, unspecified};

/// A leaf of the atlas of one Table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    pub(crate) number: u32,
    /// Of an IPv4 address that came inside an IPv6 one: the leaf of its prefix, and the bits in front
    /// of the IPv4 address.
    pub(crate) inside: Option<(u32, u8)>,
}

pub(crate) struct Atlas {
    v4: Family<u32>,
    v6: Family<u128>,
    /// Leaves of IPv4 come first.
    place_of_leaf: Box<[u32]>,
    places: Box<[Place]>,
    spots: Box<[Spot]>,
    /// Those that any steering names.
    asns: Box<[Asn]>,
    cidrs: Box<[Cidr]>,
    /// Numbers of the CIDRs that are in a list.
    lists: BTreeMap<Name, Box<[u32]>>,
    /// The leaf of each of [`MOUNTS`].
    mounts: [u32; MOUNTS.len()],
    digest: u128,
    key: AtlasKey,
}

/// What an atlas depends on: it is rebuilt only when one of these changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct AtlasKey {
    /// What any steering reads.
    pub(crate) reads: Reads,
    /// Digest of the geo data, if any steering reads countries or what lies in them.
    geo: Option<u128>,
    /// Digest of the data on autonomous systems, if any steering reads them.
    asns: Option<u128>,
    /// Digests of the lists that any steering reads.
    lists: Vec<Option<u128>>,
    /// Of the latency matrix, if any steering reads round trips.
    matrix: Option<Fingerprint>,
}

impl AtlasKey {
    pub(crate) fn new(reads: Reads, data: &Data, matrix: &LatencyMatrix) -> Self {
        Self {
            geo: reads.spots().then(|| data.geo.digest()),
            asns: (!reads.asns.is_empty()).then(|| data.asns().digest()),
            lists: reads.lists.iter().map(|l| data.lists.digest(l)).collect(),
            matrix: reads.latency.then(|| matrix.fingerprint()),
            reads,
        }
    }
}

/// Sorted prefix starts with an index by the top 16 bits.
struct Family<T> {
    starts: Box<[T]>,
    lens: Box<[u8]>,
    stretches: Box<[Stretch]>,
    /// `index[h]` is the last leaf that starts at or before the first address with top bits `h`;
    /// one entry more closes the last bucket.
    index: Box<[u32]>,
}

impl Atlas {
    pub(crate) fn build(key: AtlasKey, data: &Data, matrix: &LatencyMatrix) -> Self {
        let reads = &key.reads;
        let in_lists = reads.lists.iter().filter_map(|name| data.lists.get(name));
        let in_matrix: Vec<_> = match reads.latency {
            true => matrix.cidrs().collect(),
            false => Vec::new(),
        };
        let in_lists = in_lists.flat_map(|l| l.prefixes());
        let cidrs = nest(reads.cidrs.iter().chain(in_lists).chain(&in_matrix));
        let spots = Spots::new(reads, &data.geo);
        let asns = asn_numbers(reads, data);
        let mut places = Places::default();
        let layers = Layers {
            spot_of: spots.of_locality(),
            asn_of: &asns,
            cidrs: &cidrs,
        };
        let (geo, network) = (&data.geo, data.asns());
        let (mut v4, mut v6) = (Cut::default(), Cut::default());
        // What is not read has one run. The runs are asked for millions of times.
        let read = |is_read: bool| if is_read { usize::MAX } else { 1 };
        let (spot_runs, asn_runs) = (read(!spots.is_empty()), read(!asns.is_empty()));
        let (spots4, asns4) = (geo.runs4().take(spot_runs), network.runs4().take(asn_runs));
        partition(32, spots4, asns4, &layers, &mut places, &mut v4);
        let (spots6, asns6) = (geo.runs6().take(spot_runs), network.runs6().take(asn_runs));
        partition(128, spots6, asns6, &layers, &mut places, &mut v6);
        let place_of_leaf = [&*v4.places, &*v6.places].concat().into_boxed_slice();
        #[allow(clippy::cast_possible_truncation, reason = "leaves are below 2^32")]
        let first = v4.starts.len() as u32;
        let (v4, v6) = (Family::new(32, v4), Family::new(128, v6));
        let mounts =
            MOUNTS.map(|mount| first + v6.find(mount.start, (mount.start >> 112) as usize));
        let lists = reads.lists.iter().filter_map(|name| {
            let prefixes = data.lists.get(name)?.prefixes();
            let numbers = prefixes
                .iter()
                .filter_map(|net| places::number_of(&cidrs, net));
            Some((name.clone(), numbers.collect()))
        });
        Self {
            lists: lists.collect(),
            v4,
            v6,
            place_of_leaf,
            places: places.list.into(),
            spots: spots.list.into(),
            asns: reads.asns.iter().copied().collect(),
            mounts,
            digest: Digester::new().with(&key).finish(),
            cidrs,
            key,
        }
    }

    pub(crate) fn key(&self) -> &AtlasKey {
        &self.key
    }

    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    /// All places; one of them may stand for the addresses of a mount, and is nobody's.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) fn spots(&self) -> &[Spot] {
        &self.spots
    }

    pub(crate) fn spot(&self, place: Place) -> &Spot {
        &self.spots[place.spot as usize]
    }

    /// The autonomous system of a place, if any steering names it.
    pub(crate) fn asn(&self, place: Place) -> Option<Asn> {
        let at = (place.asn as usize).checked_sub(1)?;
        self.asns.get(at).copied()
    }

    pub(crate) fn cidrs(&self) -> &[Cidr] {
        &self.cidrs
    }

    /// The number of a CIDR that a steering names.
    pub(crate) fn cidr_number(&self, net: &IpNet) -> Option<u32> {
        places::number_of(&self.cidrs, &net.trunc())
    }

    /// The numbers of the CIDRs in a list, whichever steering names it.
    pub(crate) fn list(&self, name: &Name) -> &[u32] {
        self.lists.get(name).map_or(&[], |list| list)
    }

    /// The lists that hold exactly this CIDR.
    pub(crate) fn lists_with(&self, number: u32) -> impl Iterator<Item = &Name> {
        let holds = move |list: &[u32]| list.binary_search(&number).is_ok();
        self.lists
            .iter()
            .filter(move |(_, list)| holds(list))
            .map(|(name, _)| name)
    }

    /// The CIDRs around a place with their numbers, innermost first.
    pub(crate) fn enclosing(&self, place: Place) -> impl Iterator<Item = (u32, &Cidr)> {
        let mut next = place.cidr;
        std::iter::from_fn(move || {
            let number = next?;
            let cidr = &self.cidrs[number as usize];
            next = cidr.parent;
            Some((number, cidr))
        })
    }

    /// The leaf of an address. An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4, Teredo) counts
    /// as itself.
    #[inline]
    pub(crate) fn leaf(&self, ip: IpAddr) -> Leaf {
        match ip {
            IpAddr::V4(ip) => Leaf {
                number: self.v4.find(u32::from(ip), (u32::from(ip) >> 16) as usize),
                inside: None,
            },
            IpAddr::V6(ip) => {
                let bits = u128::from(ip);
                if let Some((mount, ip)) = embedded(bits) {
                    return Leaf {
                        number: self.v4.find(ip, (ip >> 16) as usize),
                        inside: Some((self.mounts[mount], MOUNTS[mount].offset)),
                    };
                }
                #[allow(clippy::cast_possible_truncation, reason = "leaves are below 2^32")]
                let first = self.v4.starts.len() as u32;
                Leaf {
                    number: first + self.v6.find(bits, (bits >> 112) as usize),
                    inside: None,
                }
            }
        }
    }

    #[inline]
    pub(crate) fn place_of(&self, leaf: Leaf) -> u32 {
        self.place_of_leaf[leaf.number as usize]
    }

    /// The widest prefix around each leaf inside which the view of places is the same; one linear pass.
    pub(crate) fn scopes(&self, view: &[u32]) -> Box<[u8]> {
        let mut scopes = vec![0u8; self.place_of_leaf.len()];
        let split = self.v4.starts.len();
        let (v4, v6) = scopes.split_at_mut(split);
        let of = |place: u32| Some(view[place as usize]);
        self.v4.leaves(32).scopes(of, v4);
        // A mount holds all of IPv4: it is of one view if IPv4 is.
        let uniform = (v4.first() == Some(&0)).then(|| view[self.place_of_leaf[0] as usize]);
        let mount = self.mount_place();
        let of = |place| if place == mount { uniform } else { of(place) };
        self.v6.leaves(128).scopes(of, v6);
        scopes.into()
    }

    /// The number of the place that stands for the addresses of a mount.
    pub(crate) fn mount_place(&self) -> u32 {
        self.place_of_leaf[self.mounts[0] as usize]
    }
}

/// By number of a locality of the data on autonomous systems: one more than the position of its
/// system among those that steering names, 0 for all others. Empty when it names none.
fn asn_numbers(reads: &Reads, data: &Data) -> Vec<u32> {
    if reads.asns.is_empty() {
        return Vec::new();
    }
    let numbers: BTreeMap<Asn, u32> = reads.asns.iter().copied().zip(1..).collect();
    let localities = data.asns().localities().iter();
    let number = |asn: Option<Asn>| asn.and_then(|asn| numbers.get(&asn).copied());
    localities.map(|l| number(l.asn).unwrap_or(0)).collect()
}

impl<T: Copy + Ord + Into<u128>> Family<T> {
    fn new(bits: u8, cut: Cut<T>) -> Self {
        let Cut {
            starts,
            lens,
            places,
        } = cut;
        let mut index = Vec::with_capacity(65_537);
        let mut at = 0u32;
        for bucket in 0..65_536u128 {
            let first = bucket << (bits - 16);
            while starts
                .get(at as usize + 1)
                .is_some_and(|next| (*next).into() <= first)
            {
                at += 1;
            }
            index.push(at);
        }
        index.push(u32::try_from(starts.len()).unwrap_or(u32::MAX) - 1);
        Self {
            starts: starts.into(),
            lens: lens.into(),
            stretches: stretches(&places),
            index: index.into(),
        }
    }

    fn leaves(&self, bits: u8) -> Leaves<'_, T> {
        Leaves {
            bits,
            starts: &self.starts,
            lens: &self.lens,
            stretches: &self.stretches,
        }
    }

    /// The last start that is not above `address`.
    #[inline]
    fn find(&self, address: T, top: usize) -> u32 {
        let (low, high) = (self.index[top], self.index[top + 1]);
        let within = &self.starts[low as usize..=high as usize];
        #[allow(clippy::cast_possible_truncation, reason = "leaves are below 2^32")]
        let above = within.partition_point(|start| *start <= address) as u32;
        low + above - 1
    }
}
