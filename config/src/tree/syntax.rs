//! Errors of syntax, with a hint for the usual slips.

use granit_parser::{ErrorKind, ScanError};

use crate::problem::Problem;
use crate::source::{Span, offset};

/// The parser's error at its place.
pub(super) fn problem(source: u32, text: &str, error: &ScanError) -> Problem {
    let at = error
        .marker()
        .byte_offset()
        .unwrap_or(text.len())
        .min(text.len());
    let rest = text.get(at..).unwrap_or_default();
    let length = rest.chars().next().map_or(0, char::len_utf8);
    let span = Span {
        source,
        start: offset(at),
        end: offset(at + length),
    };
    let word: String = rest
        .chars()
        .take_while(|c| !c.is_whitespace() && !"[]{},\"".contains(*c))
        .collect();
    let hint = match (error.kind(), rest.chars().next()) {
        (ErrorKind::UnknownAnchor, _) => Some(format!(
            "a bare * refers to an anchor; write \"{word}\" for a text"
        )),
        (ErrorKind::MappingValueNotAllowed, _) => {
            Some("put a text that holds ': ' in quotes".to_owned())
        }
        (ErrorKind::ExpectedBlockMappingKey, _) => {
            Some("indent all keys of one mapping alike".to_owned())
        }
        (ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator, _) => {
            Some("close the bracket that is open here, or add the missing comma".to_owned())
        }
        (ErrorKind::TabInIndentation | ErrorKind::TabInBlockIndentation, _) => {
            Some("indent with spaces".to_owned())
        }
        (_, Some('@' | '`' | '%')) => Some(format!("write \"{word}\" in quotes")),
        _ => None,
    };
    Problem::error("syntax", span, error.info()).maybe_help(hint)
}
