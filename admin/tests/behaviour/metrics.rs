//! The page for Prometheus: its names are an interface, its form is checked.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use windrose_telemetry::{
    GroupEvent, HttpEvent, NO_ZONE, StreamEvent, StreamKind, code_cell, rcode_cell, stream_cell,
};

use crate::exposition;
use crate::scene::Scene;

/// A scene in which everything has happened once, so that every family has a sample.
fn busy() -> Scene {
    let scene = Scene::start();
    let table = scene.table();
    let metrics = &scene.metrics;
    metrics.dns_queries.local().add(table.zones()[0].slot, 3, 7);
    metrics.dns_queries.local().add(NO_ZONE, 5, 2);
    metrics.dns_queries.local().add(NO_ZONE, rcode_cell(23), 3);
    metrics.dns_cookies.local().add(0, 1, 6);
    metrics.dns_extended_errors.local().add(0, 5, 4);
    for (_, entry) in table.apps() {
        metrics
            .dns_steered
            .local()
            .add(entry.plan.clusters[1].slot, 0, 5);
        let slot = entry.plan.versions[0].groups[2].slot;
        metrics.http_requests.local().add(slot, code_cell(503), 4);
        metrics.http_requests.local().add(slot, code_cell(418), 1);
        metrics
            .http_duration
            .local()
            .record(slot, Duration::from_millis(3));
        metrics
            .group_events
            .local()
            .add(slot, GroupEvent::Retry as u32, 2);
        for kind in [StreamKind::Tunnel, StreamKind::Tcp] {
            let streams = metrics.streams.local();
            streams.add(slot, stream_cell(kind, StreamEvent::Opened), 3);
            streams.add(slot, stream_cell(kind, StreamEvent::Idle), 1);
            metrics.streams_open.local().add(slot, kind as u32, 2);
        }
    }
    let http = metrics.http_events.local();
    http.add(0, HttpEvent::ClientsOpen as u32, 3);
    http.add(0, HttpEvent::ClientsOpen as u32, u64::MAX);
    scene
}

#[test]
fn names_types_and_labels_stay_as_they_are() {
    let page = exposition::parse(&busy().get("/metrics").body).unwrap();
    let families: Vec<_> = page
        .iter()
        .filter(|family| cfg!(target_os = "linux") || !family.name.starts_with("process_"))
        .map(|family| format!("{} {} {{{}}}", family.kind, family.name, family.labels()))
        .collect();
    insta::assert_snapshot!(families.join("\n"));
}

#[test]
fn numbers_find_their_labels() {
    let text = busy().get("/metrics").body;
    for line in [
        r#"windrose_build_info{version="0.1.0",commit="abcdef"} 1"#,
        r#"windrose_dns_queries_total{zone="example.com",rcode="NOERROR"} 0"#,
        r#"windrose_dns_queries_total{zone="example.com",rcode="NXDOMAIN"} 7"#,
        r#"windrose_dns_queries_total{zone="-",rcode="REFUSED"} 2"#,
        r#"windrose_dns_queries_total{zone="-",rcode="BADCOOKIE"} 3"#,
        r#"windrose_dns_cookies_total{result="valid"} 6"#,
        r#"windrose_dns_extended_errors_total{code="0",reason="half_alive"} 4"#,
        r#"windrose_dns_steered_total{app="shop",cluster="singapore"} 5"#,
        r#"windrose_dns_steered_total{app="shop",cluster="virginia"} 0"#,
        r#"windrose_http_requests_total{app="shop",version="v1",cluster="virginia",code="503"} 4"#,
        r#"windrose_http_requests_total{app="shop",version="v1",cluster="virginia",code="4xx"} 1"#,
        r#"windrose_http_requests_total{app="shop",version="v2",cluster="frankfurt",code="200"} 0"#,
        r#"windrose_http_request_duration_seconds_bucket{app="shop",version="v1",cluster="virginia",le="0.005"} 1"#,
        r#"windrose_http_request_duration_seconds_sum{app="shop",version="v1",cluster="virginia"} 0.003"#,
        r#"windrose_http_retries_total{app="shop",version="v1",cluster="virginia"} 2"#,
        r#"windrose_http_connections_open{side="client"} 2"#,
        r#"windrose_cluster_verdict{app="shop",cluster="frankfurt"} 1"#,
        r#"windrose_cluster_verdict{app="shop",cluster="singapore"} 0.5"#,
        r#"windrose_cluster_verdict{app="shop",cluster="virginia"} 0"#,
        r#"windrose_cluster_share_ratio{app="shop",cluster="singapore"} 0.125"#,
        r#"windrose_endpoints{app="shop",cluster="singapore",state="unknown"} 1"#,
        "windrose_table_epoch 17",
        "windrose_config_reload_success 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
    let nowhere = r#"version="v2",cluster="virginia""#;
    assert!(!text.contains(nowhere), "v2 does not run there:\n{text}");
}

#[test]
fn a_slot_used_again_starts_from_zero() {
    let scene = busy();
    let table = scene.table();
    for (_, entry) in table.apps() {
        scene
            .metrics
            .rebase_group(entry.plan.versions[0].groups[2].slot);
    }
    let text = scene.get("/metrics").body;
    assert!(!text.contains(r#"code="503""#), "{text}");
    assert!(
        !text.contains("http_request_duration_seconds_bucket{"),
        "{text}"
    );
}

#[test]
fn promtool_accepts_the_page() {
    let text = busy().get("/metrics").body;
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("promtool is not installed; ./test installs it");
        return;
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
