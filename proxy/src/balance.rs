//! An endpoint of a group whose endpoints are not all alike, or that is balanced by another rule than
//! the default. Where neither is so, nothing here is called.

use windrose_model::Policy;
use windrose_routing::{Balanced, Endpoint, Group};

use crate::pick::pick;
use crate::rounds::Rounds;

/// What a choice reads beside the group.
pub(crate) struct Reading<'a> {
    pub(crate) draw: u64,
    /// By which a policy by hash chooses.
    pub(crate) key: u64,
    pub(crate) rounds: &'a Rounds,
    pub(crate) load: &'a dyn Fn(&Endpoint) -> u32,
    /// What another request costs there.
    pub(crate) cost: &'a dyn Fn(&Endpoint) -> f64,
    pub(crate) fit: &'a dyn Fn(&Endpoint) -> bool,
}

/// An endpoint of a group; `None` when none is fit.
#[inline]
pub(crate) fn choose<'g>(
    group: &'g Group,
    rounds: &Rounds,
    (draw, key): (u64, Option<u64>),
    (load, cost): (impl Fn(&Endpoint) -> u32, impl Fn(&Endpoint) -> f64),
    fit: impl Fn(&Endpoint) -> bool,
) -> Option<&'g Endpoint> {
    match &group.balance {
        None => pick(&group.endpoints, draw, load, fit),
        Some(balanced) => {
            let reading = Reading {
                draw,
                // Who has no key is as good as anybody.
                key: key.unwrap_or(draw),
                rounds,
                load: &load,
                cost: &cost,
                fit: &fit,
            };
            by_rule(group, balanced, &reading)
        }
    }
}

#[cold]
#[inline(never)]
fn by_rule<'g>(
    group: &'g Group,
    balanced: &Balanced,
    reading: &Reading<'_>,
) -> Option<&'g Endpoint> {
    let all = &group.endpoints;
    let fit = |at: usize| balanced.weight(at) > 0 && (reading.fit)(&all[at]);
    let at = match balanced.policy {
        Policy::TwoChoices => {
            // Load for weight, without dividing.
            let weigh = |at: usize, against: usize| {
                u64::from((reading.load)(&all[at])) * u64::from(balanced.weight(against))
            };
            let lighter = |one, other| weigh(other, one) < weigh(one, other);
            two_choices(balanced, reading.draw, lighter, fit)
        }
        Policy::PeakEwma => {
            let cost = |at: usize| (reading.cost)(&all[at]) / f64::from(balanced.weight(at));
            let cheaper = |one, other| cost(other) < cost(one);
            two_choices(balanced, reading.draw, cheaper, fit)
        }
        Policy::RingHash | Policy::Maglev => {
            let load = |at: usize| (reading.load)(&all[at]);
            by_hash(balanced, reading.key, load, fit)
        }
        Policy::RoundRobin => reading.rounds.next(group.slot, balanced, reading.draw, fit),
    };
    all.get(at?)
}

/// The owner of a key, or the first behind it that is fit and, where load is bounded, not beyond its
/// bound. Keys of one that is not fit are so shared out among all others, and come back to it.
fn by_hash(
    balanced: &Balanced,
    key: u64,
    load: impl Fn(usize) -> u32,
    fit: impl Fn(usize) -> bool,
) -> Option<usize> {
    if let Some(percent) = balanced.bound() {
        let bound = Bound::over(balanced, percent, &load, &fit);
        let within = |at: usize| fit(at) && bound.has_room(balanced.weight(at), load(at));
        if let Some(at) = walk(balanced, key, within) {
            return Some(at);
        }
    }
    walk(balanced, key, fit)
}

/// Steps before all endpoints are looked at in order: where one of ten is fit, they find nobody once in
/// 10^12.
const STEPS: usize = 256;

fn walk(balanced: &Balanced, key: u64, fit: impl Fn(usize) -> bool) -> Option<usize> {
    let steps = balanced.entries().min(STEPS);
    let behind = (0..steps).filter_map(|step| balanced.owner(key, step));
    let mut last = None;
    for at in behind {
        // Neighbours are often one and the same.
        if last.replace(at) != Some(at) && fit(at) {
            return Some(at);
        }
    }
    let (first, count) = (last?, balanced.weights().len());
    (first..count).chain(0..first).find(|at| fit(*at))
}

