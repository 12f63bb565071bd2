//! The command line: reads arguments, runs a verb, turns what went wrong into words and an exit
//! code. The only part of Windrose that writes to stdout.
//!
//! Exit codes: 0 done; 1 it ran and the answer is no; 2 usage, port or configuration; 3 the node is
//! unreachable.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use windrose_telemetry::logs;

pub(crate) mod args;
mod check;
mod demo;
mod explain;
mod failure;
mod init;
mod limited;
pub(crate) mod print;
mod run;
mod status;
pub(crate) mod values;
mod version;

use args::{Cli, Config, LogFormat, Output, Verb};
use failure::{Exit, Failure};

/// The whole process.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(&e),
    };
    match logs_up(&cli).and_then(|()| run(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(cli.output),
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let output = cli.output;
    match &cli.verb {
        Verb::Demo(args) => demo::run(args, output),
        Verb::Run(args) => run::run(args, output),
        Verb::Init(args) => init::run(args, output),
        Verb::Check(args) => check::run(args, output),
        Verb::Config(Config::Schema) => {
            print::json(&windrose_config::schema());
            Ok(())
        }
        Verb::Status(args) => status::run(args, output),
        Verb::Explain(args) => explain::run(args, output),
        Verb::DemoBackend(args) => demo::backend(args),
    }
}

fn logs_up(cli: &Cli) -> Result<(), Failure> {
    let format = match cli.log_format {
        LogFormat::Text => logs::Format::Text,
        LogFormat::Json => logs::Format::Json,
    };
    let usual = match &cli.verb {
        Verb::Run(_) => "info",
        Verb::Demo(args) if demo::is_live(args, cli.output) => "off",
        _ => "error",
    };
    let level = cli.log_level.as_deref().unwrap_or(usual);
    logs::init(format, level).map_err(|e| Failure::new(Exit::Usage, "log-level", e))
}

/// Clap's own words, or its first line as JSON when JSON was asked for.
fn usage(error: &clap::Error) -> ExitCode {
    let told = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    // Not `args()`, which panics on what is not UTF-8.
    let args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    if told || !wants_json(args) {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim).take_while(|l| !l.is_empty());
    let first = lines.collect::<Vec<_>>().join(" ");
    Failure::new(Exit::Usage, "usage", first.trim_start_matches("error: "))
        .help("windrose help")
        .tell(Output::Json)
}

/// Arguments that clap could not read, looked at for `-o json`.
fn wants_json(args: impl Iterator<Item = String>) -> bool {
    let args: Vec<_> = args.collect();
    args.iter()
        .any(|a| a == "-ojson" || a == "--output=json" || a == "-o=json")
        || args
            .windows(2)
            .any(|w| (w[0] == "-o" || w[0] == "--output") && w[1] == "json")
}
