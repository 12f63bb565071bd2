//! A diagnostic while its place is still a span; it becomes a [`Diagnostic`] when all are known.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Related, Report, Severity};
use crate::source::{Sources, Span};

/// How many diagnostics a report shows.
pub(crate) const SHOWN: usize = 100;

/// Something wrong or suspicious at a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) related: Option<(Span, &'static str)>,
}

impl Problem {
    pub(crate) fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            span,
            message: message.into(),
            help: None,
            related: None,
        }
    }

    pub(crate) fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    pub(crate) fn maybe_help(self, help: Option<String>) -> Self {
        Self { help, ..self }
    }

    /// `label` reads on before a place: `first written at`.
    pub(crate) fn related(self, span: Span, label: &'static str) -> Self {
        Self {
            related: Some((span, label)),
            ..self
        }
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    pub(crate) fn placed(self, sources: &Sources) -> Diagnostic {
        let (line, column) = sources.line_and_column(self.span.source, self.span.start);
        Diagnostic {
            severity: self.severity,
            code: self.code,
            file: sources.name(self.span.source),
            line,
            column,
            span: self.span.start as usize..self.span.end.max(self.span.start) as usize,
            message: self.message,
            help: self.help,
            related: self.related.map(|(span, label)| {
                let (line, column) = sources.line_and_column(span.source, span.start);
                let file = sources.name(span.source);
                Related {
                    file,
                    line,
                    column,
                    label: label.to_owned(),
                }
            }),
        }
    }
}

/// Sorted by place, each once, at most a hundred, errors before warnings when there are more; and
/// how many are left out.
pub(crate) fn diagnostics(
    mut problems: Vec<Problem>,
    sources: &Sources,
) -> (Vec<Diagnostic>, usize) {
    problems.sort_by_key(|p| (p.span, p.severity));
    let mut seen = BTreeSet::new();
    problems.retain(|p| seen.insert((p.span, p.code, p.message.clone())));
    let all = problems.len();
    if all > SHOWN && problems.iter().any(Problem::is_error) {
        problems.retain(Problem::is_error);
    }
    let more = all.saturating_sub(SHOWN.min(problems.len()));
    problems.truncate(SHOWN);
    (
        problems.into_iter().map(|p| p.placed(sources)).collect(),
        more,
    )
}

/// A refusal.
pub(crate) fn report(problems: Vec<Problem>, sources: Sources) -> Report {
    let (diagnostics, more) = diagnostics(problems, &sources);
    Report {
        diagnostics,
        more,
        sources,
        tls: None,
    }
}
