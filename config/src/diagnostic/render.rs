//! One diagnostic as text, with its source line underlined.

use std::fmt;

use super::Diagnostic;
use crate::source::Sources;

/// Longer lines are shown in part: a document may be one line of megabytes.
const WIDTH: usize = 120;

/// Writes
/// ```text
/// error[code]: message
///   --> file:line:column
///    |
/// 31 |   text
///    |   ^^^^
///    = help: …
/// ```
pub(super) fn render(
    f: &mut fmt::Formatter<'_>,
    diagnostic: &Diagnostic,
    sources: &Sources,
) -> fmt::Result {
    let d = diagnostic;
    writeln!(
        f,
        "{}[{}]: {}",
        d.severity.as_str(),
        d.code,
        Clean(&d.message)
    )?;
    if d.line == 0 {
        writeln!(f, "  --> {}", Clean(&d.file))?;
        return notes(f, d, 1);
    }
    let number = d.line.to_string();
    let gutter = number.len();
    writeln!(
        f,
        "{:gutter$}--> {}:{}:{}",
        " ",
        Clean(&d.file),
        d.line,
        d.column
    )?;
    if let Some(text) = sources.line(&d.file, d.line) {
        let (shown, before, under) = excerpt(&text, d.column - 1, d.span.len());
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{number} | {shown}")?;
        writeln!(f, "{:gutter$} | {:before$}{:^<under$}", "", "", "")?;
    }
    notes(f, d, gutter)
}

fn notes(f: &mut fmt::Formatter<'_>, d: &Diagnostic, gutter: usize) -> fmt::Result {
    if let Some(r) = &d.related {
        let (file, label) = (Clean(&r.file), Clean(&r.label));
        writeln!(
            f,
            "{:gutter$} = note: {label} {file}:{}:{}",
            "", r.line, r.column
        )?;
    }
    if let Some(help) = &d.help {
        writeln!(f, "{:gutter$} = help: {}", "", Clean(help))?;
    }
    Ok(())
}

/// The shown part of a line, how many columns stand before the underlined part, and its length (at
/// least 1, at most to the end of what is shown). `octets` is close enough to characters here.
fn excerpt(text: &str, column: usize, octets: usize) -> (String, usize, usize) {
    let from = if column + 20 > WIDTH {
        column.saturating_sub(WIDTH / 2)
    } else {
        0
    };
    let mut shown: String = text.chars().skip(from).take(WIDTH).map(clean).collect();
    let length = shown.chars().count();
    let before = column - from;
    let marked: usize = text
        .chars()
        .skip(column)
        .scan(0, |seen, c| {
            *seen += c.len_utf8();
            Some(*seen)
        })
        .take_while(|seen| *seen <= octets)
        .count();
    let under = marked.min(length.saturating_sub(before)).max(1);
    if from > 0 {
        shown.replace_range(..shown.char_indices().nth(1).map_or(0, |(i, _)| i), "…");
    }
    if text.chars().nth(from + WIDTH).is_some() {
        shown.push('…');
    }
    (shown, before, under)
}

/// Text from a file, safe for a terminal.
struct Clean<'a>(&'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| fmt::Write::write_char(f, clean(c)))
    }
}

/// A tab becomes one space, so that columns fit; other control characters could drive a terminal.
fn clean(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}
