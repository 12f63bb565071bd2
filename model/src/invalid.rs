//! What makes a [`Draft`](crate::Draft) no [`Model`](crate::Model), told by place so that an edge can
//! point at it.

use std::fmt;

/// One reason why a draft was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// Where, by the keys of the configuration: `apps`, `shop`, `split`, `v1`.
    pub at: Vec<Segment>,
    /// What is wrong and what is allowed; lower case, no final stop.
    pub message: String,
    /// The next move, if we know it.
    pub help: Option<String>,
}

/// One step of a path into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Of a mapping.
    Key(String),
    /// Of a sequence, from 0.
    Index(usize),
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.at.iter().enumerate() {
            match segment {
                Segment::Key(key) if i == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Invalid {}
