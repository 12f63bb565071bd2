//! Connections that an app holds on a node, counted over all threads: exact, and touched only where
//! a limit is configured.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::live::Shared;

/// One connection of an app, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    shared: Arc<Shared>,
    app: u32,
}

impl Held {
    /// Counts one more; `None` when there are `most` already. `app`: the app's slot.
    pub(crate) fn take(shared: &Arc<Shared>, app: u32, most: u32) -> Option<Self> {
        let open = shared.open(app)?;
        let taken = open.fetch_update(Relaxed, Relaxed, |open| (open < most).then_some(open + 1));
        taken.ok()?;
        Some(Self {
            shared: Arc::clone(shared),
            app,
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(open) = self.shared.open(self.app) {
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
