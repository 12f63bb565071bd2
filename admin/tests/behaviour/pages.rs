//! What each page says, and what a stranger gets.

use serde_json::Value;

use crate::scene::{Scene, exchange};

#[test]
fn healthz_is_fine_while_the_process_lives() {
    let mut scene = Scene::start();
    assert_eq!(scene.get("/healthz").code, 200);
    scene.change(|snapshot| snapshot.ready.ready = false);
    assert_eq!(scene.get("/healthz").code, 200);
    scene.lose_control();
    assert_eq!(scene.get("/healthz").body, "ok\n");
}

#[test]
fn readyz_lists_what_is_missing_until_the_first_round_is_over() {
    let scene = Scene::start();
    scene.change(|snapshot| {
        snapshot.ready.ready = false;
        snapshot.ready.missing = vec!["shop/virginia".to_owned()];
    });
    let reply = scene.get("/readyz");
    assert_eq!(reply.code, 503);
    assert_eq!(
        reply.body,
        "not ready: no probe result yet for\nshop/virginia\n"
    );
    scene.change(|snapshot| snapshot.ready.ready = true);
    assert_eq!(scene.get("/readyz").code, 200);
}

#[test]
fn a_refused_reload_is_shown_but_the_node_stays_ready() {
    let scene = Scene::start();
    scene.change(|snapshot| {
        snapshot.reload.ok = false;
        snapshot.reload.error = Some("2 errors in windrose.yaml".to_owned());
    });
    assert_eq!(scene.get("/readyz").code, 200);
    assert!(
        scene
            .get("/metrics")
            .body
            .contains("\nwindrose_config_reload_success 0\n")
    );
    let text = scene.get("/status?format=text").body;
    assert!(
        text.contains("the old one serves: 2 errors in windrose.yaml\n"),
        "{text}"
    );
}

#[test]
fn every_page_answers_when_control_is_gone() {
    let mut scene = Scene::start();
    scene.lose_control();
    for page in ["/", "/healthz", "/readyz", "/metrics", "/status"] {
        assert_eq!(scene.get(page).code, 200, "{page}");
    }
    let metrics = scene.get("/metrics").body;
    assert!(metrics.contains("\nwindrose_control_up 0\n"), "{metrics}");
}

#[test]
fn the_status_is_one_object_of_schema_1() {
    let scene = Scene::start();
    let reply = scene.get("/status");
    assert!(reply.head.contains("content-type: application/json\r\n"));
    let mut status: Value = serde_json::from_str(&reply.body).unwrap();
    status["at"] = "now".into();
    status["uptime_s"] = 0.into();
    status["digest"] = "of the table".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&status).unwrap());
}

#[test]
fn people_get_a_table() {
    let scene = Scene::start();
    let by_accept = scene.ask("GET", "/status", "Accept: text/plain\r\n").body;
    let (_, table) = by_accept.split_once("\n\n").unwrap();
    let causes: Vec<_> = table
        .lines()
        .take(4)
        .map(|line| {
            line.split_whitespace()
                .take(7)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(
        causes,
        [
            "APP CLUSTER VERDICT USABLE SHARE UP TTL",
            "shop frankfurt up yes 100 % 4/4",
            "shop singapore degraded yes 12.5 % 1/2",
            "shop virginia down no 0 % 0/2",
        ],
        "{by_accept}"
    );
}

#[test]
fn head_has_the_head_only() {
    let scene = Scene::start();
    let reply = scene.ask("HEAD", "/healthz", "");
    assert_eq!((reply.code, reply.body.as_str()), (200, ""));
    assert!(reply.head.contains("content-length: 3"));
}

#[test]
fn strangers_are_told_what_there_is() {
    let scene = Scene::start();
    let missing = scene.get("/statuz");
    assert_eq!(missing.code, 404);
    assert!(
        missing
            .body
            .starts_with("no page /statuz; there are:\n/healthz")
    );
    let post = scene.ask("POST", "/status", "Content-Length: 2\r\n");
    assert_eq!(post.code, 405);
    assert!(post.head.contains("allow: get, head"));
    assert_eq!(
        scene.get("/status?format=xml").body,
        "format is json or text\n"
    );
}

#[test]
fn garbage_and_endless_heads_are_refused() {
    let scene = Scene::start();
    assert!(exchange(scene.address, b"\x16\x03\x01garbage\r\n\r\n").starts_with("HTTP/1.1 400 "));
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    assert!(!exchange(scene.address, long.as_bytes()).contains(" 200 "));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(100));
    assert!(exchange(scene.address, many.as_bytes()).starts_with("HTTP/1.1 431 "));
    assert_eq!(scene.get("/healthz").code, 200);
}
