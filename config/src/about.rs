//! What is found in files that a configuration names, by whoever reads them, as a diagnostic at the
//! place that names them.

use std::path::{Path, PathBuf};

use crate::diagnostic::Severity;
use crate::problem::Problem;
use crate::source::Span;

/// Something about a file.
#[derive(Debug, Clone)]
pub struct AboutFile<'f> {
    /// Whether the configuration is refused for it.
    pub severity: Severity,
    /// Stable, kebab-case.
    pub code: &'static str,
    /// As the configuration names it, or in a folder that it names.
    pub file: &'f Path,
    /// What there is to say.
    pub message: String,
}

impl AboutFile<'_> {
    /// `named`: where files and folders are named; else it is about the whole configuration.
    pub(crate) fn problem(self, named: &[(PathBuf, Span)]) -> Problem {
        let at = |file: &Path| named.iter().find(|(path, _)| path == file);
        let found = at(self.file).or_else(|| at(self.file.parent()?));
        let span = found.map_or_else(Span::default, |(_, span)| *span);
        Problem {
            severity: self.severity,
            ..Problem::error(self.code, span, self.message)
        }
    }
}
