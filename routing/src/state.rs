//! What an app's Status means to the data path: masks, shares, TTL. Rebuilt on every flip.

use std::sync::Arc;

use windrose_model::{AppStatus, EndpointState, WhenAllDown};

use crate::choose::AllDown;
use crate::plan::AppPlan;

/// The compiled Status of one app. Masks have a bit per local cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AppState {
    /// Clusters that take new traffic.
    pub up: u16,
    /// Clusters that are neither drained nor dialed to zero.
    pub allowed: u16,
    /// What holds when none of a row is up.
    pub all_down: AllDown,
    /// Hundredths of a percent of its traffic that each cluster takes.
    pub shares: [u16; 16],
    /// TTL of steered answers in seconds.
    pub ttl: u32,
    /// Words of `masks` that tell of endpoints.
    endpoints: u32,
    /// Bit per endpoint index: down. Then by version, four to a word: clusters with an endpoint that is
    /// not down.
    masks: Masks,
}

/// Words of bits: in place for most apps, as a flip makes them for each.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Masks {
    Few([u64; FEW]),
    Many(Arc<[u64]>),
}

/// Enough for 64 endpoints and four versions.
const FEW: usize = 2;

impl Masks {
    #[inline]
    fn words(&self) -> &[u64] {
        match self {
            Self::Few(words) => words,
            Self::Many(words) => words,
        }
    }
}

impl AppState {
    pub(crate) fn build(plan: &AppPlan, status: &AppStatus) -> Self {
        let mut up = 0;
        let mut shares = [10_000; 16];
        for (local, cluster) in status.clusters.iter().enumerate().take(16) {
            up |= u16::from(cluster.usable) << local;
            shares[local] = cluster.share.hundredths();
        }
        let bit = |name: &str| {
            plan.clusters
                .iter()
                .position(|c| c.name.as_str() == name)
                .map_or(0, |local| 1 << local)
        };
        let all_down = match &plan.app.when_all_down {
            WhenAllDown::LastKnown => AllDown::Clusters(match status.last_known & plan.allowed {
                0 => plan.allowed,
                known => known,
            }),
            WhenAllDown::All => AllDown::Clusters(plan.allowed),
            WhenAllDown::Fallback(cluster) => AllDown::Clusters(bit(cluster.as_str())),
            WhenAllDown::Servfail => AllDown::Servfail,
            WhenAllDown::Nodata => AllDown::Nodata,
        };
        let endpoints = status.endpoints.len().div_ceil(64);
        let (mut few, mut many) = ([0u64; FEW], Vec::new());
        let words = match endpoints + plan.versions.len().div_ceil(4) {
            ..=FEW => &mut few[..],
            count => {
                many.resize(count, 0u64);
                &mut many[..]
            }
        };
        let (down, up_by_version) = words.split_at_mut(endpoints);
        for (index, state) in status.endpoints.iter().enumerate() {
            if *state == EndpointState::Down {
                down[index / 64] |= 1 << (index % 64);
            }
        }
        for (state, &(version, cluster)) in status.endpoints.iter().zip(&plan.placement) {
            if *state != EndpointState::Down {
                let (word, shift) = place(usize::from(version));
                up_by_version[word] |= 1 << (shift + usize::from(cluster));
            }
        }
        Self {
            up,
            allowed: plan.allowed,
            all_down,
            shares,
            ttl: status.ttl.seconds(),
            // At most 16,384 endpoints (budget::ENDPOINTS_PER_APP).
            endpoints: u32::try_from(endpoints).unwrap_or(u32::MAX),
            masks: match many.is_empty() {
                true => Masks::Few(few),
                false => Masks::Many(many.into()),
            },
        }
    }

    /// Whether control says an endpoint is down.
    #[inline]
    pub(crate) fn is_down(&self, index: u16) -> bool {
        down(&self.masks.words()[..self.endpoints as usize], index)
    }

    /// Clusters in which a version has an endpoint that is not down.
    #[inline]
    pub(crate) fn version_up(&self, version: u8) -> u16 {
        let (word, shift) = place(usize::from(version));
        let masks = &self.masks.words()[self.endpoints as usize..];
        #[allow(clippy::cast_possible_truncation, reason = "a quarter of it")]
        masks.get(word).map_or(0, |word| (word >> shift) as u16)
    }
}

/// Of a version's mask: the word and the bits below it.
#[inline]
const fn place(version: usize) -> (usize, usize) {
    (version / 4, version % 4 * 16)
}

#[inline]
fn down(bits: &[u64], index: u16) -> bool {
    bits.get(usize::from(index / 64))
        .is_some_and(|word| word >> (index % 64) & 1 == 1)
}
