//! How near a node is to its bounds, and what it does not to go beyond them.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

/// What can run out, as in the label `resource`.
pub const RESOURCES: [&str; 3] = ["memory", "connections", "lag"];

/// What is done about it, each by itself; they end in the opposite order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Actions(pub u8);

impl Actions {
    /// Connections end behind their exchange, idle ones now.
    pub const CLOSE: Self = Self(1);
    /// New requests are refused.
    pub const REFUSE: Self = Self(2);
    /// No connection is accepted.
    pub const SHUT: Self = Self(4);

    /// Their names, in order of the bits, as in the label `action`.
    pub const NAMES: [&'static str; 3] = ["keep_alive_off", "refuse", "stop_accepting"];

    /// Whether all of the other are among them.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Written by one watcher, read by the data path and by whoever shows it.
#[derive(Debug, Default)]
pub struct Overload {
    watched: AtomicBool,
    actions: AtomicU8,
    /// Percent of each bound.
    pressure: [AtomicU32; 3],
    /// Client connections that are open, of all threads.
    open: AtomicI64,
    /// The longest that a thread was late since somebody looked, in microseconds.
    late: AtomicU64,
}

impl Overload {
    /// Whether anybody watches.
    pub fn is_watched(&self) -> bool {
        self.watched.load(Relaxed)
    }

    /// What is done now.
    #[inline]
    pub fn actions(&self) -> Actions {
        Actions(self.actions.load(Relaxed))
    }

    /// Percent of the bound of each of [`RESOURCES`]; of what has none, 0.
    pub fn pressure(&self) -> [u32; 3] {
        std::array::from_fn(|at| self.pressure[at].load(Relaxed))
    }

    /// What is concluded.
    pub fn conclude(&self, pressure: [u32; 3], actions: Actions) {
        for (cell, percent) in self.pressure.iter().zip(pressure) {
            cell.store(percent, Relaxed);
        }
        self.actions.store(actions.0, Relaxed);
        self.watched.store(true, Relaxed);
    }

    /// A connection more, or less.
    pub fn count(&self, change: i64) {
        self.open.fetch_add(change, Relaxed);
    }

    /// Connections that are open.
    pub fn open(&self) -> u64 {
        u64::try_from(self.open.load(Relaxed)).unwrap_or(0)
    }

    /// A thread was so late, in microseconds.
    pub fn late(&self, micros: u64) {
        self.late.fetch_max(micros, Relaxed);
    }

    /// The longest that a thread was late since this was asked.
    pub fn take_late(&self) -> u64 {
        self.late.swap(0, Relaxed)
    }
}
