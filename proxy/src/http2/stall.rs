//! Whether something that waits for a client moves on. Pure.

use std::time::{Duration, Instant};

/// Octets that count as progress within one timeout: a frame of the usual size. Fewer are a trickle,
/// which refreshes nothing.
pub(crate) const PROGRESS: u64 = 16 * 1024;

/// A wait for a client to take octets.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    since: Option<Instant>,
    moved: u64,
}

impl Stall {
    /// It waits, from now on or since before.
    pub(crate) fn wait(&mut self, now: Instant) {
        if self.since.is_none() {
            self.since = Some(now);
            self.moved = 0;
        }
    }

    /// Some octets were taken.
    pub(crate) fn advance(&mut self, octets: usize) {
        self.moved += octets as u64;
    }

    /// Nothing waits any more.
    pub(crate) fn clear(&mut self) {
        self.since = None;
    }

    /// When to look.
    pub(crate) fn due(&self, timeout: Duration) -> Option<Instant> {
        self.since.map(|since| since + timeout)
    }

    /// Whether too little moved for too long; if enough did, another interval begins.
    pub(crate) fn is_stalled(&mut self, now: Instant, timeout: Duration) -> bool {
        if self.due(timeout).is_none_or(|due| now < due) {
            return false;
        }
        if self.moved < PROGRESS {
            return true;
        }
        self.since = Some(now);
        self.moved = 0;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    #[test]
    fn a_trickle_does_not_refresh_a_wait() {
        let t = Instant::now();
        let mut stall = Stall::default();
        stall.wait(t);
        for second in 0..30 {
            let now = t + Duration::from_secs(second);
            stall.wait(now);
            stall.advance(1);
            assert!(!stall.is_stalled(now, TIMEOUT));
        }
        assert!(stall.is_stalled(t + TIMEOUT, TIMEOUT));
    }

    #[test]
    fn what_moves_is_looked_at_again_an_interval_later() {
        let t = Instant::now();
        let mut stall = Stall::default();
        stall.wait(t);
        stall.advance(20_000);
        assert!(!stall.is_stalled(t + TIMEOUT, TIMEOUT));
        assert!(!stall.is_stalled(t + TIMEOUT * 2 - Duration::from_secs(1), TIMEOUT));
        assert!(stall.is_stalled(t + TIMEOUT * 2, TIMEOUT));
    }

    #[test]
    fn what_does_not_wait_is_never_stalled() {
        let t = Instant::now();
        let mut stall = Stall::default();
        assert!(!stall.is_stalled(t + TIMEOUT * 9, TIMEOUT));
        stall.wait(t);
        stall.clear();
        assert!(!stall.is_stalled(t + TIMEOUT * 9, TIMEOUT));
    }
}
