//! Round-trip times: the unit, the matrix that an operator brings, and what nodes have measured.
//!
//! Deliberately absent: files, estimates by distance, and what a round trip means for an answer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use xxhash_rust::xxh3::Xxh3;

use crate::{Country, Name, Percent, WallTime};

/// A round-trip time in whole microseconds, 0 to 60 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rtt(u32);

impl Rtt {
    /// The longest: 60 s.
    pub const MAX: Self = Self(60_000_000);
    /// The shortest.
    pub const ZERO: Self = Self(0);

    /// Microseconds, or `None` above [`Rtt::MAX`].
    pub const fn from_micros(micros: u32) -> Option<Self> {
        if micros <= Self::MAX.0 {
            Some(Self(micros))
        } else {
            None
        }
    }

    /// Milliseconds, rounded to microseconds; `None` outside 0 to 60,000 or not a number.
    pub fn from_millis(millis: f64) -> Option<Self> {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        (0.0..=60_000.0)
            .contains(&millis)
            .then(|| Self((millis * 1e3).round() as u32))
    }

    /// A duration, capped at [`Rtt::MAX`].
    pub fn from_duration(duration: Duration) -> Self {
        let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
        Self(micros.min(Self::MAX.0))
    }

    /// Microseconds.
    pub const fn micros(self) -> u32 {
        self.0
    }

    /// Seconds.
    pub fn seconds(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// Whether two round trips differ enough to act upon: by at least `least`, and by at least
    /// `share` of the longer one. Who gains less stays where it is.
    pub fn differs(self, other: Self, least: Self, share: Percent) -> bool {
        let gap = u64::from(self.0.abs_diff(other.0));
        let longer = u64::from(self.0.max(other.0));
        gap > 0
            && gap >= u64::from(least.0)
            && gap * 10_000 >= longer * u64::from(share.hundredths())
    }
}

impl fmt::Display for Rtt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 + 50) / 100;
        match (self.0, tenths % 10) {
            (..1_000, _) => write!(f, "0.{:03} ms", self.0),
            (_, 0) => write!(f, "{} ms", tenths / 10),
            (_, part) => write!(f, "{}.{part} ms", tenths / 10),
        }
    }
}

/// From where round trips are known, the most specific first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RttFrom {
    /// Clients of a prefix, its host bits zero.
    Cidr(IpNet),
    /// Clients of a country.
    Country(Country),
    /// Clients of a region.
    Region(Name),
}

impl fmt::Display for RttFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cidr(net) => net.fmt(f),
            Self::Country(country) => write!(f, "country {country}"),
            Self::Region(region) => write!(f, "region {region}"),
        }
    }
}

/// XXH3-128 of the content of a large input, by which a Model names it: tells two contents apart,
/// proves nothing against an attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

/// Round-trip times from where clients are to clusters and regions, immutable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatencyMatrix {
    pairs: BTreeMap<RttFrom, BTreeMap<Name, Rtt>>,
    fingerprint: Fingerprint,
}

impl LatencyMatrix {
    /// By origin, then by the name of a cluster or region; a name that is both stands for both.
    pub fn new(pairs: BTreeMap<RttFrom, BTreeMap<Name, Rtt>>) -> Self {
        let mut hash = Xxh3::new();
        for (from, to) in &pairs {
            for (name, rtt) in to {
                let line = format!("{from}\0{name}\0{}\n", rtt.micros());
                hash.update(line.as_bytes());
            }
        }
        Self {
            pairs,
            fingerprint: Fingerprint(hash.digest128()),
        }
    }

    /// Knows nothing.
    pub fn empty() -> Self {
        Self::new(BTreeMap::new())
    }

    /// Of its content: equal for files that say the same in another order.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The round trip from an origin to a cluster in a region: what is said of the cluster goes
    /// before what is said of its region.
    pub fn rtt(&self, from: &RttFrom, cluster: &Name, region: &Name) -> Option<Rtt> {
        let to = self.pairs.get(from)?;
        to.get(cluster).or_else(|| to.get(region)).copied()
    }

