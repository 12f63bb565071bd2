//! HOT. Most records a second, over all threads, by one word: the generic cell rate algorithm (ITU-T
//! I.371). The word is the moment at which the next record would be due if they came evenly.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A bound of so many a second, with a tenth of a second's worth at once, at least one.
#[derive(Debug)]
pub struct Rate {
    /// Nanoseconds from one to the next.
    apart: u64,
    /// Nanoseconds that may be used up in advance.
    ahead: u64,
    due: AtomicU64,
}

/// A tenth of a second.
const BURST: u64 = 100_000_000;

impl Rate {
    /// `per_second` from 1 (0 counts as 1) to 1,000,000,000.
    pub fn new(per_second: u32) -> Self {
        let apart = 1_000_000_000 / u64::from(per_second.max(1));
        Self {
            apart,
            ahead: BURST.saturating_sub(apart),
            due: AtomicU64::new(0),
        }
    }

    /// Whether there is room for one more. `now` on any clock that only goes forward.
    pub fn admits(&self, now: Duration) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.due
            .fetch_update(Relaxed, Relaxed, |due| {
                let due = due.max(now);
                (due - now <= self.ahead).then(|| due.saturating_add(self.apart))
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(per_second: u32, offered_per_milli: u32, seconds: u64) -> usize {
        let rate = Rate::new(per_second);
        let moments = (0..seconds * 1_000).map(Duration::from_millis);
        moments
            .flat_map(|now| (0..offered_per_milli).map(move |_| now))
            .filter(|now| rate.admits(*now))
            .count()
    }

    #[test]
    fn no_more_than_the_rate_and_one_burst_get_through() {
        assert_eq!(admitted(1_000, 5, 10), 10_000 + 99);
        assert_eq!(admitted(10, 1, 10), 100);
        assert_eq!(admitted(1, 1, 10), 10);
    }

    #[test]
    fn below_the_rate_all_get_through() {
        assert_eq!(admitted(1_000_000, 5, 2), 10_000);
    }
}
