//! What an app's Status means to the data path: masks, shares, TTL. Rebuilt on every flip.

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
    /// By version: clusters with an endpoint that is not down.
    pub(crate) version_up: Box<[u16]>,
    /// Bit per endpoint index: down.
    pub(crate) endpoints_down: Box<[u64]>,
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
        let mut endpoints_down = vec![0u64; status.endpoints.len().div_ceil(64)];
        for (index, state) in status.endpoints.iter().enumerate() {
            if *state == EndpointState::Down {
                endpoints_down[index / 64] |= 1 << (index % 64);
            }
        }
        let mut version_up = vec![0u16; plan.versions.len()];
        for (state, &(version, cluster)) in status.endpoints.iter().zip(&plan.placement) {
            if *state != EndpointState::Down {
                version_up[usize::from(version)] |= 1 << cluster;
            }
        }
        Self {
            up,
            allowed: plan.allowed,
            all_down,
            shares,
            ttl: status.ttl.seconds(),
            version_up: version_up.into(),
            endpoints_down: endpoints_down.into(),
        }
    }

    /// Whether control says an endpoint is down.
    #[inline]
    pub(crate) fn is_down(&self, index: u16) -> bool {
        down(&self.endpoints_down, index)
    }
}

#[inline]
fn down(bits: &[u64], index: u16) -> bool {
    bits.get(usize::from(index / 64))
        .is_some_and(|word| word >> (index % 64) & 1 == 1)
}
