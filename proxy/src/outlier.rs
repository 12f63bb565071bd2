//! Endpoints that are ejected for a while: after failures in a row, or when too few requests of a
//! window succeed (the two rules of Linkerd's failure accrual, with Envoy's words).
//!
//! What is seen of an endpoint is shared by all routes of its app and all threads of the node. A
//! success costs a store into a ring of the thread; who fails sums the rings. This is evidence of
//! one node: it excludes, never includes, and when all are excluded the course goes on without hope
//! rather than refusing. Time and chance come in as arguments.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use windrose_model::{Outliers, Probe};
use windrose_routing::{AppEntry, Endpoint, Group};
use windrose_telemetry::{EjectionCause, Exclusion};

use crate::live::Shared;

/// Buckets of a window.
const BUCKETS: u64 = 10;
/// Slots of a ring; a power of two above [`BUCKETS`].
const SLOTS: usize = 16;

/// What is seen of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Outlier {
    /// Failures in a row.
    row: AtomicU32,
    /// What was counted before this tick counts no more.
    from: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    windows: Vec<Arc<Window>>,
    /// Ejections without a calm between them.
    times: u32,
    /// Ticks that the latest one was to last, and the tick at which it ended; 0 while it goes on.
    lasted: u64,
    ended: u64,
}

/// Requests of one thread to one endpoint, by bucket: its number in the upper half, a count in the
/// lower. The thread is the only writer.
#[derive(Debug, Default)]
pub(crate) struct Window {
    all: [AtomicU64; SLOTS],
    failed: [AtomicU64; SLOTS],
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A response that says nothing bad.
    Good,
    /// 429: no failure of its own, but no success either.
    Throttled,
    /// 5xx.
    ServerError,
    /// No response: refused, reset, too late, or no HTTP.
    NoResponse,
}

impl Outcome {
    pub(crate) const fn of(status: u16) -> Self {
        match status {
            429 => Self::Throttled,
            500.. => Self::ServerError,
            _ => Self::Good,
        }
    }

    const fn is_failure(self) -> bool {
        matches!(self, Self::ServerError | Self::NoResponse)
    }
}

/// What an observation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Ejected(EjectionCause, Duration),
    /// It would have been, but for the share of others that are.
    Prevented,
    Restored,
}

/// An endpoint, and what holds for it.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'t> {
    pub(crate) rule: &'t Outliers,
    pub(crate) entry: &'t AppEntry,
    pub(crate) group: &'t Group,
    pub(crate) endpoint: &'t Endpoint,
    /// The request was the one that tries an ejected endpoint.
    pub(crate) trial: bool,
}

impl Outlier {
    /// The ring of a thread; the thread keeps it and is its only writer.
    pub(crate) fn join(&self) -> Arc<Window> {
        let window = Arc::default();
        let mut state = self.lock();
        state.windows.retain(|window| Arc::strong_count(window) > 1);
        state.windows.push(Arc::clone(&window));
        window
    }

    /// Requests and failures of the window, up to this tick.
    fn seen(&self, state: &State, rule: &Outliers, tick: u64) -> (u64, u64) {
        let now = bucket(rule, tick);
        let from = bucket(rule, self.from.load(Relaxed));
        let windows = state.windows.iter();
        windows.fold((0, 0), |(all, failed), window| {
            (
                all + recent(&window.all, now, from),
                failed + recent(&window.failed, now, from),
            )
        })
    }

    /// It is in again: what was seen before says nothing any more.
    fn begin_anew(&self, tick: u64) {
        self.row.store(0, Relaxed);
        self.from.store(tick, Relaxed);
    }

    /// Forgets everything: the slot means another endpoint now.
    pub(crate) fn forget(&self, tick: u64) {
        self.begin_anew(tick);
        let mut state = self.lock();
        let windows = std::mem::take(&mut state.windows);
        *state = State {
            windows,
            ..State::default()
        };
    }

    /// Numbers only: nobody leaves them half written.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// One request more.
    #[inline]
    fn add(&self, rule: &Outliers, tick: u64, failed: bool) {
        let bucket = bucket(rule, tick);
        add(&self.all, bucket);
        if failed {
            add(&self.failed, bucket);
        }
    }
}

impl Shared {
    /// Notes what came of a request to an endpoint.
    pub(crate) fn observe(
        &self,
        sight: Sight<'_>,
        window: &Window,
        outcome: Outcome,
        tick: u64,
        draw: u64,
    ) -> Option<Change> {
        let outlier = self.outlier(sight.endpoint.slot)?;
        window.add(sight.rule, tick, outcome != Outcome::Good);
        if outcome == Outcome::Good {
            if outlier.row.load(Relaxed) != 0 {
                outlier.row.store(0, Relaxed);
            }
            let restored = sight.trial && self.restore(sight.endpoint.slot, tick);
            return restored.then_some(Change::Restored);
        }
        let failures = match outcome.is_failure() {
            true => outlier.row.fetch_add(1, Relaxed).saturating_add(1),
            false => 0,
        };
        let state = outlier.lock();
        let seen = outlier.seen(&state, sight.rule, tick);
        drop(state);
        let responses = outcome == Outcome::ServerError;
        let cause = judge(sight.rule, failures, responses, seen);
        // One that fails its trial needs no further proof.
        let failed_trial = sight.trial && outcome.is_failure();
        let cause = cause.or_else(|| {
            failed_trial.then_some(EjectionCause::Consecutive {
                failures,
                responses,
            })
        })?;
        self.eject(sight, outlier, cause, tick, draw)
    }

