//! `init`: writes a commented configuration that `run` accepts; never over a file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use serde_json::json;

use super::args::{Init, Output};
use super::failure::{Exit, Failure};
use super::print;

const TEXT: &str = include_str!("init.yaml");

pub(super) fn run(args: &Init, output: Output) -> Result<(), Failure> {
    let path = args.file.display();
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&args.file)
        .and_then(|mut file| file.write_all(TEXT.as_bytes()));
    written.map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => Failure::new(
            Exit::Usage,
            "file-exists",
            format!("{path} exists and is left alone"),
        )
        .help("name another file: windrose init FILE"),
        _ => Failure::new(
            Exit::Usage,
            "cannot-write",
            format!("cannot write {path}: {e}"),
        ),
    })?;
    match output {
        Output::Text => {
            print::line(format!("wrote {path}"));
            print::line(format!("next: edit it, then windrose check -c {path}"));
            print::line(format!("      and windrose run -c {path}"));
        }
        Output::Json => print::json(&json!({"schema": 1, "file": args.file})),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use windrose_model::Revision;

    #[test]
    fn what_init_writes_is_accepted() {
        let loaded = windrose_config::load_text("init.yaml", super::TEXT, Revision(1), None);
        let loaded = loaded.map_err(|report| report.to_string()).unwrap();
        assert!(loaded.warnings.is_empty(), "{}", loaded.warning_report());
    }
}
