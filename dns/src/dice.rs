//! HOT. Random numbers for choices, from a seed: fast and fair, never for secrets.

/// xorshift64* (Vigna, 2016).
pub(crate) struct Dice(u64);

impl Dice {
    /// Any seed will do.
    pub(crate) fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).max(1))
    }

    #[inline]
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
