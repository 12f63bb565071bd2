//! The order of what is published.

use std::fmt;

/// The number of an accepted Model, counted up by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

/// What a Table was made from: Status number `epoch` of leader `term`, folded against exactly
/// `revision` of the Model. Ordered by (term, epoch); a lower one is refused by readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Stamp {
    /// Counts leaders. One node alone is its own leader.
    pub term: u64,
    /// Counts publications of one leader.
    pub epoch: u64,
    /// The Model it was folded against.
    pub revision: Revision,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.term, self.epoch, self.revision.0)
    }
}
