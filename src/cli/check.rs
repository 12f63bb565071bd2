//! `check`: diagnostics on stderr, one line on stdout.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::json;
use windrose_config::{Loaded, Reader, Report};
use windrose_model::Revision;
use windrose_routing::Data;
use windrose_tls::Store;

use super::args::{Check, Output};
use super::failure::{Exit, Failure};
use super::print;
use crate::node::certificates::{self, CertificatesError};
use crate::node::data::{DataError, Loader};

pub(super) fn run(args: &Check, output: Output) -> Result<(), Failure> {
    let loaded = load(&args.config, output).inspect_err(|failure| {
        // The answer of this verb, good or bad, is an object on stdout.
        if let (Output::Json, Some(report)) = (output, &failure.details) {
            print::json(report);
        }
    })?;
    // A database that cannot be read is found here, not by the node.
    data(&mut Loader::default(), &loaded, output).inspect_err(|failure| {
        if let (Output::Json, Some(report)) = (output, &failure.details) {
            print::json(report);
        }
    })?;
    // So are certificates and keys.
    let remarks = certificates(&loaded, output).inspect_err(|failure| {
        if let (Output::Json, Some(report)) = (output, &failure.details) {
            print::json(report);
        }
    })?;
    match output {
        Output::Text => print::line(windrose_config::summary(&loaded)),
        Output::Json => {
            let mut report = loaded.warning_report();
            report.diagnostics.extend(remarks.diagnostics);
            let mut object = report.to_json();
            if let Some(object) = object.as_object_mut() {
                let model = &loaded.model;
                object.insert("apps".to_owned(), json!(model.apps().len()));
                object.insert("clusters".to_owned(), json!(model.clusters().len()));
                object.insert("zones".to_owned(), json!(model.zones().len()));
            }
            print::json(&object);
        }
    }
    Ok(())
}

/// Reads certificates and keys; what looks wrong with them.
fn certificates(loaded: &Loaded, output: Output) -> Result<Report, Failure> {
    let generation = certificates::prepare(&Store::new(), &loaded.node)
        .map_err(|e| unusable(loaded, &e, output))?;
    let remarks = loaded.about_files(certificates::remarks(&generation));
    if output == Output::Text && !remarks.diagnostics.is_empty() {
        print::aside(&remarks);
    }
    Ok(remarks)
}

/// Tells what is wrong with certificates, where they are named.
pub(super) fn unusable(loaded: &Loaded, error: &CertificatesError, output: Output) -> Failure {
    let report = loaded.about_files(certificates::wrong_with(error));
    if output == Output::Text {
        print::aside(&report);
    }
    refused(&report)
}

/// Loads a configuration for any verb; tells everything that is wrong with it: as text now, as JSON
/// in the failure.
pub(super) fn load(path: &Path, output: Output) -> Result<Loaded, Failure> {
    told(windrose_config::load(path, Revision(1), None), output)
}

/// The same for who will read it again.
pub(super) fn load_to_go_on(
    reader: &mut Reader,
    path: &Path,
    output: Output,
) -> Result<Loaded, Failure> {
    let loaded = reader.load(path, Revision(1), None, SystemTime::now());
    told(loaded, output)
}

fn told(loaded: Result<Loaded, Report>, output: Output) -> Result<Loaded, Failure> {
    let loaded = loaded.map_err(|report| certificates::beside(&Store::new(), report));
    let report = match &loaded {
        Ok(loaded) => loaded.warning_report(),
        Err(report) => report.clone(),
    };
    if output == Output::Text && !report.diagnostics.is_empty() {
        print::aside(&report);
    }
    loaded.map_err(|report| refused(&report))
}

/// Loads what a configuration names, for any verb, and tells what it lacks.
pub(super) fn data(
    loader: &mut Loader,
    loaded: &Loaded,
    output: Output,
) -> Result<Arc<Data>, Failure> {
    let tell = |report: &Report| {
        if output == Output::Text {
            print::aside(report);
        }
    };
    match loader.load(loaded) {
        Ok(found) => {
            found.warnings.iter().for_each(tell);
            Ok(found.data)
        }
        Err(DataError::Lacking(report)) => {
            tell(&report);
            Err(refused(&report))
        }
        Err(error) => Err(Failure::new(Exit::Usage, "geo-unusable", error)),
    }
}

fn refused(report: &Report) -> Failure {
    let count = report.diagnostics.len() + report.more;
    let problems = if count == 1 { "problem" } else { "problems" };
    let message = format!("the configuration has {count} {problems}");
    let failure = Failure::new(Exit::Usage, "configuration", message);
    Failure {
        details: Some(report.to_json()),
        ..failure
    }
}
