//! What the threads of a node share about endpoints and apps, by slot: failures in a row, until
//! when an endpoint is avoided, retry budgets. Touched only on failure; the good path reads one
//! word that rarely changes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::budget::Budget;
use crate::quota::Buckets;

/// Shared by all threads of a node.
#[derive(Debug)]
pub struct Shared {
    origin: Instant,
    endpoints: Slots<Health>,
    budgets: Slots<Budget>,
    buckets: Buckets,
    /// TCP connections by app, where that is limited.
    open: Slots<AtomicU32>,
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    /// Nothing has failed yet.
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
            endpoints: Slots::new(),
            budgets: Slots::new(),
            buckets: Buckets::new(),
            open: Slots::new(),
        }
    }

    /// Forgets what was seen of an endpoint slot that is used again for another endpoint.
    pub fn forget_endpoint(&self, slot: u32) {
        if let Some(health) = self.endpoints.get(slot) {
            health.forget();
        }
    }

    /// Milliseconds on the clock of this node.
    pub(crate) fn tick(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.origin);
        // One more, so that 0 can mean "never".
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX >> 1) + 1
    }

    /// The buckets of all rate limits.
    pub(crate) fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// Time on the clock of this node.
    pub(crate) fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.origin)
    }

    /// An endpoint's health; `None` for a slot beyond all bounds.
    pub(crate) fn endpoint(&self, slot: u32) -> Option<&Health> {
        self.endpoints.get(slot)
    }

    /// An app's retry budget; `None` for a slot beyond all bounds.
    pub(crate) fn budget(&self, slot: u32) -> Option<&Budget> {
        self.budgets.get(slot)
    }

    /// How many TCP connections an app holds, if that is limited; `None` for a slot beyond all
    /// bounds.
    pub(crate) fn open(&self, slot: u32) -> Option<&AtomicU32> {
        self.open.get(slot)
    }
}

/// What this node's own traffic says of an endpoint. Zero: nothing bad.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Failures in a row (upper 7 bits), [`TRIAL`], and the tick until which it is avoided.
    row: AtomicU64,
    /// 5xx responses in a row.
    errors: AtomicU32,
}

/// 5xx responses in a row that are worth a report.
const ERRORS_IN_A_ROW: u32 = 5;
const FAILURES_SHIFT: u32 = 57;
/// Set while one request tries an endpoint whose time has passed.
const TRIAL: u64 = 1 << 56;
const TICK: u64 = TRIAL - 1;
/// First time to avoid an endpoint; doubles with each further failure.
const AVOID_FIRST: u64 = 1_000;
const AVOID_MOST: u64 = 30_000;

impl Health {
    /// Whether to leave the endpoint alone at this tick.
    #[inline]
    pub(crate) fn avoided(&self, tick: u64) -> bool {
        let row = self.row.load(Relaxed);
        row != 0 && row & TICK > tick
    }

    /// Claims the one trial of an endpoint whose time has passed: others go on avoiding it until
    /// the trial has had time to end. True also when there is nothing to try.
    #[inline]
    pub(crate) fn claim(&self, tick: u64) -> bool {
        let row = self.row.load(Relaxed);
        if row == 0 {
            return true;
        }
        if row & TICK > tick {
            return false;
        }
        let failures = row >> FAILURES_SHIFT;
        let next = pack(failures, tick + avoid_for(failures)) | TRIAL;
        self.row
            .compare_exchange(row, next, Relaxed, Relaxed)
            .is_ok()
    }

    /// A try failed. True for the first of a row. Failures while it is avoided already (requests
    /// that were under way) do not make it worse.
    pub(crate) fn failed(&self, tick: u64) -> bool {
        let mut first = false;
        let _ = self.row.fetch_update(Relaxed, Relaxed, |row| {
            let failures = row >> FAILURES_SHIFT;
            first = row == 0;
            if row & TRIAL == 0 && row & TICK > tick {
                return None;
            }
            let failures = (failures + 1).min(6);
            Some(pack(failures, tick + avoid_for(failures)))
        });
        first
    }

    /// A response came. True when this is the fifth 5xx in a row.
    #[inline]
    pub(crate) fn answered(&self, status: u16) -> bool {
        if self.row.load(Relaxed) != 0 {
            self.row.store(0, Relaxed);
        }
        if status >= 500 {
            return self.errors.fetch_add(1, Relaxed) + 1 == ERRORS_IN_A_ROW;
        }
        if self.errors.load(Relaxed) != 0 {
            self.errors.store(0, Relaxed);
        }
        false
    }

    /// A connection was made.
    pub(crate) fn connected(&self) {
        if self.row.load(Relaxed) != 0 {
            self.row.store(0, Relaxed);
        }
    }

    fn forget(&self) {
        self.row.store(0, Relaxed);
        self.errors.store(0, Relaxed);
    }
}

fn pack(failures: u64, until: u64) -> u64 {
    failures << FAILURES_SHIFT | until & TICK
}

fn avoid_for(failures: u64) -> u64 {
    (AVOID_FIRST << failures.saturating_sub(1).min(5)).min(AVOID_MOST)
}

/// Cells by slot number, made in chunks when first touched, never moved.
#[derive(Debug)]
struct Slots<T> {
    chunks: Box<[OnceLock<Box<[T]>>]>,
}

const CHUNK: usize = 1_024;
const CHUNKS: usize = 4_096;

impl<T: Default> Slots<T> {
    fn new() -> Self {
        Self {
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
        }
    }

    #[inline]
    fn get(&self, slot: u32) -> Option<&T> {
        let slot = slot as usize;
        let chunk = self.chunks.get(slot / CHUNK)?;
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| T::default()).collect());
        chunk.get(slot % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn avoiding_begins_with_a_second_and_doubles_to_half_a_minute() {
        let seconds: Vec<_> = (1..8).map(|n| avoid_for(n) / 1_000).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn the_first_failure_of_a_row_is_told_and_a_success_ends_the_row() {
        let health = Health::default();
        assert!(health.failed(10));
        assert!(health.avoided(11) && health.avoided(1_009) && !health.avoided(1_010));
        assert!(!health.failed(1_010));
        assert!(health.avoided(3_009) && !health.avoided(3_010));
        health.answered(200);
        assert!(!health.avoided(1_011));
        assert!(health.failed(1_012));
    }

    #[test]
    fn a_burst_of_failures_counts_once() {
        let health = Health::default();
        assert!(health.failed(10));
        assert!((0..100).all(|_| !health.failed(10)));
        assert!(health.avoided(1_009) && !health.avoided(1_010));
    }

    #[test]
    fn one_trial_is_let_through_when_the_time_has_passed() {
        let health = Health::default();
        assert!(health.claim(1), "nothing failed: no trial needed");
        health.failed(10);
        assert!(!health.claim(500));
        assert!(health.claim(1_010));
        assert!(!health.claim(1_011));
        // The trial failed: twice as long.
        assert!(!health.failed(1_500));
        assert!(health.avoided(3_400));
    }

    #[test]
    fn the_fifth_error_in_a_row_is_told_once() {
        let health = Health::default();
        let told: Vec<_> = [500, 502, 200, 500, 500, 500, 500, 500, 500]
            .into_iter()
            .map(|status| health.answered(status))
            .collect();
        let fifth = [false, false, false, false, false, false, false, true, false];
        assert_eq!(told, fifth);
    }

    #[test]
    fn slots_beyond_all_bounds_have_no_cell() {
        let shared = Shared::new();
        assert!(shared.endpoint(5_000).is_some());
        assert!(shared.endpoint(u32::MAX).is_none());
    }
}
