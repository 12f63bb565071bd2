//! The demo, unattended: a cluster is killed and started again, and no request that may be repeated
//! fails.

use crate::support;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

#[test]
fn a_killed_cluster_costs_no_idempotent_request_and_comes_back() {
    let temporary = tempfile::tempdir().unwrap();
    let args =
        "demo --ports auto --for 16s --rate 100 -o json --fail frankfurt@2s --recover frankfurt@5s";
    let output = support::windrose()
        .args(args.split(' '))
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    let progress = support::stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{progress}");
    let object: Value = serde_json::from_slice(&output.stdout).expect("exactly one object");
    let number = |at: &str| {
        object
            .pointer(at)
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN)
    };

    assert_eq!(object["schema"], 1);
    assert_eq!(
        number("/requests/failed_idempotent"),
        0.0,
        "{object}\n{progress}"
    );
    assert!(number("/requests/sent") > 1000.0, "{object}");
    let failure = &object["failures"][0];
    assert_eq!(failure["cluster"], "frankfurt");
    assert_eq!(failure["complete"], true, "{object}\n{progress}");
    // (interval + timeout) × fall + 1 s, as the demo is configured.
    assert!(
        number("/failures/0/last_dns_answer_after_s") <= 5.5,
        "{object}"
    );
    assert!(number("/shares/before/dns/frankfurt") > 0.1, "{object}");
    assert_eq!(number("/shares/during/dns/frankfurt"), 0.0, "{object}");
    assert_eq!(number("/shares/during/http/frankfurt"), 0.0, "{object}");
    assert!(number("/shares/after/http/frankfurt") > 0.1, "{object}");
    assert_eq!(
        object["dns"]["by_rcode"].as_object().map(|o| o.len()),
        Some(1),
        "{object}"
    );
    let left = temporary.path().read_dir().unwrap().count();
    assert_eq!(left, 0, "the node's folder is gone");
    let ended: Vec<_> = processes(&progress).collect();
    assert!(ended.len() > 3, "one for each cluster, and one more");
    assert!(ended.iter().all(|process| is_gone(*process)), "{ended:?}");
}

/// Whom a demo says that it started.
fn processes(progress: &str) -> impl Iterator<Item = u32> + '_ {
    let after = progress.split("process ").skip(1);
    after.filter_map(|text| {
        let end = text.find(|c: char| !c.is_ascii_digit())?;
        text[..end].parse().ok()
    })
}

/// Ended, whether or not somebody has asked how.
fn is_gone(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .map_or(true, |stat| stat.contains(") Z "))
}

#[test]
#[cfg(target_os = "linux")]
fn a_demo_that_is_killed_leaves_no_process_not_even_a_stopped_one() {
    let temporary = tempfile::tempdir().unwrap();
    let args = "demo --ports auto --plain --for 60s --fail frankfurt@0s --fail-mode stop";
    let mut demo = support::windrose()
        .args(args.split(' '))
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stdout = BufReader::new(demo.stdout.take().unwrap());
    while !said.contains("frankfurt fails (stop)") {
        let n = stdout.read_line(&mut said).unwrap();
        assert_ne!(n, 0, "{said}");
    }
    let started: Vec<_> = processes(&said).collect();
    assert_eq!(started.len(), 3, "{said}");
    assert!(!started.iter().any(|process| is_gone(*process)), "{said}");
    demo.kill().unwrap();
    demo.wait().unwrap();
    support::eventually("its clusters end", || {
        started
            .iter()
            .all(|process| is_gone(*process))
            .then_some(())
    });
}

#[test]
fn an_unknown_cluster_gets_the_nearest_name() {
    let output = support::verb(&[
        "demo",
        "--for",
        "5s",
        "--fail",
        "frankfrut@1s",
        "-o",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(support::stdout(&output), "");
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["error"]["code"], "unknown-cluster");
    assert_eq!(error["error"]["help"], "did you mean frankfurt?");
}
