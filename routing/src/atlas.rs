//! The atlas: address → leaf → place, one per Table, shared by all apps. HOT: [`Atlas::leaf`].
//!
//! A leaf is an aligned prefix; leaves partition each family. A place is what steering may know of
//! a client: its country, and the innermost CIDR of any steering that holds it. What no steering
//! reads is left out, so a Table without geo rules has one leaf per family.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use windrose_model::Country;

use self::partition::{Piece, Places, nest, partition};
use self::scopes::merge;
use crate::digest::Digester;
use crate::geo::GeoDb;

mod partition;
mod scopes;

/// A leaf of the atlas of one Table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf(pub(crate) u32);

/// What steering may know of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Place {
    pub(crate) country: Option<Country>,
    /// Index into [`Atlas::cidrs`].
    pub(crate) cidr: Option<u32>,
}

pub(crate) struct Atlas {
    v4: Family<u32>,
    v6: Family<u128>,
    /// Leaves of IPv4 come first.
    place_of_leaf: Box<[u32]>,
    places: Box<[Place]>,
    cidrs: Box<[Cidr]>,
    digest: u128,
    key: AtlasKey,
}

/// What an atlas depends on: it is rebuilt only when one of these changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AtlasKey {
    /// Digest of the geo data, if any steering reads countries.
    pub(crate) geo: Option<u128>,
    /// All CIDRs of all steerings.
    pub(crate) cidrs: BTreeSet<IpNet>,
}

pub(crate) struct Cidr {
    pub(crate) net: IpNet,
    /// The innermost CIDR around this one.
    pub(crate) parent: Option<u32>,
}

/// Sorted prefix starts with an index by the top 16 bits.
struct Family<T> {
    starts: Box<[T]>,
    lens: Box<[u8]>,
    /// `index[h]` is the last leaf that starts at or before the first address with top bits `h`;
    /// one entry more closes the last bucket.
    index: Box<[u32]>,
}

impl Atlas {
    pub(crate) fn build(key: AtlasKey, geo: &GeoDb) -> Self {
        let cidrs = nest(&key.cidrs);
        let mut places = Places::default();
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        {
            let ranges = || geo.v4().map(|(a, b, c)| (u128::from(a), u128::from(b), c));
            let countries: Vec<_> = if key.geo.is_some() {
                ranges().collect()
            } else {
                Vec::new()
            };
            partition(32, &countries, &cidrs, &mut places, &mut v4);
            let countries: Vec<_> = if key.geo.is_some() {
                geo.v6().collect()
            } else {
                Vec::new()
            };
            partition(128, &countries, &cidrs, &mut places, &mut v6);
        }
        let place_of_leaf: Box<[u32]> = v4.iter().chain(&v6).map(|piece| piece.place).collect();
        #[allow(
            clippy::cast_possible_truncation,
            reason = "pieces of IPv4 are below 2^32"
        )]
        let v4 = Family::new(32, &v4, |start| start as u32);
        let v6 = Family::new(128, &v6, |start| start);
        let mut digest = Digester::new().with(&key.geo);
        digest.add(&key.cidrs);
        Self {
            v4,
            v6,
            place_of_leaf,
            places: places.list.into(),
            cidrs,
            digest: digest.finish(),
            key,
        }
    }

    pub(crate) fn key(&self) -> &AtlasKey {
        &self.key
    }

    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) fn cidrs(&self) -> &[Cidr] {
        &self.cidrs
    }

    /// The CIDRs around a place, innermost first.
    pub(crate) fn enclosing(&self, place: Place) -> impl Iterator<Item = &Cidr> {
        let mut next = place.cidr;
        std::iter::from_fn(move || {
            let cidr = &self.cidrs[next? as usize];
            next = cidr.parent;
            Some(cidr)
        })
    }

    /// The leaf of an address; IPv4-mapped IPv6 counts as IPv4.
    #[inline]
    pub(crate) fn leaf(&self, ip: IpAddr) -> Leaf {
        match ip {
            IpAddr::V4(ip) => Leaf(self.v4.find(u32::from(ip), (u32::from(ip) >> 16) as usize)),
            IpAddr::V6(ip) => {
                if let Some(ip) = ip.to_ipv4_mapped() {
                    return self.leaf(IpAddr::V4(ip));
                }
                let bits = u128::from(ip);
                #[allow(clippy::cast_possible_truncation, reason = "leaves are below 2^32")]
                let first = self.v4.starts.len() as u32;
                Leaf(first + self.v6.find(bits, (bits >> 112) as usize))
            }
        }
    }

    #[inline]
    pub(crate) fn place_of(&self, leaf: Leaf) -> u32 {
        self.place_of_leaf[leaf.0 as usize]
    }

    /// The widest prefix around each leaf inside which `view` is the same: one linear pass that
    /// merges equal siblings from the leaves up.
    pub(crate) fn scopes(&self, view: impl Fn(u32) -> u32) -> Box<[u8]> {
        let mut scopes = vec![0u8; self.place_of_leaf.len()];
        let split = self.v4.starts.len();
        let (v4, v6) = scopes.split_at_mut(split);
        let (places4, places6) = self.place_of_leaf.split_at(split);
        merge(
            32,
            self.v4
                .lens
                .iter()
                .zip(places4)
                .map(|(&len, &p)| (len, view(p))),
            |i| u128::from(self.v4.starts[i]),
            v4,
        );
        merge(
            128,
            self.v6
                .lens
                .iter()
                .zip(places6)
                .map(|(&len, &p)| (len, view(p))),
            |i| self.v6.starts[i],
            v6,
        );
        scopes.into()
    }
}

impl<T: Copy + Ord> Family<T> {
    fn new(bits: u8, pieces: &[Piece], narrow: impl Fn(u128) -> T) -> Self {
        let mut index = Vec::with_capacity(65_537);
        let mut piece = 0u32;
        for bucket in 0..65_536u128 {
            let first = bucket << (bits - 16);
            while pieces
                .get(piece as usize + 1)
                .is_some_and(|next| next.start <= first)
            {
                piece += 1;
            }
            index.push(piece);
        }
        index.push(u32::try_from(pieces.len()).unwrap_or(u32::MAX) - 1);
        Self {
            starts: pieces.iter().map(|p| narrow(p.start)).collect(),
            lens: pieces.iter().map(|p| p.len).collect(),
            index: index.into(),
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
