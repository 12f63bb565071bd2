//! Copies of requests: who gets them, and that nobody waits for them. With the cases of the Gateway
//! API under their names; their tolerance is that of the suite, three standard deviations.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use windrose_model::{App, Filters, Match, Mirror, PathMatch, Percent, Route, Version};
use windrose_telemetry::Mirrored;

use crate::support::backend::{Backend, Peer, Request, refusing};
use crate::support::{HOST, Node, app, eventually, name, run};

/// `v1` has all requests; the others are there for mirrors.
fn app_of(primary: &Backend, mirrors: &[(&str, std::net::SocketAddr)], to: Vec<Mirror>) -> App {
    let mut app = app(&[("c1", &[primary.address])]);
    for (version, address) in mirrors {
        let endpoints = BTreeMap::from([(name("c1"), vec![*address])]);
        app.versions.insert(name(version), Version::at(endpoints));
    }
    let filters = Filters {
        mirrors: to,
        ..Filters::default()
    };
    app.routes = vec![Route {
        matches: vec![Match::path(PathMatch::Prefix("/".into()))],
        filters: Some(Box::new(filters)),
        ..Route::default()
    }];
    app
}

fn to(version: &str) -> Mirror {
    Mirror::to(name(version))
}

fn share(version: &str, percent: f64) -> Mirror {
    Mirror {
        percent: Percent::new(percent).unwrap(),
        ..to(version)
    }
}

/// Of all groups of the app: what became of its copies.
fn counted(node: &Node, what: Mirrored) -> u64 {
    (0..8)
        .map(|slot| node.metrics.mirrored.sum(slot, what as u32))
        .sum()
}

async fn until(node: &Node, what: Mirrored, count: u64) {
    eventually(&format!("{count} copies are {what:?}"), || {
        counted(node, what) == count
    })
    .await;
}

/// A backend that keeps whole requests and answers 200.
async fn keeps() -> (Backend, Rc<RefCell<Vec<Request>>>) {
    let seen: Rc<RefCell<Vec<Request>>> = Rc::default();
    let log = Rc::clone(&seen);
    let backend = Backend::start(move |stream, _| {
        let log = Rc::clone(&log);
        async move {
            let mut peer = Peer::new(stream);
            while let Some(request) = peer.request().await {
                log.borrow_mut().push(request);
                let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                if peer.stream.write_all(ok).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (backend, seen)
}

fn field<'r>(request: &'r Request, name: &str) -> &'r str {
    let mut lines = request.head.lines();
    lines
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap_or("")
}

#[test]
fn httproute_request_mirror() {
    run(async {
        let (primary, first) = keeps().await;
        let (mirror, copies) = keeps().await;
        let app = app_of(&primary, &[("v2", mirror.address)], vec![to("v2")]);
        let node = Node::start(app);
        let response = node.get("/path?a=b").await;
        assert_eq!(response.status, 200);
        until(&node, Mirrored::Success, 1).await;
        let (first, copies) = (first.take(), copies.take());
        assert_eq!((first.len(), copies.len()), (1, 1));
        assert!(copies[0].head.starts_with("GET /path?a=b HTTP/1.1\r\n"));
        // As the primary got it, but for the mark.
        let mark = "x-windrose-mirror: 1\r\n";
        assert!(copies[0].head.contains(mark) && !first[0].head.contains(mark));
        let sorted = |head: &str| {
            let mut lines: Vec<String> =
                head.replace(mark, "").lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&copies[0].head), sorted(&first[0].head));
        node.stop().await;
    });
}

#[test]
fn httproute_request_multiple_mirrors() {
    run(async {
        let (primary, _) = keeps().await;
        let ((two, in_two), (three, in_three)) = (keeps().await, keeps().await);
        let mirrors = [("v2", two.address), ("v3", three.address)];
        let node = Node::start(app_of(&primary, &mirrors, vec![to("v2"), to("v3")]));
        let mut client = node.client().await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\nhello"
            ))
            .await;
        assert_eq!(client.response().await.status, 200);
        until(&node, Mirrored::Success, 2).await;
        for seen in [in_two, in_three] {
            assert_eq!(seen.borrow()[0].body, b"hello");
        }
        node.stop().await;
    });
}

