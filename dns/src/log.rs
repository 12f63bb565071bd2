//! HOT: [`QueryLog::offer`]. A sampled query log: what was asked and answered, as JSON lines or
//! dnstap, to a file or a unix socket.
//!
//! A data-path thread copies a sampled query into a bounded queue and goes on; one writer thread
//! does all that can wait or fail. A full disk or a reader that hangs costs records, which are
//! counted, and never an answer. Deliberately absent: filters, and records of every query.

mod dnstap;
mod json;
mod record;
mod sampler;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use windrose_telemetry::{Framing, Log, LogPlan, LogTarget, Metrics, RecordLog, Writing};

use crate::limit::{Rule, Step, Ticks};
pub(crate) use record::Record;
pub(crate) use sampler::Sampler;

/// Records that may wait for the writer: 2 MiB.
const WAITING: usize = 1_024;

/// What is logged, how, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    /// The name of this node: JSON `node`, dnstap `identity`.
    pub node: String,
    /// The version of this program: dnstap `version`.
    pub version: String,
    /// The share of queries that is written, above 0 to 1.
    pub sample: f64,
    /// Most records a second of the node, to 1,000,000.
    pub per_second: u32,
    /// How a record is written.
    pub format: LogFormat,
    /// Where to.
    pub to: LogTarget,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// dnstap in Frame Streams.
    Dnstap,
}

/// The data path's end of the log.
pub struct QueryLog {
    settings: LogSettings,
    records: RecordLog<Record>,
    rate: Rule,
    bucket: AtomicU64,
}

impl QueryLog {
    /// Starts the writer thread. It ends when the last hold on the log is gone and what waited is
    /// written. A file or socket that cannot be opened is tried again each second.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(settings: LogSettings, metrics: Arc<Metrics>) -> io::Result<(Arc<Self>, Writing)> {
        let plan = LogPlan {
            log: Log::Query,
            framing: match settings.format {
                LogFormat::Json => Framing::Lines,
                LogFormat::Dnstap => Framing::Dnstap,
            },
            to: settings.to.clone(),
            waiting: WAITING,
        };
        let (node, version) = (settings.node.clone(), settings.version.clone());
        let format = settings.format;
        let encode = move |out: &mut Vec<u8>, record: &Record| match format {
            LogFormat::Json => json::line(out, &node, record),
            LogFormat::Dnstap => dnstap::frames(out, &node, &version, record),
        };
        let (records, writing) = RecordLog::start(plan, metrics, encode)?;
        let log = Self {
            // A tenth of a second's records at once, at least one.
            rate: Rule::new(settings.per_second, Duration::from_millis(100), 0),
            settings,
            records,
            bucket: AtomicU64::new(0),
        };
        Ok((Arc::new(log), writing))
    }

    /// What it was started with.
    pub fn settings(&self) -> &LogSettings {
        &self.settings
    }

    /// Hands a sampled record to the writer, unless there are too many of them. Never waits.
    pub(crate) fn offer(&self, now: Ticks, record: impl FnOnce() -> Record) {
        if self.admits(now) {
            self.records.offer(record());
        } else {
            self.records.over_rate();
        }
    }

    fn admits(&self, now: Ticks) -> bool {
        let word = self.bucket.load(Relaxed);
        match self.rate.take(word, 0, now) {
            // Another thread took a token at the same moment: the bound is one of many a second.
            Step::Granted(next) => {
                self.bucket.store(next, Relaxed);
                true
            }
            Step::Slipped(_) | Step::Refused(_) => false,
        }
    }
}

impl fmt::Debug for QueryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("QueryLog");
        debug
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl PartialEq for QueryLog {
    /// Equal settings.
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

// A share is a number.
impl Eq for QueryLog {}
