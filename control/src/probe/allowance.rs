//! The global budget: how many probes may be under way, and how many may begin in a second.

use super::queue::Micros;
use crate::Budget;

const SECOND: u64 = 1_000_000;

/// A token bucket that holds a tenth of a second, and a count of what is under way.
#[derive(Debug)]
pub(super) struct Allowance {
    budget: Budget,
    in_flight: u32,
    /// Millionths of a probe.
    tokens: u64,
    filled: Micros,
}

impl Allowance {
    pub(super) fn new(budget: Budget) -> Self {
        let budget = Budget {
            in_flight: budget.in_flight.max(1),
            per_second: budget.per_second.max(1),
        };
        Self {
            budget,
            in_flight: 0,
            tokens: Self::depth(budget),
            filled: 0,
        }
    }

    fn depth(budget: Budget) -> u64 {
        (u64::from(budget.per_second) * SECOND / 10).max(SECOND)
    }

    /// Takes the right to begin one probe.
    pub(super) fn take(&mut self, now: Micros) -> bool {
        self.fill(now);
        if self.is_full() || self.tokens < SECOND {
            return false;
        }
        self.tokens -= SECOND;
        self.in_flight += 1;
        true
    }

    /// One probe has ended.
    pub(super) fn give_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Whether a probe has to end before the next may begin.
    pub(super) fn is_full(&self) -> bool {
        self.in_flight >= self.budget.in_flight
    }

    /// When the next token is there.
    pub(super) fn next(&self) -> Micros {
        let missing = SECOND.saturating_sub(self.tokens);
        self.filled + missing.div_ceil(u64::from(self.budget.per_second))
    }

    fn fill(&mut self, now: Micros) {
        let passed = now.saturating_sub(self.filled);
        let grown = passed.saturating_mul(u64::from(self.budget.per_second));
        self.tokens = self
            .tokens
            .saturating_add(grown)
            .min(Self::depth(self.budget));
        self.filled = self.filled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_budget_is_under_way() {
        let mut allowance = Allowance::new(Budget {
            in_flight: 2,
            per_second: 1_000,
        });
        assert!(allowance.take(0) && allowance.take(0));
        assert!(!allowance.take(0));
        allowance.give_back();
        assert!(allowance.take(0));
    }

    #[test]
    fn no_more_than_the_budget_begins_in_a_second() {
        let mut allowance = Allowance::new(Budget {
            in_flight: 1_000,
            per_second: 20,
        });
        assert_eq!((0..100).filter(|_| allowance.take(0)).count(), 2);
        let next = allowance.next();
        assert_eq!(next, 50_000);
        assert!(!allowance.take(next - 1));
        assert!(allowance.take(next));
        let mut begun = |ms: &u64| allowance.take(next + ms * 1_000);
        assert_eq!((1..=10_000).filter(|ms| begun(ms)).count(), 200);
    }
}
