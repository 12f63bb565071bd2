//! HOT: [`AccessLog::begin`], [`AccessLog::offer`]. The access log: one JSON object for each request
//! and each TCP connection that is sampled, and for each that went wrong.
//!
//! An exchange takes down what its client said while it still has the head, and hands that over with
//! the outcome when it ends; the rest is [`RecordLog`]'s. Deliberately absent: bodies, and all header
//! fields but three.

mod draft;
mod json;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windrose_telemetry::{Framing, Log, LogPlan, LogTarget, Metrics, Rate, RecordLog, Writing};

use draft::Record;
pub(crate) use draft::{Draft, Outcome};

/// Records that may wait for the writer: some 2 MiB, at most 25.
const WAITING: usize = 4_096;

/// What is logged, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct AccessSettings {
    /// The name of this node.
    pub node: String,
    /// The share of requests that is written, 0 to 1.
    pub sample: f64,
    /// Whether a request that went wrong is written whatever the share: a status of 500 or above, or
    /// any response flag.
    pub errors: bool,
    /// Whether the query of a target is written; without it the target ends at `?`.
    pub query: bool,
    /// Most records a second of the node.
    pub per_second: u32,
    /// Where to.
    pub to: LogTarget,
}

/// The data path's end of the log.
pub struct AccessLog {
    settings: AccessSettings,
    /// A draw below this is sampled; `None`: all are.
    below: Option<u64>,
    records: RecordLog<Record>,
    rate: Rate,
    origin: Instant,
}

impl AccessLog {
    /// Starts the writer thread. It ends when the last hold on the log is gone and what waited is
    /// written. A file or socket that cannot be opened is tried again each second.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        settings: AccessSettings,
        metrics: Arc<Metrics>,
    ) -> io::Result<(Arc<Self>, Writing)> {
        let plan = LogPlan {
            log: Log::Access,
            framing: Framing::Lines,
            to: settings.to.clone(),
            waiting: WAITING,
        };
        let node = settings.node.clone();
        let encode = move |out: &mut Vec<u8>, record: &Record| json::line(out, &node, record);
        let (records, writing) = RecordLog::start(plan, metrics, encode)?;
        let log = Self {
            below: threshold(settings.sample),
            rate: Rate::new(settings.per_second),
            origin: Instant::now(),
            settings,
            records,
        };
        Ok((Arc::new(log), writing))
    }

    /// Whether to take a request or a connection down: whether it is sampled, or `None` if it can never be written.
    pub(crate) fn begin(&self, draw: impl FnOnce() -> u64) -> Option<bool> {
        let sampled = self.below.is_none_or(|below| draw() < below);
        (sampled || self.settings.errors).then_some(sampled)
    }

    /// Whether targets are written with their query.
    pub(crate) fn with_query(&self) -> bool {
        self.settings.query
    }

    /// Hands what ended to the writer, if it is to be written. Never waits.
    pub(crate) fn offer(&self, draft: Box<Draft>, outcome: Outcome) {
        if !draft.sampled && !outcome.is_wrong() {
            return;
        }
        let since: Duration = outcome.now.saturating_duration_since(self.origin);
        if self.rate.admits(since) {
            self.records.offer(Record::new(draft, outcome));
        } else {
            self.records.over_rate();
        }
    }
}

/// What a draw must be below to be of this share.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "saturates; a chance needs no more digits"
)]
fn threshold(share: f64) -> Option<u64> {
    (share < 1.0).then(|| (share.max(0.0) * u64::MAX as f64) as u64)
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessLog")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_bound_on_the_draw() {
        assert_eq!(threshold(1.0), None);
        assert_eq!(threshold(0.0), Some(0));
        let half = threshold(0.5).unwrap();
        assert!(half.abs_diff(u64::MAX / 2) < 1 << 12);
    }
}