    /// Leaves an endpoint out, if it is in and the share of its group allows.
    fn eject(
        &self,
        sight: Sight<'_>,
        outlier: &Outlier,
        cause: EjectionCause,
        tick: u64,
        draw: u64,
    ) -> Option<Change> {
        let health = self.endpoint(sight.endpoint.slot)?;
        self.exclusions().change(|all| {
            let known = all.get(&sight.endpoint.slot);
            if known.is_some() && !sight.trial {
                // Requests that were under way when it was ejected.
                return None;
            }
            let (since, is_new) = match known {
                Some(known) => (known.since, false),
                None => (SystemTime::now(), true),
            };
            let out = |e: &Endpoint| all.contains_key(&e.slot);
            if is_new && !has_room(sight, out) {
                return Some(Change::Prevented);
            }
            let mut state = outlier.lock();
            state.times = times(&state, tick);
            let ticks = length(sight.rule, state.times, draw);
            (state.lasted, state.ended) = (ticks, 0);
            let times = state.times;
            drop(state);
            health.eject(tick + ticks);
            let lasts = Duration::from_millis(ticks);
            all.insert(
                sight.endpoint.slot,
                Exclusion {
                    cause,
                    since,
                    trial_at: SystemTime::now() + lasts,
                    times,
                    by_check: sight.rule.restore_on_check
                        && is_answered(&sight.entry.plan.app.health.probe, cause),
                },
            );
            Some(Change::Ejected(cause, lasts))
        })
    }

    /// Takes an endpoint in again; false if it was not left out.
    pub(crate) fn restore(&self, slot: u32, tick: u64) -> bool {
        let (Some(health), Some(outlier)) = (self.endpoint(slot), self.outlier(slot)) else {
            return false;
        };
        self.exclusions().change(|all| {
            if all.remove(&slot).is_none() {
                return false;
            }
            outlier.lock().ended = tick;
            outlier.begin_anew(tick);
            health.restore();
            true
        })
    }
}

/// Whether a passing health check speaks of what the endpoint was ejected for.
const fn is_answered(probe: &Probe, cause: EjectionCause) -> bool {
    match probe {
        Probe::Http(_) => true,
        Probe::Tcp => matches!(
            cause,
            EjectionCause::Consecutive {
                responses: false,
                ..
            }
        ),
    }
}

/// Whether numbers are reason enough. `seen`: requests and failures of the window.
fn judge(
    rule: &Outliers,
    failures: u32,
    responses: bool,
    (all, failed): (u64, u64),
) -> Option<EjectionCause> {
    if rule.consecutive > 0 && failures >= rule.consecutive {
        return Some(EjectionCause::Consecutive {
            failures,
            responses,
        });
    }
    let succeeded = all.saturating_sub(failed);
    let wanted = u64::from(rule.success_rate.hundredths());
    let is_low = all >= u64::from(rule.min_requests) && succeeded * 10_000 < all * wanted;
    is_low.then_some(EjectionCause::SuccessRate { succeeded, of: all })
}

/// Whether one more of a group may be left out: as long as the share allows it, those that are down
/// included, and one always.
fn has_room(sight: Sight<'_>, ejected: impl Fn(&Endpoint) -> bool) -> bool {
    let all = &sight.group.endpoints;
    let share = usize::from(sight.rule.max_share.hundredths());
    let mut gone = 0;
    let mut any = false;
    for endpoint in all {
        any |= ejected(endpoint);
        gone += usize::from(ejected(endpoint) || !sight.entry.endpoint_up(endpoint.index));
    }
    !any || gone < all.len() * share / 10_000
}

/// Which ejection in a row this is: who stayed in for as long as it had been out begins anew.
const fn times(state: &State, tick: u64) -> u32 {
    let calm = state.ended != 0 && tick.saturating_sub(state.ended) >= state.lasted;
    if calm {
        1
    } else {
        state.times.saturating_add(1)
    }
}

/// Ticks of an ejection: doubled each time up to the bound, and up to a quarter more by chance, so
/// that nodes do not try again at the same moment.
fn length(rule: &Outliers, times: u32, draw: u64) -> u64 {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX >> 16);
    let doubled = millis(rule.base).saturating_mul(1 << times.saturating_sub(1).min(31));
    let ticks = doubled.min(millis(rule.max));
    ticks + ticks / 4 * (draw >> 48) / (1 << 16)
}

/// The bucket of a tick.
fn bucket(rule: &Outliers, tick: u64) -> u32 {
    let width = (u64::try_from(rule.window.as_millis()).unwrap_or(u64::MAX) / BUCKETS).max(1);
    u32::try_from(tick / width).unwrap_or(u32::MAX)
}

#[inline]
fn add(ring: &[AtomicU64; SLOTS], bucket: u32) {
    let slot = &ring[bucket as usize % SLOTS];
    let packed = slot.load(Relaxed);
    let next = match packed >> 32 == u64::from(bucket) {
        true => packed + 1,
        false => u64::from(bucket) << 32 | 1,
    };
    slot.store(next, Relaxed);
}

#[allow(clippy::cast_possible_truncation, reason = "the upper half")]
fn recent(ring: &[AtomicU64; SLOTS], now: u32, from: u32) -> u64 {
    let packed = ring.iter().map(|slot| slot.load(Relaxed));
    packed
        .filter(|packed| {
            let at = (packed >> 32) as u32;
            u64::from(now.wrapping_sub(at)) < BUCKETS && at >= from
        })
        .map(|packed| packed & u64::from(u32::MAX))
        .sum()
}

#[cfg(test)]
mod tests;
