//! HOT: how one endpoint of a group is chosen where not all are alike, or not by power of two
//! choices: weights and what follows from them. What changes with each request (whose turn it is,
//! load, fitness) is the data path's.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use windrose_model::{Balance, EndpointTraits, Name, Policy, Version};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::digest::{self, Digester};
use crate::plan::Endpoint;
use crate::routes::user;

#[cfg(test)]
mod hashes;
mod maglev;
mod ring;

/// The balance of a group, compiled.
#[derive(Debug)]
pub struct Balanced {
    /// By which rule.
    pub policy: Policy,
    /// By position among the endpoints; 0 takes nothing new.
    weights: Box<[u32]>,
    /// The sums of the weights up to a position, itself included.
    sums: Box<[u64]>,
    /// Whether all that take something have one weight.
    even: bool,
    hashing: Hashing,
    /// Percent of the average load beyond which an endpoint is passed over.
    bound: Option<u16>,
    /// Another one when policy, endpoints or weights are others.
    mark: u64,
}

/// How keys belong to endpoints.
///
/// Made where the Table is compiled and not on the way of a request: so it is the same on every
/// node, nobody waits for it or locks it, and it is made anew only for an app that changed.
#[derive(Debug)]
enum Hashing {
    None,
    Ring(ring::Ring),
    Maglev(maglev::Maglev),
}

/// A hash of an endpoint, one of many, that is the same on all nodes.
fn hash(address: &SocketAddr, number: u64) -> u64 {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    let seed = digest::mix(number ^ u64::from(address.port()) << 48);
    xxh3_64_with_seed(&octets, seed)
}

/// Of a key that may have come from anywhere.
const fn key_hash(key: u64) -> u64 {
    digest::mix(key)
}

const SALT: u64 = 0x4241_4c41_4e43_455f;

/// What of a request stands for its user under a policy by hash; none where it has nothing of the
/// kind. `app`: the salt of the app.
pub(crate) fn key(balance: &Balance, app: u64, headers: &HeaderMap, client: IpAddr) -> Option<u64> {
    let user = user(&balance.by, headers, client)?;
    Some(xxh3_64_with_seed(&user, app ^ SALT))
}

impl Balanced {
    /// Of the endpoints of a version in a cluster.
    pub(crate) fn build(
        balance: &Balance,
        version: &Version,
        cluster: &Name,
        endpoints: &[Endpoint],
    ) -> Option<Box<Self>> {
        let share = |endpoint: &Endpoint| {
            let traits = version.traits.get(&(cluster.clone(), endpoint.address));
            traits.map_or(1, EndpointTraits::share)
        };
        let weights = match version.traits.is_empty() {
            true => vec![1; endpoints.len()],
            false => endpoints.iter().map(share).collect(),
        };
        Self::new(balance, endpoints, weights.into())
    }

    /// Of endpoints with weights; none where they are all alike under the default policy.
    pub fn new(
        balance: &Balance,
        endpoints: &[Endpoint],
        weights: Box<[u32]>,
    ) -> Option<Box<Self>> {
        if endpoints.is_empty() {
            return None;
        }
        let mut some = weights.iter().filter(|weight| **weight > 0);
        let first = some.next().copied();
        let even = some.all(|weight| Some(*weight) == first);
        let all_alike = even && !weights.contains(&0);
        if all_alike && balance.policy == Policy::TwoChoices {
            return None;
        }
        let mut digest = Digester::new().with(balance);
        for (endpoint, weight) in endpoints.iter().zip(&weights) {
            digest.add(&(endpoint.address, weight));
        }
        let weighed = || {
            let both = endpoints.iter().zip(&weights);
            both.map(|(endpoint, weight)| (endpoint.address, *weight))
                .collect::<Vec<_>>()
        };
        let hashing = match balance.policy {
            Policy::TwoChoices | Policy::RoundRobin | Policy::PeakEwma => Hashing::None,
            Policy::RingHash => Hashing::Ring(ring::Ring::new(&weighed())),
            Policy::Maglev => Hashing::Maglev(maglev::Maglev::new(&weighed())),
        };
        let sums = weights.iter().scan(0, |sum, weight| {
            *sum += u64::from(*weight);
            Some(*sum)
        });
        #[allow(clippy::cast_possible_truncation, reason = "half of it is enough")]
        let mark = digest.finish() as u64;
        Some(Box::new(Self {
            policy: balance.policy,
            sums: sums.collect(),
            weights,
            even,
            hashing,
            bound: balance.bounded_load,
            mark,
        }))
    }

    /// The weight of the endpoint at a position; 0 takes nothing new.
    #[inline]
    pub fn weight(&self, at: usize) -> u32 {
        self.weights.get(at).copied().unwrap_or(0)
    }

    /// All weights, by position.
    pub fn weights(&self) -> &[u32] {
        &self.weights
    }

    /// Whether all that take something have one weight.
    pub fn is_even(&self) -> bool {
        self.even
    }

