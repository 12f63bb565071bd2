//! Units: weights, percentages, time to live.

use std::fmt;
use std::time::Duration;

/// A number outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not 0 to 1,000,000.
    #[error("a weight is a whole number from 0 to 1000000")]
    Weight,
    /// Not 0 to 100.
    #[error("a percentage is a number from 0 to 100")]
    Percent,
}

/// A relative weight, 0 to 1,000,000. Members of weight 0 are used only when every other one is
/// unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Weight(u32);

impl Weight {
    /// The largest weight.
    pub const MAX: u32 = 1_000_000;
    /// What a member has when nobody says otherwise.
    pub const ONE: Self = Self(1);

    /// A weight, or `None` above [`Weight::MAX`].
    pub const fn new(value: u32) -> Option<Self> {
        if value <= Self::MAX {
            Some(Self(value))
        } else {
            None
        }
    }

    /// The number.
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// How much nearer (above 0) or farther (below 0) than it is a cluster counts for `nearest`: -99 to
/// 99, the scale of Route 53's geoproximity bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bias(i8);

impl Bias {
    /// As it is.
    pub const NONE: Self = Self(0);

    /// A bias, or `None` outside -99 to 99.
    pub const fn new(points: i8) -> Option<Self> {
        if points >= -99 && points <= 99 {
            Some(Self(points))
        } else {
            None
        }
    }

    /// The number, -99 to 99.
    pub const fn points(self) -> i8 {
        self.0
    }
}

/// A percentage in hundredths: 0.00 to 100.00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u16);

impl Percent {
    /// 100 %.
    pub const FULL: Self = Self(10_000);
    /// 0 %.
    pub const ZERO: Self = Self(0);

    /// From a number 0 to 100, rounded to hundredths.
    pub fn new(value: f64) -> Option<Self> {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        (0.0..=100.0)
            .contains(&value)
            .then(|| Self((value * 100.0).round() as u16))
    }

    /// From hundredths of a percent, at most 10,000.
    pub const fn from_hundredths(value: u16) -> Option<Self> {
        if value <= 10_000 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// Hundredths of a percent, 0 to 10,000.
    pub const fn hundredths(self) -> u16 {
        self.0
    }

    /// The product of two shares, rounded down.
    #[must_use]
    pub const fn of(self, other: Self) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "at most 10,000")]
        Self((self.0 as u32 * other.0 as u32 / 10_000) as u16)
    }

    /// The sum, at most 100 %.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self((self.0 + other.0).min(10_000))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 100 {
            0 => write!(f, "{}", self.0 / 100),
            rest if rest % 10 == 0 => write!(f, "{}.{}", self.0 / 100, rest / 10),
            rest => write!(f, "{}.{rest:02}", self.0 / 100),
        }
    }
}

/// A time to live in whole seconds, 0 to 2^31 - 1 (RFC 2181 section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u32);

impl Ttl {
    /// Seconds, or `None` above 2^31 - 1.
    pub const fn new(seconds: u32) -> Option<Self> {
        if seconds <= 0x7fff_ffff {
            Some(Self(seconds))
        } else {
            None
        }
    }

    /// Seconds, capped at 2^31 - 1; a part of a second counts as a whole one.
    pub fn from_duration(duration: Duration) -> Self {
        let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
        Self(u32::try_from(seconds).unwrap_or(u32::MAX).min(0x7fff_ffff))
    }

    /// Seconds.
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_keep_hundredths() {
        assert_eq!(Percent::new(12.345).unwrap().hundredths(), 1235);
        assert_eq!(Percent::new(12.5).unwrap().to_string(), "12.5");
        assert!(Percent::new(100.1).is_none());
        assert_eq!(
            Percent::new(50.0).unwrap().of(Percent::new(50.0).unwrap()),
            Percent::new(25.0).unwrap()
        );
    }
}
