//! What the data path decides by itself, for whoever shows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Breakers, Exclusions, Overload};

/// What the data path of a node decides by itself.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// Endpoints that are left out.
    pub exclusions: Arc<Exclusions>,
    /// What clusters hold of what they may hold, and those that are left alone.
    pub breakers: Arc<Breakers>,
    /// How near the node is to its bounds.
    pub overload: Arc<Overload>,
}

/// A few entries by slot: changed by the data path when it changes its mind, and never on the good
/// path.
#[derive(Debug)]
pub struct BySlot<T> {
    count: AtomicUsize,
    all: Mutex<BTreeMap<u32, T>>,
}

impl<T> Default for BySlot<T> {
    fn default() -> Self {
        Self {
            count: AtomicUsize::new(0),
            all: Mutex::default(),
        }
    }
}

impl<T: Clone> BySlot<T> {
    /// Whether there are none: one load.
    pub fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    /// All, in the order of their slots.
    pub fn list(&self) -> BTreeMap<u32, T> {
        if self.is_empty() {
            return BTreeMap::new();
        }
        self.lock().clone()
    }

    /// Changes them; nobody sees the middle.
    pub fn change<R>(&self, change: impl FnOnce(&mut BTreeMap<u32, T>) -> R) -> R {
        let mut all = self.lock();
        let changed = change(&mut all);
        self.count.store(all.len(), Relaxed);
        changed
    }

    /// An entry is put in or taken out whole.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, T>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
