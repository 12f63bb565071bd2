//! Files to one tree: reading within bounds, the number of the language, and merging a directory.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Severity};
use crate::language::SCHEMA;
use crate::problem::Problem;
use crate::source::{Sources, Span};
use crate::tree::{self, Entry, Node, Value};

/// Octets of all files together.
const OCTETS: u64 = 64 << 20;

/// The code for what the process lacks the means to read, whatever the files are like.
pub const UNREADABLE_NOW: &str = "unreadable-now";
/// Out of memory, and of descriptors in the system or the process: the same numbers in all of Unix.
const PASSING: [i32; 3] = [12, 23, 24];

/// Keys whose entries may be spread over files; all others stand in one file.
const SPREAD: [&str; 4] = ["regions", "clusters", "apps", "zones"];

/// Reads a file, or all `*.yaml` of a directory in byte order.
///
/// # Errors
/// What cannot be read, about a file as a whole.
pub(crate) fn read(path: &Path, sources: &mut Sources) -> Result<(), Box<Diagnostic>> {
    let unreadable = |path: &Path, error: &io::Error| {
        let help = (error.kind() == io::ErrorKind::NotFound)
            .then(|| "name a file, or a directory with *.yaml files".to_owned());
        whole(
            path,
            code_of(error, "unreadable-file"),
            format!("cannot read the configuration: {error}"),
            help,
        )
    };
    let is_folder = path.metadata().map_err(|e| unreadable(path, &e))?.is_dir();
    let files = if is_folder {
        yaml_files(path).map_err(|e| unreadable(path, &e))?
    } else {
        vec![path.to_owned()]
    };
    if files.is_empty() {
        let message = "the directory holds no *.yaml file".to_owned();
        return Err(whole(path, "no-files", message, None));
    }
    let mut left = OCTETS;
    for file in files {
        let mut octets = Vec::new();
        File::open(&file)
            .and_then(|opened| opened.take(left + 1).read_to_end(&mut octets))
            .map_err(|e| unreadable(&file, &e))?;
        left = left
            .checked_sub(octets.len() as u64)
            .ok_or_else(|| too_large(&file))?;
        let base = file.parent().unwrap_or_else(|| Path::new(""));
        add(sources, &file.to_string_lossy(), base, &octets)?;
    }
    Ok(())
}

/// Adds a text.
///
/// # Errors
/// It is too large or not UTF-8.
pub(crate) fn add(
    sources: &mut Sources,
    name: &str,
    base: &Path,
    octets: &[u8],
) -> Result<(), Box<Diagnostic>> {
    if octets.len() as u64 > OCTETS {
        return Err(too_large(Path::new(name)));
    }
    match std::str::from_utf8(octets) {
        Ok(text) => drop(sources.add(name, base, text)),
        Err(error) => {
            let before = String::from_utf8_lossy(&octets[..error.valid_up_to()]);
            let line = before.matches('\n').count() + 1;
            let column = before
                .rsplit('\n')
                .next()
                .unwrap_or_default()
                .chars()
                .count()
                + 1;
            let message = "the file is not UTF-8".to_owned();
            let start = error.valid_up_to();
            let whole = *whole(Path::new(name), "not-utf8", message, None);
            return Err(Box::new(Diagnostic {
                line,
                column,
                span: start..start + 1,
                ..whole
            }));
        }
    }
    Ok(())
}

/// The one tree of all texts. Duplicate keys and objects are added to `problems`.
///
/// # Errors
/// Errors of syntax, or texts of another language number: told without anything else.
pub(crate) fn parse(sources: &Sources, problems: &mut Vec<Problem>) -> Result<Node, Vec<Problem>> {
    let mut alone = Vec::new();
    let mut merged: Option<Node> = None;
    for source in 0..sources.len() {
        let tree = tree::parse(source, &sources.text(source), problems)
            .and_then(|tree| has_schema(&tree).map(|()| tree));
        match (tree, &mut merged) {
            (Err(problem), _) => alone.push(problem),
            (Ok(tree), None) => merged = Some(tree),
            (Ok(tree), Some(merged)) => merge(merged, tree, problems),
        }
    }
    match merged {
        Some(tree) if alone.is_empty() => Ok(tree),
        _ => Err(alone),
    }
}

/// Whether a failure to read says nothing of the file, but that memory or descriptors were lacking.
pub fn is_passing(error: &io::Error) -> bool {
    (error.raw_os_error()).is_some_and(|number| PASSING.contains(&number))
}

