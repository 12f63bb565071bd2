//! HOT: a table of prime size that endpoints fill in turn, each along a permutation of its own; a key
//! belongs to the owner of its entry.
//!
//! Eisenbud and others, "Maglev: A Fast and Reliable Software Network Load Balancer" (2016), section
//! 3.4. Weights by how often an endpoint has its turn. It shares keys out more evenly than a ring and
//! is looked up in one step; when an endpoint goes, some keys of others move as well.

use std::net::SocketAddr;

use super::{hash, key_hash};

/// Entries of a table: prime, and more than a hundred times as many as endpoints (the paper's rule,
/// for shares within 1 %), up to 160 of them and up to 655.
const SIZES: [(usize, usize); 2] = [(160, 16_381), (usize::MAX, 65_537)];

/// The position of the owner of each entry.
#[derive(Debug)]
pub(super) struct Maglev(Box<[u16]>);

impl Maglev {
    pub(super) fn new(endpoints: &[(SocketAddr, u32)]) -> Self {
        let fits = SIZES.iter().find(|(most, _)| endpoints.len() <= *most);
        Self::of_size(endpoints, fits.map_or(0, |(_, size)| *size))
    }

    /// `size` is prime, so that every permutation reaches every entry.
    fn of_size(endpoints: &[(SocketAddr, u32)], size: usize) -> Self {
        const FREE: u16 = u16::MAX;
        let prime = size as u64;
        let most = endpoints.iter().map(|(_, weight)| u64::from(*weight)).max();
        let most = most.unwrap_or(0);
        if most == 0 || size < 2 {
            return Self(Box::default());
        }
        struct Filler {
            at: u16,
            weight: u64,
            /// How much of a turn it has; a whole one is the greatest weight.
            saved: u64,
            next: u64,
            skip: u64,
        }
        let takes = (0u16..)
            .zip(endpoints)
            .filter(|(_, (_, weight))| *weight > 0);
        let mut fillers: Vec<_> = takes
            .map(|(at, (address, weight))| Filler {
                at,
                weight: u64::from(*weight),
                saved: 0,
                next: hash(address, 0) % prime,
                skip: hash(address, 1) % (prime - 1) + 1,
            })
            .collect();
        // In the order of addresses, so that it does not count how they are listed.
        fillers.sort_by_key(|filler| endpoints[usize::from(filler.at)].0);
        let mut table = vec![FREE; size];
        let mut left = size;
        while left > 0 {
            for filler in &mut fillers {
                filler.saved += filler.weight;
                if filler.saved < most {
                    continue;
                }
                filler.saved -= most;
                let place = loop {
                    let place = usize::try_from(filler.next).unwrap_or(0);
                    filler.next = (filler.next + filler.skip) % prime;
                    if table[place] == FREE {
                        break place;
                    }
                };
                table[place] = filler.at;
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        }
        Self(table.into())
    }

    /// The owner of a key, or of the entry that is so many steps behind its own.
    #[inline]
    pub(super) fn owner(&self, key: u64, step: usize) -> Option<usize> {
        let size = self.0.len() as u64;
        let first = key_hash(key).checked_rem(size)?;
        let at = usize::try_from(first).ok()?.checked_add(step)? % self.0.len();
        self.0.get(at).map(|owner| usize::from(*owner))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
