//! Who is due when. A binary heap with entries that may be stale: cheaper to write and to read than
//! a wheel, and measured enough (`cargo bench -p windrose-control`: 100,000 targets).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Microseconds since the prober began.
pub(super) type Micros = u64;

#[derive(Debug, Default)]
pub(super) struct Queue(BinaryHeap<Reverse<(Micros, u32)>>);

impl Queue {
    pub(super) fn push(&mut self, due: Micros, target: u32) {
        self.0.push(Reverse((due, target)));
    }

    /// When the first entry is due.
    pub(super) fn first(&self) -> Option<Micros> {
        self.0.peek().map(|Reverse((due, _))| *due)
    }

    /// The first entry, if it is due. The caller checks that it still holds.
    pub(super) fn pop_due(&mut self, now: Micros) -> Option<(Micros, u32)> {
        let due = self.first().is_some_and(|first| first <= now);
        due.then(|| self.0.pop().map(|Reverse(entry)| entry))
            .flatten()
    }

    /// Forgets everything, stale entries too, and takes these.
    pub(super) fn refill(&mut self, entries: impl Iterator<Item = (Micros, u32)>) {
        self.0 = entries.map(Reverse).collect();
    }
}
