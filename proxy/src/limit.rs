//! Connections that an app holds on a node, and copies of requests under way, counted over all
//! threads: exact, and touched only where a limit is configured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::live::Shared;

/// One connection of an app, or one copy, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    shared: Arc<Shared>,
    of: CountOf,
    slot: u32,
}

/// The count of a slot.
type CountOf = fn(&Shared, u32) -> Option<&AtomicU32>;

impl Held {
    /// Counts one more connection; `None` when there are `most` already. `app`: the app's slot.
    pub(crate) fn take(shared: &Arc<Shared>, app: u32, most: u32) -> Option<Self> {
        Self::of(shared, Shared::open, app, most)
    }

    /// The same for a copy of a request. `version`: the version's slot.
    pub(crate) fn copy(shared: &Arc<Shared>, version: u32, most: u32) -> Option<Self> {
        Self::of(shared, Shared::copies, version, most)
    }

    fn of(shared: &Arc<Shared>, of: CountOf, slot: u32, most: u32) -> Option<Self> {
        let open = of(shared, slot)?;
        let taken = open.fetch_update(Relaxed, Relaxed, |open| (open < most).then_some(open + 1));
        taken.ok()?;
        Some(Self {
            shared: Arc::clone(shared),
            of,
            slot,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(open) = (self.of)(&self.shared, self.slot) {
            open.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_exact_over_all_threads_and_freed_again() {
        let shared = Arc::new(Shared::new());
        let held: Vec<_> = std::thread::scope(|scope| {
            let take = || {
                (0..100)
                    .filter_map(|_| Held::take(&shared, 3, 150))
                    .collect()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads
                .into_iter()
                .flat_map(|t| -> Vec<Held> { t.join().unwrap() })
                .collect()
        });
        assert_eq!(held.len(), 150);
        assert!(Held::take(&shared, 3, 150).is_none());
        assert!(Held::take(&shared, 4, 1).is_some(), "another app's");
        drop(held);
        assert!(Held::take(&shared, 3, 1).is_some());
    }
}
