//! A second try of a request that takes long, beside the first.

use std::time::Duration;

/// When a request is sent to a second endpoint while the first has not answered (Dean and Barroso,
/// "The Tail at Scale", 2013). Only what may be repeated is hedged, and only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hedge {
    /// How long the first endpoint has to begin its response; 1 ms to 1 min.
    pub after: Duration,
}