/// How much load an endpoint may have beside the others: with all the load there is and one more
/// shared out by weight, so many percent of its part, rounded up (Mirrokni, Thorup and Zadimoghaddam,
/// "Consistent Hashing with Bounded Loads", 2016). Somebody always has room.
struct Bound {
    percent: u64,
    load: u64,
    weights: u64,
}

impl Bound {
    fn over(
        balanced: &Balanced,
        percent: u16,
        load: impl Fn(usize) -> u32,
        fit: impl Fn(usize) -> bool,
    ) -> Self {
        let mut bound = Self {
            percent: u64::from(percent),
            load: 1,
            weights: 0,
        };
        for (at, weight) in balanced.weights().iter().enumerate() {
            if fit(at) {
                bound.load += u64::from(load(at));
                bound.weights += u64::from(*weight);
            }
        }
        bound
    }

    fn has_room(&self, weight: u32, load: u32) -> bool {
        let part = u128::from(self.percent * self.load) * u128::from(weight);
        let most = part.div_ceil(u128::from(self.weights.max(1)) * 100);
        u128::from(load) < most
    }
}

/// Of two drawn by weight, the better one; the first where both are as good, so that without load each
/// is taken as often as it weighs. `better`: the second of two is.
fn two_choices(
    balanced: &Balanced,
    draw: u64,
    better: impl Fn(usize, usize) -> bool,
    fit: impl Fn(usize) -> bool,
) -> Option<usize> {
    let one = balanced.draw(draw, None)?;
    let other = balanced.draw(draw.rotate_left(32), Some(one));
    match (fit(one), other.filter(|other| fit(*other))) {
        (true, Some(other)) => Some(if better(one, other) { other } else { one }),
        (true, None) => Some(one),
        (false, Some(other)) => Some(other),
        (false, None) => {
            // Rare: by weight among those that are fit, all looked at.
            let all = balanced.weights().iter().enumerate();
            let fit: Vec<_> = all.filter(|(at, _)| fit(*at)).collect();
            let whole: u64 = fit.iter().map(|(_, weight)| u64::from(**weight)).sum();
            let mut left = u64::try_from((u128::from(draw) * u128::from(whole)) >> 64).ok()?;
            let found = fit.iter().find(|(_, weight)| {
                let here = left < u64::from(**weight);
                left = left.saturating_sub(u64::from(**weight));
                here
            });
            found.map(|(at, _)| *at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Dice;
    use crate::rounds::tests::group;

    type Load = fn(&Endpoint) -> u32;
    type Cost = fn(&Endpoint) -> f64;
    const IDLE: (Load, Cost) = (|_| 0, |_| 0.0);

    #[test]
    fn by_peak_ewma_the_cheaper_of_two_is_taken_for_its_weight() {
        let group = group(Policy::PeakEwma, &[1, 1, 4]);
        let (dice, rounds) = (Dice::new(6), Rounds::default());
        let taken = |costs: [f64; 3]| {
            let cost = |e: &Endpoint| costs[usize::from(e.index)];
            let mut counts = [0; 3];
            for _ in 0..6_000 {
                let picked = choose(&group, &rounds, (dice.draw(), None), (IDLE.0, cost), |_| {
                    true
                });
                counts[usize::from(picked.unwrap().index)] += 1;
            }
            counts
        };
        let even = taken([5.0; 3].map(|_| 0.0));
        assert!((3_700..4_300).contains(&even[2]), "{even:?}");
        assert_eq!(taken([1.0, 2.0, 12.0])[2], 0);
        assert_eq!(taken([2.0, 9.0, 4.0])[1], 0);
    }

    fn shares(weights: &[u32], load: impl Fn(&Endpoint) -> u32, but: Option<u16>) -> Vec<u32> {
        let group = group(Policy::TwoChoices, weights);
        let (dice, rounds) = (Dice::new(7), Rounds::default());
        let mut counts = vec![0; weights.len()];
        for _ in 0..60_000 {
            let fit = |endpoint: &Endpoint| Some(endpoint.index) != but;
            let picked = choose(
                &group,
                &rounds,
                (dice.draw(), None),
                (&load, |_: &Endpoint| 0.0),
                fit,
            );
            counts[usize::from(picked.unwrap().index)] += 1;
        }
        counts
    }

    #[test]
    fn without_load_two_choices_take_each_as_often_as_it_weighs() {
        for (count, weight) in shares(&[1, 2, 3, 0, 4], |_| 0, None)
            .iter()
            .zip([1, 2, 3, 0, 4])
        {
            let expected = weight * 6_000;
            assert!(count.abs_diff(expected) < 400, "{count} for {expected}");
        }
    }

    #[test]
    fn two_choices_leave_the_one_that_is_loaded_most_for_its_weight() {
        // The heavy one has twice the load for four times the weight.
        let counts = shares(&[4, 1], |e| [2, 1][usize::from(e.index)], None);
        assert_eq!(counts, [60_000, 0]);
        let counts = shares(&[4, 1], |e| [5, 1][usize::from(e.index)], None);
        assert_eq!(counts, [0, 60_000]);
    }

    #[test]
    fn only_the_fit_are_taken_whatever_they_weigh() {
        let counts = shares(&[1_000_000, 1, 3], |_| 0, Some(0));
        assert_eq!(counts[0], 0);
        assert!(
            (0.22..0.28).contains(&(f64::from(counts[1]) / 60_000.0)),
            "{counts:?}"
        );
        let nobody = group(Policy::TwoChoices, &[1, 2]);
        let rounds = Rounds::default();
        assert!(choose(&nobody, &rounds, (1, None), IDLE, |_| false).is_none());
    }

    #[test]
    fn a_key_keeps_its_endpoint_and_comes_back_to_it() {
        for policy in [Policy::RingHash, Policy::Maglev] {
            let (group, rounds, dice) = (group(policy, &[1; 7]), Rounds::default(), Dice::new(3));
            for key in 0..500 {
                let of = |but: Option<u16>| {
                    let fit = |endpoint: &Endpoint| Some(endpoint.index) != but;
                    let keys = (dice.draw(), Some(key));
                    choose(&group, &rounds, keys, IDLE, fit).unwrap().index
                };
                let own = of(None);
                assert_eq!(of(None), own);
                assert_ne!(of(Some(own)), own);
                assert_eq!(
                    of(Some((own + 1) % 7)),
                    own,
                    "another's absence moves nobody"
                );
            }
            let few = |e: &Endpoint| e.index == 5;
            let keys = |key| (dice.draw(), Some(key));
            let only = (0..100).map(|key| choose(&group, &rounds, keys(key), IDLE, few));
            assert!(only.flatten().all(|e| e.index == 5));
            assert!(choose(&group, &rounds, keys(1), IDLE, |_| false).is_none());
        }
    }

    #[test]
    fn with_a_bound_one_hot_key_fills_nobody_beyond_it() {
        for policy in [Policy::RingHash, Policy::Maglev] {
            let mut group = group(policy, &[1, 1, 2, 1]);
            let balance = windrose_model::Balance {
                policy,
                bounded_load: Some(125),
                ..windrose_model::Balance::default()
            };
            group.balance = Balanced::new(&balance, &group.endpoints, [1, 1, 2, 1].into());
            let (rounds, mut loads) = (Rounds::default(), [0u32; 4]);
            for n in 1..=1_000u32 {
                let load = |e: &Endpoint| loads[usize::from(e.index)];
                let taken = choose(&group, &rounds, (1, Some(42)), (load, IDLE.1), |_| true);
                loads[usize::from(taken.unwrap().index)] += 1;
                for (load, weight) in loads.iter().zip([1, 1, 2, 1]) {
                    assert!(
                        *load <= (125 * n * weight).div_ceil(500),
                        "{loads:?} of {n}"
                    );
                }
            }
        }
    }
}