/// The code for a failure to read: `otherwise`, unless the process lacked the means.
pub(crate) fn code_of(error: &io::Error, otherwise: &'static str) -> &'static str {
    if is_passing(error) {
        UNREADABLE_NOW
    } else {
        otherwise
    }
}

fn has_schema(root: &Node) -> Result<(), Problem> {
    let start = Span {
        start: 0,
        end: 0,
        ..root.span
    };
    if !root.is_null() && !matches!(root.value, Value::Mapping(_)) {
        let message = "a configuration is a mapping of keys to values";
        return Err(Problem::error("wrong-type", root.span, message));
    }
    let Some(schema) = root.entry("schema") else {
        let message = "the key `schema` is missing, so the language of this file is not known";
        return Err(Problem::error("missing-schema", start, message)
            .help(format!("begin it with `schema: {SCHEMA}`")));
    };
    if schema.value.text() == Some(&SCHEMA.to_string()) {
        return Ok(());
    }
    let at = match schema.value.text() {
        Some(_) => schema.value.span,
        None => schema.key_span,
    };
    let message = format!("this version of windrose reads `schema: {SCHEMA}` and no other");
    Err(Problem::error("unknown-schema", at, message))
}

/// Adds the entries of another file.
fn merge(merged: &mut Node, tree: Node, problems: &mut Vec<Problem>) {
    let (Value::Mapping(into), Value::Mapping(entries)) = (&mut merged.value, tree.value) else {
        return;
    };
    for entry in entries {
        match into.iter_mut().find(|e| e.key == entry.key) {
            None => into.push(entry),
            Some(_) if &*entry.key == "schema" => {}
            Some(first) if SPREAD.contains(&&*entry.key) => spread(first, entry, problems),
            Some(first) => {
                let message = format!("`{}` may stand in one file only", entry.key);
                problems.push(
                    Problem::error("duplicate-key", entry.key_span, message)
                        .related(first.key_span, "first written at"),
                );
            }
        }
    }
}

fn spread(first: &mut Entry, entry: Entry, problems: &mut Vec<Problem>) {
    if first.value.is_null() {
        first.value = entry.value;
        return;
    }
    match (&mut first.value.value, entry.value.value) {
        (Value::Mapping(into), Value::Mapping(entries)) => {
            let known: std::collections::HashMap<_, _> =
                into.iter().map(|e| (e.key.clone(), e.key_span)).collect();
            for object in entries {
                if let Some(span) = known.get(&object.key) {
                    let message = format!("`{}.{}` is written in two files", first.key, object.key);
                    problems.push(
                        Problem::error("duplicate-object", object.key_span, message)
                            .related(*span, "first written at"),
                    );
                } else {
                    into.push(object);
                }
            }
        }
        // Of the wrong type; told by the lenient pass when it stands alone.
        (_, value) if !matches!(value, Value::Mapping(_)) => {
            let node = Node {
                value,
                ..entry.value
            };
            if !node.is_null() {
                first.value = node;
            }
        }
        _ => {}
    }
}

/// Hidden ones are left out: a mounted ConfigMap keeps its versions in folders that begin with dots.
fn yaml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".yaml") && !name.starts_with('.') && path.is_file() {
            files.push(path);
        }
    }
    files.sort_by(|a, b| {
        a.as_os_str()
            .as_encoded_bytes()
            .cmp(b.as_os_str().as_encoded_bytes())
    });
    Ok(files)
}

fn too_large(path: &Path) -> Box<Diagnostic> {
    let message = format!("a configuration may have {} MiB in all", OCTETS >> 20);
    whole(path, "document-too-large", message, None)
}

/// About a file as a whole.
fn whole(
    path: &Path,
    code: &'static str,
    message: String,
    help: Option<String>,
) -> Box<Diagnostic> {
    Box::new(Diagnostic {
        severity: Severity::Error,
        code,
        file: path.to_string_lossy().into(),
        line: 0,
        column: 0,
        span: 0..0,
        message,
        help,
        related: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_process_lacks_is_not_told_of_the_file() {
        // ENOMEM, ENFILE, EMFILE; ENOENT, EACCES, EIO.
        let code = |errno| code_of(&io::Error::from_raw_os_error(errno), "unreadable-file");
        assert_eq!([12, 23, 24].map(code), [UNREADABLE_NOW; 3]);
        assert_eq!([2, 13, 5].map(code), ["unreadable-file"; 3]);
        assert_eq!(code_of(&io::ErrorKind::InvalidData.into(), "x"), "x");
    }
}
