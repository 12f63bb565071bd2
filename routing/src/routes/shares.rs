//! Draws to versions, by weight. HOT.

use windrose_model::{Name, Split};

/// Versions with running sums of weights.
pub(super) struct Shares {
    sums: Box<[(u64, u8)]>,
    total: u64,
}

impl Shares {
    pub(super) fn build(split: &Split, versions: &[&Name]) -> Self {
        let mut total = 0;
        let sums = split
            .0
            .iter()
            .filter(|(_, weight)| weight.value() > 0)
            .filter_map(|(name, weight)| {
                let version = versions.iter().position(|v| *v == name)?;
                total += u64::from(weight.value());
                Some((total, u8::try_from(version).ok()?))
            })
            .collect();
        Self { sums, total }
    }

    #[inline]
    pub(super) fn pick(&self, draw: u64) -> u8 {
        let [(_, only)] = *self.sums else {
            #[allow(clippy::cast_possible_truncation, reason = "below the total")]
            let point = ((u128::from(draw) * u128::from(self.total)) >> 64) as u64;
            return self
                .sums
                .iter()
                .find(|(sum, _)| point < *sum)
                .map_or(0, |(_, version)| *version);
        };
        only
    }

    /// Whether there is more than one version to draw.
    #[inline]
    pub(super) const fn is_choice(&self) -> bool {
        self.sums.len() > 1
    }

    /// The versions that can be drawn, with their shares of the total weight.
    pub(super) fn weights(&self) -> Vec<(u8, u64, u64)> {
        let mut before = 0;
        let weight = |sum: u64, before: &mut u64| std::mem::replace(before, sum).abs_diff(sum);
        let sums = self.sums.iter();
        sums.map(|&(sum, version)| (version, weight(sum, &mut before), self.total))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windrose_model::Weight;

    /// Within half a percentage point of what is written, over 100,000 draws of a fixed sequence.
    #[test]
    fn a_split_keeps_its_weights() {
        let check = |weights: &[(&str, u32)]| {
            let named = weights.iter();
            let split = Split(
                named
                    .map(|(n, w)| (Name::new(n).unwrap(), Weight::new(*w).unwrap()))
                    .collect(),
            );
            let names: Vec<&Name> = split.0.keys().collect();
            let shares = Shares::build(&split, &names);
            let mut drawn = vec![0u32; names.len()];
            for i in 0..100_000u64 {
                drawn[usize::from(shares.pick(crate::digest::mix(i)))] += 1;
            }
            let total: u32 = weights.iter().map(|(_, w)| w).sum();
            for ((name, weight), drawn) in weights.iter().zip(drawn) {
                let wanted = f64::from(*weight) / f64::from(total) * 100.0;
                let got = f64::from(drawn) / 1_000.0;
                assert!((got - wanted).abs() <= 0.5, "{name}: {got} % of {wanted} %");
            }
        };
        check(&[("v1", 90), ("v2", 10)]);
        check(&[("v1", 99), ("v2", 1)]);
        check(&[("v1", 70), ("v2", 30), ("v3", 0)]);
        check(&[("v1", 1), ("v2", 1), ("v3", 1)]);
        check(&[("v1", 999_999), ("v2", 1)]);
    }
}
