//! Master files on a file system: what may be included, and what is watched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use windrose_config::{Loaded, Report, load};
use windrose_model::{DnsName, RecordType, Revision};

const HEAD: &str = "@ SOA ns.example.net. me 1 2 3 4 5\n  NS ns.example.net.\n";

/// A folder with a configuration of one zone, and files beside it.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "{schema: 1, zones: {a.example: {file: zones/a.zone}}}";
    for (name, text) in [("w.yaml", yaml)].iter().chain(files) {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    folder
}

fn read(folder: &Path) -> Result<Loaded, Report> {
    load(&folder.join("w.yaml"), Revision(1), None)
}

fn has(loaded: &Loaded, owner: &str) -> bool {
    let owner = DnsName::parse(owner).unwrap();
    let zone = &loaded.model.zones()[0].1;
    zone.records.get(&owner, RecordType::A).is_some()
}

#[test]
fn the_files_of_a_zone_are_watched_those_that_are_missing_too() {
    let zone = format!("{HEAD}$INCLUDE more/b.zone\n$INCLUDE gone.zone\n");
    let folder = folder(&[
        ("zones/a.zone", &zone),
        ("zones/more/b.zone", "b A 192.0.2.1\n"),
    ]);
    let report = read(folder.path()).unwrap_err();
    let expected: Vec<PathBuf> = ["a.zone", "more/b.zone", "gone.zone"]
        .map(|name| folder.path().join("zones").join(name))
        .into();
    assert_eq!(report.sources.named(), expected);
    fs::write(folder.path().join("zones/gone.zone"), "c A 192.0.2.1\n").unwrap();
    let loaded = read(folder.path()).unwrap();
    assert!(has(&loaded, "b.a.example") && has(&loaded, "c.a.example"));
}

#[test]
fn a_path_of_an_include_is_relative_to_the_file_it_stands_in() {
    let folder = folder(&[
        ("zones/a.zone", &format!("{HEAD}$INCLUDE more/b.zone\n")),
        ("zones/more/b.zone", "$INCLUDE c.zone sub\n"),
        ("zones/more/c.zone", "c A 192.0.2.1\n"),
    ]);
    assert!(has(&read(folder.path()).unwrap(), "c.sub.a.example"));
}

#[test]
fn a_long_path_of_an_include_is_read_whole() {
    let long = format!("{}/{}.zone", "d".repeat(100), "f".repeat(100));
    let folder = folder(&[
        ("zones/a.zone", &format!("{HEAD}$INCLUDE {long}\n")),
        (&format!("zones/{long}"), "c A 192.0.2.1\n"),
    ]);
    assert!(has(&read(folder.path()).unwrap(), "c.a.example"));
    let octets = [HEAD.as_bytes(), b"$INCLUDE caf\xe9.zone\n"].concat();
    fs::write(folder.path().join("zones/a.zone"), octets).unwrap();
    let report = read(folder.path()).unwrap_err().to_string();
    assert!(report.contains("the path is not UTF-8"), "{report}");
}

#[test]
fn an_error_is_told_however_many_warnings_stand_before_it() {
    let zone = format!("{HEAD}{}", "a A 192.0.2.1\n".repeat(1_100));
    let folder = folder(&[("zones/a.zone", &zone)]);
    let yaml = "{schema: 1, zones: {a.example: {file: zones/a.zone, records: [\
                {name: z, type: A, values: [192.0.2.1, 192.0.2.1]}]}}}";
    fs::write(folder.path().join("w.yaml"), yaml).unwrap();
    let report = read(folder.path()).unwrap_err().to_string();
    assert!(
        report.contains("z.a.example A has this value already"),
        "{report}"
    );
}

#[test]
fn a_link_that_leads_out_of_the_folder_is_refused() {
    let folder = folder(&[
        ("zones/a.zone", &format!("{HEAD}$INCLUDE link.zone\n")),
        ("secret", "s A 192.0.2.1\n"),
    ]);
    symlink("../secret", folder.path().join("zones/link.zone")).unwrap();
    let report = read(folder.path()).unwrap_err().to_string();
    assert!(report.contains("bad-include"), "{report}");
    assert!(report.contains("outside of the folder"), "{report}");
}

#[test]
fn files_behind_the_links_of_a_config_map_are_one_folder() {
    let folder = folder(&[
        ("zones/..1/a.zone", &format!("{HEAD}$INCLUDE b.zone\n")),
        ("zones/..1/b.zone", "b A 192.0.2.1\n"),
    ]);
    let zones = folder.path().join("zones");
    symlink("..1", zones.join("..data")).unwrap();
    for name in ["a.zone", "b.zone"] {
        symlink(format!("..data/{name}"), zones.join(name)).unwrap();
    }
    assert!(has(&read(folder.path()).unwrap(), "b.a.example"));
}

#[test]
fn includes_have_a_depth_and_a_number() {
    let mut files: Vec<_> = (0..9)
        .map(|n| {
            (
                format!("zones/{n}.zone"),
                format!("$INCLUDE {}.zone\n", n + 1),
            )
        })
        .collect();
    files.push(("zones/9.zone".to_owned(), String::new()));
    files.push((
        "zones/a.zone".to_owned(),
        format!("{HEAD}$INCLUDE 0.zone\n"),
    ));
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let deep = read(folder(&files).path()).unwrap_err().to_string();
    assert!(deep.contains("deep already"), "{deep}");

    let many = format!("{HEAD}{}", "$INCLUDE b.zone\n".repeat(1_001));
    let folder = folder(&[("zones/a.zone", &many), ("zones/b.zone", "")]);
    let many = read(folder.path()).unwrap_err().to_string();
    assert!(many.contains("1000 files already"), "{many}");
}
