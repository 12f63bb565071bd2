//! What a node knew before it was started again, and would take long to learn anew.
//!
//! It is evidence, no conclusion: verdicts are never remembered, because the first round of probes
//! tells them better. Deliberately absent: files (the driver has them) and clocks.

use std::sync::Arc;
use std::time::Duration;

use windrose_model::{AliasCause, Aliases, MeasuredRtt, MeasuredRtts, Name, RttCause, WallTime};

/// How long addresses of foreign names count that nobody kept up to date. Longer than the one to three
/// days of RFC 8767 section 5, because an apex without any is lost, and shorter than for ever,
/// because addresses go to other people.
const ALIASES_KEEP: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// Addresses of the names that ALIAS records lead to.
    pub aliases: Arc<Aliases>,
    /// Measured round trips that were in force.
    pub latency: MeasuredRtts,
    /// When it was put down.
    pub at: WallTime,
}

impl Remembered {
    /// What of it still counts at `now`, for a node that stands in `region`; round trips for as long
    /// as `keep`. A clock that went back makes nothing older.
    #[must_use]
    pub fn fresh(mut self, now: WallTime, region: Option<&Name>, keep: Duration) -> Self {
        let age = Duration::from_micros(now.0.saturating_sub(self.at.0));
        let aliases = Arc::make_mut(&mut self.aliases);
        aliases.retain(|_, known| age < ALIASES_KEEP && known.is_known());
        for known in aliases.values_mut() {
            Arc::make_mut(known).cause = AliasCause::Remembered;
        }
        let latency = Arc::make_mut(&mut self.latency);
        latency.retain(|from, _| age < keep && Some(from) == region);
        for entry in latency.values_mut().flat_map(|to| to.values_mut()) {
            *entry = MeasuredRtt {
                cause: RttCause::Remembered,
                ..*entry
            };
        }
        self
    }
}
