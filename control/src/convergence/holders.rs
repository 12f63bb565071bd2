//! Who was last answered with what: client prefixes by the slot of (app, cluster).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use windrose_telemetry::{Footprint, Prefix};

use super::HOLDERS;

/// A prefix that has not asked for so long is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// What was asked so long ago counts a third.
const MEMORY: f64 = 60.0;
/// An answer that nobody has asked for again so many times its TTL is in nobody's cache that keeps
/// to the rules, and nobody wants it.
pub(super) const PATIENCE: u32 = 3;

#[derive(Debug, Default)]
pub(super) struct Holders {
    by_slot: HashMap<u32, HashMap<Prefix, Holder>>,
    count: usize,
    next_look: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Holder {
    seen: Instant,
    /// Answers, older ones counting less.
    weight: f32,
}

/// Somebody who may still use an old answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Waiting {
    /// Answers per second.
    pub(super) rate: f32,
    /// When it is silent rather than late.
    pub(super) until: Instant,
}

impl Holders {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// A prefix was answered with a slot, so no more with another one of the same app.
    pub(super) fn note(
        &mut self,
        footprint: Footprint,
        slots: impl Iterator<Item = u32>,
        now: Instant,
    ) {
        let mut before: Option<Holder> = None;
        for slot in slots {
            let held = self.by_slot.get_mut(&slot);
            if let Some(holder) = held.and_then(|held| held.remove(&footprint.prefix)) {
                self.count -= 1;
                before = Some(before.map_or(holder, |other| other.later(holder)));
            }
        }
        if self.count == HOLDERS {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
        let more = footprint.count as f32;
        let holder = Holder {
            seen: now,
            weight: before.map_or(0.0, |holder| holder.faded(now)) + more,
        };
        let held = self.by_slot.entry(footprint.slot).or_default();
        held.insert(footprint.prefix, holder);
        self.count += 1;
    }

    /// Who may still use an answer that led to a slot and lived so long.
    pub(super) fn of(
        &self,
        slot: u32,
        now: Instant,
        ttl: Duration,
    ) -> impl Iterator<Item = (Prefix, Waiting)> + '_ {
        let held = self.by_slot.get(&slot).into_iter().flatten();
        held.filter_map(move |(prefix, holder)| {
            let until = holder.seen + ttl.saturating_mul(PATIENCE).min(FORGOTTEN);
            #[allow(clippy::cast_possible_truncation, reason = "a rate")]
            let rate = holder.faded(now) / MEMORY as f32;
            (until > now).then_some((*prefix, Waiting { rate, until }))
        })
    }

    /// Forgets who has not come for long; looks once a while.
    pub(super) fn forget(&mut self, now: Instant) {
        if self.next_look.is_some_and(|at| now < at) {
            return;
        }
        self.next_look = Some(now + FORGOTTEN / 10);
        for held in self.by_slot.values_mut() {
            held.retain(|_, holder| now.saturating_duration_since(holder.seen) < FORGOTTEN);
        }
        self.recount();
    }

    /// Forgets the slots that mean nothing any more.
    pub(super) fn keep(&mut self, is_known: impl Fn(u32) -> bool) {
        self.by_slot.retain(|slot, _| is_known(*slot));
        self.recount();
    }

    fn recount(&mut self) {
        self.by_slot.retain(|_, held| !held.is_empty());
        self.count = self.by_slot.values().map(HashMap::len).sum();
    }
}

impl Holder {
    fn faded(self, now: Instant) -> f32 {
        let passed = now.saturating_duration_since(self.seen).as_secs_f64();
        #[allow(clippy::cast_possible_truncation, reason = "between 0 and 1")]
        let left = (-passed / MEMORY).exp() as f32;
        self.weight * left
    }

    fn later(self, other: Self) -> Self {
        if other.seen > self.seen { other } else { self }
    }
}
