//! What goes to stdout and stderr.

use std::io::{self, Write};

use serde::Serialize;

/// One line on stdout. A reader that went away is no error of ours.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// One line on stderr, for what accompanies an answer.
pub(crate) fn aside(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The one object on stdout.
pub(crate) fn json(value: &impl Serialize) {
    let mut out = io::stdout();
    // A value made of strings and numbers always serialises; a closed pipe is no error of ours.
    let _ = serde_json::to_writer_pretty(&mut out, value);
    let _ = writeln!(out);
}

/// A text that ends its own lines, or does not.
pub(crate) fn text(text: impl std::fmt::Display) {
    let text = text.to_string();
    line(text.trim_end_matches('\n'));
}
