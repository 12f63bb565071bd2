//! HOT
//!
//! Who comes: which client prefixes led to which slot within the last second, for as many as there
//! is room. Each data-path thread writes a table of its own; a reader takes what was noted since it
//! last looked. Totals are in a [`Bank`](crate::Bank); this says who they were.
//!
//! A cell belongs to one (slot, prefix) for one turn: the first that touches it. Who finds both of
//! its cells taken is not noted, and that is counted. Bounded memory, no lock, no allocation, no
//! message; two loads and two stores each.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::CAPACITY;

/// Cells of one thread: 64 KiB.
const CELLS: usize = 4_096;

/// A mark is turn, slot and count.
const COUNT_BITS: u32 = 22;
const SLOT_BITS: u32 = CAPACITY.trailing_zeros();
const MOST: u64 = (1 << COUNT_BITS) - 1;
const TURN_BITS: u32 = 64 - COUNT_BITS - SLOT_BITS;

/// A client's /24, or its /56 in IPv6; IPv4-mapped IPv6 counts as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(u64);

const V4: u64 = 1 << 63;

impl Prefix {
    /// The prefix around an address.
    #[inline]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(ip) => Self(V4 | u64::from(u32::from(ip) >> 8)),
            #[allow(clippy::cast_possible_truncation, reason = "56 bits are left")]
            IpAddr::V6(ip) => Self((u128::from(ip) >> 72) as u64),
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 & V4 != 0 {
            #[allow(clippy::cast_possible_truncation, reason = "24 bits")]
            let ip = Ipv4Addr::from((self.0 as u32) << 8);
            write!(f, "{ip}/24")
        } else {
            write!(f, "{}/56", Ipv6Addr::from(u128::from(self.0) << 72))
        }
    }
}

/// How often a prefix led to a slot since the reader last looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Number of (app, cluster).
    pub slot: u32,
    /// Who.
    pub prefix: Prefix,
    /// How often.
    pub count: u64,
}

/// The tables of all threads.
#[derive(Debug, Default)]
pub struct Footprints {
    turn: AtomicU64,
    sheets: Mutex<Sheets>,
}

#[derive(Debug, Default)]
struct Sheets {
    all: Vec<Arc<Sheet>>,
    /// Of threads that ended, for the next ones.
    free: Vec<Arc<Sheet>>,
}

#[derive(Debug)]
struct Sheet {
    cells: Box<[Place; CELLS]>,
    missed: AtomicU64,
}

#[derive(Debug)]
struct Place {
    mark: AtomicU64,
    prefix: AtomicU64,
}

/// The one writer of one table. `Send`, not `Sync`, and not `Clone`.
#[derive(Debug)]
pub struct Steps {
    all: Arc<Footprints>,
    sheet: Arc<Sheet>,
    one_writer: PhantomData<Cell<()>>,
}

impl Footprints {
    /// Nobody has come.
    pub fn new() -> Arc<Self> {
        let all = Self::default();
        // A cell of turn 0 is free.
        all.turn.store(1, Relaxed);
        Arc::new(all)
    }

    /// The writing end for the calling thread.
    pub fn steps(self: &Arc<Self>) -> Steps {
        let mut sheets = self.lock();
        let sheet = sheets.free.pop().unwrap_or_else(|| {
            let sheet = Arc::new(Sheet {
                cells: Box::new(
                    [const {
                        Place {
                            mark: AtomicU64::new(0),
                            prefix: AtomicU64::new(0),
                        }
                    }; CELLS],
                ),
                missed: AtomicU64::new(0),
            });
            sheets.all.push(Arc::clone(&sheet));
            sheet
        });
        drop(sheets);
        Steps {
            all: Arc::clone(self),
            sheet,
            one_writer: PhantomData,
        }
    }

    /// Takes what was noted since the last call. What is written at this very moment may be missed.
    /// For one reader, at most a few times a second.
    pub fn take(&self, mut each: impl FnMut(Footprint)) {
        let ended = self.turn.load(Relaxed);
        self.turn.store(after(ended), Relaxed);
        let sheets = self.lock().all.clone();
        for place in sheets.iter().flat_map(|sheet| sheet.cells.iter()) {
            let mark = place.mark.load(Relaxed);
            let prefix = Prefix(place.prefix.load(Relaxed));
            let count = mark & MOST;
            if turn_of(mark) == ended && place.mark.load(Relaxed) == mark && count > 0 {
                #[allow(clippy::cast_possible_truncation, reason = "masked")]
                let slot = (mark >> COUNT_BITS) as u32 & (CAPACITY - 1);
                each(Footprint {
                    slot,
                    prefix,
                    count,
                });
            }
        }
    }

