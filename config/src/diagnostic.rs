//! Diagnostics and the report that holds and shows them.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::about::AboutFile;
use crate::node::TlsConfig;
use crate::problem::SHOWN;
use crate::source::{Sources, Span};

mod render;

/// One thing that is wrong, or looks wrong, with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it stops the configuration from being used.
    pub severity: Severity,
    /// Stable, kebab-case.
    pub code: &'static str,
    /// The file as the caller named it, or the name given to a text.
    pub file: Arc<str>,
    /// From 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// In characters, from 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// The octets it is about.
    pub span: Range<usize>,
    /// What is wrong and what is allowed; lower case, no final stop.
    pub message: String,
    /// The next move, if we know it.
    pub help: Option<String>,
    /// Another place that has to do with it.
    pub related: Option<Related>,
}

/// A second place of a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// The file.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is there.
    pub label: String,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is accepted.
    Warning,
}

impl Severity {
    /// As in outputs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Files that TLS names, and where.
pub(crate) type TlsFiles = Vec<(PathBuf, Span)>;

/// How many diagnostics stand in a line of a log.
const BRIEF: usize = 5;

/// Why a configuration was refused: everything at once, sorted by place. Its `Display` is for people;
/// [`Report::to_json`] for tools.
#[derive(Debug, Clone)]
pub struct Report {
    /// At most 100.
    pub diagnostics: Vec<Diagnostic>,
    /// How many more there are.
    pub more: usize,
    /// The texts they point into.
    pub sources: Sources,
    /// What is written of TLS, as far as it could be read, and where files are named.
    pub(crate) tls: Option<Box<(TlsConfig, TlsFiles)>>,
}

impl Report {
    /// What is written of TLS, as far as it could be read: whoever reads certificates may tell what is
    /// wrong with them beside all else ([`Self::and_about_files`]).
    pub fn tls(&self) -> Option<&TlsConfig> {
        self.tls.as_ref().map(|tls| &tls.0)
    }

    /// The same with what is wrong with files that TLS names, but where they are said to be wrong
    /// already.
    #[must_use]
    pub fn and_about_files<'f>(mut self, said: impl IntoIterator<Item = AboutFile<'f>>) -> Self {
        let Some(tls) = &self.tls else { return self };
        for about in said {
            let one = about.problem(&tls.1).placed(&self.sources);
            let place = |d: &Diagnostic| (d.file.clone(), d.span.start);
            if self.diagnostics.iter().any(|d| place(d) == place(&one)) {
                continue;
            }
            if self.diagnostics.len() < SHOWN {
                self.diagnostics.push(one);
            } else {
                self.more += 1;
            }
        }
        self.diagnostics
            .sort_by(|a, b| (&a.file, &a.span.start).cmp(&(&b.file, &b.span.start)));
        self
    }

    /// Whether anything in it stops the configuration from being used.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|d| d.severity == Severity::Error)
    }

    /// In one line, for a log: the first ones, each with its code and place.
    pub fn brief(&self) -> String {
        let shown = self.diagnostics.iter().take(BRIEF);
        let told: Vec<_> = shown
            .map(|d| {
                format!(
                    "{} at {}:{}:{}: {}",
                    d.code, d.file, d.line, d.column, d.message
                )
            })
            .collect();
        let more = self.more + self.diagnostics.len().saturating_sub(BRIEF);
        match more {
            0 => told.join("; "),
            more => format!("{}; and {more} more", told.join("; ")),
        }
    }

    /// Whether it says nothing of the configuration, but that memory or descriptors to read it were
    /// lacking: the next attempt may do better.
    pub fn is_passing(&self) -> bool {
        (self.diagnostics.iter()).any(|d| d.code == crate::files::UNREADABLE_NOW)
    }

    /// `{"schema":1,"ok":…,"more":…,"diagnostics":[{severity,code,file,line,column,message,help}]}`;
    /// `line` and `column` are null when a file as a whole is meant, `ok` is true without errors.
    pub fn to_json(&self) -> Value {
        let place = |n: usize| if n == 0 { Value::Null } else { json!(n) };
        let list: Vec<_> = self
            .diagnostics
            .iter()
            .map(|d| {
                json!({
                    "severity": d.severity.as_str(),
                    "code": d.code,
                    "file": &*d.file,
                    "line": place(d.line),
                    "column": place(d.column),
                    "message": d.message,
                    "help": d.help,
                })
            })
            .collect();
        json!({"schema": 1, "ok": !self.has_errors(), "more": self.more, "diagnostics": list})
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.diagnostics.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            render::render(f, diagnostic, &self.sources)?;
        }
        if self.more > 0 {
            writeln!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
