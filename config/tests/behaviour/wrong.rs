//! Golden diagnostics: each file or folder of `tests/wrong` with what is said about it beside it.
//! `WINDROSE_BLESS=1` writes them anew.

use std::path::{Path, PathBuf};

use windrose_config::load;
use windrose_model::Revision;

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "one variable refreshes the golden files"
)]
fn every_wrong_configuration_is_told_so_at_its_place() {
    let bless = std::env::var_os("WINDROSE_BLESS").is_some();
    let mut cases: Vec<PathBuf> = Path::new("tests/wrong")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            // A folder beside a file of its name holds what that file names.
            let folder = path.is_dir() && !path.with_extension("yaml").exists();
            folder || path.extension().is_some_and(|e| e == "yaml")
        })
        .collect();
    cases.sort();
    assert!(cases.len() >= 16, "only {} cases were found", cases.len());
    let mut differing = Vec::new();
    for case in cases {
        let said = match load(&case, Revision(1), None) {
            Ok(loaded) => loaded.warning_report().to_string(),
            Err(report) => report.to_string(),
        };
        assert!(
            !said.is_empty(),
            "{} is accepted in silence",
            case.display()
        );
        let golden = case.with_extension("stderr");
        if bless {
            std::fs::write(&golden, said).unwrap();
        } else if std::fs::read_to_string(&golden).ok().as_ref() != Some(&said) {
            differing.push(format!("{}:\n{said}", golden.display()));
        }
    }
    assert!(
        differing.is_empty(),
        "{}\nWINDROSE_BLESS=1 accepts what is said now",
        differing.join("\n")
    );
}
