//! What a probe does, complete in itself: a target's address and a check are all a driver needs.

use std::sync::Arc;
use std::time::Duration;

use windrose_model::{App, HealthCheck, Manner, Probe, ProbeFailure, StatusRange};

use super::counter::Thresholds;

/// A health check with everything filled in. Equal checks of one address are one target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Check {
    /// How the connection begins.
    pub manner: Manner,
    /// What is sent.
    pub kind: CheckKind,
    /// For the whole probe.
    pub timeout: Duration,
    /// Between two starts.
    pub interval: Duration,
    fall: u8,
    rise: u8,
}

/// What a probe sends.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// Connects and closes.
    Tcp,
    /// One HTTP/1.1 GET.
    Http {
        /// Origin form.
        path: String,
        /// The `Host` to send.
        host: String,
        /// Healthy status codes, inclusive.
        status: Vec<(u16, u16)>,
    },
}

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As the check wants it.
    Healthy,
    /// Not so.
    Failed(ProbeFailure),
    /// This node could not make the probe (out of descriptors, ports or memory): says nothing about
    /// the target.
    NotMade,
}

impl Check {
    /// The check of an app.
    pub fn of(app: &App) -> Arc<Self> {
        let HealthCheck {
            probe,
            interval,
            timeout,
            fall,
            rise,
        } = &app.health;
        let kind = match probe {
            Probe::Tcp => CheckKind::Tcp,
            Probe::Http(http) => CheckKind::Http {
                path: http.path.clone(),
                host: http.host.clone().unwrap_or_else(|| first_host(app)),
                status: ranges(&http.status),
            },
        };
        Arc::new(Self {
            manner: app.upstream.manner(),
            kind,
            timeout: *timeout,
            interval: *interval,
            fall: *fall,
            rise: *rise,
        })
    }

    /// Stands where no target is.
    pub(super) fn idle() -> Arc<Self> {
        Arc::new(Self {
            manner: Manner::default(),
            kind: CheckKind::Tcp,
            timeout: Duration::ZERO,
            interval: Duration::MAX,
            fall: 1,
            rise: 1,
        })
    }

    /// How many results make a verdict.
    pub fn thresholds(&self) -> Thresholds {
        Thresholds {
            fall: self.fall.max(1),
            rise: self.rise.max(1),
        }
    }

    /// Between probes that follow a failure: 1 s, or the interval if that is shorter.
    pub fn hurried(&self) -> Duration {
        Self::hurry(self.interval)
    }

    pub(crate) fn hurry(interval: Duration) -> Duration {
        interval.min(Duration::from_secs(1))
    }
}

fn ranges(status: &[StatusRange]) -> Vec<(u16, u16)> {
    if status.is_empty() {
        return vec![(200, 299)];
    }
    status.iter().map(|r| (r.first, r.last)).collect()
}

/// The first host that is a name; of a wildcard, some name below it.
fn first_host(app: &App) -> String {
    let name = app.hosts.iter().find(|h| !h.is_wildcard());
    match (name, app.hosts.first()) {
        (Some(host), _) => host.to_string(),
        (None, Some(wildcard)) => wildcard.to_string().replacen('*', "probe", 1),
        (None, None) => String::from("localhost"),
    }
}