    /// How many were not noted for want of room.
    pub fn missed(&self) -> u64 {
        let sheets = self.lock();
        let missed = sheets.all.iter().map(|sheet| sheet.missed.load(Relaxed));
        missed.fold(0, u64::wrapping_add)
    }

    /// The lists are whole at every moment.
    fn lock(&self) -> std::sync::MutexGuard<'_, Sheets> {
        self.sheets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Steps {
    /// Notes that a prefix led to a slot.
    #[inline]
    pub fn note(&self, slot: u32, prefix: Prefix) {
        let turn = self.all.turn.load(Relaxed);
        let owner = turn << SLOT_BITS | u64::from(slot & (CAPACITY - 1));
        let at = spread(prefix.0 ^ u64::from(slot).rotate_left(40));
        for place in [at, at ^ 1].map(|at| &self.sheet.cells[at]) {
            let mark = place.mark.load(Relaxed);
            if mark >> COUNT_BITS == owner && place.prefix.load(Relaxed) == prefix.0 {
                place
                    .mark
                    .store(mark + u64::from(mark & MOST < MOST), Relaxed);
                return;
            }
            if turn_of(mark) != turn {
                place.prefix.store(prefix.0, Relaxed);
                place.mark.store(owner << COUNT_BITS | 1, Relaxed);
                return;
            }
        }
        let missed = &self.sheet.missed;
        missed.store(missed.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.all.lock().free.push(Arc::clone(&self.sheet));
    }
}

const fn turn_of(mark: u64) -> u64 {
    mark >> (COUNT_BITS + SLOT_BITS)
}

/// Turns go round, and skip the 0 of cells that were never touched.
const fn after(turn: u64) -> u64 {
    let next = (turn + 1) & ((1 << TURN_BITS) - 1);
    if next == 0 { 1 } else { next }
}

/// Fibonacci hashing: the upper bits of the product.
#[inline]
const fn spread(key: u64) -> usize {
    let mixed = (key ^ key >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    #[allow(clippy::cast_possible_truncation, reason = "12 bits are left")]
    let at = (mixed >> (64 - CELLS.trailing_zeros())) as usize;
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn prefix(text: &str) -> Prefix {
        Prefix::of(text.parse().unwrap())
    }

    fn taken(all: &Footprints) -> BTreeMap<(u32, String), u64> {
        let mut taken = BTreeMap::new();
        all.take(|f| *taken.entry((f.slot, f.prefix.to_string())).or_default() += f.count);
        taken
    }

    #[test]
    fn a_prefix_is_a_24_or_a_56() {
        for (address, text) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.9", "192.0.2.0/24"),
            ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
            ("::1", "::/56"),
        ] {
            assert_eq!(prefix(address).to_string(), text);
        }
    }

    #[test]
    fn what_was_noted_is_taken_once_over_all_threads() {
        let all = Footprints::new();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let steps = all.steps();
                scope.spawn(move || {
                    for _ in 0..50 {
                        steps.note(7, prefix("192.0.2.1"));
                        steps.note(9, prefix("2001:db8::1"));
                    }
                });
            }
        });
        let expected = [
            ((7, "192.0.2.0/24".to_owned()), 100),
            ((9, "2001:db8::/56".to_owned()), 100),
        ];
        assert_eq!(taken(&all), expected.into());
        assert!(taken(&all).is_empty());
        all.steps().note(7, prefix("192.0.2.1"));
        assert_eq!(taken(&all).values().sum::<u64>(), 1);
    }

    #[test]
    fn more_prefixes_than_there_is_room_for_are_counted_and_the_next_turn_has_room_again() {
        let (all, many) = (Footprints::new(), 100_000u32);
        let steps = all.steps();
        for _ in 0..2 {
            for n in 0..many {
                steps.note(1, Prefix::of(Ipv4Addr::from(n << 8).into()));
            }
            let noted: u64 = taken(&all).values().sum();
            assert!(noted > 4_000 && noted <= CELLS as u64, "{noted}");
        }
        assert!(all.missed() > u64::from(many));
    }

    #[test]
    fn turns_go_round() {
        assert_eq!(after(1), 2);
        assert_eq!(after((1 << TURN_BITS) - 1), 1);
    }
}
