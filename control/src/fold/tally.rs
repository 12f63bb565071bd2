//! How the endpoints of an app in one cluster make its health.

use windrose_model::{EndpointState, Percent, Verdict};

/// Endpoints by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) up: u16,
    pub(super) down: u16,
    pub(super) of: u16,
}

impl Tally {
    pub(super) fn enter(&mut self, state: EndpointState) {
        match state {
            EndpointState::Up => self.up += 1,
            EndpointState::Down => self.down += 1,
            EndpointState::Unknown => {}
        }
    }

    pub(super) fn leave(&mut self, state: EndpointState) {
        match state {
            EndpointState::Up => self.up -= 1,
            EndpointState::Down => self.down -= 1,
            EndpointState::Unknown => {}
        }
    }

    /// Up, degraded, down or unknown. Unknown is never down: while an endpoint is unknown and none
    /// is up, a cluster is down only if it was so before (a new endpoint does not revive it).
    pub(super) fn health(self, before: Verdict) -> Verdict {
        match (self.up, self.down) {
            (0, 0) => Verdict::Unknown,
            (0, down) if down == self.of || before == Verdict::Down => Verdict::Down,
            (0, _) => Verdict::Unknown,
            (_, 0) => Verdict::Up,
            _ => Verdict::Degraded,
        }
    }

    /// The share of endpoints that are not known to be down.
    pub(super) fn ready(self) -> Percent {
        if self.down == 0 && self.of > 0 {
            return Percent::FULL;
        }
        let hundredths = u32::from(self.of - self.down) * 10_000 / u32::from(self.of.max(1));
        u16::try_from(hundredths)
            .ok()
            .and_then(Percent::from_hundredths)
            .unwrap_or(Percent::FULL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Degraded, Down, Unknown, Up};

    fn check(up: u16, down: u16, of: u16, before: Verdict, expected: Verdict) {
        let health = Tally { up, down, of }.health(before);
        assert_eq!(health, expected, "{up} up, {down} down of {of}, {before}");
    }

    #[test]
    fn health_follows_the_endpoints_that_are_known() {
        check(2, 0, 2, Unknown, Up);
        check(1, 0, 2, Unknown, Up);
        check(1, 1, 2, Up, Degraded);
        check(0, 2, 2, Up, Down);
        check(2, 0, 2, Down, Up);
    }

    #[test]
    fn unknown_is_never_down() {
        check(0, 0, 2, Unknown, Unknown);
        check(0, 0, 2, Down, Unknown);
        check(0, 1, 2, Unknown, Unknown);
        check(0, 1, 2, Degraded, Unknown);
    }

    #[test]
    fn a_new_endpoint_does_not_revive_a_cluster_that_is_down() {
        check(0, 1, 2, Down, Down);
    }
}
