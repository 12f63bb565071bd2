//! The writer thread: takes records from the queue, encodes them, and writes many at once.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use super::LogPlan;
use super::sink::Sink;
use crate::{Log, Logged, Metrics};

/// How often an empty queue is looked at. The data path wakes nobody: that would be a system call.
const LOOK: Duration = Duration::from_millis(20);
/// Octets that are written at once at most, give or take a record.
const CHUNK: usize = 64 << 10;

pub(super) struct Writer<E> {
    encode: E,
    log: Log,
    metrics: Arc<Metrics>,
    sink: Sink,
    buffer: Vec<u8>,
    waiting: u64,
}

impl<E> Writer<E> {
    pub(super) fn new(plan: LogPlan, metrics: Arc<Metrics>, encode: E) -> Self {
        Self {
            encode,
            log: plan.log,
            sink: Sink::new(plan),
            metrics,
            buffer: Vec::new(),
            waiting: 0,
        }
    }

    /// Writes until nobody can send any more.
    pub(super) fn run<R>(mut self, records: &Receiver<R>)
    where
        E: FnMut(&mut Vec<u8>, &R),
    {
        loop {
            match records.try_recv() {
                Ok(record) => {
                    (self.encode)(&mut self.buffer, &record);
                    self.waiting += 1;
                    if self.buffer.len() >= CHUNK {
                        self.write();
                    }
                }
                Err(TryRecvError::Empty) => {
                    self.write();
                    std::thread::sleep(LOOK);
                }
                Err(TryRecvError::Disconnected) => {
                    self.write();
                    return self.sink.finish();
                }
            }
        }
    }

    fn write(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let outcome = if self.sink.write(&self.buffer, Instant::now()) {
            Logged::Written
        } else {
            Logged::WriteFailed
        };
        self.metrics
            .scalars
            .logged(self.log, outcome)
            .add(self.waiting);
        self.buffer.clear();
        self.waiting = 0;
    }
}