#[test]
fn httproute_request_percentage_mirror() {
    run(async {
        for percent in [20.0, 35.0, 50.0] {
            let (primary, _) = keeps().await;
            let (mirror, copies) = keeps().await;
            let app = app_of(
                &primary,
                &[("v2", mirror.address)],
                vec![share("v2", percent)],
            );
            let node = Node::start(app);
            let mut client = node.client().await;
            for _ in 0..500 {
                assert_eq!(client.get("/").await.status, 200);
            }
            let p = percent / 100.0;
            let (expected, sigma) = (500.0 * p, (500.0 * p * (1.0 - p)).sqrt());
            eventually("copies have arrived", || {
                counted(&node, Mirrored::Success) == copies.borrow().len() as u64
                    && (copies.borrow().len() as f64 - expected).abs() <= 3.0 * sigma
            })
            .await;
            assert_eq!(counted(&node, Mirrored::InFlight), 0);
            drop(client);
            node.stop().await;
        }
    });
}

#[test]
fn a_mirror_that_hangs_keeps_nobody_waiting_and_holds_no_more_than_it_may() {
    run(async {
        let (primary, _) = keeps().await;
        let mirror = Backend::stalls().await;
        let bounded = Mirror {
            max_in_flight: 3,
            timeout: Duration::from_millis(300),
            ..to("v2")
        };
        let node = Node::start(app_of(&primary, &[("v2", mirror.address)], vec![bounded]));
        let mut client = node.client().await;
        for _ in 0..20 {
            assert_eq!(client.get("/").await.status, 200);
        }
        // The primary had answered all of them before the first copy was given up.
        assert_eq!(counted(&node, Mirrored::Timeout), 0);
        assert_eq!(counted(&node, Mirrored::InFlight), 17);
        assert!(mirror.connections.get() <= 3);
        until(&node, Mirrored::Timeout, 3).await;
        assert_eq!(client.get("/").await.status, 200);
        assert_eq!(
            counted(&node, Mirrored::InFlight),
            17,
            "there is room again"
        );
        drop(client);
        node.stop().await;
    });
}

#[test]
fn a_mirror_that_refuses_or_is_down_changes_nothing_for_the_client() {
    run(async {
        let (primary, seen) = keeps().await;
        let app = app_of(&primary, &[("v2", refusing())], vec![to("v2")]);
        let mut node = Node::start(app.clone());
        for _ in 0..3 {
            assert_eq!(node.get("/").await.status, 200);
        }
        until(&node, Mirrored::Failed, 3).await;
        assert!(
            node.reports.try_recv().is_err(),
            "it says nothing of the endpoint"
        );
        node.publish(app, 2, |status| {
            status.endpoints[1] = windrose_model::EndpointState::Down;
        });
        assert_eq!(node.get("/").await.status, 200);
        assert_eq!(counted(&node, Mirrored::NoEndpoint), 1);
        assert_eq!(seen.borrow().len(), 4);
        node.stop().await;
    });
}

#[test]
fn a_body_beyond_the_limit_is_not_copied_whether_or_not_it_was_announced() {
    run(async {
        let (primary, first) = keeps().await;
        let (mirror, copies) = keeps().await;
        let small = Mirror {
            body_limit: 10,
            ..to("v2")
        };
        let node = Node::start(app_of(&primary, &[("v2", mirror.address)], vec![small]));
        let mut client = node.client().await;
        let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n");
        for (body, is_copied) in [
            ("Content-Length: 10\r\n\r\n0123456789", true),
            ("Content-Length: 11\r\n\r\n0123456789a", false),
            (
                "Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
                true,
            ),
            (
                "Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n7\r\n456789a\r\n0\r\n\r\n",
                false,
            ),
        ] {
            let before = counted(&node, Mirrored::Success);
            let dropped = counted(&node, Mirrored::Body);
            client.send(format!("{head}{body}")).await;
            assert_eq!(client.response().await.status, 200);
            let (what, before) = match is_copied {
                true => (Mirrored::Success, before),
                false => (Mirrored::Body, dropped),
            };
            until(&node, what, before + 1).await;
        }
        let (first, copies) = (first.take(), copies.take());
        assert_eq!((first.len(), copies.len()), (4, 2));
        assert_eq!(copies[0].body, b"0123456789");
        let chunked = &copies[1];
        assert_eq!(field(chunked, "transfer-encoding"), "chunked");
        let body = String::from_utf8_lossy(&chunked.body).into_owned();
        assert!(body.contains("0123") && body.contains("456789"), "{body}");
        drop(client);
        node.stop().await;
    });
}

