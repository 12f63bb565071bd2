//! Backends that refuse, stall, reset, send garbage or half a body: what the client hears, what is
//! tried instead, and what control is told.

use std::time::Duration;

use crate::support::backend::{Backend, Blackhole, Peer, refusing};
use crate::support::{Node, app, eventually, run};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::spawn_local;
use windrose_model::{Fact, PassiveKind};
use windrose_proxy::Settings;
use windrose_telemetry::{GroupEvent, HttpEvent};

#[test]
fn a_request_reaches_a_backend_and_its_answer_comes_back() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        for _ in 0..3 {
            let response = client.get("/x?y=1").await;
            assert_eq!((response.status, response.field("x-backend")), (200, "a"));
            assert!(
                response
                    .text()
                    .starts_with("GET /x?y=1 HTTP/1.1\r\nhost: app.test\r\n")
            );
            assert_eq!(response.field("x-request-id").len(), 32);
        }
        assert_eq!(backend.connections.get(), 1, "the connection is used again");
        assert_eq!(
            node.metrics
                .http_requests
                .sum(0, windrose_telemetry::code_cell(200)),
            3
        );
        node.stop().await;
    });
}

#[test]
fn a_refusing_endpoint_is_passed_over_for_any_method_and_told_once() {
    run(async {
        let backend = Backend::answers("b").await;
        let mut node = Node::start(app(&[
            ("c1", &[refusing(), refusing()]),
            ("c2", &[backend.address]),
        ]));
        let mut client = node.client().await;
        for _ in 0..5 {
            client
                .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc")
                .await;
            let response = client.response().await;
            assert_eq!((response.status, response.field("x-backend")), (200, "b"));
        }
        let mut told = Vec::new();
        while let Ok(report) = node.reports.try_recv() {
            told.push(report.fact);
        }
        assert_eq!(told.len(), 2, "one edge per endpoint: {told:?}");
        assert!(
            told.iter()
                .all(|f| matches!(f, Fact::Passive(_, PassiveKind::Connect)))
        );
        assert_eq!(
            node.metrics
                .group_events
                .sum(0, GroupEvent::ConnectFailure as u32),
            2
        );
        assert_eq!(
            node.metrics
                .group_events
                .sum(0, GroupEvent::MovedCluster as u32),
            5,
            "each request left its first choice"
        );
        node.stop().await;
    });
}

#[test]
fn with_nobody_there_the_answer_is_503_with_flags() {
    run(async {
        let node = Node::start(app(&[("c1", &[refusing()]), ("c2", &[refusing()])]));
        for _ in 0..3 {
            let response = node.get("/").await;
            assert_eq!((response.status, response.flags()), (503, "UF,CF"));
            assert_eq!(response.text(), "no endpoint could be reached\n");
        }
        node.stop().await;
    });
}

#[test]
fn a_connect_that_stalls_costs_its_timeout_and_moves_on() {
    run(async {
        let (blackhole, backend) = (Blackhole::new(), Backend::answers("b").await);
        let node = Node::start(app(&[
            ("c1", &[blackhole.address]),
            ("c2", &[backend.address]),
        ]));
        let mut client = node.client().await;
        let response = client.get("/").await;
        assert_eq!((response.status, response.field("x-backend")), (200, "b"));
        // The second request does not even try it.
        assert_eq!(client.get("/").await.status, 200);
        let failures = GroupEvent::ConnectFailure as u32;
        assert_eq!(node.metrics.group_events.sum(0, failures), 1);
        node.stop().await;
    });
}

/// Status, flags and backend of one request with these backends, first the bad one.
async fn outcome(method: &str, bad: &Backend, attempts: u8) -> (u16, String, String) {
    let good = Backend::answers("good").await;
    let mut app = app(&[("c1", &[bad.address]), ("c2", &[good.address])]);
    app.retry.attempts = attempts;
    let node = Node::start(app);
    let mut client = node.client().await;
    client
        .send(format!("{method} / HTTP/1.1\r\nHost: app.test\r\n\r\n"))
        .await;
    let response = client.response().await;
    let (flags, backend) = (
        response.flags().to_owned(),
        response.field("x-backend").to_owned(),
    );
    node.stop().await;
    (response.status, flags, backend)
}

