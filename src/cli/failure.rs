//! Why a verb did not do what was asked, its exit code, and its form on stderr.

use std::fmt;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::args::Output;
use super::print;

/// The exit codes that scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It ran, and the answer is no.
    No = 1,
    /// Usage, port or configuration.
    Usage = 2,
    /// The node is unreachable.
    Unreachable = 3,
}

/// A verb that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Stable, kebab-case.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// For tools: every diagnostic of a configuration.
    pub(crate) details: Option<Value>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl fmt::Display) -> Self {
        Self {
            exit,
            code,
            message: message.to_string(),
            help: None,
            details: None,
        }
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Tells it on stderr and gives the exit code.
    pub(crate) fn tell(&self, output: Output) -> ExitCode {
        match output {
            Output::Text => {
                print::aside(format_args!("error[{}]: {}", self.code, self.message));
                if let Some(help) = &self.help {
                    print::aside(format_args!("  help: {help}"));
                }
            }
            Output::Json => {
                let mut error =
                    json!({"code": self.code, "message": self.message, "help": self.help});
                if let (Some(details), Some(error)) = (&self.details, error.as_object_mut()) {
                    error.insert("details".to_owned(), details.clone());
                }
                print::aside(json!({ "error": error }));
            }
        }
        ExitCode::from(self.exit as u8)
    }
}
