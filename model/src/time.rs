//! Time as an argument: read once per wake-up by a driver, passed to everything pure.

use std::time::{Duration, Instant};

/// A wall clock reading: microseconds since 1970-01-01 UTC. For people and journals only; decisions
/// go by the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub u64);

impl WallTime {
    /// Seconds since the epoch, with fraction.
    #[allow(clippy::cast_precision_loss, reason = "for display")]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// Monotonic and wall time of one wake-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Never goes back.
    pub mono: Instant,
    /// What a clock on the wall shows.
    pub wall: WallTime,
}

impl Now {
    /// The same pair, later by `by`.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        let micros = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        Self {
            mono: self.mono + by,
            wall: WallTime(self.wall.0.saturating_add(micros)),
        }
    }
}
