//! How single results make a state: the counters of one target.
//!
//! *Fall* counts failures accumulated since the last `rise` successes in a row, as gdnsd does, so
//! that a target failing 30 % of the time goes down instead of bouncing. *Rise* counts successes in
//! a row; each further fall doubles how many it takes, so that such a target stays down.

use windrose_model::EndpointState;

/// How many results make a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Accumulated failures until down, at least 1.
    pub fall: u8,
    /// Successes in a row until up, and until failures are forgotten, at least 1.
    pub rise: u8,
}

/// The counters of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    state: EndpointState,
    failures: u8,
    successes: u8,
    /// Falls that are not yet forgotten.
    flaps: u8,
}

/// A return takes up to so many times `rise`, as a power of two.
const MOST_DOUBLINGS: u8 = 3;
/// One flap is forgotten after so many successes in a row, or after `rise` if that is more.
const FORGET: u8 = 60;

impl Counter {
    /// Nothing was seen yet.
    pub const FRESH: Self = Self::in_state(EndpointState::Unknown);

    /// A known state and no evidence against it.
    pub const fn in_state(state: EndpointState) -> Self {
        Self {
            state,
            failures: 0,
            successes: 0,
            flaps: 0,
        }
    }

    /// What the results make of the target so far.
    pub fn state(&self) -> EndpointState {
        self.state
    }

    /// How many results in a row would change the state, at least 1: failures of what is up or
    /// unknown, successes of what is down.
    pub fn left(&self, limits: Thresholds) -> u8 {
        let left = match self.state {
            EndpointState::Down => self.to_return(limits).saturating_sub(self.successes),
            EndpointState::Up | EndpointState::Unknown => limits.fall.saturating_sub(self.failures),
        };
        left.max(1)
    }

    /// Counts one result; the new state when it changes. An unknown target is up at its first
    /// success.
    pub fn observe(&mut self, healthy: bool, limits: Thresholds) -> Option<EndpointState> {
        if healthy {
            self.succeed(limits)
        } else {
            self.fail(limits)
        }
    }

    fn succeed(&mut self, limits: Thresholds) -> Option<EndpointState> {
        self.successes = self.successes.saturating_add(1);
        if self.successes >= limits.rise {
            self.failures = 0;
        }
        if self.state == EndpointState::Up && self.successes >= FORGET.max(limits.rise) {
            self.flaps = self.flaps.saturating_sub(1);
            self.successes = 0;
        }
        let up = match self.state {
            EndpointState::Unknown => true,
            EndpointState::Down => self.successes >= self.to_return(limits),
            EndpointState::Up => false,
        };
        up.then(|| self.enter(EndpointState::Up))
    }

    fn fail(&mut self, limits: Thresholds) -> Option<EndpointState> {
        self.successes = 0;
        self.failures = self.failures.saturating_add(1);
        let down = self.state != EndpointState::Down && self.failures >= limits.fall;
        if down {
            self.flaps = self.flaps.saturating_add(1);
        }
        down.then(|| self.enter(EndpointState::Down))
    }

    /// Successes in a row that end this fall.
    fn to_return(self, limits: Thresholds) -> u8 {
        let doublings = self.flaps.saturating_sub(1).min(MOST_DOUBLINGS);
        limits.rise.saturating_mul(1 << doublings)
    }

    fn enter(&mut self, state: EndpointState) -> EndpointState {
        self.state = state;
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EndpointState::{Down, Up};

    /// Feeds `+` and `-` with fall 3 and rise 2; transitions by position, counted from 1.
    fn check(fresh: Counter, results: &str, expected: &[(usize, EndpointState)]) {
        let limits = Thresholds { fall: 3, rise: 2 };
        let mut counter = fresh;
        let seen: Vec<_> = results
            .chars()
            .enumerate()
            .filter_map(|(i, c)| Some((i + 1, counter.observe(c == '+', limits)?)))
            .collect();
        assert_eq!(seen, expected, "{results}");
    }

    const IS_UP: Counter = Counter::in_state(Up);
    const IS_DOWN: Counter = Counter::in_state(Down);

    #[test]
    fn a_fresh_target_is_up_at_its_first_success_and_down_by_fall_failures() {
        check(Counter::FRESH, "+", &[(1, Up)]);
        check(Counter::FRESH, "--", &[]);
        check(Counter::FRESH, "---", &[(3, Down)]);
        check(Counter::FRESH, "--+", &[(3, Up)]);
    }

    #[test]
    fn a_single_failure_does_not_take_a_target_down() {
        check(IS_UP, "++-+++", &[]);
        check(IS_UP, "--", &[]);
    }

    #[test]
    fn failures_add_up_until_enough_successes_in_a_row_clear_them() {
        check(IS_UP, "-+-+-", &[(5, Down)]);
        check(IS_UP, "-+-++-", &[]);
        check(IS_UP, "-+-++---", &[(8, Down)]);
    }

    #[test]
    fn a_target_rises_by_successes_in_a_row_only() {
        check(IS_DOWN, "+-+-+-", &[]);
        check(IS_DOWN, "++", &[(2, Up)]);
        check(IS_DOWN, "+-++", &[(4, Up)]);
    }

    #[test]
    fn a_risen_target_starts_with_a_clean_record() {
        check(IS_DOWN, "----++--", &[(6, Up)]);
        check(IS_DOWN, "++---", &[(2, Up), (5, Down)]);
    }

    #[test]
    fn each_further_flap_doubles_what_a_return_takes() {
        let flap = "---++"; // down by the third, up by the second success of the first return
        let twice = "---++++";
        check(
            IS_UP,
            &[flap, twice, "---+++++++-"].concat(),
            &[(3, Down), (5, Up), (8, Down), (12, Up), (15, Down)],
        );
    }

    #[test]
    fn flaps_are_forgotten_by_long_success() {
        let calm = "+".repeat(60);
        check(
            IS_UP,
            &["---++", &calm, "---++"].concat(),
            &[(3, Down), (5, Up), (68, Down), (70, Up)],
        );
    }

    #[test]
    fn counters_do_not_overflow() {
        check(IS_DOWN, &"-".repeat(1000), &[]);
        check(IS_UP, &"+".repeat(1000), &[]);
    }
}
