//! What the threads of a node share about endpoints and apps, by slot: failures in a row, until
//! when an endpoint is avoided or ejected, retry budgets. Touched only on failure; the good path reads one
//! word that rarely changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::breaker::Circuit;
use crate::budget::Budget;
use crate::outlier::Outlier;
use crate::quota::Buckets;
use windrose_telemetry::{Breakers, Exclusions, Live, Slots};

/// Shared by all threads of a node.
#[derive(Debug)]
pub struct Shared {
    origin: Instant,
    endpoints: Slots<Health>,
    outliers: Slots<Outlier>,
    circuits: Slots<Circuit>,
    live: Live,
    budgets: Slots<Budget>,
    buckets: Buckets,
    /// TCP connections by app, where that is limited.
    open: Slots<AtomicU32>,
    /// Copies under way to mirrors, by the version's first group.
    copies: Slots<AtomicU32>,
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
            outliers: Slots::new(),
            circuits: Slots::new(),
            live: Live::default(),
            budgets: Slots::new(),
            buckets: Buckets::new(),
            open: Slots::new(),
            copies: Slots::new(),
        }
    }

    /// Forgets what was seen of an endpoint slot that is used again for another endpoint.
    pub fn forget_endpoint(&self, slot: u32) {
        if let Some(health) = self.endpoints.get(slot) {
            health.forget();
        }
        if let Some(outlier) = self.outliers.made(slot) {
            outlier.forget(self.tick(Instant::now()));
            self.exclusions().change(|all| all.remove(&slot));
        }
    }

    /// Forgets that a cluster of an app failed whose slot is used again for another one. What it
    /// holds is given back by whoever holds it.
    pub fn forget_cluster(&self, slot: u32) {
        if let Some(circuit) = self.circuits.made(slot) {
            circuit.forget();
            self.breakers().open.change(|all| all.remove(&slot));
        }
    }

    /// A health check of the endpoint of a slot has passed.
    pub fn check_passed(&self, slot: u32) {
        let ends = |all: &std::collections::BTreeMap<u32, windrose_telemetry::Exclusion>| {
            all.get(&slot).is_some_and(|exclusion| exclusion.by_check)
        };
        if !self.exclusions().is_empty() && self.exclusions().change(|all| ends(all)) {
            self.restore(slot, self.tick(Instant::now()));
            tracing::info!(slot, "endpoint in again: a health check passed");
        }
    }

    /// What the data path decides by itself, for whoever shows it.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The endpoints that are left out.
    pub fn exclusions(&self) -> &Exclusions {
        &self.live.exclusions
    }

    /// What clusters hold, where that is limited.
    pub(crate) fn breakers(&self) -> &Arc<Breakers> {
        &self.live.breakers
    }

    /// Whether a cluster of an app is left alone; `None` for a slot beyond all bounds.
    pub(crate) fn circuit(&self, slot: u32) -> Option<&Circuit> {
        self.circuits.get(slot)
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

    /// What is seen of an endpoint whose outliers are ejected; `None` for a slot beyond all bounds.
    pub(crate) fn outlier(&self, slot: u32) -> Option<&Outlier> {
        self.outliers.get(slot)
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

    /// How many copies of requests are under way to a version; `None` for a slot beyond all bounds.
    pub(crate) fn copies(&self, slot: u32) -> Option<&AtomicU32> {
        self.copies.get(slot)
    }
}

/// What this node's own traffic says of an endpoint. Zero: nothing bad.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Failures in a row (upper 7 bits), [`TRIAL`], [`EJECTED`], and the tick until which it is
    /// avoided.
    row: AtomicU64,
    /// 5xx responses in a row.
    errors: AtomicU32,
}

