//! HOT: [`RecordLog::offer`]. A log of records: what happened, one by one, to a file or a unix
//! socket.
//!
//! A data-path thread puts a record into a bounded queue and goes on; one writer thread does all
//! that can wait or fail. A full disk or a reader that hangs costs records, which are counted, and
//! never an answer. Deliberately absent: what a record is and how it is written, which its owner
//! knows.

mod frames;
mod rate;
mod sink;
mod writer;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::time::Duration;

use crate::{Log, Logged, Metrics};
pub use frames::data as data_frame;
pub use rate::Rate;
use writer::Writer;

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// A file, and older ones beside it. When somebody else moves it away, a new one is begun
    /// within a second.
    File {
        /// The file written to. Older ones have `.1`, `.2`, … behind it.
        path: PathBuf,
        /// Octets after which the next file begins.
        max_bytes: u64,
        /// Older files that are kept.
        keep: u32,
    },
    /// A stream socket somebody listens on. For dnstap the bidirectional handshake is spoken.
    Unix(PathBuf),
}

/// What stands between records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Each record ends its own line.
    Lines,
    /// Frame Streams of dnstap; records are whole data frames, made by [`data_frame`].
    Dnstap,
}

/// What a log is, but for its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlan {
    /// Whose log: names the thread, the messages and the counters.
    pub log: Log,
    /// How records follow each other.
    pub framing: Framing,
    /// Where to.
    pub to: LogTarget,
    /// Records that may wait for the writer.
    pub waiting: usize,
}

/// The data path's end of a log.
pub struct RecordLog<R> {
    queue: SyncSender<R>,
    log: Log,
    metrics: Arc<Metrics>,
}

/// The writer's end: tells when everything is written.
#[derive(Debug)]
pub struct Writing(mpsc::Receiver<()>);

impl<R: Send + 'static> RecordLog<R> {
    /// Starts the writer thread; `encode` appends a record to the octets that are written next. The
    /// thread ends when the last hold on the log is gone and what waited is written. A file or
    /// socket that cannot be opened is tried again each second.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        plan: LogPlan,
        metrics: Arc<Metrics>,
        encode: impl FnMut(&mut Vec<u8>, &R) + Send + 'static,
    ) -> io::Result<(Self, Writing)> {
        let (queue, records) = mpsc::sync_channel(plan.waiting);
        let (end, ended) = mpsc::sync_channel(1);
        let log = plan.log;
        let writer = Writer::new(plan, Arc::clone(&metrics), encode);
        std::thread::Builder::new()
            .name(format!("{}-log", log.as_str()))
            .spawn(move || {
                writer.run(&records);
                // Nobody may wait any more.
                let _ = end.try_send(());
            })?;
        let log = Self {
            queue,
            log,
            metrics,
        };
        Ok((log, Writing(ended)))
    }

    /// Hands a record to the writer, if there is room. Never waits.
    pub fn offer(&self, record: R) {
        match self.queue.try_send(record) {
            // Counted by the writer.
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.count(Logged::QueueFull),
            Err(TrySendError::Disconnected(_)) => self.count(Logged::WriteFailed),
        }
    }

    /// Counts a record that was left out because there were too many.
    pub fn over_rate(&self) {
        self.count(Logged::OverRate);
    }

    fn count(&self, what: Logged) {
        self.metrics.scalars.logged(self.log, what).increment();
    }
}

impl Writing {
    /// Waits until the writer has ended, but not longer than `limit`; whether it has.
    pub fn wait(&self, limit: Duration) -> bool {
        self.0.recv_timeout(limit).is_ok()
    }
}

impl<R> fmt::Debug for RecordLog<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordLog")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}
