//! HOT: a circle of points, each an endpoint's; a key belongs to the next point.
//!
//! Consistent hashing (Karger and others, "Consistent Hashing and Random Trees", 1997), with many
//! points for each endpoint, in proportion to its weight (libketama, 2007). The points of an endpoint
//! depend on its address and on how its weight stands to the greatest, on nothing else: when one goes,
//! only the keys that it had move.

use std::net::SocketAddr;

use super::{hash, key_hash};

/// Points of an endpoint of the greatest weight; the share that an endpoint gets is off by some 6 % of
/// itself, which is one by the root of this.
const POINTS: usize = 256;
/// All points of a ring; with more endpoints than a 256th of it each has fewer.
const MOST: usize = 1 << 20;

/// Points in order, with the position of their owner.
#[derive(Debug)]
pub(super) struct Ring(Box<[(u32, u16)]>);

impl Ring {
    pub(super) fn new(endpoints: &[(SocketAddr, u32)]) -> Self {
        let most = endpoints.iter().map(|(_, weight)| *weight).max();
        let most = u64::from(most.unwrap_or(0).max(1));
        let each = POINTS.min(MOST / endpoints.len().max(1)) as u64;
        let mut points = Vec::new();
        for (at, (address, weight)) in (0u16..).zip(endpoints) {
            let count = (each * u64::from(*weight)).div_ceil(most);
            points.extend((0..count).map(|n| (upper(hash(address, n)), at)));
        }
        points.sort_unstable();
        Self(points.into())
    }

    /// The owner of a key, or of the point that is so many steps behind it.
    #[inline]
    pub(super) fn owner(&self, key: u64, step: usize) -> Option<usize> {
        let key = upper(key_hash(key));
        let first = self.0.partition_point(|(point, _)| *point < key);
        let count = self.0.len();
        let at = first.checked_add(step)?.checked_rem(count)?;
        self.0.get(at).map(|(_, owner)| usize::from(*owner))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[allow(clippy::cast_possible_truncation, reason = "half of it is meant")]
const fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}