#[test]
fn a_long_body_reaches_its_copy_to_the_last_octet() {
    run(async {
        let (primary, _) = keeps().await;
        let (mirror, copies) = keeps().await;
        let large = Mirror {
            body_limit: 1 << 20,
            ..to("v2")
        };
        let node = Node::start(app_of(&primary, &[("v2", mirror.address)], vec![large]));
        let mut client = node.client().await;
        let body: String = (0..60_000).map(|n| format!("{n:08},")).collect();
        client
            .send(format!(
                "PUT / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))
            .await;
        assert_eq!(client.response().await.status, 200);
        until(&node, Mirrored::Success, 1).await;
        assert!(
            copies.borrow()[0].body == body.as_bytes(),
            "not the same octets"
        );
        drop(client);
        node.stop().await;
    });
}

#[test]
fn a_request_that_breaks_off_is_not_copied() {
    run(async {
        let (primary, _) = keeps().await;
        let (mirror, copies) = keeps().await;
        let node = Node::start(app_of(&primary, &[("v2", mirror.address)], vec![to("v2")]));
        let mut client = node.client().await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 50\r\n\r\nhalf"
            ))
            .await;
        eventually("the primary has been reached", || {
            primary.connections.get() == 1
        })
        .await;
        drop(client);
        until(&node, Mirrored::BrokenOff, 1).await;
        assert_eq!(copies.borrow().len(), 0);
        node.stop().await;
    });
}

#[test]
fn a_copy_has_a_host_of_its_own_if_wanted_and_is_not_copied_again() {
    run(async {
        let (primary, _) = keeps().await;
        let (mirror, copies) = keeps().await;
        let shadow = Mirror {
            host_suffix: Some("-shadow".into()),
            ..to("v2")
        };
        let node = Node::start(app_of(&primary, &[("v2", mirror.address)], vec![shadow]));
        let mut client = node.client().await;
        client
            .send(format!(
                "GET /copy HTTP/1.1\r\nHost: {HOST}\r\nX-Windrose-Mirror: 1\r\n\r\n"
            ))
            .await;
        assert_eq!(client.response().await.status, 200);
        assert_eq!(client.get("/").await.status, 200);
        until(&node, Mirrored::Success, 1).await;
        assert_eq!(field(&copies.borrow()[0], "host"), format!("{HOST}-shadow"));
        drop(client);
        node.stop().await;
    });
}

#[test]
fn copies_go_over_kept_connections_of_their_own_and_a_lost_one_costs_no_copy() {
    run(async {
        let (primary, _) = keeps().await;
        // Closes each connection behind its second response, without saying so.
        let mirror = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            for _ in 0..2 {
                if peer.request().await.is_none() {
                    return;
                }
                let ok = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno";
                let _ = peer.stream.write_all(ok).await;
            }
        })
        .await;
        let node = Node::start(app_of(&primary, &[("v2", mirror.address)], vec![to("v2")]));
        let mut client = node.client().await;
        for n in 1..=6 {
            assert_eq!(client.get("/").await.status, 200);
            until(&node, Mirrored::ClientError, n).await;
        }
        assert_eq!(mirror.connections.get(), 3);
        assert_eq!(counted(&node, Mirrored::Failed), 0);
        assert_eq!(primary.connections.get(), 1);
        drop(client);
        node.stop().await;
    });
}
