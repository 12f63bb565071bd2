//! From where on a node refuses.

use std::time::Duration;

/// Bounds of a node, and at which share of them it does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overload {
    /// Octets in RAM; none: the limit of the control group, if it has one.
    pub memory: Option<u64>,
    /// Client connections; none: not bounded so.
    pub connections: Option<u32>,
    /// How late a thread may be; default 1 s, zero is off.
    pub lag: Duration,
    /// Percent from which connections are not kept; default 80.
    pub keep_alive_off: u32,
    /// Percent from which requests are refused; default 90.
    pub refuse: u32,
    /// Percent from which no connection is accepted; default 95.
    pub stop_accepting: u32,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            memory: None,
            connections: None,
            lag: Duration::from_secs(1),
            keep_alive_off: 80,
            refuse: 90,
            stop_accepting: 95,
        }
    }
}
