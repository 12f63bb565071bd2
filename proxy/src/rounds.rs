//! Whose turn it is, in groups balanced in turn: smooth weighted round robin, of each thread for itself.
//!
//! The rule is nginx's (2012): at each choice every endpoint gains its weight, the one that has most is
//! taken and pays the weights of all. So of weights 5, 1, 1 come a a b a c a a, not five in a row.

use std::cell::RefCell;
use std::collections::HashMap;

use windrose_routing::Balanced;

/// By group slot; as many as there were groups at one time, at most.
#[derive(Debug, Default)]
pub(crate) struct Rounds(RefCell<HashMap<u32, Round>>);

#[derive(Debug)]
struct Round {
    /// Of the balance it belongs to.
    mark: u64,
    turns: Turns,
}

#[derive(Debug)]
enum Turns {
    /// All weigh the same: who is next.
    Even(usize),
    /// What each has gained.
    Smooth(Box<[i64]>),
}

impl Rounds {
    /// The position whose turn it is among those that are fit. Whoever begins is drawn: so neither
    /// the threads of a node nor what comes after a change of endpoints begin with the same one.
    pub(crate) fn next(
        &self,
        group: u32,
        balanced: &Balanced,
        draw: u64,
        fit: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let mut rounds = self.0.borrow_mut();
        let mark = balanced.mark();
        let round = rounds.entry(group).or_insert_with(|| Round {
            mark: !mark,
            turns: Turns::Even(0),
        });
        if round.mark != mark {
            round.mark = mark;
            round.turns = Turns::begin(balanced, balanced.draw(draw, None)?);
        }
        match &mut round.turns {
            Turns::Even(next) => turn(next, balanced.weights().len(), fit),
            Turns::Smooth(gained) => smooth(gained, balanced.weights(), fit),
        }
    }
}

impl Turns {
    /// As if all but one had just been waited for: that one is first.
    fn begin(balanced: &Balanced, first: usize) -> Self {
        if balanced.is_even() {
            return Self::Even(first);
        }
        let weights = balanced.weights();
        let mut gained: Box<[i64]> = vec![0; weights.len()].into();
        if let Some(gained) = gained.get_mut(first) {
            *gained = weights
                .iter()
                .map(|weight| i64::from(*weight))
                .max()
                .unwrap_or(0);
        }
        Self::Smooth(gained)
    }
}

/// The next of `count` from a position on that is fit.
fn turn(next: &mut usize, count: usize, fit: impl Fn(usize) -> bool) -> Option<usize> {
    let at = (*next..count)
        .chain(0..(*next).min(count))
        .find(|at| fit(*at))?;
    *next = at + 1;
    Some(at)
}

