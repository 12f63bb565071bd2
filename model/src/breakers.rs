//! How much each cluster of an app may hold on a node, and when it is left alone as a whole.

use std::fmt;
use std::time::Duration;

/// Limits of one cluster of an app, over all threads of a node and all versions there; 0 is none.
/// Who finds no room goes to the next cluster, or is refused at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Breakers {
    /// Connections to endpoints, idle ones included, up to 1,000,000; default 1,024, Envoy's.
    pub connections: u32,
    /// Requests that wait for a connection to be made, likewise; default 1,024.
    pub pending: u32,
    /// Requests until the last octet of their response, likewise; default 1,024.
    pub requests: u32,
    /// Those of them that repeat what may have reached a backend, likewise; default none, because
    /// the retry budget limits them already.
    pub retries: u32,
    /// Failures in a row that open the circuit, up to 1,000,000; default 0: never. Failures are
    /// connect failures, resets, answers that did not come in time, and 502, 503 and 504.
    pub failures: u32,
    /// How long it stays open before one request may try, 1 s to 1 h; default 10 s, Traefik's.
    pub open_for: Duration,
}

impl Default for Breakers {
    fn default() -> Self {
        Self {
            connections: 1_024,
            pending: 1_024,
            requests: 1_024,
            retries: 0,
            failures: 0,
            open_for: Duration::from_secs(10),
        }
    }
}

impl fmt::Display for Breakers {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = [
            (self.connections, "connections"),
            (self.pending, "pending requests"),
            (self.requests, "requests"),
            (self.retries, "retries"),
        ];
        let limits: Vec<_> = (limits.iter().filter(|(most, _)| *most > 0))
            .map(|(most, what)| format!("{most} {what}"))
            .collect();
        match limits.is_empty() {
            true => f.write_str("no limit")?,
            false => write!(f, "at most {}", limits.join(", "))?,
        }
        if self.failures > 0 {
            let seconds = self.open_for.as_secs_f64();
            let failures = self.failures;
            write!(
                f,
                "; left alone for {seconds} s after {failures} failures in a row"
            )?;
        }
        Ok(())
    }
}
