//! What may stand in a source file, and what may not.

use std::path::Path;

use crate::tree::{files, none, root, texts};

/// Production lines of a file. A thick file has 400; beyond this it is two.
const LONGEST: usize = 600;

/// Words that have no place in a pure crate: clocks, sockets, files, dice, threads, environment.
const IMPURE: [&str; 16] = [
    "::now(",
    "SystemTime",
    ".elapsed()",
    "std::fs",
    "fs::read",
    "File::open",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "std::env",
    "std::process",
    "thread::",
    "rand::",
    "getrandom",
    "RandomState",
    "tokio",
];

#[test]
fn model_and_routing_read_no_clock_socket_file_or_dice() {
    let mut wrong = Vec::new();
    for (file, text) in texts("rs") {
        let pure = ["model/src", "routing/src"];
        if !pure.iter().any(|room| file.starts_with(room)) || is_test(&file) {
            continue;
        }
        for (number, line) in (1..).zip(production(&text)) {
            let code = line.split("//").next().unwrap_or_default();
            for word in IMPURE {
                if code.contains(word) {
                    wrong.push(format!("{}:{number}: {word}", file.display()));
                }
            }
        }
    }
    none("time, chance and state are arguments", &wrong);
}

#[test]
fn the_workspace_forbids_unsafe_code() {
    let workspace: toml::Table = crate::tree::read(Path::new("Cargo.toml")).parse().unwrap();
    let lint = &workspace["workspace"]["lints"]["rust"]["unsafe_code"];
    assert_eq!(lint.as_str(), Some("forbid"));
}

#[test]
fn pure_crates_have_clippy_rules_of_their_own() {
    for room in ["model", "routing", "config"] {
        let rules = crate::tree::read(&Path::new(room).join("clippy.toml"));
        assert!(
            rules.contains("std::time::Instant::now"),
            "{room}/clippy.toml"
        );
    }
}

#[test]
fn tests_neither_sleep_nor_are_ignored() {
    let mut wrong = Vec::new();
    for (file, text) in texts("rs") {
        let measures = file
            .iter()
            .any(|part| part == "benches" || part == "examples");
        if measures || file.starts_with("tests/architecture") {
            continue;
        }
        let first = if is_test(&file) {
            0
        } else {
            production(&text).count()
        };
        for (number, line) in (1..).zip(text.lines()) {
            let sleeps = ["thread::sleep", "time::sleep("];
            let in_test = number > first;
            if line.trim_start().starts_with("#[ignore")
                || in_test && sleeps.iter().any(|sleep| line.contains(sleep))
            {
                wrong.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    none("a test does not wait, and is not left out", &wrong);
}

#[test]
fn no_file_wants_to_be_two() {
    let mut long = Vec::new();
    for (file, text) in texts("rs") {
        let lines = production(&text).count();
        if !is_test(&file) && lines > LONGEST {
            long.push(format!("{}: {lines} lines", file.display()));
        }
    }
    none("more than 600 production lines", &long);
}

#[test]
fn every_file_says_what_it_is_for() {
    let mut silent = Vec::new();
    for (file, text) in texts("rs") {
        let first = text.lines().find(|line| !line.trim().is_empty());
        if !first.is_some_and(|line| line.starts_with("//!")) {
            silent.push(file.display().to_string());
        }
    }
    none("a file opens with //! and its subject", &silent);
}

#[test]
fn no_text_names_a_place_of_one_machine() {
    let places = ["/work/", "/root/", "/home/", "/bash_jobs"];
    let mut wrong = Vec::new();
    for file in files() {
        if file.starts_with("tests/architecture") {
            continue;
        }
        let bytes = std::fs::read(root().join(&file)).unwrap();
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        for (number, line) in (1..).zip(text.lines()) {
            if places.iter().any(|place| names_place(line, place)) {
                wrong.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    none("a path of one machine", &wrong);
}

#[test]
fn every_crate_comes_from_crates_io() {
    let lock: toml::Table = crate::tree::read(Path::new("Cargo.lock")).parse().unwrap();
    let foreign: Vec<_> = lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|package| package.get("source")?.as_str())
        .filter(|source| *source != "registry+https://github.com/rust-lang/crates.io-index")
        .map(str::to_owned)
        .collect();
    none("another source", &foreign);
}

/// `place` as the beginning of a path, not inside one such as `frame/work/`.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '/'))
    })
}

/// Lines before the tests of a file.
fn production(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
}

/// Whether a whole file is test, bench or example.
fn is_test(file: &Path) -> bool {
    file.iter().any(|part| {
        ["tests", "tests.rs", "benches", "examples", "fuzz"]
            .iter()
            .any(|t| part == *t)
    })
}