    /// The position of the owner of a key under a policy by hash, or of who stands so many steps behind
    /// it. None: there is none.
    #[inline]
    pub fn owner(&self, key: u64, step: usize) -> Option<usize> {
        match &self.hashing {
            Hashing::None => None,
            Hashing::Ring(ring) => ring.owner(key, step),
            Hashing::Maglev(table) => table.owner(key, step),
        }
    }

    /// Entries of its table or points of its ring; 0 where there is none.
    pub fn entries(&self) -> usize {
        match &self.hashing {
            Hashing::None => 0,
            Hashing::Ring(ring) => ring.len(),
            Hashing::Maglev(table) => table.len(),
        }
    }

    /// Percent of the average load beyond which an endpoint is passed over, under a policy by hash.
    pub fn bound(&self) -> Option<u16> {
        self.bound
    }

    /// Another one when policy, endpoints or weights are others: what was kept for them holds no
    /// more.
    pub fn mark(&self) -> u64 {
        self.mark
    }

    /// A position by chance, by weight, other than `but`; none if nothing is left.
    pub fn draw(&self, draw: u64, but: Option<usize>) -> Option<usize> {
        let whole = self.sums.last().copied().unwrap_or(0);
        let own = but.map_or(0, |but| u64::from(self.weight(but)));
        let left = whole.checked_sub(own).filter(|left| *left > 0)?;
        #[allow(clippy::cast_possible_truncation, reason = "below `left`")]
        let mut point = ((u128::from(draw) * u128::from(left)) >> 64) as u64;
        // As if the one left out were not there.
        if let Some(but) = but
            && point >= self.sums[but] - own
        {
            point += own;
        }
        Some(self.sums.partition_point(|sum| *sum <= point))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced(policy: Policy, weights: &[u32]) -> Option<Box<Balanced>> {
        let endpoint = |(index, _)| Endpoint {
            address: ([127, 0, 0, 1], 1_000 + index).into(),
            slot: u32::from(index),
            index,
        };
        let endpoints: Vec<_> = (0u16..).zip(weights).map(endpoint).collect();
        let balance = Balance {
            policy,
            ..Balance::default()
        };
        Balanced::new(&balance, &endpoints, weights.into())
    }

    #[test]
    fn endpoints_that_are_alike_under_the_default_policy_cost_nothing() {
        assert!(balanced(Policy::TwoChoices, &[1, 1, 1]).is_none());
        assert!(balanced(Policy::TwoChoices, &[7, 7]).is_none());
        assert!(balanced(Policy::TwoChoices, &[]).is_none());
        assert!(balanced(Policy::TwoChoices, &[1, 0]).is_some());
        assert!(balanced(Policy::TwoChoices, &[1, 2]).is_some());
        assert!(balanced(Policy::RoundRobin, &[1, 1]).is_some_and(|it| it.is_even()));
        assert!(balanced(Policy::RoundRobin, &[2, 0, 2]).is_some_and(|it| it.is_even()));
        assert!(balanced(Policy::RoundRobin, &[2, 1]).is_some_and(|it| !it.is_even()));
    }

    #[test]
    fn a_draw_is_by_weight_and_never_of_weight_0_nor_of_the_one_left_out() {
        let check = |weights: &[u32], but: Option<usize>, expected: &[u32]| {
            let it = balanced(Policy::RoundRobin, weights).unwrap();
            let whole: u32 = expected.iter().sum();
            let mut counts = vec![0; weights.len()];
            // Every point once.
            for n in 0..u64::from(whole) {
                let draw = ((n << 32) / u64::from(whole)) << 32 | u64::from(u32::MAX);
                counts[it.draw(draw, but).unwrap()] += 1;
            }
            assert_eq!(counts, expected, "{weights:?} without {but:?}");
        };
        check(&[3, 1, 2], None, &[3, 1, 2]);
        check(&[0, 3, 0, 1, 0], None, &[0, 3, 0, 1, 0]);
        check(&[3, 1, 2], Some(0), &[0, 1, 2]);
        check(&[3, 1, 2], Some(1), &[3, 0, 2]);
        check(&[3, 1, 2], Some(2), &[3, 1, 0]);
        check(&[1_000_000, 1, 0], Some(0), &[0, 1, 0]);
        let none = balanced(Policy::RoundRobin, &[0, 0]).unwrap();
        assert_eq!(none.draw(7, None), None);
        let one = balanced(Policy::RoundRobin, &[0, 5]).unwrap();
        assert_eq!((one.draw(7, None), one.draw(7, Some(1))), (Some(1), None));
    }

    #[test]
    fn a_mark_tells_other_weights_policies_and_endpoints() {
        let mark = |policy, weights: &[u32]| balanced(policy, weights).unwrap().mark();
        let own = mark(Policy::RoundRobin, &[1, 2]);
        assert_eq!(own, mark(Policy::RoundRobin, &[1, 2]));
        assert_ne!(own, mark(Policy::RoundRobin, &[2, 1]));
        assert_ne!(own, mark(Policy::TwoChoices, &[1, 2]));
        assert_ne!(own, mark(Policy::RoundRobin, &[1, 2, 1]));
    }
}
