//! Time as an argument: read once per wake-up by a driver, passed to everything pure.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// A wall clock reading: microseconds since 1970-01-01 UTC. For people and journals only; decisions
/// go by the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(pub u64);

impl fmt::Display for WallTime {
    /// RFC 3339 in UTC, whole seconds unless a precision asks for digits of a second. A time beyond
    /// the year 9999 shows as 1970.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = i64::try_from(self.0).unwrap_or_default();
        let time = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
        write!(f, "{time:.*}", f.precision().unwrap_or(0))
    }
}

impl WallTime {
    /// What a clock shows so long after 1970-01-01 UTC.
    pub fn after_epoch(since: Duration) -> Self {
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// A text that is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a moment since 1970 by RFC 3339, such as 2026-12-31T18:00:00Z")]
pub struct WallTimeError;

impl FromStr for WallTime {
    type Err = WallTimeError;

    /// RFC 3339, with any offset.
    fn from_str(text: &str) -> Result<Self, WallTimeError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| WallTimeError)?;
        let micros = u64::try_from(time.as_microsecond()).map_err(|_| WallTimeError)?;
        Ok(Self(micros))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_times_are_in_the_calendar() {
        let leap = WallTime(951_782_400_250_000);
        assert_eq!(leap.to_string(), "2000-02-29T00:00:00Z");
        assert_eq!(format!("{leap:.6}"), "2000-02-29T00:00:00.250000Z");
        assert_eq!("2000-02-29T01:00:00.25+01:00".parse(), Ok(leap));
        for wrong in [
            "",
            "2000-02-30T00:00:00Z",
            "2000-02-29",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(wrong.parse::<WallTime>(), Err(WallTimeError), "{wrong}");
        }
    }
}
