//! The threads of a node, and how they end: told once, waited for so long and no longer.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

/// Threads that were started and have not all ended.
#[derive(Debug)]
pub(crate) struct Threads {
    running: usize,
    ended: mpsc::Receiver<()>,
    end: mpsc::Sender<()>,
}

impl Threads {
    pub(crate) fn new() -> Self {
        let (end, ended) = mpsc::channel();
        Self {
            running: 0,
            ended,
            end,
        }
    }

    pub(crate) fn start(
        &mut self,
        name: String,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let end = Ended(self.end.clone());
        std::thread::Builder::new().name(name).spawn(move || {
            // Dropped when the body ends, by a panic too.
            let _end = end;
            body();
        })?;
        self.running += 1;
        Ok(())
    }

    /// Waits until all have ended or the limit is over; gives how many still run.
    pub(crate) fn join(mut self, limit: Duration) -> usize {
        let until = Instant::now() + limit;
        while self.running > 0 {
            let left = until.saturating_duration_since(Instant::now());
            match self.ended.recv_timeout(left) {
                Ok(()) => self.running -= 1,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        self.running
    }
}

struct Ended(mpsc::Sender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        // Nobody waits any more when the process goes down without us.
        let _ = self.0.send(());
    }
}

/// A runtime for one thread.
pub(crate) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
