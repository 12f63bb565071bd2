//! Clients that are strict, sloppy, slow, hostile or gone.

use std::time::{Duration, Instant};

use crate::support::backend::{Backend, Peer};
use crate::support::{self, Node, app, eventually, run};
use tokio::io::AsyncWriteExt;
use windrose_proxy::Settings;
use windrose_telemetry::HttpEvent;

/// The status of a request that the node answers itself, and whether the connection ends behind it.
async fn status_of(node: &Node, octets: &str) -> (u16, bool) {
    let mut client = node.client().await;
    client.send(octets).await;
    let response = client.response().await;
    let closes = response.field("connection") == "close";
    if closes {
        assert!(
            client.end().await.0.is_empty(),
            "nothing follows: {octets:?}"
        );
    }
    (response.status, closes)
}

#[test]
fn what_is_not_plain_http_is_refused_before_any_backend_sees_it() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let host = "Host: app.test\r\n";
        let long = "x".repeat(20_000);
        for (octets, status) in [
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
            (format!("GET / HTTP/1.1\r\n{host}{host}\r\n"), 400),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\nHost: other.test\r\n\r\n".to_owned(), 404),
            ("GET / HTTP/1.0\r\n\r\n".to_owned(), 400),
            (
                format!("GET http://other.test/ HTTP/1.1\r\n{host}\r\n"),
                400,
            ),
            (format!("TRACE / HTTP/1.1\r\n{host}\r\n"), 405),
            (format!("CONNECT app.test:443 HTTP/1.1\r\n{host}\r\n"), 405),
            (format!("GET /{long} HTTP/1.1\r\n{host}\r\n"), 414),
            (format!("GET /{}\u{0} HTTP/1.1\r\n{host}\r\n", 1), 400),
            (
                format!("GET / HTTP/1.1\r\n{host}{}\r\n", "a: b\r\n".repeat(101)),
                431,
            ),
            (
                format!("GET / HTTP/1.1\r\n{host}a: {}\r\n\r\n", "y".repeat(70_000)),
                431,
            ),
            (format!("GET / HTTP/1.1\r\n{host}a : b\r\n\r\n"), 400),
            (format!("GET / HTTP/1.1\r\n{host}a: b\r\n c\r\n\r\n"), 400),
            (format!("GET / HTTP/1.1\n{host}\n"), 400),
            (format!("GET / HTTP/1.1\r\n{host}a: b\rc\r\n\r\n"), 400),
            (
                format!(
                    "POST / HTTP/1.1\r\n{host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                ),
                400,
            ),
            (
                format!(
                    "POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
                ),
                400,
            ),
            (
                format!(
                    "POST / HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"
                ),
                400,
            ),
            (
                format!("POST / HTTP/1.1\r\n{host}Content-Length: +3\r\n\r\nabc"),
                400,
            ),
            (
                format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: identity\r\n\r\n"),
                400,
            ),
            (
                format!(
                    "POST / HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
                ),
                501,
            ),
            (
                format!("POST / HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                400,
            ),
            ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned(), 400),
        ] {
            let (got, _) = status_of(&node, &octets).await;
            let shown = &octets[..octets.len().min(120)];
            assert_eq!(got, status, "{shown:?}");
        }
        assert_eq!(backend.connections.get(), 0);
        assert_eq!(node.get("/").await.status, 200, "the node stays healthy");
        node.stop().await;
    });
}

#[test]
fn an_unknown_host_has_a_flag_and_keeps_the_connection() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client
            .send("GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n")
            .await;
        let response = client.response().await;
        assert_eq!((response.status, response.flags()), (404, "NR"));
        assert_eq!(client.get("/").await.status, 200);
        assert_eq!(node.counted(HttpEvent::NoApp), 1);
        node.stop().await;
    });
}

