//! What each cluster of an app holds of what its breaker allows, counted over all threads of the
//! node, and the clusters whose circuit is open. Touched only where breakers are configured.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::SystemTime;

use crate::{BySlot, Slots};

/// What a breaker counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Connections to endpoints, idle ones included.
    Connections,
    /// Requests that wait for a connection to be made.
    Pending,
    /// Requests until their last octet.
    Requests,
    /// Those of them that repeat another one.
    Retries,
}

impl Counted {
    /// All, in the order of [`OVERFLOWS`].
    pub const ALL: [Self; 4] = [
        Self::Connections,
        Self::Pending,
        Self::Requests,
        Self::Retries,
    ];

    /// As metrics and pages call it.
    pub const fn name(self) -> &'static str {
        OVERFLOWS[self as usize]
    }
}

/// Why a cluster was passed over: labels of [`Counted`], and of an open circuit.
pub const OVERFLOWS: [&str; 5] = ["connections", "pending", "requests", "retries", "circuit"];

/// The cell of requests that met an open circuit, a position in [`OVERFLOWS`].
pub const CIRCUIT: u32 = 4;
/// The cell behind [`OVERFLOWS`]: circuits that opened.
pub const OPENED: u32 = 5;
/// Cells of a breaker.
pub const BREAKER_CELLS: u32 = 6;

/// What a cluster of an app holds now.
#[derive(Debug, Default)]
pub struct InUse([AtomicU32; 4]);

impl InUse {
    /// Counts one more; false when there are `most` already, exactly. 0 is no limit.
    pub fn take(&self, what: Counted, most: u32) -> bool {
        let count = &self.0[what as usize];
        let more = |n: u32| (most == 0 || n < most).then(|| n.saturating_add(1));
        count.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// Counts one less; for what was taken.
    pub fn give(&self, what: Counted) {
        self.0[what as usize].fetch_sub(1, Relaxed);
    }

    /// How many there are.
    pub fn now(&self, what: Counted) -> u32 {
        self.0[what as usize].load(Relaxed)
    }
}

/// A circuit that is open: the cluster gets no requests but trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenCircuit {
    /// Failures in a row that opened it.
    pub failures: u32,
    /// Since when.
    pub since: SystemTime,
    /// From when on it is half open: one request may try.
    pub trial_at: SystemTime,
}

/// All breakers of a node, by the steered slot of (app, cluster).
#[derive(Debug, Default)]
pub struct Breakers {
    /// What is held.
    pub in_use: Slots<InUse>,
    /// Circuits that are not closed.
    pub open: BySlot<OpenCircuit>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_exact_over_all_threads_and_freed_again() {
        let in_use = InUse::default();
        let taken: usize = std::thread::scope(|scope| {
            let take = || {
                let takes = (0..100).filter(|_| in_use.take(Counted::Requests, 150));
                takes.count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!((taken, in_use.now(Counted::Requests)), (150, 150));
        assert!(in_use.take(Counted::Pending, 1), "each has its own limit");
        in_use.give(Counted::Requests);
        assert!(in_use.take(Counted::Requests, 150) && !in_use.take(Counted::Requests, 150));
        assert!(in_use.take(Counted::Requests, 0), "0 is no limit");
    }
}