#[test]
fn failures_after_sending_are_retried_elsewhere_if_idempotent_and_allowed() {
    run(async {
        let bad = [
            (Backend::resets().await, 502, "UC"),
            (Backend::stalls().await, 504, "UT"),
            (Backend::says(b"").await, 502, "UC"),
            (Backend::says(b"SSH-2.0-OpenSSH_9.2\r\n").await, 502, "UPE"),
            (
                Backend::says(b"HTTP/1.1 200 OK\r\ncontent-le").await,
                502,
                "UC",
            ),
            (
                Backend::says(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n").await,
                502,
                "UPE",
            ),
            (
                Backend::says(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n").await,
                502,
                "UPE",
            ),
        ];
        for (n, (bad, status, flags)) in bad.iter().enumerate() {
            let good = (200, String::new(), "good".to_owned());
            assert_eq!(outcome("GET", bad, 1).await, good, "GET {n}");
            assert_eq!(outcome("DELETE", bad, 1).await, good, "DELETE {n}");
            let refused = (*status, (*flags).to_owned(), String::new());
            assert_eq!(outcome("POST", bad, 1).await, refused, "POST {n}");
            let spent = (*status, format!("{flags},URX"), String::new());
            assert_eq!(
                outcome("GET", bad, 0).await,
                spent,
                "GET without attempts {n}"
            );
        }
    });
}

#[test]
fn a_reset_and_a_timeout_are_told_as_what_they_are() {
    run(async {
        for (backend, kind) in [
            (Backend::resets().await, PassiveKind::Reset),
            (Backend::stalls().await, PassiveKind::Timeout),
        ] {
            let mut node = Node::before(&backend);
            assert!(node.get("/").await.status >= 502);
            let report = node.reports.recv().await.unwrap();
            assert!(
                matches!(report.fact, Fact::Passive(_, k) if k == kind),
                "{report:?}"
            );
            assert_eq!(report.stamp.epoch, 1);
            node.stop().await;
        }
    });
}

#[test]
fn five_errors_in_a_row_are_told_and_passed_through() {
    run(async {
        let backend = Backend::answers_with("a", "500 Oops").await;
        let mut node = Node::before(&backend);
        let mut client = node.client().await;
        for _ in 0..7 {
            assert_eq!(client.get("/").await.status, 500);
        }
        let report = node.reports.recv().await.unwrap();
        assert!(matches!(
            report.fact,
            Fact::Passive(_, PassiveKind::Status5xx)
        ));
        assert!(node.reports.try_recv().is_err());
        node.stop().await;
    });
}

#[test]
fn attempts_are_counted_and_what_was_never_sent_is_not() {
    run(async {
        let (one, two) = (Backend::resets().await, Backend::resets().await);
        let good = Backend::answers("good").await;
        for (attempts, status) in [(1, 502), (2, 200)] {
            let mut app = app(&[
                ("c1", &[one.address]),
                ("c2", &[refusing()]),
                ("c3", &[two.address]),
                ("c4", &[refusing()]),
                ("c5", &[good.address]),
            ]);
            app.retry.attempts = attempts;
            let node = Node::start(app);
            assert_eq!(node.get("/").await.status, status, "{attempts} attempts");
            node.stop().await;
        }
    });
}

#[test]
fn idle_connections_are_closed_after_a_while() {
    run(async {
        let backend = Backend::answers("a").await;
        let settings = Settings {
            upstream_idle_timeout: Duration::from_millis(10),
            ..Settings::default()
        };
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        assert_eq!(node.get("/").await.status, 200);
        assert_eq!(node.counted(HttpEvent::UpstreamsOpen), 1);
        eventually("it is closed", || {
            node.counted(HttpEvent::UpstreamsOpen) == 0
        })
        .await;
        node.stop().await;
    });
}

#[test]
fn the_budget_ends_retries() {
    run(async {
        let (bad, good) = (Backend::resets().await, Backend::answers("good").await);
        let mut app = app(&[("c1", &[bad.address]), ("c2", &[good.address])]);
        app.retry_budget.share = windrose_model::Percent::ZERO;
        app.retry_budget.min_per_second = 0;
        let node = Node::start(app);
        let response = node.get("/").await;
        assert_eq!((response.status, response.flags()), (502, "UC,URX"));
        assert_eq!(
            node.metrics
                .group_events
                .sum(0, GroupEvent::RetryRefused as u32),
            1
        );
        // What never reached a backend is not charged: the reset one is avoided now.
        assert_eq!(node.get("/").await.field("x-backend"), "good");
        node.stop().await;
    });
}

#[test]
fn half_a_body_never_ends_cleanly() {
    run(async {
        let halves: [&'static [u8]; 2] = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        ];
        for half in halves {
            for version in ["1.1", "1.0"] {
                let backend = Backend::says(half).await;
                let node = Node::before(&backend);
                let mut client = node.client().await;
                client
                    .send(format!("GET / HTTP/{version}\r\nHost: app.test\r\n\r\n"))
                    .await;
                let (octets, end) = client.end().await;
                let text = String::from_utf8_lossy(&octets);
                assert!(!text.contains("0\r\n\r\n"), "{text}");
                assert!(
                    end.is_err() || !text.contains("chunked"),
                    "a reset, not an end"
                );
                assert!(end.is_err(), "HTTP/{version}: {text}");
                assert_eq!(node.counted(HttpEvent::BrokenResponse), 1);
                node.stop().await;
            }
        }
    });
}

#[test]
fn a_response_that_stops_moving_is_broken_off() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            peer.request().await;
            let _ = peer
                .stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
                .await;
            peer.request().await;
        })
        .await;
        let settings = Settings {
            stream_timeout: Duration::from_millis(100),
            ..Settings::default()
        };
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let mut client = node.client().await;
        client.begin("/").await;
        let (octets, end) = client.end().await;
        assert!(octets.ends_with(b"half") && end.is_err());
        node.stop().await;
    });
}

