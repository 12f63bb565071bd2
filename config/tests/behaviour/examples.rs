//! Every example loads without a warning, and says what it is meant to say.

use std::path::Path;

use windrose_config::{load, summary};
use windrose_model::Revision;

#[test]
fn every_example_loads_without_a_warning() {
    let folder = Path::new("../examples");
    let mut loaded = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        match load(&path, Revision(1), None) {
            Ok(config) => assert!(config.warnings.is_empty(), "{}", config.warning_report()),
            Err(report) => panic!("{report}"),
        }
        loaded += 1;
    }
    assert!(loaded >= 5, "only {loaded} examples were found");
}

#[test]
fn the_quickstart_is_summed_up_in_a_line() {
    let loaded = load(Path::new("../examples/quickstart.yaml"), Revision(1), None).unwrap();
    assert_eq!(summary(&loaded), "ok: 1 app, 2 clusters, 1 zone");
    assert_eq!(loaded.node.data_dir, Path::new("./windrose-data"));
}
