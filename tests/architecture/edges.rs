//! Who may use whom. One table, read against every `Cargo.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::tree::{none, read, root};

/// Folder, the crates of ours it may use, and the heavy libraries it may depend on directly. The
/// binary (`.`) assembles the node and may use every crate of ours.
const ROOMS: [(&str, &[&str], &[&str]); 11] = [
    // jiff writes wall times; its clock is out of bounds like any other.
    ("model", &[], &["jiff"]),
    ("config", &["model"], &["granit-parser"]),
    ("routing", &["model"], &["arc-swap", "maxminddb"]),
    ("telemetry", &[], &["prometheus", "tracing-subscriber"]),
    ("mmsg", &[], &["libc"]),
    (
        "tls",
        &[],
        &[
            "arc-swap",
            "rustls",
            "rustls-native-certs",
            "tokio-rustls",
            "tokio",
            "x509-parser",
        ],
    ),
    (
        "dns",
        &["model", "routing", "telemetry", "mmsg"],
        &["hickory-proto", "mio", "tokio", "nix", "socket2"],
    ),
    (
        "proxy",
        &["model", "routing", "telemetry", "tls"],
        &["h2", "hyper", "hyper-util", "tokio", "socket2"],
    ),
    (
        "control",
        // Probes of endpoints that are spoken to over TLS.
        &["model", "routing", "telemetry", "tls"],
        &["hickory-resolver", "hyper", "hyper-util", "tokio"],
    ),
    (
        "admin",
        &["model", "routing", "config", "control", "telemetry", "tls"],
        &["hyper", "hyper-util", "tokio", "jiff"],
    ),
    (
        ".",
        &[
            "model",
            "config",
            "routing",
            "telemetry",
            "dns",
            "proxy",
            "control",
            "admin",
            "tls",
        ],
        // hyper: the backends and the person of the demo.
        &[
            "clap",
            "mimalloc",
            "notify",
            "ratatui",
            "hyper",
            "hyper-util",
            "tokio",
            "nix",
            "socket2",
        ],
    ),
];

/// Libraries with an owner. What is not listed here anyone may use.
const HEAVY: [&str; 31] = [
    "arc-swap",
    "clap",
    "hickory-net",
    "hickory-proto",
    "hickory-resolver",
    "hickory-server",
    "h2",
    "hyper",
    "hyper-util",
    "jiff",
    "kube",
    "libc",
    "maxminddb",
    "mimalloc",
    "mio",
    "nix",
    "notify",
    "prometheus",
    "ratatui",
    "redb",
    "rustls",
    "rustls-native-certs",
    "granit-parser",
    "schemars",
    "serde-saphyr",
    "socket2",
    "tokio",
    "tokio-rustls",
    "tonic",
    "tracing-subscriber",
    "x509-parser",
];

/// The one room with unsafe code, and so with lints of its own: batched UDP system calls.
const UNSAFE: &str = "mmsg";

/// `nix` in telemetry is getrusage only; it is no reason to call it an owner of system calls.
const EXCEPTIONS: [(&str, &str); 1] = [("telemetry", "nix")];

/// One source of cryptography, and no protobuf by way of metrics.
const BANNED: [&str; 5] = ["ring", "openssl", "openssl-sys", "native-tls", "protobuf"];

#[test]
fn crates_use_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    for (room, ours, heavy) in ROOMS {
        for dependency in dependencies(room, &["dependencies", "build-dependencies"]) {
            let allowed = match dependency.strip_prefix("windrose-") {
                Some(own) => ours.contains(&own),
                None => {
                    !HEAVY.contains(&dependency.as_str())
                        || heavy.contains(&dependency.as_str())
                        || EXCEPTIONS.contains(&(room, dependency.as_str()))
                }
            };
            if !allowed {
                wrong.push(format!("{room} uses {dependency}"));
            }
        }
    }
    none(
        "the table of tests/architecture/edges.rs says otherwise",
        &wrong,
    );
}

#[test]
fn the_table_names_every_crate_of_the_workspace() {
    let workspace = manifest(".");
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let members: BTreeSet<_> = members.iter().filter_map(|m| m.as_str()).collect();
    let rooms: BTreeSet<_> = ROOMS
        .iter()
        .map(|(room, ..)| *room)
        .filter(|r| *r != ".")
        .collect();
    assert_eq!(members, rooms);
}

#[test]
fn every_crate_takes_lints_and_versions_from_the_workspace() {
    let mut wrong = Vec::new();
    for (room, ..) in ROOMS {
        let manifest = manifest(room);
        let lints = manifest["lints"].get("workspace");
        if room != UNSAFE && lints.and_then(toml::Value::as_bool) != Some(true) {
            wrong.push(format!("{room}: lints"));
        }
        for key in ["version", "edition", "rust-version", "license"] {
            let value = &manifest["package"][key];
            if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                wrong.push(format!("{room}: {key}"));
            }
        }
    }
    none("not from the workspace", &wrong);
}

#[test]
fn no_dependency_is_declared_and_not_used() {
    let sources: BTreeMap<_, _> = ROOMS.map(|(room, ..)| (room, sources_of(room))).into();
    let mut unused = Vec::new();
    for (room, ..) in ROOMS {
        let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
        for dependency in dependencies(room, &tables) {
            let word = dependency.replace('-', "_");
            if !words(&sources[room]).any(|w| w == word) {
                unused.push(format!("{room}: {dependency}"));
            }
        }
    }
    none("declared and not used", &unused);
}

#[test]
fn what_is_banned_is_not_built() {
    // Cargo.lock also lists what optional features could bring; the tree is what is built here.
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--edges",
            "normal,build,dev",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let built: BTreeSet<_> = tree.lines().filter_map(|l| l.split(' ').next()).collect();
    assert!(built.contains("windrose"), "{tree}");
    let found: Vec<_> = BANNED
        .iter()
        .filter(|name| built.contains(*name))
        .map(|name| (*name).to_owned())
        .collect();
    none("banned", &found);
}

fn manifest(room: &str) -> toml::Table {
    read(&Path::new(room).join("Cargo.toml")).parse().unwrap()
}

/// Names in these tables, those of single systems included.
fn dependencies(room: &str, tables: &[&str]) -> BTreeSet<String> {
    let manifest = manifest(room);
    let systems = manifest.get("target").and_then(toml::Value::as_table);
    let systems = systems.into_iter().flat_map(toml::Table::values);
    let places = systems.filter_map(toml::Value::as_table).chain([&manifest]);
    places
        .flat_map(|place| {
            tables
                .iter()
                .filter_map(|table| place.get(*table)?.as_table())
        })
        .flat_map(|table| table.keys().cloned())
        .collect()
}

/// All Rust text of a crate, without the crates that lie below it.
fn sources_of(room: &str) -> String {
    let folders: &[&str] = &["src", "tests", "benches", "examples", "build.rs"];
    let mut text = String::new();
    for (file, source) in crate::tree::texts("rs") {
        let inside = folders.iter().any(|folder| {
            let start = if room == "." {
                Path::new(folder).to_path_buf()
            } else {
                Path::new(room).join(folder)
            };
            file.starts_with(start)
        });
        if inside {
            text.push_str(&source);
        }
    }
    text
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}
