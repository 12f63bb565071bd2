//! The state of one target, small enough that 100,000 of them stay in a cache.

use std::sync::Arc;
use std::time::Duration;

use windrose_model::{EndpointState, PassiveKind, ProbeFailure};

use super::check::Check;
use super::counter::Counter;
use super::queue::Micros;

/// One address under one check.
#[derive(Debug)]
pub(super) struct Target {
    /// When its next probe begins; while one is under way, when that began.
    pub(super) due: Micros,
    pub(super) check: Arc<Check>,
    /// Counts the owners of this place, so that late results find nobody.
    pub(super) generation: u32,
    pub(super) last: ProbeFailure,
    pub(super) counter: Counter,
    /// So many of the next probes follow quickly.
    pub(super) hurry: u8,
    flags: u8,
}

const _: () = assert!(size_of::<Target>() <= 32);

/// A yes or no about a target.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Flag {
    /// Somebody watches it.
    Live = 1,
    /// A probe is under way.
    InFlight = 2,
    /// It has had a result.
    Seen = 4,
    /// Live traffic failed since the last probe began: counted once.
    Nudged = 8,
    /// That was while a probe was under way: the next one follows at once.
    Pulled = 16,
    /// Its place within the interval is yet to be drawn.
    Unspread = 32,
}

impl Target {
    pub(super) fn new(check: Arc<Check>) -> Self {
        Self {
            due: 0,
            check,
            generation: 0,
            last: ProbeFailure::Passive(PassiveKind::Connect),
            counter: Counter::FRESH,
            hurry: 0,
            flags: 0,
        }
    }

    pub(super) fn is(&self, flag: Flag) -> bool {
        self.flags & flag as u8 != 0
    }

    pub(super) fn set(&mut self, flag: Flag, on: bool) {
        if on {
            self.flags |= flag as u8;
        } else {
            self.flags &= !(flag as u8);
        }
    }

    /// The shortest time from its latest result in which it could change its state.
    pub(super) fn soonest(&self) -> Duration {
        let left = u32::from(self.counter.left(self.check.thresholds()));
        let (interval, hurried) = (self.check.interval, self.check.hurried());
        match self.counter.state() {
            EndpointState::Down => interval.saturating_mul(left),
            _ if self.hurries() => hurried * left,
            _ => interval.saturating_add(hurried * (left - 1)),
        }
    }

    /// Whether [`Target::soonest`] is the same by all it depends on.
    pub(super) fn stands_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.check, &other.check)
            && self.counter == other.counter
            && self.hurries() == other.hurries()
    }

    /// Whether its next probe follows quickly.
    fn hurries(&self) -> bool {
        self.hurry > 0 || !self.is(Flag::Seen)
    }

    /// Whether a queue entry for `due` still holds.
    pub(super) fn waits_for(&self, due: Micros) -> bool {
        self.is(Flag::Live) && !self.is(Flag::InFlight) && self.due == due
    }
}
