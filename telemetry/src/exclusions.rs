//! Endpoints that this node leaves out for what its own traffic showed: written by the data path
//! when it changes its mind, read by whoever shows it. Few at any time, and never on the good path.

use std::fmt;
use std::time::SystemTime;

use crate::BySlot;

/// Why an endpoint was ejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EjectionCause {
    /// So many failures in a row. `responses`: the last of them was a response.
    Consecutive {
        /// How many.
        failures: u32,
        /// Whether the last one was a 5xx, not a failure to get a response.
        responses: bool,
    },
    /// Too few of the requests of a window succeeded.
    SuccessRate {
        /// Those that did.
        succeeded: u64,
        /// All.
        of: u64,
    },
}

/// Labels of [`EjectionCause`], and of an ejection that the share limit prevented.
pub const EJECTIONS: [&str; 3] = ["consecutive", "success_rate", "prevented"];

/// The cell of an ejection that the share limit prevented.
pub const PREVENTED: u32 = 2;

impl EjectionCause {
    /// Its cell, a position in [`EJECTIONS`].
    pub const fn cell(self) -> u32 {
        match self {
            Self::Consecutive { .. } => 0,
            Self::SuccessRate { .. } => 1,
        }
    }
}

impl fmt::Display for EjectionCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consecutive { failures, .. } => write!(f, "{failures} failures in a row"),
            Self::SuccessRate { succeeded, of } => {
                write!(f, "{succeeded} of {of} requests succeeded")
            }
        }
    }
}

/// An endpoint that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// Why, the last time.
    pub cause: EjectionCause,
    /// Since when.
    pub since: SystemTime,
    /// From when on one request may try it.
    pub trial_at: SystemTime,
    /// Ejections without a calm between them, this one included.
    pub times: u32,
    /// Whether a health check that passes ends it, where it says something about the cause.
    pub by_check: bool,
}

/// All of them, by endpoint slot.
pub type Exclusions = BySlot<Exclusion>;
