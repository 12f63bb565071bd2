//! From a path or a text to a [`Loaded`] configuration.

use std::path::Path;

use windrose_model::{Model, Revision};

use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::node::{GeoSource, NodeConfig};
use crate::source::Sources;

/// A configuration without errors.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// This node's own settings.
    pub node: NodeConfig,
    /// What the operator wants.
    pub model: Model,
    /// Where countries come from.
    pub geo: GeoSource,
    /// What looks wrong, sorted by place.
    pub warnings: Vec<Diagnostic>,
    /// The texts that were read.
    pub sources: Sources,
}

impl Loaded {
    /// The warnings as a report, for showing them.
    pub fn warning_report(&self) -> Report {
        Report {
            diagnostics: self.warnings.clone(),
            more: 0,
            sources: self.sources.clone(),
        }
    }
}

/// Reads a file, or all `*.yaml` of a directory in byte order, merged.
///
/// # Errors
/// Everything that is wrong.
pub fn load(path: &Path, revision: Revision, previous: Option<&Model>) -> Result<Loaded, Report> {
    let _ = (revision, previous);
    Err(not_yet(&path.to_string_lossy()))
}

/// Reads one text; `name` stands for it in diagnostics. Its relative paths are relative to the
/// working directory.
///
/// # Errors
/// Everything that is wrong.
pub fn load_text(
    name: &str,
    text: &str,
    revision: Revision,
    previous: Option<&Model>,
) -> Result<Loaded, Report> {
    let _ = (text, revision, previous);
    Err(not_yet(name))
}

/// What a configuration holds, in a line: `ok: 2 apps, 3 clusters, 1 zone`.
pub fn summary(loaded: &Loaded) -> String {
    let count = |n: usize, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    let model = &loaded.model;
    format!(
        "ok: {}, {}, {}",
        count(model.apps().len(), "app"),
        count(model.clusters().len(), "cluster"),
        count(model.zones().len(), "zone")
    )
}

fn not_yet(file: &str) -> Report {
    Report {
        diagnostics: vec![Diagnostic {
            severity: Severity::Error,
            code: "not-available",
            file: file.into(),
            line: 0,
            column: 0,
            span: 0..0,
            message: "reading comes with the next commit".to_owned(),
            help: None,
            related: None,
        }],
        more: 0,
        sources: Sources::default(),
    }
}