/// 5xx responses in a row that are worth a report.
const ERRORS_IN_A_ROW: u32 = 5;
const FAILURES_SHIFT: u32 = 57;
/// Set while one request tries an endpoint whose time has passed.
const TRIAL: u64 = 1 << 56;
/// Set while it is ejected: only a trial's success, or a health check, ends that.
const EJECTED: u64 = 1 << 55;
const TICK: u64 = EJECTED - 1;
/// First time to avoid an endpoint; doubles with each further failure.
const AVOID_FIRST: u64 = 1_000;
const AVOID_MOST: u64 = 30_000;
/// How long a trial of an ejected endpoint may take before there is another one.
const TRIAL_TIME: u64 = 5_000;

impl Health {
    /// Whether to leave the endpoint alone at this tick.
    #[inline]
    pub(crate) fn avoided(&self, tick: u64) -> bool {
        let row = self.row.load(Relaxed);
        row != 0 && row & TICK > tick
    }

    /// Claims the one trial of an endpoint whose time has passed: others go on avoiding it until
    /// the trial has had time to end.
    #[inline]
    pub(crate) fn claim(&self, tick: u64) -> Claim {
        let row = self.row.load(Relaxed);
        if row == 0 {
            return Claim::Free;
        }
        if row & TICK > tick {
            return Claim::Taken;
        }
        let failures = row >> FAILURES_SHIFT;
        let (next, claim) = match row & EJECTED != 0 {
            true => ((tick + TRIAL_TIME) | EJECTED, Claim::Trial),
            false => (pack(failures, tick + avoid_for(failures)), Claim::Free),
        };
        let claimed = self
            .row
            .compare_exchange(row, next | TRIAL, Relaxed, Relaxed);
        claimed.map_or(Claim::Taken, |_| claim)
    }

    /// Leaves it out until a tick, and then until a trial succeeds.
    pub(crate) fn eject(&self, until: u64) {
        self.row.store(until & TICK | EJECTED, Relaxed);
    }

    /// Ends an ejection.
    pub(crate) fn restore(&self) {
        self.row.store(0, Relaxed);
    }

    /// A try failed. True for the first of a row. Failures while it is avoided already (requests
    /// that were under way) do not make it worse.
    pub(crate) fn failed(&self, tick: u64) -> bool {
        let mut first = false;
        let _ = self.row.fetch_update(Relaxed, Relaxed, |row| {
            let failures = row >> FAILURES_SHIFT;
            first = row == 0;
            if row & EJECTED != 0 || row & TRIAL == 0 && row & TICK > tick {
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
        self.connected();
        if status >= 500 {
            return self.errors.fetch_add(1, Relaxed) + 1 == ERRORS_IN_A_ROW;
        }
        if self.errors.load(Relaxed) != 0 {
            self.errors.store(0, Relaxed);
        }
        false
    }

    /// A connection was made.
    #[inline]
    pub(crate) fn connected(&self) {
        let row = self.row.load(Relaxed);
        if row != 0 && row & EJECTED == 0 {
            // Not a store: it may be ejected at this moment.
            let _ = self.row.compare_exchange(row, 0, Relaxed, Relaxed);
        }
    }

    fn forget(&self) {
        self.row.store(0, Relaxed);
        self.errors.store(0, Relaxed);
    }
}

/// What somebody who wants to use an endpoint gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It may be used.
    Free,
    /// It is ejected, and this is the one request that tries it.
    Trial,
    /// Another one tries it.
    Taken,
}

fn pack(failures: u64, until: u64) -> u64 {
    failures << FAILURES_SHIFT | until & TICK
}

fn avoid_for(failures: u64) -> u64 {
    (AVOID_FIRST << failures.saturating_sub(1).min(5)).min(AVOID_MOST)
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
        assert_eq!(
            health.claim(1),
            Claim::Free,
            "nothing failed: no trial needed"
        );
        health.failed(10);
        assert_eq!(health.claim(500), Claim::Taken);
        assert_eq!(health.claim(1_010), Claim::Free);
        assert_eq!(health.claim(1_011), Claim::Taken);
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
}
