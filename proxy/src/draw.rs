//! Chance of one thread: SplitMix64 (Steele, Lea, Flood 2014), one addition and three multiplies a
//! draw. Not for secrets.

use std::cell::Cell;

/// A stream of draws.
#[derive(Debug)]
pub(crate) struct Dice(Cell<u64>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// The next draw.
    pub(crate) fn draw(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A number below `n` from a draw, by its upper half; 0 when `n` is 0.
pub(crate) fn below(draw: u64, n: usize) -> usize {
    ((draw >> 32) as usize * n) >> 32
}
