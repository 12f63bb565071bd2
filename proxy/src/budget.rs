//! The retry budget of an app: exact, shared by all threads of a node, and free for requests that
//! are not retried.
//!
//! Each thread counts its requests per second in a ring that only it writes. Who wants to retry
//! sums the rings over the last ten seconds and compares with the retries of those seconds, under a
//! lock that nobody else takes (the rule of Gateway API's `XBackendTrafficPolicy` and Linkerd).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use windrose_model::RetryBudget;

/// Seconds that a budget looks back.
const WINDOW: u32 = 10;
/// Slots of a ring; a power of two above [`WINDOW`].
const SLOTS: usize = 16;

/// The budget of one app on one node.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Arc<Requests>>,
    retries: [(u32, u32); SLOTS],
}

/// Requests of one thread by second: slot = second modulo [`SLOTS`], holding second and count.
#[derive(Debug, Default)]
pub(crate) struct Requests([AtomicU64; SLOTS]);

impl Budget {
    /// The ring of a thread; the thread keeps it and is its only writer.
    pub(crate) fn join(&self) -> Arc<Requests> {
        let requests = Arc::default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests.retain(|ring| Arc::strong_count(ring) > 1);
        state.requests.push(Arc::clone(&requests));
        requests
    }

    /// Whether one more retry is within the budget at this second; if so it is charged.
    ///
    /// Allowed are `min_per_second` in any second, and beyond that `budget` of the requests of the
    /// last ten seconds.
    pub(crate) fn charge(&self, second: u32, rule: &RetryBudget) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = second as usize % SLOTS;
        if state.retries[slot].0 != second {
            state.retries[slot] = (second, 0);
        }
        let now = state.retries[slot].1;
        if now >= rule.min_per_second {
            let retries: u64 = state
                .retries
                .iter()
                .filter(|(at, _)| second.wrapping_sub(*at) < WINDOW)
                .map(|(_, n)| u64::from(*n))
                .sum();
            let requests: u64 = state.requests.iter().map(|ring| ring.recent(second)).sum();
            let allowed = requests * u64::from(rule.share.hundredths()) / 10_000;
            if retries >= allowed {
                return false;
            }
        }
        state.retries[slot].1 += 1;
        true
    }
}

impl Requests {
    /// One request more.
    #[inline]
    pub(crate) fn add(&self, second: u32) {
        let slot = &self.0[second as usize % SLOTS];
        let packed = slot.load(Relaxed);
        let next = if packed >> 32 == u64::from(second) {
            packed + 1
        } else {
            u64::from(second) << 32 | 1
        };
        slot.store(next, Relaxed);
    }

    fn recent(&self, second: u32) -> u64 {
        self.0
            .iter()
            .map(|slot| slot.load(Relaxed))
            .filter(|packed| second.wrapping_sub((packed >> 32) as u32) < WINDOW)
            .map(|packed| packed & u64::from(u32::MAX))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windrose_model::Percent;

    fn rule(percent: f64, min_per_second: u32) -> RetryBudget {
        RetryBudget {
            share: Percent::new(percent).unwrap(),
            min_per_second,
        }
    }

    fn granted(budget: &Budget, second: u32, rule: &RetryBudget, wanted: u32) -> u32 {
        (0..wanted)
            .map(|_| u32::from(budget.charge(second, rule)))
            .sum()
    }

    #[test]
    fn a_quiet_app_may_retry_its_minimum_each_second() {
        let budget = Budget::default();
        let rule = rule(20.0, 10);
        assert_eq!(granted(&budget, 100, &rule, 50), 10);
        assert_eq!(granted(&budget, 101, &rule, 50), 10);
    }

    #[test]
    fn a_busy_app_may_retry_its_share_of_ten_seconds_over_all_threads() {
        let budget = Budget::default();
        let (one, two) = (budget.join(), budget.join());
        for second in 100..110 {
            (0..60).for_each(|_| one.add(second));
            (0..40).for_each(|_| two.add(second));
        }
        assert_eq!(granted(&budget, 109, &rule(20.0, 0), 1_000), 200);
        // A second later 900 requests are in the window, and 200 retries are spent.
        assert_eq!(granted(&budget, 110, &rule(20.0, 0), 1_000), 0);
        // The minimum is always there.
        assert_eq!(granted(&budget, 110, &rule(20.0, 3), 1_000), 3);
        // When the window has moved on, so have the spent ones.
        (0..100).for_each(|_| one.add(125));
        assert_eq!(granted(&budget, 125, &rule(20.0, 0), 1_000), 20);
    }

    #[test]
    fn a_budget_of_zero_never_allows_a_retry() {
        let budget = Budget::default();
        let ring = budget.join();
        (0..1_000).for_each(|_| ring.add(5));
        assert_eq!(granted(&budget, 5, &rule(0.0, 0), 10), 0);
    }

    #[test]
    fn threads_together_never_exceed_the_budget() {
        let budget = Budget::default();
        let ring = budget.join();
        (0..500).for_each(|_| ring.add(7));
        let rule = rule(20.0, 0);
        let total: u32 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| granted(&budget, 7, &rule, 200)))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(total, 100);
    }
}
