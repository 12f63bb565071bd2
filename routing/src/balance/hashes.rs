//! Tests of both ways to choose by hash: shares, and what moves.

use std::net::SocketAddr;

use super::*;

const KEYS: u64 = 40_000;

fn endpoints(count: u16) -> Vec<Endpoint> {
    let endpoint = |index| Endpoint {
        address: ([10, 0, 3, 1], 1_000 + index).into(),
        slot: u32::from(index),
        index,
    };
    (0..count).map(endpoint).collect()
}

fn balanced(policy: Policy, endpoints: &[Endpoint], weights: &[u32]) -> Box<Balanced> {
    let balance = Balance {
        policy,
        ..Balance::default()
    };
    Balanced::new(&balance, endpoints, weights.into()).unwrap()
}

/// The address that each key belongs to.
fn owners(it: &Balanced, endpoints: &[Endpoint]) -> Vec<SocketAddr> {
    let owner = |key| endpoints[it.owner(digest::mix(key), 0).unwrap()].address;
    (0..KEYS).map(owner).collect()
}

/// The greatest deviation of a share of the entries or points from what the weight says.
fn off(policy: Policy, weights: &[u32]) -> f64 {
    let endpoints = endpoints(u16::try_from(weights.len()).unwrap());
    let it = balanced(policy, &endpoints, weights);
    let owners = owners(&it, &endpoints);
    let whole: u32 = weights.iter().sum();
    let shares = endpoints.iter().zip(weights).map(|(endpoint, weight)| {
        let got = owners.iter().filter(|at| **at == endpoint.address).count();
        let fair = KEYS as f64 * f64::from(*weight) / f64::from(whole);
        if *weight == 0 {
            assert_eq!(got, 0, "weight 0 gets nothing");
            return 0.0;
        }
        (got as f64 / fair - 1.0).abs()
    });
    shares.fold(0.0, f64::max)
}

#[test]
fn maglev_shares_keys_out_within_8_percent_and_a_ring_within_25() {
    for weights in [
        &[1; 3][..],
        &[1; 10],
        &[5, 3, 2],
        &[1, 2, 3, 0, 4],
        &[1; 30],
    ] {
        // Of 40,000 keys by chance over 30 endpoints, each share has a deviation of 2.7 % by itself.
        let maglev = off(Policy::Maglev, weights);
        assert!(maglev < 0.08, "{weights:?}: {maglev}");
        let ring = off(Policy::RingHash, weights);
        assert!(ring < 0.25, "{weights:?}: {ring}");
    }
}

#[test]
fn the_entries_of_a_maglev_table_are_even_to_one() {
    for count in [1u16, 2, 7, 100, 160, 161] {
        let addresses: Vec<_> = endpoints(count).iter().map(|e| (e.address, 3)).collect();
        let table = maglev::Maglev::new(&addresses);
        let mut counts = vec![0; addresses.len()];
        for step in 0..table.len() {
            counts[table.owner(0, step).unwrap()] += 1;
        }
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 1, "{count}: {least} to {most}");
    }
}

/// Of the keys that did not belong to the one that goes, the share that moves.
fn moved(policy: Policy, weights: &[u32], gone: usize) -> f64 {
    let all = endpoints(u16::try_from(weights.len()).unwrap());
    let before = owners(&balanced(policy, &all, weights), &all);
    let mut left = all;
    let own = left.remove(gone).address;
    let mut weights = weights.to_vec();
    weights.remove(gone);
    let after = owners(&balanced(policy, &left, &weights), &left);
    let kept = before.iter().zip(&after).filter(|(old, _)| **old != own);
    let (count, moved) = kept.fold((0u32, 0u32), |(count, moved), (old, new)| {
        (count + 1, moved + u32::from(old != new))
    });
    f64::from(moved) / f64::from(count)
}

#[test]
fn when_an_endpoint_goes_or_comes_no_other_key_of_a_ring_moves_and_few_of_maglev() {
    for (weights, gone) in [
        (&[1; 3][..], 1),
        (&[1; 10], 4),
        (&[1; 30], 0),
        (&[4, 2, 4], 1),
    ] {
        assert_eq!(moved(Policy::RingHash, weights, gone), 0.0, "{weights:?}");
        let maglev = moved(Policy::Maglev, weights, gone);
        assert!(maglev < 0.06, "{weights:?}: {maglev}");
    }
}

#[test]
fn the_order_of_the_list_does_not_matter() {
    for policy in [Policy::RingHash, Policy::Maglev] {
        let forth = endpoints(9);
        let mut back = forth.clone();
        back.reverse();
        let of = |all: &[Endpoint]| owners(&balanced(policy, all, &[1; 9]), all);
        assert!(of(&forth) == of(&back), "{policy}");
    }
}

#[test]
fn a_weight_that_grows_takes_keys_and_gives_none_in_a_ring() {
    let all = endpoints(4);
    let of = |weight| owners(&balanced(Policy::RingHash, &all, &[8, 8, weight, 8]), &all);
    let mut before = of(1);
    for weight in 2..=8 {
        let after = of(weight);
        let grown = all[2].address;
        let moved = before.iter().zip(&after).filter(|(old, new)| old != new);
        assert!(
            moved.into_iter().all(|(_, new)| *new == grown),
            "to {weight}"
        );
        before = after;
    }
}

#[test]
fn who_is_behind_the_owner_is_reached_step_by_step_and_nobody_is_left_out() {
    for policy in [Policy::RingHash, Policy::Maglev] {
        let all = endpoints(5);
        let it = balanced(policy, &all, &[1; 5]);
        let mut seen: Vec<_> = (0..200).map(|step| it.owner(77, step).unwrap()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [0, 1, 2, 3, 4], "{policy}");
        let none = balanced(policy, &all, &[0; 5]);
        assert_eq!(none.owner(77, 0), None);
    }
}
