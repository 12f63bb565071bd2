//! How the endpoints of an app are probed.

use std::time::Duration;

/// A health check: what is sent, how often, and how many results make a verdict.
///
/// `fall` counts failures accumulated since the last `rise` successes in a row, so that a target
/// failing 30 % of the time goes down instead of bouncing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HealthCheck {
    /// What is sent.
    pub probe: Probe,
    /// Between two probes of one endpoint; default 5 s.
    pub interval: Duration,
    /// For a whole probe, connect included; default 2 s.
    pub timeout: Duration,
    /// Failures until down, 1 to 100; default 3.
    pub fall: u8,
    /// Successes in a row until up, and until failures are forgotten, 1 to 100; default 3.
    pub rise: u8,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            probe: Probe::Tcp,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            fall: 3,
            rise: 3,
        }
    }
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Probe {
    /// Connects and closes.
    Tcp,
    /// One HTTP/1.1 GET.
    Http(HttpProbe),
}

/// An HTTP probe.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpProbe {
    /// Origin form, begins with `/`.
    pub path: String,
    /// The `Host` sent; the app's first host when absent.
    pub host: Option<String>,
    /// Which status codes are healthy; default 200 to 299.
    pub status: Vec<StatusRange>,
}

/// An inclusive range of HTTP status codes, 100 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusRange {
    /// First.
    pub first: u16,
    /// Last.
    pub last: u16,
}

impl StatusRange {
    /// `None` unless 100 <= first <= last <= 599.
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first >= 100 && first <= last && last <= 599 {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// Whether `code` lies inside.
    pub const fn contains(self, code: u16) -> bool {
        self.first <= code && code <= self.last
    }
}