/// Everyone who is fit gains its weight; who has most is taken, and pays what all have gained.
fn smooth(gained: &mut [i64], weights: &[u32], fit: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut most, mut whole) = (None, 0);
    for (at, (gained, weight)) in gained.iter_mut().zip(weights).enumerate() {
        if !fit(at) {
            continue;
        }
        let weight = i64::from(*weight);
        *gained += weight;
        whole += weight;
        if most.is_none_or(|(_, best)| *gained > best) {
            most = Some((at, *gained));
        }
    }
    let (at, _) = most?;
    gained[at] -= whole;
    Some(at)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::draw::{Dice, below};
    use windrose_model::{Balance, Policy};
    use windrose_routing::{Endpoint, Group};

    /// A group with such weights.
    pub(crate) fn group(policy: Policy, weights: &[u32]) -> Group {
        let endpoint = |(index, _)| Endpoint {
            address: ([127, 0, 0, 1], 1_000 + index).into(),
            slot: u32::from(index),
            index,
        };
        let endpoints: Box<[_]> = (0u16..).zip(weights).map(endpoint).collect();
        let balance = Balance {
            policy,
            ..Balance::default()
        };
        Group {
            slot: 3,
            balance: Balanced::new(&balance, &endpoints, weights.into()),
            endpoints,
        }
    }

    fn sequence(weights: &[u32], fit: impl Fn(usize) -> bool, count: usize) -> Vec<usize> {
        let mut gained = vec![0; weights.len()];
        let next = || smooth(&mut gained, weights, &fit);
        std::iter::repeat_with(next).flatten().take(count).collect()
    }

    #[test]
    fn turns_are_as_even_as_they_can_be() {
        for (weights, expected) in [
            (&[5, 1, 1][..], "aabacaa"),
            (&[1, 1, 1], "abc"),
            (&[3, 2, 1], "abacba"),
            (&[2, 0, 1], "aca"),
            (&[4], "aaaa"),
        ] {
            let letters: String = sequence(weights, |at| weights[at] > 0, expected.len())
                .into_iter()
                .map(|at| char::from(b"abc"[at]))
                .collect();
            assert_eq!(letters, expected, "{weights:?}");
        }
    }

    #[test]
    fn after_any_number_of_turns_nobody_is_more_than_one_and_a_half_behind_its_share_per_endpoint()
    {
        let dice = Dice::new(11);
        for _ in 0..200 {
            let count = 2 + below(dice.draw(), 9);
            let weights: Vec<u32> = (0..count)
                .map(|_| u32::try_from(1 + below(dice.draw(), 300)).unwrap())
                .collect();
            let group = group(Policy::RoundRobin, &weights);
            let balanced = group.balance.as_ref().unwrap();
            let whole: u32 = weights.iter().sum();
            let rounds = Rounds::default();
            let mut counts = vec![0; count];
            for n in 1..=3 * whole {
                let at = rounds.next(3, balanced, dice.draw(), |_| true).unwrap();
                counts[at] += 1;
                for (at, weight) in weights.iter().enumerate() {
                    let fair = f64::from(n) * f64::from(*weight) / f64::from(whole);
                    let off = (f64::from(counts[at]) - fair).abs();
                    #[allow(clippy::cast_precision_loss, reason = "at most ten")]
                    let bound = 1.5 * count as f64;
                    assert!(off <= bound, "{weights:?}: {counts:?} after {n}");
                }
            }
        }
    }

    #[test]
    fn those_that_are_not_fit_are_passed_over_and_the_others_keep_their_proportion() {
        let counts = |weights: &[u32], but: usize, n: usize| {
            let group = group(Policy::RoundRobin, weights);
            let balanced = group.balance.as_ref().unwrap();
            let (rounds, dice) = (Rounds::default(), Dice::new(5));
            let mut counts = vec![0; weights.len()];
            for _ in 0..n {
                let at = rounds.next(3, balanced, dice.draw(), |at| at != but);
                counts[at.unwrap()] += 1;
            }
            counts
        };
        assert_eq!(counts(&[1, 1, 1, 1], 2, 300), [100, 100, 0, 100]);
        let uneven = counts(&[4, 2, 1], 0, 3_000);
        assert!(
            uneven[0] == 0 && (1_998..=2_002).contains(&uneven[1]),
            "{uneven:?}"
        );
    }

    #[test]
    fn when_weights_change_the_first_turn_is_drawn_by_weight() {
        let group = group(Policy::RoundRobin, &[8, 1, 1]);
        let balanced = group.balance.as_ref().unwrap();
        let dice = Dice::new(9);
        let mut first = [0; 3];
        for _ in 0..10_000 {
            let at = Rounds::default().next(3, balanced, dice.draw(), |_| true);
            first[at.unwrap()] += 1;
        }
        assert!((7_700..8_300).contains(&first[0]), "{first:?}");
        assert!(first[1] > 850 && first[2] > 850, "{first:?}");
    }

    #[test]
    fn nobody_fit_is_nobodys_turn() {
        for weights in [&[1, 1][..], &[1, 2], &[0, 0]] {
            let group = group(Policy::RoundRobin, weights);
            let balanced = group.balance.as_ref().unwrap();
            let rounds = Rounds::default();
            assert_eq!(rounds.next(3, balanced, 1, |_| false), None);
        }
    }
}
