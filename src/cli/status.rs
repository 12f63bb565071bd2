//! `status`: what a running node sees and concludes.

use std::time::Duration;

use windrose_admin::client::{self, ClientError};

use super::args::{Output, Status};
use super::failure::{Exit, Failure};
use super::print;

/// A node answers from memory; one that takes longer is in trouble.
const LIMIT: Duration = Duration::from_secs(5);

pub(super) fn run(args: &Status, output: Output) -> Result<(), Failure> {
    let status = client::status(&args.admin, LIMIT).map_err(|e| failure(&e))?;
    match output {
        Output::Text => print::text(windrose_admin::render(&status)),
        Output::Json => print::json(&status),
    }
    Ok(())
}

fn failure(error: &ClientError) -> Failure {
    let (exit, code) = match error {
        ClientError::Address { .. } => (Exit::Usage, "bad-admin-address"),
        ClientError::Unreachable { .. } => (Exit::Unreachable, "node-unreachable"),
        ClientError::Timeout { .. } => (Exit::Unreachable, "node-silent"),
        ClientError::NotWindrose { .. } => (Exit::Unreachable, "not-windrose"),
        ClientError::Newer { .. } => (Exit::Unreachable, "newer-node"),
    };
    let failure = Failure::new(exit, code, error);
    match error {
        ClientError::Unreachable { .. } => {
            failure.help("is it running? name its admin address with --admin or WINDROSE_ADMIN")
        }
        _ => failure,
    }
}
