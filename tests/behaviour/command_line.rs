//! What the verbs print, word by word. `INSTA_UPDATE=always cargo test --test behaviour command_line` writes
//! the golden files anew.

use crate::support;
use std::process::Output;

use serde_json::Value;

/// Runs in `tests/data`, so that names of files are short and the same everywhere.
fn run(args: &[&str]) -> Output {
    support::windrose()
        .args(args)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"))
        .output()
        .unwrap()
}

/// Exit code, stdout and stderr in one text.
fn golden(name: &str, args: &[&str]) {
    let output = run(args);
    let text = format!(
        "$ windrose {}\nexit {}\n--- stdout\n{}--- stderr\n{}",
        args.join(" "),
        output.status.code().unwrap_or(-1),
        support::stdout(&output),
        support::stderr(&output),
    );
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn check_says_what_a_file_holds_or_all_that_is_wrong() {
    golden("check_good", &["check", "-c", "shop.yaml"]);
    golden("check_bad", &["check", "-c", "wrong.yaml"]);
    golden(
        "check_bad_json",
        &["check", "-c", "wrong.yaml", "-o", "json"],
    );
    golden("check_missing", &["check", "-c", "nowhere.yaml"]);
}

#[test]
fn check_opens_the_databases_and_says_what_they_lack() {
    golden(
        "check_cities",
        &["check", "-c", "../../examples/geo-city.yaml"],
    );
    golden("check_no_cities", &["check", "-c", "no-cities.yaml"]);
    golden("check_unknown_city", &["check", "-c", "unknown-city.yaml"]);
}

#[test]
fn explain_tells_the_steps_of_an_answer() {
    golden(
        "explain_dns",
        &[
            "explain",
            "dns",
            "shop.example.com",
            "--client",
            "84.128.10.0/24",
            "-c",
            "shop.yaml",
        ],
    );
    golden(
        "explain_dns_down",
        &[
            "explain",
            "dns",
            "shop.example.com",
            "A",
            "--client",
            "84.128.10.0/24",
            "-c",
            "shop.yaml",
            "--down",
            "frankfurt",
        ],
    );
    golden(
        "explain_dns_cname",
        &[
            "explain",
            "dns",
            "www.example.com",
            "--client",
            "73.92.10.7",
            "-c",
            "shop.yaml",
        ],
    );
    golden(
        "explain_dns_nothing",
        &[
            "explain",
            "dns",
            "nobody.example.com",
            "--client",
            "73.92.10.7",
            "-c",
            "shop.yaml",
        ],
    );
    golden(
        "explain_dns_json",
        &[
            "explain",
            "dns",
            "shop.example.com",
            "--client",
            "84.128.10.0/24",
            "-c",
            "shop.yaml",
            "-o",
            "json",
        ],
    );
    golden(
        "explain_dns_limits",
        &[
            "explain",
            "dns",
            "nobody.example.com",
            "TYPE65280",
            "--client",
            "2001:db8:1:2ff::1",
            "-c",
            "limits.yaml",
        ],
    );
    golden(
        "explain_http",
        &[
            "explain",
            "http",
            "http://shop.example.com/cart",
            "--client",
            "84.128.10.7",
            "-c",
            "shop.yaml",
        ],
    );
    golden(
        "explain_http_down",
        &[
            "explain",
            "http",
            "http://shop.example.com/",
            "--client",
            "84.128.10.7",
            "-c",
            "shop.yaml",
            "--down",
            "frankfurt",
            "--down",
            "virginia",
        ],
    );
}

#[test]
fn wrong_arguments_name_the_next_move() {
    golden(
        "explain_unknown_cluster",
        &[
            "explain",
            "dns",
            "shop.example.com",
            "--client",
            "192.0.2.1",
            "-c",
            "shop.yaml",
            "--down",
            "frankfrut",
        ],
    );
    golden(
        "explain_wrong_client",
        &[
            "explain",
            "dns",
            "shop.example.com",
            "--client",
            "nobody",
            "-c",
            "shop.yaml",
        ],
    );
    golden("usage_json", &["check", "-o", "json"]);
    golden(
        "status_unreachable",
        &["status", "--admin", "http://127.0.0.1:1"],
    );
    golden(
        "status_unreachable_json",
        &["status", "--admin", "http://127.0.0.1:1", "-o", "json"],
    );
}

#[test]
fn an_argument_that_is_not_utf8_is_a_usage_error() {
    use std::os::unix::ffi::OsStrExt;

    let output = support::windrose()
        .arg(std::ffi::OsStr::from_bytes(b"\xff"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_exit_code_holds_when_nobody_reads_stderr() {
    for args in [
        &["check", "-c", "nowhere.yaml"][..],
        &["check", "-c", "nowhere.yaml", "-o", "json"],
    ] {
        // A pipe whose reader is gone.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = support::windrose().args(args).stderr(writer).status();
        assert_eq!(status.unwrap().code(), Some(2), "{args:?}");
    }
}

#[test]
fn init_writes_a_file_that_check_accepts_and_never_over_one() {
    let folder = tempfile::tempdir().unwrap();
    let init = |args: &[&str]| {
        support::windrose()
            .args(args)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    assert_eq!(init(&["init"]).status.code(), Some(0));
    let text = std::fs::read_to_string(folder.path().join("windrose.yaml")).unwrap();
    let checked = init(&["check", "-c", "windrose.yaml"]);
    assert_eq!(support::stdout(&checked), "ok: 1 app, 2 clusters, 1 zone\n");
    let again = init(&["init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(support::stderr(&again).contains("error[file-exists]"));
    assert_eq!(
        std::fs::read_to_string(folder.path().join("windrose.yaml")).unwrap(),
        text
    );
}

#[test]
fn the_schema_and_the_version_are_told() {
    let schema = run(&["config", "schema"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert!(schema["properties"]["apps"].is_object(), "{schema}");
    let version = support::stdout(&run(&["--version"]));
    assert!(
        version.starts_with(concat!("windrose ", env!("CARGO_PKG_VERSION"))),
        "{version}"
    );
    assert!(
        version.contains("commit: ") && version.contains("features: "),
        "{version}"
    );
}
