//! Why steered answers live as long as they do: the change that could come first, and what the
//! operator's band made of it.

use std::time::Duration;

use crate::{TtlBand, WallTime};

/// Why the TTL of an app's steered answers is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtlCause {
    /// What could change the answers first.
    pub change: NextChange,
    /// What of the band held, if any did.
    pub bound: Option<TtlBound>,
    /// Halved, because a cluster is down that would be used if it were not.
    pub halved: bool,
    /// Could be longer, and waits until that has been so for the band's upper bound.
    pub waits: bool,
}

/// The change that could come first. Clusters are local numbers.
///
/// An operator's drain or dial cannot be foreseen and is in none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextChange {
    /// Nothing was concluded yet.
    Starting,
    /// No cluster can change by itself.
    Nothing,
    /// A cluster could be found down so long after its latest result.
    Fall {
        /// Which.
        cluster: u8,
        /// Checks left times their distance.
        after: Duration,
    },
    /// A cluster that is down could be in use again so long after its latest result, its hold-down
    /// included.
    Return {
        /// Which.
        cluster: u8,
        /// Checks left times their distance, and the hold-down.
        after: Duration,
    },
    /// A hold-down ends then.
    HoldDownEnds {
        /// Of which cluster.
        cluster: u8,
        /// When.
        at: WallTime,
    },
    /// A ramp makes its next step then.
    RampStep {
        /// Of which cluster.
        cluster: u8,
        /// When.
        at: WallTime,
    },
}

/// An end of the band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtlBound {
    /// Would be shorter.
    Lower,
    /// Would be longer.
    Upper,
}

impl TtlCause {
    /// Before anything was concluded.
    pub const STARTING: Self = Self {
        change: NextChange::Starting,
        bound: None,
        halved: false,
        waits: false,
    };

    /// In words, for `explain` and `/status`; `name` knows the clusters.
    pub fn text<'n>(&self, band: TtlBand, name: impl Fn(u8) -> &'n str) -> String {
        let mut text = match self.change {
            NextChange::Starting => {
                return String::from(
                    "nothing was seen yet; a node derives it from how soon an answer could change",
                );
            }
            NextChange::Nothing => String::from("no cluster can change by itself"),
            NextChange::Fall { cluster, after } => format!(
                "{} could be found down {} s after its latest result",
                name(cluster),
                after.as_secs_f64()
            ),
            NextChange::Return { cluster, after } => format!(
                "{} could be in use again {} s after its latest result",
                name(cluster),
                after.as_secs_f64()
            ),
            NextChange::HoldDownEnds { cluster, at } => {
                format!("the hold-down of {} ends at {at}", name(cluster))
            }
            NextChange::RampStep { cluster, at } => {
                format!("{} takes its next ramp step at {at}", name(cluster))
            }
        };
        match self.bound {
            Some(TtlBound::Lower) => {
                text.push_str(&format!(
                    ", raised to the lower bound {} s",
                    band.min.seconds()
                ));
            }
            Some(TtlBound::Upper) => {
                text.push_str(&format!(
                    ", cut to the upper bound {} s",
                    band.max.seconds()
                ));
            }
            None => {}
        }
        if self.halved {
            text.push_str(", halved while a cluster is down");
        }
        if self.waits {
            text.push_str(&format!(
                "; it could be longer, once that has been so for {} s",
                band.max.seconds()
            ));
        }
        text
    }
}
