//! What a scraper reads.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{self, Backend, Files, Node, ask, get};

#[test]
fn the_names_that_others_build_on_are_there_and_promtool_has_no_complaint() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let files = Files::new(a.address, b.address);
    let node = Node::start(&files.config);
    ask(node.dns, "shop.example.com.").unwrap();
    get(node.http, "shop.example.com", "/").unwrap();
    let (status, text) = node.get("/metrics");
    assert_eq!(status, 200);
    for name in [
        "windrose_dns_queries_total{",
        "windrose_dns_steered_total{app=\"shop\",cluster=\"a\"} 1",
        "windrose_http_requests_total{",
        "windrose_http_request_duration_seconds_bucket{",
        "windrose_cluster_verdict{app=\"shop\",cluster=\"a\"}",
        "windrose_table_epoch ",
        "windrose_table_info{digest=",
        "windrose_tables_alive ",
        "windrose_config_reload_success 1",
        "windrose_reports_dropped_total 0",
    ] {
        assert!(text.contains(name), "{name} is missing in:\n{text}");
    }
    let Ok(mut promtool) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        eprintln!("promtool is not installed; its part is skipped");
        return;
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", support::stderr(&output));
}

#[test]
fn a_node_without_probe_results_is_alive_but_not_ready() {
    // Endpoints that swallow connections: no result before the timeout.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    let files = Files::new(at, at);
    let text = files.text(at, at).replace("timeout: 80ms", "timeout: 5s");
    files.write(&text.replace("interval: 100ms", "interval: 6s"));
    let node = Node::spawn(&files.config, &[]);
    assert_eq!(node.get("/healthz").0, 200);
    let (status, body) = node.get("/readyz");
    assert_eq!(status, 503);
    assert!(
        body.contains("shop/a"),
        "the body lists what is missing: {body}"
    );
    node.wait_ready();
    assert_eq!(node.get("/readyz").0, 200);
}
