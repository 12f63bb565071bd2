//! The demo, unattended: a cluster is killed and started again, and no request that may be repeated
//! fails.

mod support;

use serde_json::Value;

#[test]
fn a_killed_cluster_costs_no_idempotent_request_and_comes_back() {
    let output = support::verb(&[
        "demo",
        "--ports",
        "auto",
        "--for",
        "14s",
        "--rate",
        "100",
        "-o",
        "json",
        "--fail",
        "frankfurt@2s",
        "--recover",
        "frankfurt@5s",
    ]);
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
