//! HOT. Which queries are logged: each with the same chance, whatever came before.
//!
//! The distance to the next one is drawn (it is geometrically distributed), so that a query that is
//! not sampled costs a subtraction. Its dice are its own: the draw of an answer must not depend on
//! whether it is logged.

use crate::dice::Dice;

/// One thread's count down to its next sample.
pub(crate) struct Sampler {
    dice: Dice,
    share: f64,
    left: u64,
}

impl Sampler {
    /// Any seed will do.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed.rotate_left(32)),
            // Equal to no share, so that the first query draws.
            share: f64::NAN,
            left: 0,
        }
    }

    /// Whether this query is one of `share` (0 to 1) of them.
    #[inline]
    pub(crate) fn due(&mut self, share: f64) -> bool {
        #[allow(clippy::float_cmp, reason = "the same number or another one")]
        if self.share != share {
            self.share = share;
            self.left = self.gap();
        }
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return false;
        }
        self.left = self.gap();
        true
    }

    /// Queries until the next sample, that one included.
    #[cold]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "saturates; a chance needs no more digits"
    )]
    fn gap(&mut self) -> u64 {
        if self.share <= 0.0 {
            return u64::MAX;
        }
        // Above 0, to 1.
        let chance = ((self.dice.draw() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        1 + (chance.ln() / (1.0 - self.share.min(1.0)).ln()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_queries_is_sampled() {
        for share in [1.0, 0.5, 0.1, 0.01, 0.001] {
            let mut sampler = Sampler::new(5);
            let sampled = (0..1_000_000).filter(|_| sampler.due(share)).count();
            let wanted = 1e6 * share;
            let off = (sampled as f64 - wanted).abs();
            // Five standard deviations.
            assert!(
                off <= 5.0 * (wanted * (1.0 - share)).sqrt(),
                "{sampled} of {wanted}"
            );
        }
    }

    #[test]
    fn a_share_of_nothing_is_nothing_and_a_new_share_counts_at_once() {
        let mut sampler = Sampler::new(5);
        assert!((0..100_000).all(|_| !sampler.due(0.0)));
        assert!((0..1_000).all(|_| sampler.due(1.0)));
        assert!((0..1_000).any(|_| !sampler.due(1e-9)));
    }
}
