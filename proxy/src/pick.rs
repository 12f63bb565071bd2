//! HOT
//!
//! Power of two choices: of two endpoints drawn, the one with fewer requests in flight
//! (Mitzenmacher 2001). Pure: load and fitness come in as functions.

use windrose_routing::Endpoint;

use crate::draw::below;

/// An endpoint of a group; `None` when none is fit. `fit` is asked once or twice where endpoints
/// are fine, else once per endpoint.
pub(crate) fn pick(
    endpoints: &[Endpoint],
    draw: u64,
    load: impl Fn(&Endpoint) -> u32,
    fit: impl Fn(&Endpoint) -> bool,
) -> Option<&Endpoint> {
    let (one, other) = match endpoints {
        [] => return None,
        [only] => return fit(only).then_some(only),
        _ => two(endpoints.len(), draw),
    };
    let (one, other) = (&endpoints[one], &endpoints[other]);
    match (fit(one), fit(other)) {
        (true, true) => Some(lighter(one, other, load)),
        (true, false) => Some(one),
        (false, true) => Some(other),
        (false, false) => among_the_fit(endpoints, draw, load, fit),
    }
}

fn among_the_fit(
    endpoints: &[Endpoint],
    draw: u64,
    load: impl Fn(&Endpoint) -> u32,
    fit: impl Fn(&Endpoint) -> bool,
) -> Option<&Endpoint> {
    let fit: Vec<_> = endpoints.iter().filter(|e| fit(e)).collect();
    match fit[..] {
        [] => None,
        [only] => Some(only),
        _ => {
            let (one, other) = two(fit.len(), draw);
            Some(lighter(fit[one], fit[other], load))
        }
    }
}

fn lighter<'g>(
    one: &'g Endpoint,
    other: &'g Endpoint,
    load: impl Fn(&Endpoint) -> u32,
) -> &'g Endpoint {
    if load(other) < load(one) { other } else { one }
}

/// Two different positions below `n`, which is at least 2.
fn two(n: usize, draw: u64) -> (usize, usize) {
    let one = below(draw, n);
    let other = below(draw << 32, n - 1);
    (one, other + usize::from(other >= one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Dice;

    fn endpoints(n: u16) -> Vec<Endpoint> {
        (0..n)
            .map(|index| Endpoint {
                address: ([127, 0, 0, 1], 1_000 + index).into(),
                slot: u32::from(index),
                index,
            })
            .collect()
    }

    #[test]
    fn endpoints_of_equal_load_are_taken_evenly() {
        let (all, dice) = (endpoints(5), Dice::new(1));
        let mut taken = [0; 5];
        for _ in 0..50_000 {
            taken[usize::from(pick(&all, dice.draw(), |_| 0, |_| true).unwrap().index)] += 1;
        }
        assert!(
            taken.iter().all(|n| (9_500..10_500).contains(n)),
            "{taken:?}"
        );
    }

    #[test]
    fn the_most_loaded_of_all_is_never_taken() {
        let (all, dice) = (endpoints(3), Dice::new(2));
        for _ in 0..1_000 {
            let taken = pick(&all, dice.draw(), |e| u32::from(e.index), |_| true);
            assert_ne!(taken.unwrap().index, 2);
        }
    }

    #[test]
    fn only_fit_endpoints_are_taken() {
        let dice = Dice::new(3);
        for n in 1..6 {
            let all = endpoints(n);
            for only in 0..n {
                for _ in 0..50 {
                    let taken = pick(&all, dice.draw(), |_| 0, |e| e.index == only);
                    assert_eq!(taken.map(|e| e.index), Some(only));
                }
            }
            assert!(pick(&all, dice.draw(), |_| 0, |_| false).is_none());
        }
        assert!(pick(&[], 0, |_| 0, |_| true).is_none());
    }
}