#[test]
fn an_idle_connection_that_the_backend_closed_costs_nothing() {
    run(async {
        // Each connection serves one request and is closed without a word.
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            peer.request().await;
            let _ = peer
                .stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
        })
        .await;
        let mut node = Node::before(&backend);
        let mut client = node.client().await;
        for n in 1..20 {
            client
                .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi")
                .await;
            assert_eq!(client.response().await.status, 200);
            eventually("the close is seen", || {
                node.counted(HttpEvent::UpstreamsOpen) == 0
            })
            .await;
            assert_eq!(backend.connections.get(), n);
        }
        assert!(node.reports.try_recv().is_err(), "that is no failure");
        node.stop().await;
    });
}

#[test]
fn a_stale_connection_under_a_request_is_replaced_for_idempotent_methods() {
    run(async {
        // The first connection answers once, then closes when the next request arrives.
        let backend = Backend::start(|stream, number| async move {
            let mut peer = Peer::new(stream);
            while peer.request().await.is_some() {
                let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                peer.stream.write_all(ok).await.unwrap();
                if number == 0 {
                    peer.request().await;
                    return;
                }
            }
        })
        .await;
        let mut node = Node::before(&backend);
        let mut client = node.client().await;
        for _ in 0..3 {
            assert_eq!(client.get("/").await.status, 200);
        }
        assert_eq!(backend.connections.get(), 2);
        assert!(node.reports.try_recv().is_err(), "that is no failure");
        node.stop().await;
    });
}

/// An endpoint that answers one request on each of two connections at a time and then closes both
/// under the next. Nobody listens there any more, or somebody does who answers.
async fn dies_with_two_connections(comes_back: bool) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    spawn_local(async move {
        let mut old = Vec::new();
        for _ in 0..2 {
            let mut peer = Peer::new(listener.accept().await.unwrap().0);
            peer.request().await.unwrap();
            old.push(peer);
        }
        let listener = comes_back.then_some(listener);
        for mut peer in old {
            peer.stream.write_all(ok).await.unwrap();
            // Its end is seen only once a request is on the way.
            spawn_local(async move { drop(peer.request().await) });
        }
        let Some(listener) = listener else { return };
        while let Ok((stream, _)) = listener.accept().await {
            let mut peer = Peer::new(stream);
            peer.request().await.unwrap();
            peer.stream.write_all(ok).await.unwrap();
        }
    });
    address
}

#[test]
fn one_stale_connection_is_enough_to_try_a_new_one_and_then_another_endpoint() {
    run(async {
        for comes_back in [true, false] {
            let dies = dies_with_two_connections(comes_back).await;
            let far = Backend::answers("far").await;
            let node = Node::start(app(&[("c1", &[dies]), ("c2", &[far.address])]));
            let (mut one, mut two) = (node.client().await, node.client().await);
            one.begin("/").await;
            two.begin("/").await;
            assert_eq!(one.response().await.status, 200);
            assert_eq!(two.response().await.status, 200);
            let response = one.get("/").await;
            assert_eq!((response.status, response.flags()), (200, ""));
            let from = if comes_back { "" } else { "far" };
            assert_eq!(response.field("x-backend"), from);
            node.stop().await;
        }
    });
}

#[test]
fn a_connection_that_a_response_closes_is_not_used_again() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while peer.request().await.is_some() {
                let close = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
                peer.stream.write_all(close).await.unwrap();
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        for n in 1..5 {
            let response = client.get("/").await;
            assert_eq!((response.status, response.field("connection")), (200, ""));
            assert_eq!(backend.connections.get(), n);
        }
        node.stop().await;
    });
}

#[test]
fn an_answer_is_heard_even_if_the_backend_hears_no_more() {
    run(async {
        // It refuses by the head alone and leaves with the body unread: a reset behind its answer.
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            peer.head().await;
            let no = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno";
            let _ = peer.stream.write_all(no).await;
        })
        .await;
        let mut node = Node::before(&backend);
        for _ in 0..20 {
            let mut client = node.client().await;
            let length = 1 << 20;
            client
                .send(format!(
                    "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n"
                ))
                .await;
            client.send(vec![7; length]).await;
            let response = client.response().await;
            assert_eq!((response.status, response.text()), (413, "no"));
        }
        assert!(node.reports.try_recv().is_err(), "it did answer");
        node.stop().await;
    });
}

#[test]
fn killing_a_backend_loses_no_idempotent_request() {
    run(async {
        let dying = Backend::answers("dying").await;
        let other = Backend::answers("other").await;
        let far = Backend::answers("far").await;
        let node = Node::start(app(&[
            ("c1", &[dying.address, other.address]),
            ("c2", &[far.address]),
        ]));
        let mut clients = Vec::new();
        for _ in 0..16 {
            clients.push(node.client().await);
        }
        for round in 0..60 {
            if round == 20 {
                dying.kill();
            }
            if round == 40 {
                other.kill();
            }
            for client in &mut clients {
                client.begin("/").await;
            }
            for client in &mut clients {
                assert_eq!(client.response().await.status, 200, "round {round}");
            }
        }
        assert!(!far.seen.borrow().is_empty());
        node.stop().await;
    });
}
