//! HOT
//!
//! Numbers by slot, one shard per data-path thread, summed when scraped.
//!
//! A shard has one writer, so an addition is a load and a store without a lock prefix, on memory
//! that no other core writes. Deliberately absent: names, and any way to fail; a number that has no
//! place is dropped, and the drop is counted.

use std::cell::Cell;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::race::OnceBox;

/// Slots of one bank. Numbers for slots beyond are dropped and counted in [`Bank::dropped`].
pub const CAPACITY: u32 = 1 << 22;

/// Cells of a chunk, as a power of two: 8 KiB.
const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;
/// Chunks of a branch, as a power of two: 4 KiB.
const BRANCH_BITS: u32 = 9;
const BRANCH: usize = 1 << BRANCH_BITS;

/// Made when first touched, like what holds it: of millions of slots most nodes use a few.
type Chunk = OnceBox<[AtomicU64; CHUNK]>;
type Branch = OnceBox<[Chunk; BRANCH]>;

/// Numbers by slot and cell. Threads write through [`Bank::local`]; anyone may read sums.
///
/// Sums wrap, so a thread may add `-1` as [`u64::MAX`]: that is how open connections are counted.
#[derive(Debug)]
pub struct Bank {
    /// Cells per slot.
    width: u32,
    /// `width` rounded up to a power of two, as its exponent.
    stride: u32,
    shards: Mutex<Shards>,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Shards {
    all: Vec<Arc<Shard>>,
    /// Shards whose thread ended; the next thread takes one over and goes on counting in it, so
    /// nothing is lost and nothing grows with restarts.
    free: Vec<Arc<Shard>>,
    /// What the cells of a reused slot had when it was handed out again.
    base: HashMap<u32, Box<[u64]>>,
}

#[derive(Debug)]
struct Shard {
    branches: Box<[Branch]>,
}

/// The one writer of one shard. `Send`, not `Sync`, and not `Clone`.
#[derive(Debug)]
pub struct Local {
    bank: Arc<Bank>,
    shard: Arc<Shard>,
    width: u32,
    stride: u32,
    one_writer: PhantomData<Cell<()>>,
}

impl Bank {
    /// A bank with `width` cells per slot, 1 to 4,096 (clamped).
    pub fn new(width: u32) -> Arc<Self> {
        let width = width.clamp(1, 4_096);
        Arc::new(Self {
            width,
            stride: width.next_power_of_two().trailing_zeros(),
            shards: Mutex::default(),
            dropped: AtomicU64::new(0),
        })
    }

    /// The writing end for the calling thread.
    pub fn local(self: &Arc<Self>) -> Local {
        let mut shards = self.lock();
        let shard = shards.free.pop().unwrap_or_else(|| {
            let branches = (CAPACITY as usize) << self.stride >> (BRANCH_BITS + CHUNK_BITS);
            let branches = (0..branches).map(|_| OnceBox::new()).collect();
            let shard = Arc::new(Shard { branches });
            shards.all.push(Arc::clone(&shard));
            shard
        });
        drop(shards);
        Local {
            bank: Arc::clone(self),
            shard,
            width: self.width,
            stride: self.stride,
            one_writer: PhantomData,
        }
    }

    /// Cells per slot.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// One number over all threads since the slot was last rebased; 0 where there is none.
    pub fn sum(&self, slot: u32, cell: u32) -> u64 {
        let shards = self.lock();
        if cell >= self.width {
            return 0;
        }
        let base = shards
            .base
            .get(&slot)
            .and_then(|base| base.get(cell as usize).copied());
        self.total(&shards, slot, cell)
            .wrapping_sub(base.unwrap_or(0))
    }

    /// All cells of a slot into `row`, which is cleared first: one lock for a whole row.
    pub fn row(&self, slot: u32, row: &mut Vec<u64>) {
        let shards = self.lock();
        row.clear();
        row.extend((0..self.width).map(|cell| self.total(&shards, slot, cell)));
        if let Some(base) = shards.base.get(&slot) {
            for (cell, base) in row.iter_mut().zip(base) {
                *cell = cell.wrapping_sub(*base);
            }
        }
    }

    /// One cell of the first so many slots into `sums`, which is cleared first: one lock for all.
    pub fn sums(&self, slots: usize, cell: u32, sums: &mut Vec<u64>) {
        let shards = self.lock();
        sums.clear();
        sums.resize(slots.min(CAPACITY as usize), 0);
        for shard in &shards.all {
            for (slot, sum) in (0..).zip(sums.iter_mut()) {
                *sum = sum.wrapping_add(shard.read(slot, cell, self.stride).unwrap_or(0));
            }
        }
        for (slot, base) in &shards.base {
            if let (Some(sum), Some(base)) = (sums.get_mut(*slot as usize), base.get(cell as usize))
            {
                *sum = sum.wrapping_sub(*base);
            }
        }
    }

    /// Starts a slot again from zero, because it now means something else. The threads keep
    /// counting up; what they have so far is subtracted from sums.
    pub fn rebase(&self, slot: u32) {
        let mut shards = self.lock();
        let base: Box<[u64]> = (0..self.width)
            .map(|cell| self.total(&shards, slot, cell))
            .collect();
        if base.iter().any(|n| *n != 0) {
            shards.base.insert(slot, base);
        }
    }