#[test]
fn the_second_of_two_smuggled_requests_never_arrives() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client
            .send(
                "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 39\r\n\
                 Transfer-Encoding: chunked\r\n\r\n\
                 0\r\n\r\nGET /admin HTTP/1.1\r\nHost: app.test\r\n\r\n",
            )
            .await;
        assert_eq!(client.response().await.status, 400);
        assert!(client.end().await.0.is_empty());
        assert!(backend.seen.borrow().is_empty());
        node.stop().await;
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        let requests: String = (0..20)
            .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: app.test\r\n\r\n"))
            .collect();
        client.send(requests).await;
        for n in 0..20 {
            let response = client.response().await;
            assert!(response.text().starts_with(&format!("GET /{n} ")));
        }
        node.stop().await;
    });
}

#[test]
fn a_head_has_a_deadline_that_dripping_does_not_move() {
    run(async {
        let settings = Settings {
            head_timeout: Duration::from_millis(150),
            ..Settings::default()
        };
        let node = Node::with(app(&[("c1", &[support::backend::refusing()])]), settings);
        let mut client = node.client().await;
        client
            .send("GET / HTTP/1.1\r\nHost: app.test\r\nx-slow: ")
            .await;
        let began = tokio::time::Instant::now();
        let mut closed = false;
        let mut drip = tokio::time::interval(Duration::from_millis(10));
        for _ in 0..200 {
            drip.tick().await;
            closed = client.stream.write_all(b"x").await.is_err();
            if closed {
                break;
            }
        }
        assert!(closed && began.elapsed() >= Duration::from_millis(140));
        assert_eq!(node.counted(HttpEvent::HeadTimeout), 1);
        node.stop().await;
    });
}

#[test]
fn an_idle_connection_is_closed_quietly() {
    run(async {
        let backend = Backend::answers("a").await;
        let settings = Settings {
            idle_timeout: Duration::from_millis(100),
            ..Settings::default()
        };
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.status, 200);
        let (octets, end) = client.end().await;
        assert!(octets.is_empty() && end.is_ok());
        let mut silent = node.client().await;
        assert!(silent.end().await.1.is_ok());
        node.stop().await;
    });
}

#[test]
fn a_client_may_close_its_half_and_still_gets_its_answer() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client.begin("/").await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.response().await.status, 200);
        assert!(client.end().await.1.is_ok());
        node.stop().await;
    });
}

#[test]
fn a_client_that_vanishes_in_its_body_is_no_fault_of_the_backend() {
    run(async {
        let backend = Backend::answers("a").await;
        let mut node = Node::before(&backend);
        for part in [
            "Content-Length: 100\r\n\r\nabc",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nab",
        ] {
            let mut client = node.client().await;
            client
                .send(format!("POST / HTTP/1.1\r\nHost: app.test\r\n{part}"))
                .await;
            eventually("the backend was reached", || backend.connections.get() > 0).await;
            drop(client);
            eventually("it was noticed", || node.counted(HttpEvent::ClientGone) > 0).await;
        }
        assert!(node.reports.try_recv().is_err());
        assert!(
            backend.seen.borrow().is_empty(),
            "no half request is taken for a whole one"
        );
        assert_eq!(node.get("/").await.status, 200);
        node.stop().await;
    });
}

#[test]
fn a_client_that_vanishes_in_a_response_frees_its_backend_connection() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            peer.request().await;
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let _ = peer.stream.write_all(head).await;
            while peer.stream.write_all(b"4\r\nmore\r\n").await.is_ok() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let mut node = Node::before(&backend);
        let mut client = node.client().await;
        client.begin("/").await;
        assert_eq!(client.head().await.status, 200);
        client.stream.set_zero_linger().unwrap();
        drop(client);
        eventually("the backend is left", || {
            node.counted(HttpEvent::UpstreamsOpen) == 0
        })
        .await;
        assert_eq!(node.counted(HttpEvent::ClientGone), 1);
        assert!(node.reports.try_recv().is_err());
        node.stop().await;
    });
}

#[test]
fn an_upload_that_stops_moving_is_answered_with_408() {
    run(async {
        let backend = Backend::answers("a").await;
        let settings = Settings {
            stream_timeout: Duration::from_millis(100),
            ..Settings::default()
        };
        let mut node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let mut client = node.client().await;
        client
            .send("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 9\r\n\r\nabc")
            .await;
        let response = client.response().await;
        assert_eq!((response.status, response.flags()), (408, "SI"));
        assert!(node.reports.try_recv().is_err());
        node.stop().await;
    });
}

