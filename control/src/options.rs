//! How a controller is set up. Nothing here is part of the Model.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use windrose_model::Name;
use windrose_tls::Store;

use crate::Remembered;

/// Settings of one node's control.
#[derive(Debug, Clone)]
pub struct Options {
    /// For the dice; print it where it is chosen.
    pub seed: u64,
    /// Spread probe starts by chance; off only in tests.
    pub jitter: bool,
    /// Counts leaders; higher than any term this node has published under.
    pub term: u64,
    /// Where `journal.jsonl` goes; none: no journal.
    pub data_dir: Option<PathBuf>,
    /// How long the first round of probes may take before the node is ready without it.
    pub grace: Duration,
    /// The least time between two publications.
    pub publish_every: Duration,
    /// What TLS to endpoints is spoken with.
    pub certificates: Store,
    /// Limits of all probes together.
    pub budget: Budget,
    /// Whom to ask about the names that aliases lead to; none: the system's resolvers.
    pub resolvers: Vec<SocketAddr>,
    /// The region of this node: its probes measure round trips from there. None: it measures none.
    pub region: Option<Name>,
    /// How fast steering follows what is measured.
    pub steering: SteeringPace,
    /// What this node knew before it was started again.
    pub remembered: Remembered,
    /// Told which slots no Table names any more, before they are given out again.
    pub forget: Option<Forget>,
    /// Told which endpoints passed a health check, where the data path waits for that.
    pub check_passed: Option<CheckPassed>,
}

/// How fast steering follows measured round trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SteeringPace {
    /// The steering period: ranks change at most once in it. At least a millisecond.
    pub every: Duration,
    /// How long a round trip is measured before it goes before the matrix.
    pub warm_up: Duration,
    /// How long a value outlives its last sample.
    pub keep: Duration,
}

impl Default for SteeringPace {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(60),
            warm_up: Duration::from_secs(600),
            keep: Duration::from_secs(3_600),
        }
    }
}

/// What the data path does to forget what it saw of a slot.
#[derive(Clone)]
pub struct Forget {
    endpoint: Arc<dyn Fn(u32) + Send + Sync>,
    cluster: Arc<dyn Fn(u32) + Send + Sync>,
}

impl Forget {
    /// Both are called on the control thread and must not block: with the slot of an endpoint, and
    /// with that of a cluster of an app.
    pub fn new(
        endpoint: impl Fn(u32) + Send + Sync + 'static,
        cluster: impl Fn(u32) + Send + Sync + 'static,
    ) -> Self {
        Self {
            endpoint: Arc::new(endpoint),
            cluster: Arc::new(cluster),
        }
    }

    pub(crate) fn forget(&self, endpoints: &[u32], clusters: &[u32]) {
        endpoints.iter().for_each(|slot| (self.endpoint)(*slot));
        clusters.iter().for_each(|slot| (self.cluster)(*slot));
    }
}

/// What the data path does when an endpoint has passed a health check.
#[derive(Clone)]
pub struct CheckPassed {
    awaits: Arc<dyn Fn() -> bool + Send + Sync>,
    passed: Arc<dyn Fn(u32) + Send + Sync>,
}

impl CheckPassed {
    /// Both are called on the control thread and must not block: whether any endpoint waits for a
    /// check, and that the one of a slot passed.
    pub fn new(
        awaits: impl Fn() -> bool + Send + Sync + 'static,
        passed: impl Fn(u32) + Send + Sync + 'static,
    ) -> Self {
        Self {
            awaits: Arc::new(awaits),
            passed: Arc::new(passed),
        }
    }

    pub(crate) fn awaits(&self) -> bool {
        (self.awaits)()
    }

    pub(crate) fn tell(&self, slot: u32) {
        (self.passed)(slot);
    }
}

impl fmt::Debug for CheckPassed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckPassed")
    }
}

impl fmt::Debug for Forget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forget")
    }
}

/// Limits of all probes of a node together. A probe that finds no room waits for its turn, the
/// longest due first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Probes under way at one time, at least 1. Each holds a file descriptor.
    pub in_flight: u32,
    /// Probes begun in a second, at least 1.
    pub per_second: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            in_flight: 512,
            per_second: 20_000,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            jitter: true,
            term: 1,
            data_dir: None,
            grace: Duration::from_secs(10),
            publish_every: Duration::from_millis(20),
            certificates: Store::new(),
            budget: Budget::default(),
            resolvers: Vec::new(),
            region: None,
            steering: SteeringPace::default(),
            remembered: Remembered::default(),
            forget: None,
            check_passed: None,
        }
    }
}
