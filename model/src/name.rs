//! Names that operators give to objects: apps, clusters, regions, versions, nodes.

use std::fmt;
use std::sync::Arc;

/// The name of an object: 1 to 63 of `a-z A-Z 0-9 - _ .`, starting with a letter or digit.
///
/// Cheap to clone; ordered by bytes, so that every node sorts alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty, or longer than 63 bytes.
    #[error("a name has 1 to 63 characters, this one has {0}")]
    Length(usize),
    /// A character outside the allowed set.
    #[error(
        "{0:?} is not allowed in a name; use letters, digits, '-', '_' and '.', beginning with a letter or digit"
    )]
    Character(char),
}

impl Name {
    /// Checks and keeps a name.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() || text.len() > 63 {
            return Err(NameError::Length(text.len()));
        }
        for (i, c) in text.chars().enumerate() {
            if !(c.is_ascii_alphanumeric() || (i > 0 && matches!(c, '-' | '_' | '.'))) {
                return Err(NameError::Character(c));
            }
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_letters_digits_and_inner_marks() {
        assert!(Name::new("eu-central.1_a").is_ok());
        assert_eq!(Name::new(""), Err(NameError::Length(0)));
        assert_eq!(Name::new("-a"), Err(NameError::Character('-')));
        assert_eq!(Name::new("a b"), Err(NameError::Character(' ')));
        assert_eq!(Name::new(&"a".repeat(64)), Err(NameError::Length(64)));
    }
}
