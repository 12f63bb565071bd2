//! From a path or a text to a [`Loaded`] configuration.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use windrose_model::{DnsName, LatencyMatrix, Model, Revision, WallTime};

use crate::about::AboutFile;
use crate::check;
use crate::diagnostic::{Diagnostic, Report, Severity};
use crate::files;
use crate::node::{DataSources, NodeConfig};
use crate::place::Places;
use crate::problem::{Problem, SHOWN, diagnostics, report};
use crate::read::{self, GeoNeed, Needed};
use crate::source::{Sources, Span};
use crate::warn;
use crate::zonefile::Kept;

/// A configuration without errors.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// This node's own settings.
    pub node: NodeConfig,
    /// What the operator wants.
    pub model: Model,
    /// Where large inputs come from.
    pub data: DataSources,
    /// Round trips of `data.latency`; the Model names it.
    pub latency: Arc<LatencyMatrix>,
    /// What geo data is expected to hold, and what is said if it does not.
    needs: Vec<Needed<Diagnostic>>,
    /// Zones without a serial of their own: the node counts their contents.
    pub counted: Vec<DnsName>,
    /// What looks wrong, sorted by place, at most 100.
    pub warnings: Vec<Diagnostic>,
    /// The texts that were read.
    pub sources: Sources,
    tls_files: Vec<(PathBuf, Span)>,
}

impl Loaded {
    /// A report of what is wrong, or looks wrong, with files that `node.tls` names: each at the place
    /// that names it, or the folder it is in.
    pub fn about_files<'f>(&self, said: impl IntoIterator<Item = AboutFile<'f>>) -> Report {
        let problems = (said.into_iter())
            .map(|about| about.problem(&self.tls_files))
            .collect();
        report(problems, self.sources.clone())
    }

    /// What geo data lacks of what this configuration expects: errors for fields, without which it
    /// is not to be used, and warnings for cities. `None` when it lacks nothing.
    pub fn unmet(&self, is_met: impl Fn(&GeoNeed) -> bool) -> Option<Report> {
        let unmet = self.needs.iter().filter(|needed| !is_met(&needed.need));
        let mut unmet: Vec<_> = unmet.collect();
        let is_error = |needed: &&Needed<_>| severity(&needed.need) == Severity::Error;
        if unmet.iter().any(is_error) {
            unmet.retain(is_error);
        }
        let more: usize = unmet.iter().map(|needed| needed.more).sum();
        let mut diagnostics: Vec<_> = unmet.into_iter().flat_map(|n| &n.said).cloned().collect();
        diagnostics.sort_by(|a, b| (&a.file, &a.span.start).cmp(&(&b.file, &b.span.start)));
        let more = more + diagnostics.len().saturating_sub(SHOWN);
        diagnostics.truncate(SHOWN);
        (!diagnostics.is_empty()).then(|| Report {
            diagnostics,
            more,
            sources: self.sources.clone(),
            tls: None,
        })
    }

    /// The warnings as a report, for showing them.
    pub fn warning_report(&self) -> Report {
        Report {
            diagnostics: self.warnings.clone(),
            more: 0,
            sources: self.sources.clone(),
            tls: None,
        }
    }
}

/// Reads a file, or all `*.yaml` of a directory in byte order, merged. Objects equal to those of
/// `previous` keep their `Arc`.
///
/// # Errors
/// Everything that is wrong.
pub fn load(path: &Path, revision: Revision, previous: Option<&Model>) -> Result<Loaded, Report> {
    load_all(path, revision, previous).map(|(loaded, _)| loaded)
}

/// The same, with master files of which only what is new need be read the next time.
pub(crate) fn load_all(
    path: &Path,
    revision: Revision,
    previous: Option<&Model>,
) -> Result<(Loaded, Vec<Kept>), Report> {
    let mut sources = Sources::default();
    match files::read(path, &mut sources) {
        Ok(()) => load_sources(sources, revision, previous),
        Err(unreadable) => Err(Report {
            diagnostics: vec![*unreadable],
            more: 0,
            sources: Sources::default(),
            tls: None,
        }),
    }
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
    let mut sources = Sources::default();
    match files::add(&mut sources, name, Path::new(""), text.as_bytes()) {
        Ok(()) => load_sources(sources, revision, previous).map(|(loaded, _)| loaded),
        Err(refused) => Err(Report {
            diagnostics: vec![*refused],
            more: 0,
            sources,
            tls: None,
        }),
    }
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

/// How bad it is that geo data lacks this.
fn severity(need: &GeoNeed) -> Severity {
    match need {
        GeoNeed::Field(_) => Severity::Error,
        GeoNeed::City(_) => Severity::Warning,
    }
}

fn load_sources(
    mut sources: Sources,
    revision: Revision,
    previous: Option<&Model>,
) -> Result<(Loaded, Vec<Kept>), Report> {
    let mut problems = Vec::new();
    let root = match files::parse(&sources, &mut problems) {
        Ok(root) => root,
        Err(alone) => return Err(report(alone, sources)),
    };
    let checked = check::check(&root);
    problems.extend(checked.problems);
    if problems.iter().filter(|p| p.is_error()).count() > SHOWN {
        // What follows from so many mistakes would not be shown anyway.
        return Err(report(problems, sources));
    }
    let read = read::read(&root, &mut sources);
    problems.extend(read.found.problems);
    let tainted: Vec<_> = checked
        .tainted
        .into_iter()
        .chain(read.found.tainted)
        .collect();
    let places = Places {
        root: &root,
        dropped: &read.found.dropped,
        tainted: &tainted,
        records: &read.found.records,
        keys: RefCell::default(),
    };
    let listens_for_dns = !read.node.listeners.dns.is_empty();

    let built = Model::build(read.draft, revision, previous);
    let (model, wrong) = match built {
        Ok(model) => (Some(model), Vec::new()),
        Err(wrong) => (None, wrong),
    };
    let invalid = wrong.into_iter().chain(read.found.invalid);
    problems.extend(invalid.filter_map(|i| places.problem(Severity::Error, i)));
    let refused = problems.iter().any(Problem::is_error);
    let Some(model) = model.filter(|_| !refused) else {
        let mut report = report(problems, sources);
        report.tls = Some(Box::new((read.node.tls, read.found.tls_files)));
        return Err(report);
    };
    #[allow(
        clippy::disallowed_methods,
        reason = "for a warning only: nothing that is made depends on it"
    )]
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = WallTime::after_epoch(since.unwrap_or_default());
    let mut suspicious = warn::warnings(&model, listens_for_dns, now);
    if read.node.listeners.https.is_empty() {
        warn::without_https(&model, &mut suspicious);
    }
    problems.extend(
        suspicious
            .into_iter()
            .filter_map(|i| places.problem(Severity::Warning, i)),
    );
    let needs = (read.found.needs.list.into_iter())
        .map(|Needed { need, said, more }| {
            let problems = said
                .into_iter()
                .filter_map(|said| places.problem(severity(&need), said));
            Needed {
                said: problems.map(|problem| problem.placed(&sources)).collect(),
                need,
                more,
            }
        })
        .collect();
    let (warnings, _) = diagnostics(problems, &sources);
    if warnings.is_empty() {
        sources.forget_zones();
    }
    let loaded = Loaded {
        node: read.node,
        model,
        data: read.data,
        latency: Arc::new(read.latency),
        needs,
        counted: read.found.counted,
        warnings,
        sources,
        tls_files: read.found.tls_files,
    };
    Ok((loaded, read.found.kept))
}
