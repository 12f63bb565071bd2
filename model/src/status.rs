//! What control concludes. Every entry carries its cause and since when.

use std::fmt;
use std::sync::Arc;

use crate::{
    Aliases, AppId, MeasuredRtts, Model, Percent, ProbeFailure, Stamp, Ttl, TtlCause, WallTime,
};

/// The whole conclusion, parallel to the apps of the Model of `stamp.revision`.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Which publication this is.
    pub stamp: Stamp,
    /// By app id. `Arc::make_mut` on write, so that `compile` finds changes by pointer.
    pub apps: Vec<Arc<AppStatus>>,
    /// Measured round trips that are in force.
    pub latency: MeasuredRtts,
    /// What the foreign names that ALIAS records lead to are known to be.
    pub aliases: Arc<Aliases>,
}

/// The conclusion about one app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppStatus {
    /// Parallel to [`Model::clusters_of`](crate::Model::clusters_of).
    pub clusters: Vec<ClusterStatus>,
    /// Parallel to [`Model::endpoints`](crate::Model::endpoints).
    pub endpoints: Vec<EndpointState>,
    /// The clusters that were usable when one last was, and those that went down together with the
    /// last one: bit by position in `clusters`.
    pub last_known: u16,
    /// TTL of steered answers, derived from how soon a verdict could change.
    pub ttl: Ttl,
    /// Why. As of when the TTL or anything else here changed last: a cause alone publishes nothing.
    pub ttl_cause: TtlCause,
}

impl AppStatus {
    /// What holds before anything was seen: every cluster unknown and, unless the operator drains it
    /// or dials it off, usable at its dial.
    pub fn unknown(model: &Model, app: AppId) -> Self {
        let (_, wanted) = model.app(app);
        let clusters = model
            .clusters_of(app)
            .iter()
            .map(|id| {
                let cluster = &model.cluster(*id).1;
                let (verdict, cause) = match () {
                    () if cluster.drain => (Verdict::Draining, Cause::Drained),
                    () if cluster.dial == Percent::ZERO => (Verdict::Unknown, Cause::DialedOff),
                    () => (Verdict::Unknown, Cause::Starting),
                };
                ClusterStatus {
                    verdict,
                    usable: cause == Cause::Starting,
                    share: cluster.dial,
                    cause,
                    since: WallTime::default(),
                }
            })
            .collect();
        let endpoints = model
            .endpoints(app)
            .map(|_| EndpointState::Unknown)
            .collect();
        Self {
            clusters,
            endpoints,
            last_known: 0,
            ttl: wanted.ttl.min,
            ttl_cause: TtlCause::STARTING,
        }
    }
}

/// The conclusion about an app in one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    /// In a word.
    pub verdict: Verdict,
    /// Whether new traffic may go there: up, degraded or unknown, not drained, not held down, and a
    /// share above zero.
    pub usable: bool,
    /// The share of its traffic it may take: dial times ramp.
    pub share: Percent,
    /// Why.
    pub cause: Cause,
    /// Since when the verdict or `usable` is as it is.
    pub since: WallTime,
}

/// Health in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Some endpoint is up and none is down.
    Up,
    /// Some are up, some down.
    Degraded,
    /// Takes no new traffic by the operator's word.
    Draining,
    /// None is.
    Down,
    /// Not enough was seen yet; never treated as down.
    Unknown,
}

impl Verdict {
    /// As in outputs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Draining => "draining",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Health of one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndpointState {
    /// Not enough was seen yet.
    Unknown,
    /// Takes traffic.
    Up,
    /// Takes none while others are up.
    Down,
}

/// Why an entry of Status is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nothing was seen since the app appeared.
    Starting,
    /// So many endpoints are up.
    EndpointsUp {
        /// Up.
        up: u16,
        /// Of so many.
        of: u16,
    },
    /// The last endpoint went down, for this reason.
    EndpointsDown {
        /// How many there are.
        of: u16,
        /// The last failure seen.
        last: ProbeFailure,
    },
    /// Up again, but held down until then.
    HoldDown {
        /// Wall time of its end.
        until: WallTime,
    },
    /// Coming back by steps.
    Ramp {
        /// The share it has now, before the dial.
        share: Percent,
    },
    /// The configuration drains it.
    Drained,
    /// The configuration dials it to zero.
    DialedOff,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting: no probe result yet"),
            Self::EndpointsUp { up, of } => write!(f, "{up} of {of} endpoints up"),
            Self::EndpointsDown { of, last } => {
                write!(f, "0 of {of} endpoints up, last failure: {last}")
            }
            Self::HoldDown { until } => {
                write!(f, "up again, held down until {until}")
            }
            Self::Ramp { share } => write!(f, "ramping up, at {share} %"),
            Self::Drained => f.write_str("drained by configuration"),
            Self::DialedOff => f.write_str("dialed to 0 by configuration"),
        }
    }
}
