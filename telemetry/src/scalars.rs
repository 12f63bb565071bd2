//! Numbers of the whole process that are written rarely: relaxed atomics, any writer.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that is set.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets it.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// Healthy.
    Success,
    /// No connection: refused.
    Refused,
    /// No connection: no way there.
    Unreachable,
    /// Not done in time.
    Timeout,
    /// Closed or reset before a response.
    Reset,
    /// No TLS.
    Tls,
    /// Bytes that are no HTTP.
    Garbage,
    /// A status outside the healthy ranges.
    Status,
}

impl ProbeOutcome {
    /// All, in order of their cells.
    pub const ALL: [Self; 8] = [
        Self::Success,
        Self::Refused,
        Self::Unreachable,
        Self::Timeout,
        Self::Reset,
        Self::Tls,
        Self::Garbage,
        Self::Status,
    ];

    /// As in the label `result`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Tls => "tls",
            Self::Garbage => "garbage",
            Self::Status => "status",
        }
    }
}

/// A log of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// Of DNS queries.
    Query,
    /// Of HTTP requests and TCP connections.
    Access,
}

impl Log {
    /// As people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Access => "access",
        }
    }
}

/// What became of a record that a log was to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logged {
    /// It was written.
    Written,
    /// It came beyond the bound of a second.
    OverRate,
    /// The writer did not keep up.
    QueueFull,
    /// The file or socket did not take it.
    WriteFailed,
}

impl Logged {
    /// All, in order of their cells.
    pub const ALL: [Self; 4] = [
        Self::Written,
        Self::OverRate,
        Self::QueueFull,
        Self::WriteFailed,
    ];

    /// As in the label `result`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::OverRate => "over_rate",
            Self::QueueFull => "queue_full",
            Self::WriteFailed => "write_failed",
        }
    }
}

/// Numbers of the whole process.
#[derive(Debug, Default)]
pub struct Scalars {
    /// Reports of the data path that the bounded queue to control did not take.
    pub reports_dropped: Counter,
    /// Tables that somebody still holds, the published one included.
    pub tables_alive: Gauge,
    /// Tables published.
    pub publishes: Counter,
    probes: [Counter; ProbeOutcome::ALL.len()],
    logs: [[Counter; Logged::ALL.len()]; 2],
}

impl Scalars {
    /// Probes that ended so.
    pub fn probes(&self, outcome: ProbeOutcome) -> &Counter {
        &self.probes[outcome as usize]
    }

    /// Records of a log that ended so.
    pub fn logged(&self, log: Log, what: Logged) -> &Counter {
        &self.logs[log as usize][what as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_outcome_has_a_counter_of_its_own() {
        let scalars = Scalars::default();
        for (n, outcome) in ProbeOutcome::ALL.into_iter().enumerate() {
            scalars.probes(outcome).add(n as u64);
        }
        for (n, outcome) in ProbeOutcome::ALL.into_iter().enumerate() {
            assert_eq!(
                scalars.probes(outcome).get(),
                n as u64,
                "{}",
                outcome.as_str()
            );
        }
    }
}