/// Sends a response of so many octets and no end of the connection.
async fn large(octets: usize) -> Backend {
    Backend::start(move |stream, _| async move {
        let mut peer = Peer::new(stream);
        peer.request().await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {octets}\r\n\r\n");
        let _ = peer.stream.write_all(head.as_bytes()).await;
        let mut left = octets;
        while left > 0 {
            let part = left.min(65_536);
            if peer.stream.write_all(&vec![7; part]).await.is_err() {
                return;
            }
            left -= part;
        }
        peer.request().await;
    })
    .await
}

#[test]
fn a_client_that_does_not_read_is_cut_off_however_long_its_response_is() {
    run(async {
        for octets in [100_000_000, 10_000_000, 4_000_000, 100_000] {
            let backend = large(octets).await;
            let settings = Settings {
                send_timeout: Duration::from_millis(100),
                idle_timeout: Duration::from_millis(200),
                ..Settings::default()
            };
            let mut node = Node::with(app(&[("c1", &[backend.address])]), settings);
            let mut client = node.client().await;
            client.begin("/").await;
            assert_eq!(client.head().await.status, 200);
            eventually("the client is left", || {
                node.counted(HttpEvent::ClientsOpen) == 0
            })
            .await;
            assert!(node.reports.try_recv().is_err());
            node.stop().await;
        }
    });
}

#[test]
fn a_backend_that_sends_slowly_is_not_taken_for_a_client_that_does_not_read() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            peer.request().await;
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";
            let _ = peer.stream.write_all(head).await;
            let mut every = tokio::time::interval(Duration::from_millis(60));
            for octet in b"slow" {
                every.tick().await;
                let _ = peer.stream.write_all(&[*octet]).await;
            }
            peer.request().await;
        })
        .await;
        let settings = Settings {
            send_timeout: Duration::from_millis(20),
            ..Settings::default()
        };
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let response = node.get("/").await;
        assert_eq!((response.status, response.text()), (200, "slow"));
        node.stop().await;
    });
}

#[test]
fn the_whole_request_has_a_deadline_of_its_own() {
    run(async {
        let backend = Backend::stalls().await;
        let mut app = app(&[("c1", &[backend.address])]);
        app.timeouts.first_byte = Duration::ZERO;
        app.timeouts.request = Duration::from_millis(100);
        let node = Node::start(app);
        let response = node.get("/").await;
        assert_eq!((response.status, response.flags()), (504, "UT,DT"));
        node.stop().await;
    });
}

#[test]
fn old_clients_get_old_answers() {
    run(async {
        let chunked = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while let Some(request) = peer.request().await {
                assert!(request.head.contains(" HTTP/1.1\r\n"));
                let ok =
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
                peer.stream.write_all(ok).await.unwrap();
            }
        })
        .await;
        let node = Node::before(&chunked);
        let mut client = node.client().await;
        client
            .send("GET / HTTP/1.0\r\nHost: app.test\r\n\r\n")
            .await;
        let response = client.response().await;
        assert_eq!((response.status, response.text()), (200, "ok"));
        assert_eq!(response.field("transfer-encoding"), "");
        node.stop().await;
    });
}

#[test]
fn a_stop_finishes_what_is_under_way_and_says_so() {
    run(async {
        let (go, wait) = tokio::sync::watch::channel(false);
        let backend = Backend::start(move |stream, _| {
            let mut wait = wait.clone();
            async move {
                let mut peer = Peer::new(stream);
                peer.request().await;
                wait.wait_for(|go| *go).await.unwrap();
                let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                let _ = peer.stream.write_all(ok).await;
            }
        })
        .await;
        let mut app = app(&[("c1", &[backend.address])]);
        app.timeouts.first_byte = Duration::from_secs(10);
        let mut node = Node::start(app);
        let (mut busy, mut idle) = (node.client().await, node.client().await);
        busy.begin("/").await;
        eventually("it is under way", || backend.connections.get() == 1).await;
        node.begin_stop();
        assert!(idle.end().await.1.is_ok(), "idle connections go at once");
        go.send(true).unwrap();
        let response = busy.response().await;
        assert_eq!(
            (response.status, response.field("connection")),
            (200, "close")
        );
        assert!(busy.end().await.1.is_ok());
        let address = node.address;
        node.stop().await;
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    });
}

