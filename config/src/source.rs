//! The texts that were read, and places in them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The texts of one configuration, kept so that diagnostics can show their lines.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    list: Vec<Source>,
    named: Vec<PathBuf>,
    /// The same, to be found.
    known: BTreeSet<PathBuf>,
}

#[derive(Debug, Clone)]
struct Source {
    name: Arc<str>,
    base: PathBuf,
    text: Text,
    /// Offsets at which lines begin.
    lines: Vec<u32>,
}

/// Of YAML, or of a master file, which may hold any octets.
#[derive(Debug, Clone)]
enum Text {
    Yaml(Arc<str>),
    Zone(Arc<[u8]>),
}

impl Text {
    fn octets(&self) -> &[u8] {
        match self {
            Self::Yaml(text) => text.as_bytes(),
            Self::Zone(octets) => octets,
        }
    }
}

/// Octets `start..end` of one text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) source: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Sources {
    /// The names of the texts, in the order they were read.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|s| &*s.name)
    }

    /// The files that the texts name, whether or not they can be read: when one of them changes, the
    /// configuration has changed.
    pub fn named(&self) -> &[PathBuf] {
        &self.named
    }

    /// Remembers a file that a text names.
    pub(crate) fn name_file(&mut self, file: &Path) {
        if self.known.insert(file.to_owned()) {
            self.named.push(file.to_owned());
        }
    }

    pub(crate) fn len(&self) -> u32 {
        offset(self.list.len())
    }

    /// Adds a text; `base` is what its relative paths are relative to. Gives its number.
    pub(crate) fn add(&mut self, name: &str, base: &Path, text: &str) -> u32 {
        self.push(name, base, Text::Yaml(text.into()))
    }

    /// The same of a master file.
    pub(crate) fn add_octets(&mut self, name: &str, base: &Path, octets: &Arc<[u8]>) -> u32 {
        self.push(name, base, Text::Zone(Arc::clone(octets)))
    }

    fn push(&mut self, name: &str, base: &Path, text: Text) -> u32 {
        let breaks = text
            .octets()
            .iter()
            .enumerate()
            .filter(|(_, b)| **b == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(i, _)| offset(i + 1)));
        self.list.push(Source {
            name: name.into(),
            base: base.to_owned(),
            lines: lines.collect(),
            text,
        });
        offset(self.list.len() - 1)
    }

    /// Gives up the octets of master files, when nothing is left to be said of them.
    pub(crate) fn forget_zones(&mut self) {
        for source in &mut self.list {
            if let Text::Zone(octets) = &mut source.text {
                *octets = Arc::from([]);
                source.lines = vec![0];
            }
        }
    }

    pub(crate) fn name(&self, source: u32) -> Arc<str> {
        Arc::clone(&self.list[source as usize].name)
    }

    pub(crate) fn text(&self, source: u32) -> Arc<str> {
        match &self.list[source as usize].text {
            Text::Yaml(text) => Arc::clone(text),
            Text::Zone(octets) => String::from_utf8_lossy(octets).into(),
        }
    }

    /// A path as it was written in a text, made relative to the place of that text.
    pub(crate) fn resolve(&self, source: u32, path: &str) -> PathBuf {
        self.list[source as usize]
            .base
            .join(path)
            .components()
            .collect()
    }

    /// Line and column (in characters), both from 1.
    pub(crate) fn line_and_column(&self, source: u32, at: u32) -> (usize, usize) {
        let source = &self.list[source as usize];
        let line = source.lines.partition_point(|start| *start <= at);
        let start = source.lines[line - 1] as usize;
        let before = source.text.octets().get(start..at as usize);
        let before = String::from_utf8_lossy(before.unwrap_or_default());
        (line, before.chars().count() + 1)
    }

    /// The text of a line from 1, without its break; `None` for an unknown file or line.
    pub(crate) fn line(&self, file: &str, line: usize) -> Option<Cow<'_, str>> {
        let source = self.list.iter().find(|s| &*s.name == file)?;
        let start = *source.lines.get(line.checked_sub(1)?)? as usize;
        let end = source
            .lines
            .get(line)
            .map_or_else(|| source.text.octets().len(), |&e| e as usize);
        let line = source.text.octets().get(start..end)?;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Some(String::from_utf8_lossy(line))
    }
}

/// Offsets fit because texts are bounded far below 4 GiB before they come here.
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
