//! The writer thread: takes records from the queue, encodes them, and writes many at once.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use windrose_telemetry::{Metrics, QueryLogged};

use super::record::Record;
use super::sink::Sink;
use super::{LogFormat, LogSettings, dnstap, json};

/// How often an empty queue is looked at. The data path wakes nobody: that would be a system call.
const LOOK: Duration = Duration::from_millis(20);
/// Octets that are written at once at most, give or take a record.
const CHUNK: usize = 64 << 10;

pub(super) struct Writer {
    settings: LogSettings,
    metrics: Arc<Metrics>,
    sink: Sink,
    buffer: Vec<u8>,
    waiting: u64,
}

impl Writer {
    pub(super) fn new(settings: LogSettings, metrics: Arc<Metrics>) -> Self {
        Self {
            sink: Sink::new(settings.format, settings.to.clone()),
            settings,
            metrics,
            buffer: Vec::new(),
            waiting: 0,
        }
    }

    /// Writes until nobody can send any more.
    pub(super) fn run(mut self, records: &Receiver<Record>) {
        loop {
            match records.try_recv() {
                Ok(record) => {
                    self.encode(&record);
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

    fn encode(&mut self, record: &Record) {
        let LogSettings { node, version, .. } = &self.settings;
        match self.settings.format {
            LogFormat::Json => json::line(&mut self.buffer, node, record),
            LogFormat::Dnstap => dnstap::frames(&mut self.buffer, node, version, record),
        }
        self.waiting += 1;
    }

    fn write(&mut self) {
        if self.waiting == 0 {
            return;
        }
        let outcome = if self.sink.write(&self.buffer) {
            QueryLogged::Written
        } else {
            QueryLogged::WriteFailed
        };
        self.metrics.scalars.query_log(outcome).add(self.waiting);
        self.buffer.clear();
        self.waiting = 0;
    }
}
