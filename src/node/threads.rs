//! The threads of a node, and how they end: told once, waited for so long and no longer.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

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

    /// A thread with a runtime of its own. What it serves is made there: it need not be `Send`.
    pub(crate) fn start_async<F>(
        &mut self,
        name: String,
        serve: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output = io::Result<()>>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        self.start(name.clone(), move || {
            let served = LocalSet::new().block_on(&runtime, async { serve().await });
            if let Err(e) = served {
                tracing::error!("{name} ended: {e}");
            }
        })
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