    /// Additions that had no place: a slot beyond [`CAPACITY`], or a cell beyond the width.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn total(&self, shards: &Shards, slot: u32, cell: u32) -> u64 {
        shards
            .all
            .iter()
            .filter_map(|shard| shard.read(slot, cell, self.stride))
            .fold(0, u64::wrapping_add)
    }

    /// The list is whole at every moment, so a writer that panicked left nothing half done.
    fn lock(&self) -> MutexGuard<'_, Shards> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn read(&self, slot: u32, cell: u32, stride: u32) -> Option<u64> {
        let index = ((slot as usize) << stride) | cell as usize;
        let branch = self.branches.get(index >> (BRANCH_BITS + CHUNK_BITS))?;
        let chunk = branch.get()?[index >> CHUNK_BITS & (BRANCH - 1)].get()?;
        Some(chunk[index & (CHUNK - 1)].load(Relaxed))
    }
}

impl Local {
    /// Adds `n`, wrapping. About a nanosecond; the first touch of a chunk also allocates 8 KiB.
    #[inline]
    pub fn add(&self, slot: u32, cell: u32, n: u64) {
        let index = ((slot as usize) << self.stride) | cell as usize;
        let known = (self.shard.branches).get(index >> (BRANCH_BITS + CHUNK_BITS));
        let (Some(branch), true) = (known, cell < self.width) else {
            return self.drop_one();
        };
        let at = index >> CHUNK_BITS & (BRANCH - 1);
        let Some(chunk) = branch.get().and_then(|chunks| chunks[at].get()) else {
            return touch(branch, index, n);
        };
        bump(&chunk[index & (CHUNK - 1)], n);
    }

    #[cold]
    fn drop_one(&self) {
        self.bank.dropped.fetch_add(1, Relaxed);
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // The lock orders this thread's last store before the next owner's first load.
        self.bank.lock().free.push(Arc::clone(&self.shard));
    }
}

#[cold]
fn touch(branch: &Branch, index: usize, n: u64) {
    let chunks = branch.get_or_init(|| Box::new([const { OnceBox::new() }; BRANCH]));
    let chunk = &chunks[index >> CHUNK_BITS & (BRANCH - 1)];
    let chunk = chunk.get_or_init(|| Box::new([const { AtomicU64::new(0) }; CHUNK]));
    bump(&chunk[index & (CHUNK - 1)], n);
}

/// Load and store instead of a locked addition: the shard has one writer.
#[inline]
fn bump(cell: &AtomicU64, n: u64) {
    cell.store(cell.load(Relaxed).wrapping_add(n), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_threads_are_exact() {
        let bank = Bank::new(3);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let local = bank.local();
                scope.spawn(move || {
                    for i in 0..100_000 {
                        local.add(i % 1_000, i % 3, 1);
                    }
                });
            }
        });
        let total: u64 = (0..1_000)
            .flat_map(|slot| (0..3).map(move |cell| (slot, cell)))
            .map(|(slot, cell)| bank.sum(slot, cell))
            .sum();
        assert_eq!(total, 400_000);
        let mut row = Vec::new();
        bank.row(7, &mut row);
        assert_eq!(row, [bank.sum(7, 0), bank.sum(7, 1), bank.sum(7, 2)]);
        bank.rebase(7);
        let mut sums = vec![9];
        bank.sums(9, 1, &mut sums);
        assert_eq!((sums.len(), sums[7], sums[8]), (9, 0, bank.sum(8, 1)));
    }

    #[test]
    fn an_ended_thread_leaves_its_numbers_to_the_next_one() {
        let bank = Bank::new(1);
        for _ in 0..50 {
            let local = bank.local();
            std::thread::spawn(move || local.add(9, 0, 2))
                .join()
                .unwrap();
        }
        assert_eq!(bank.sum(9, 0), 100);
        assert_eq!(bank.lock().all.len(), 1);
    }

    #[test]
    fn a_reused_slot_starts_from_zero_and_its_neighbours_do_not() {
        let bank = Bank::new(2);
        let local = bank.local();
        local.add(5, 1, 40);
        local.add(6, 1, 7);
        bank.rebase(5);
        assert_eq!((bank.sum(5, 1), bank.sum(6, 1)), (0, 7));
        local.add(5, 1, 2);
        local.add(5, 0, 1);
        let mut row = vec![99];
        bank.row(5, &mut row);
        assert_eq!(row, [1, 2]);
        bank.rebase(5);
        assert_eq!(bank.sum(5, 1), 0);
    }

    #[test]
    fn what_has_no_place_is_dropped_and_counted() {
        let bank = Bank::new(3);
        let local = bank.local();
        local.add(CAPACITY, 0, 1);
        local.add(u32::MAX, 2, 1);
        local.add(0, 3, 1);
        local.add(0, u32::MAX, 1);
        local.add(CAPACITY - 1, 2, 1);
        assert_eq!(bank.dropped(), 4);
        assert_eq!(bank.sum(CAPACITY - 1, 2), 1);
        assert_eq!(
            (bank.sum(0, 3), bank.sum(1, 0), bank.sum(u32::MAX, 0)),
            (0, 0, 0)
        );
    }

    #[test]
    fn a_sum_may_go_down_by_adding_minus_one() {
        let bank = Bank::new(1);
        let (opens, closes) = (bank.local(), bank.local());
        opens.add(0, 0, 3);
        closes.add(0, 0, u64::MAX);
        assert_eq!(bank.sum(0, 0), 2);
    }
}
