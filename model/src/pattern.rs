//! Regular expressions that match whole texts, bounded in size and linear in time.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};

use crate::budget;

/// A regular expression of the `regex` crate (RE2's syntax, without look-around and
/// back-references) that a whole text must match: `a.c` is `^a.c$`. It sees octets: `.` is any one,
/// `\d`, `\w` and `\s` are those of ASCII.
///
/// Compiled when it is made, so that compiling a Table cannot fail; equal by its text.
#[derive(Clone)]
pub struct Pattern {
    text: Arc<str>,
    regex: Regex,
}

/// Why a text is no [`Pattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Longer than [`budget::PATTERN_CHARACTERS`].
    #[error("a regex has at most {most} characters, this one has {0}", most = budget::PATTERN_CHARACTERS)]
    Length(usize),
    /// Compiled larger than [`budget::PATTERN_OCTETS`]: usually a repetition of a repetition.
    #[error(
        "compiled it would take more than the {most} KiB a regex may; repeat less",
        most = budget::PATTERN_OCTETS / 1024
    )]
    Size,
    /// No regular expression; what the parser says of it, on one line.
    #[error("{0}")]
    Syntax(String),
}

impl Pattern {
    /// Compiles a text.
    ///
    /// # Errors
    /// When it is no regular expression, or beyond its budget.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let length = text.chars().count();
        if length > budget::PATTERN_CHARACTERS {
            return Err(PatternError::Length(length));
        }
        // Alone first: `a)|(b` would be an expression once it stands between brackets.
        build(text)?;
        let regex = build(&anchored(text))?;
        Ok(Self {
            text: text.into(),
            regex,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As it must be written to match whole texts.
    pub fn anchored(&self) -> String {
        anchored(&self.text)
    }

    /// Whether all of a text matches.
    #[inline]
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }
}

fn anchored(text: &str) -> String {
    format!(r"\A(?:{text})\z")
}

fn build(text: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(budget::PATTERN_OCTETS)
        .dfa_size_limit(4 * budget::PATTERN_OCTETS)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::Size,
            // The parser draws its errors over several lines; the last one says what is wrong.
            other => {
                let told = other.to_string();
                let last = told.lines().last().unwrap_or_default();
                PatternError::Syntax(last.trim_start_matches("error: ").to_owned())
            }
        })
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_texts_only() {
        let check = |pattern: &str, text: &str, expected: bool| {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(
                pattern.is_match(text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        };
        check("a|b", "a", true);
        check("a|b", "ab", false);
        check("a|b", "xa", false);
        check(r"shop\.example\.com", "shop.example.com.evil.org", false);
        check(r"(?m)a$", "a\nb", false);
        check("a", "a\n", false);
        check("(?i)yes", "YES", true);
        check("", "", true);
        check("", "a", false);
    }

    #[test]
    fn what_is_no_pattern_or_too_large_is_refused() {
        for wrong in ["a)|(b", "(", "(?=a)", r"(a)\1", "(?x)a #"] {
            assert!(
                matches!(Pattern::new(wrong), Err(PatternError::Syntax(_))),
                "{wrong}"
            );
        }
        assert_eq!(
            Pattern::new("((a{100}){100}){100}"),
            Err(PatternError::Size)
        );
        assert_eq!(
            Pattern::new(&"a".repeat(1_025)),
            Err(PatternError::Length(1_025))
        );
    }
}
