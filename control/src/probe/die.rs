//! A seeded die: chance that a test can repeat.

/// splitmix64 (Steele, Lea, Flood 2014): enough to spread starts, of no use for secrets.
#[derive(Debug, Clone)]
pub(super) struct Die(u64);

impl Die {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        #[allow(clippy::cast_possible_truncation, reason = "below `bound`")]
        let scaled = ((u128::from(z) * u128::from(bound)) >> 64) as u64;
        scaled
    }
}
