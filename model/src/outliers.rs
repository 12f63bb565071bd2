//! Which endpoints of an app a node leaves out for what its own traffic shows.

use std::fmt;
use std::time::Duration;

use crate::Percent;

/// When an endpoint is ejected, and for how long. What is counted is counted per endpoint, over all
/// routes of the app and all threads of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outliers {
    /// Failures in a row (5xx, connect failures, resets, timeouts), 1 to 1,000; 0 switches this off.
    /// Default 5, Envoy's `consecutive_5xx`.
    pub consecutive: u32,
    /// Below this share of successes within [`window`](Self::window) it is ejected; 0 switches this
    /// off. Default 0.8, Linkerd's.
    pub success_rate: Percent,
    /// What the share is taken over, in ten buckets, 1 s to 5 min; default 10 s.
    pub window: Duration,
    /// Requests in the window below which the share says nothing, 1 to 1,000,000; default 5.
    pub min_requests: u32,
    /// The first ejection, 1 s to 1 h; each further one lasts twice as long. Default 30 s.
    pub base: Duration,
    /// The longest, from `base` to 1 day; default 5 min.
    pub max: Duration,
    /// At most this share of the endpoints of a version in a cluster is left out, those that are
    /// down included; one may always be. Default 50 %.
    pub max_share: Percent,
    /// Whether a health check that passes ends an ejection, if it says something about its cause: an
    /// HTTP check always, a TCP check after failures that were no responses. Default true.
    pub restore_on_check: bool,
}

impl Default for Outliers {
    fn default() -> Self {
        let percent = |hundredths| Percent::from_hundredths(hundredths).unwrap_or(Percent::FULL);
        Self {
            consecutive: 5,
            success_rate: percent(8_000),
            window: Duration::from_secs(10),
            min_requests: 5,
            base: Duration::from_secs(30),
            max: Duration::from_secs(300),
            max_share: percent(5_000),
            restore_on_check: true,
        }
    }
}

impl fmt::Display for Outliers {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut causes = Vec::new();
        if self.consecutive > 0 {
            causes.push(format!("{} failures in a row", self.consecutive));
        }
        if self.success_rate > Percent::ZERO {
            causes.push(format!(
                "less than {} % success over {} s and {} requests",
                self.success_rate,
                self.window.as_secs_f64(),
                self.min_requests
            ));
        }
        if causes.is_empty() {
            return f.write_str("never");
        }
        write!(
            f,
            "after {}, for {} s and then twice as long each time up to {} s, at most {} % of a group",
            causes.join(" or "),
            self.base.as_secs_f64(),
            self.max.as_secs_f64(),
            self.max_share
        )
    }
}
