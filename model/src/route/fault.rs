//! Faults that are injected on purpose into the requests of a route, to see what becomes of them.

use std::fmt;
use std::time::Duration;

use http::{HeaderName, StatusCode};

use crate::{Name, Percent, TextMatch, WallTime};

/// What goes wrong with attempts of requests, and until when. Each attempt is drawn for itself, as it
/// would be with a bad backend.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Some wait first.
    pub delay: Option<Delay>,
    /// Some are answered here instead of by an endpoint.
    pub abort: Option<Abort>,
    /// Share of those that break off before a response. No attempt is both aborted and reset, so
    /// the two shares together are at most 100 %.
    pub reset: Percent,
    /// Only requests with all of these fields.
    pub headers: Vec<(HeaderName, TextMatch)>,
    /// Only attempts in this cluster of the app.
    pub cluster: Option<Name>,
    /// From then on nothing goes wrong any more.
    pub until: WallTime,
}

/// A delay before an attempt. It counts against the timeouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Delay {
    /// 1 ms to 5 min.
    pub fixed: Duration,
    /// Of attempts.
    pub percent: Percent,
}

/// An answer in place of an endpoint's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Abort {
    /// 400 to 599.
    pub status: StatusCode,
    /// Of attempts.
    pub percent: Percent,
}

impl Fault {
    /// Whether it is in force.
    pub fn is_active(&self, now: WallTime) -> bool {
        now < self.until
    }
}

impl fmt::Display for Fault {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(Delay { fixed, percent }) = self.delay {
            parts.push(format!("{percent} % wait {} s", fixed.as_secs_f64()));
        }
        if let Some(Abort { status, percent }) = self.abort {
            let status = status.as_u16();
            parts.push(format!("{percent} % are answered {status}"));
        }
        if self.reset > Percent::ZERO {
            parts.push(format!("{} % break off", self.reset));
        }
        write!(f, "{}", parts.join(", "))?;
        if let Some(cluster) = &self.cluster {
            write!(f, ", in {cluster}")?;
        }
        for (name, wanted) in &self.headers {
            write!(f, ", with header {name} {wanted}")?;
        }
        write!(f, ", until {}", self.until)
    }
}