    /// All origins that are prefixes.
    pub fn cidrs(&self) -> impl Iterator<Item = IpNet> + '_ {
        // Prefixes sort first.
        self.pairs.keys().map_while(|from| match from {
            RttFrom::Cidr(net) => Some(*net),
            RttFrom::Country(_) | RttFrom::Region(_) => None,
        })
    }

    /// All pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (&RttFrom, &Name, Rtt)> {
        self.pairs
            .iter()
            .flat_map(|(from, to)| to.iter().map(move |(name, rtt)| (from, name, *rtt)))
    }
}

/// The round trips that nodes have measured and that are in force: by region of the node, then by
/// cluster. Behind an `Arc`, so that `compile` finds a change by pointer.
pub type MeasuredRtts = Arc<BTreeMap<Name, BTreeMap<Name, MeasuredRtt>>>;

/// A measured round trip in force: an entry of Status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MeasuredRtt {
    /// The value that steering uses.
    pub rtt: Rtt,
    /// Why it is this one.
    pub cause: RttCause,
    /// Since when.
    pub since: WallTime,
}

/// Why a measured round trip has its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RttCause {
    /// The first one, after so long a time of measuring.
    WarmedUp {
        /// Whole seconds.
        seconds: u32,
    },
    /// It had moved far enough from this one.
    Moved {
        /// The value before.
        from: Rtt,
    },
    /// It was in force before the node was started again.
    Remembered,
}

impl fmt::Display for RttCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WarmedUp { seconds } => write!(f, "measured for {seconds} s"),
            Self::Moved { from } => write!(f, "measured, moved from {from}"),
            Self::Remembered => f.write_str("measured before the node was restarted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: f64) -> Rtt {
        Rtt::from_millis(millis).unwrap()
    }

    #[test]
    fn round_trips_are_shown_in_milliseconds() {
        for (millis, text) in [
            (0.042, "0.042 ms"),
            (3.0, "3 ms"),
            (9.96, "10 ms"),
            (87.26, "87.3 ms"),
        ] {
            assert_eq!(ms(millis).to_string(), text);
        }
        assert_eq!(Rtt::from_millis(60_001.0), None);
        assert_eq!(Rtt::from_millis(f64::NAN), None);
    }

    #[test]
    fn a_difference_counts_by_both_measures_and_alike_in_both_directions() {
        let differ = |a, b| {
            let percent = Percent::new(10.0).unwrap();
            let once = ms(a).differs(ms(b), ms(5.0), percent);
            assert_eq!(once, ms(b).differs(ms(a), ms(5.0), percent));
            once
        };
        assert!(differ(50.0, 45.0), "10 % and 5 ms");
        assert!(!differ(50.0, 45.1), "less than both");
        assert!(!differ(10.0, 6.0), "40 %, but 4 ms");
        assert!(!differ(200.0, 190.0), "10 ms, but 5 %");
        assert!(!ms(7.0).differs(ms(7.0), Rtt::ZERO, Percent::ZERO));
    }

    #[test]
    fn a_cluster_goes_before_its_region() {
        let name = |text: &str| Name::new(text).unwrap();
        let from = RttFrom::Region(name("eu"));
        let pairs = |to: &[(&str, f64)]| {
            let to = to.iter().map(|(to, rtt)| (name(to), ms(*rtt))).collect();
            LatencyMatrix::new([(from.clone(), to)].into())
        };
        let both = pairs(&[("us", 90.0), ("virginia", 80.0)]);
        let rtt = |to| both.rtt(&from, &name(to), &name("us"));
        assert_eq!(
            (rtt("virginia"), rtt("ohio")),
            (Some(ms(80.0)), Some(ms(90.0)))
        );
        assert_ne!(both.fingerprint(), pairs(&[("us", 90.0)]).fingerprint());
        assert_eq!(
            both.rtt(&RttFrom::Region(name("ap")), &name("us"), &name("us")),
            None
        );
    }
}