#[test]
fn a_stop_does_not_wait_beyond_its_grace() {
    run(async {
        let backend = Backend::stalls().await;
        let mut app = app(&[("c1", &[backend.address])]);
        app.timeouts.first_byte = Duration::from_secs(100);
        let settings = Settings {
            grace: Duration::from_millis(100),
            ..Settings::default()
        };
        let node = Node::with(app, settings);
        let mut client = node.client().await;
        client.begin("/").await;
        eventually("it is under way", || backend.connections.get() == 1).await;
        node.stop().await;
    });
}

#[test]
fn connections_beyond_the_limit_wait_for_a_place() {
    run(async {
        let backend = Backend::answers("a").await;
        let settings = Settings {
            max_connections: 2,
            ..Settings::default()
        };
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let (mut one, mut two) = (node.client().await, node.client().await);
        assert_eq!(
            (one.get("/").await.status, two.get("/").await.status),
            (200, 200)
        );
        let mut three = node.client().await;
        three.begin("/three").await;
        assert_eq!(one.get("/one").await.status, 200);
        assert!(
            backend
                .seen
                .borrow()
                .iter()
                .all(|head| !head.starts_with("GET /three"))
        );
        drop(two);
        assert_eq!(three.response().await.status, 200);
        node.stop().await;
    });
}

#[test]
fn when_all_places_are_taken_those_idle_longest_are_closed() {
    run(async {
        let backend = Backend::answers("a").await;
        let settings = Settings {
            max_connections: 2,
            ..Settings::default()
        };
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let (mut silent, mut busy) = (node.client().await, node.client().await);
        let mut late = node.client().await;
        late.begin("/").await;
        let mut look = tokio::time::interval(Duration::from_millis(5));
        let answer = async {
            loop {
                tokio::select! {
                    biased;
                    head = late.head() => return head,
                    _ = look.tick() => assert_eq!(busy.get("/").await.status, 200),
                }
            }
        };
        assert_eq!(answer.await.status, 200);
        let (octets, end) = silent.end().await;
        assert!(octets.is_empty() && end.is_ok());
        node.stop().await;
    });
}

#[test]
fn an_upload_that_is_refused_can_be_finished_and_its_answer_read() {
    // RFC 9112 section 9.6: a server that closes with octets unread resets the connection, and the
    // client may lose the answer; so it closes its half, and reads on for a while.
    run(async {
        let early = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            peer.head().await;
            let no = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n";
            let _ = peer.stream.write_all(no).await;
            peer.head().await;
        })
        .await;
        let node = Node::before(&early);
        let length = 24 << 20;
        for (host, status) in [("nobody.test", 404), ("app.test", 413)] {
            let mut client = node.client().await;
            client
                .send(format!(
                    "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n"
                ))
                .await;
            let piece = [7; 65_536];
            for _ in 0..length / piece.len() {
                client.send(&piece).await;
            }
            assert_eq!(client.response().await.status, status);
            assert!(client.end().await.1.is_ok());
        }
        node.stop().await;
    });
}

#[test]
fn an_answer_that_comes_with_its_deadline_costs_the_client_no_connection() {
    run(async {
        // Answers, then keeps the one thread for longer than an answer may take before it is looked at.
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while peer.request().await.is_some() {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                let _ = peer.stream.write_all(answer).await;
                let busy = Instant::now();
                while busy.elapsed() < Duration::from_millis(1_100) {
                    std::hint::spin_loop();
                }
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        for _ in 0..2 {
            assert_eq!(client.get("/").await.text(), "ok");
        }
        node.stop().await;
    });
}
