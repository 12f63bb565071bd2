//! HTTP/2 to clients: what differs from HTTP/1.1 in how it is spoken, and what must not.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::Builder;
use http::{Method, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windrose_model::DnsName;
use windrose_proxy::{Http2 as Http2Settings, Settings};
use windrose_telemetry::{Http2Event, HttpEvent};

use crate::support::backend::{Backend, Peer};
use crate::support::http2::{Http2, get, octets, whole};
use crate::support::secure::{Pki, client};
use crate::support::{HOST, Node, app, eventually, run};

fn counted(node: &Node, event: Http2Event) -> u64 {
    node.metrics.http2_events.sum(0, event as u32)
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

fn window_timeout(timeout: Duration) -> Settings {
    settings(|settings| {
        settings.http2 = Some(Http2Settings {
            window_timeout: timeout,
            ..Http2Settings::default()
        });
    })
}

/// A backend that answers with so many octets, and says `x` in them.
async fn large(octets: usize) -> Backend {
    Backend::start(move |stream, _| async move {
        let mut peer = Peer::new(stream);
        while peer.request().await.is_some() {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {octets}\r\n\r\n");
            let whole = [head.as_bytes(), &vec![b'x'; octets]].concat();
            if peer.stream.write_all(&whole).await.is_err() {
                return;
            }
        }
    })
    .await
}

#[test]
fn in_the_clear_it_is_spoken_with_who_begins_with_its_preface() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        for _ in 0..3 {
            let response = http2.get("/x?y=1").await;
            assert_eq!(response.status, 200);
            assert_eq!(response.field("x-backend"), "a");
            assert!(!response.field("x-request-id").is_empty());
            let head = response.text();
            assert!(head.starts_with("GET /x?y=1 HTTP/1.1\r\n"), "{head}");
            for line in [
                "host: app.test\r\n",
                "x-forwarded-for: 127.0.0.1\r\n",
                "x-forwarded-proto: http\r\n",
                "x-forwarded-host: app.test\r\n",
            ] {
                assert!(head.contains(line), "{line} in {head}");
            }
        }
        assert_eq!(node.get("/").await.status, 200, "HTTP/1.1 beside it");
        assert_eq!(backend.connections.get(), 1, "one pool for both");
        assert_eq!(counted(&node, Http2Event::Connection), 1);
        assert_eq!(counted(&node, Http2Event::Stream), 3);
        assert_eq!(node.counted(HttpEvent::ClientConnection), 2);
    });
}

#[test]
fn a_preface_may_come_in_pieces_and_what_only_begins_like_it_is_http_1() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client.stream.set_nodelay(true).unwrap();
        for piece in [
            "P",
            "RI * HTT",
            "P/2.0\r\n\r\nSM\r\n",
            "\r\n\0\0\0\x04\0\0\0\0\0",
        ] {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        eventually("it is HTTP/2", || {
            counted(&node, Http2Event::Connection) == 1
        })
        .await;
        for method in ["P", "PR", "PRI", "PROPFIND", "PUT"] {
            let mut client = node.client().await;
            let (first, rest) = method.split_at(1);
            client.send(first).await;
            tokio::task::yield_now().await;
            client
                .send(format!("{rest} / HTTP/1.1\r\nHost: app.test\r\n\r\n"))
                .await;
            assert_eq!(client.response().await.status, 200, "{method}");
        }
    });
}

#[test]
fn over_tls_it_is_agreed_upon_by_alpn() {
    run(async {
        let backend = Backend::answers("a").await;
        let pki = Pki::new();
        let mut app = app(&[("c1", &[backend.address])]);
        app.hosts.push(DnsName::parse("*.app.test").unwrap());
        let store = pki.store(&[HOST, "a.app.test"]);
        let node = Node::over_tls(app, Settings::default(), store);
        let mut http2 = Http2::secure(node.https, &pki.client(false, &["h2", "http/1.1"])).await;
        let secure = |host: &str| {
            let request = Request::get(format!("https://{host}/"));
            request.body(()).unwrap()
        };
        let response = http2.fetch(secure(HOST)).await;
        assert_eq!(response.status, 200);
        assert!(response.text().contains("x-forwarded-proto: https\r\n"));
        // One connection for all names of the certificate, and for no other.
        assert_eq!(http2.fetch(secure("a.app.test")).await.status, 200);
        let response = http2.fetch(secure("b.app.test")).await;
        assert_eq!((response.status, response.flags()), (421, "DPE"));
        let mut old = client(node.https, HOST, &pki.client(false, &["http/1.1"])).await;
        assert_eq!(old.get("/").await.status, 200);
    });
}

#[test]
fn where_it_is_off_it_is_neither_offered_nor_understood() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::with(
            app(&[("c1", &[backend.address])]),
            settings(|settings| settings.http2 = None),
        );
        let mut client = node.client().await;
        client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let (answer, _) = client.end().await;
        assert!(!answer.starts_with(b"HTTP/1.1 2"));
        assert_eq!(node.counted(HttpEvent::BadRequest), 1);
        assert_eq!(counted(&node, Http2Event::Connection), 0);
    });
}

#[test]
fn streams_of_a_connection_do_not_wait_for_each_other() {
    run(async {
        let backend = Backend::start(|stream, number| async move {
            let mut peer = Peer::new(stream);
            let _ = peer.request().await;
            if number > 0 {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                let _ = peer.stream.write_all(answer).await;
            }
            let _ = peer.request().await;
        })
        .await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        let slow = http2.begin(get("/slow")).await;
        eventually("the first is with its backend", || {
            backend.connections.get() == 1
        })
        .await;
        for _ in 0..4 {
            assert_eq!(http2.get("/fast").await.text(), "ok");
        }
        let slow = whole(slow).await.unwrap();
        assert_eq!((slow.status, slow.flags()), (504, "UT"));
        assert_eq!(http2.get("/fast").await.status, 200);
    });
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while let Some(mut seen) = peer.head().await {
                let ends = if seen.contains("chunked") {
                    "\r\n\r\n"
                } else {
                    "hello"
                };
                while !peer.read.ends_with(ends.as_bytes()) {
                    assert!(peer.stream.read_buf(&mut peer.read).await.unwrap() > 0);
                }
                seen += str::from_utf8(&std::mem::take(&mut peer.read)).unwrap();
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                     {:x}\r\n{seen}\r\n0\r\nx-sum: 7\r\n\r\n",
                    seen.len()
                );
                peer.stream.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        let request = Request::post(format!("http://{HOST}/up"))
            .header("te", "trailers")
            .header("trailer", "x-end");
        let (response, mut send) = http2
            .send
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        send.send_data(Bytes::from_static(b"hello"), false).unwrap();
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-end", "9".parse().unwrap());
        send.send_trailers(trailers).unwrap();
        let response = whole(response).await.unwrap();
        assert_eq!(response.trailers, "x-sum: 7");
        assert_eq!(response.field("transfer-encoding"), "");
        let seen = response.text();
        assert!(seen.contains("transfer-encoding: chunked\r\n"), "{seen}");
        assert!(seen.contains("te: trailers\r\n"), "{seen}");
        assert!(
            seen.ends_with("5\r\nhello\r\n0\r\nx-end: 9\r\n\r\n"),
            "{seen}"
        );
        // A length that is known stays known.
        let request = Request::post(format!("http://{HOST}/up")).header("content-length", "5");
        let (response, mut send) = http2
            .send
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        send.send_data(Bytes::from_static(b"hello"), true).unwrap();
        let response = whole(response).await.unwrap();
        assert!(response.text().contains("content-length: 5\r\n"));
        assert!(!response.text().contains("transfer-encoding"));
    });
}

#[test]
fn large_bodies_pass_within_the_windows() {
    run(async {
        let backend = large(3_000_000).await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        let (one, two) = (http2.begin(get("/1")).await, http2.begin(get("/2")).await);
        let (one, two) = tokio::join!(whole(one), whole(two));
        for response in [one, two] {
            assert_eq!(response.unwrap().body.len(), 3_000_000);
        }
        let sink = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            let body = peer.request().await.unwrap().body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nx-got: {body}\r\ncontent-length: 0\r\n\r\n");
            peer.stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = peer.request().await;
        })
        .await;
        let node = Node::before(&sink);
        let mut http2 = Http2::connect(node.address).await;
        let request = Request::put(format!("http://{HOST}/")).header("content-length", "1000000");
        let (response, mut send) = http2
            .send
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        send.send_data(Bytes::from(vec![1; 1_000_000]), true)
            .unwrap();
        assert_eq!(whole(response).await.unwrap().field("x-got"), "1000000");
    });
}

#[test]
fn who_waits_for_100_is_told_when_its_body_is_wanted() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        let request = Request::post(format!("http://{HOST}/"))
            .header("expect", "100-continue")
            .header("content-length", "2");
        let (mut response, mut send) = http2
            .send
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        let told = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(told.unwrap().unwrap().status(), 100);
        send.send_data(Bytes::from_static(b"ab"), true).unwrap();
        let response = whole(response).await.unwrap();
        assert_eq!(response.status, 200);
        assert!(!response.text().contains("expect"));
    });
}

#[test]
fn a_request_is_judged_as_strictly_as_over_http_1() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::with(
            app(&[("c1", &[backend.address])]),
            settings(|settings| settings.max_fields = 10),
        );
        let mut http2 = Http2::connect(node.address).await;
        let url = format!("http://{HOST}/");
        let with = |name: &str, value: &str| Request::get(&url).header(name, value);
        let crumbs = (0..11).fold(Request::get(&url), |r, n| r.header("cookie", n.to_string()));
        for (request, status, what) in [
            (with("host", "other.test"), 400, "host is not :authority"),
            (with("x-a", " a"), 400, "a space at an end"),
            (crumbs, 431, "crumbs are counted"),
            (
                Request::get(format!("https://{HOST}/")),
                400,
                "another scheme",
            ),
            (Request::get("http://u@app.test/"), 400, "user information"),
            (Request::get("http://other.test/"), 404, "no app"),
            (
                Request::get(format!("{url}{}", "x".repeat(17_000))),
                414,
                "a long target",
            ),
            (
                Request::builder()
                    .method(Method::CONNECT)
                    .uri("app.test:80"),
                405,
                "CONNECT",
            ),
            (with("host", "APP.test"), 200, "the same host"),
        ] {
            let response = http2.fetch(request.body(()).unwrap()).await;
            assert_eq!(response.status, status, "{what}");
            assert_eq!(response.field("connection"), "", "{what}");
        }
        assert_eq!(backend.seen.borrow().len(), 1);
        let cookies = Request::get(&url)
            .header("cookie", "a=1")
            .header("cookie", "b=2");
        let response = http2.fetch(cookies.body(()).unwrap()).await;
        assert!(response.text().contains("cookie: a=1; b=2\r\n"));
    });
}

#[test]
fn a_head_beyond_the_limit_is_answered_431() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        let request = |octets: usize| {
            Request::get(format!("http://{HOST}/"))
                .header("x-a", "a".repeat(octets / 2))
                .header("x-b", "b".repeat(octets / 2))
                .body(())
                .unwrap()
        };
        assert_eq!(http2.fetch(request(60_000)).await.status, 200);
        assert_eq!(http2.fetch(request(70_000)).await.status, 431);
        assert_eq!(http2.get("/").await.status, 200, "the connection goes on");
    });
}

#[test]
fn a_reset_by_the_client_ends_the_exchange_with_the_backend() {
    run(async {
        let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
        let backend = Backend::start(move |stream, _| {
            let ended = ended.clone();
            async move {
                let mut peer = Peer::new(stream);
                if peer.request().await.unwrap().head.starts_with("GET /begun") {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
                    peer.stream.write_all(answer).await.unwrap();
                }
                assert!(peer.head().await.is_none());
                ended.send(()).unwrap();
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        for path in ["/silent", "/begun"] {
            http2.send = http2.send.clone().ready().await.unwrap();
            let before = backend.connections.get();
            let (response, mut send) = http2.send.send_request(get(path), true).unwrap();
            eventually("the backend has it", || backend.connections.get() > before).await;
            if path == "/begun" {
                let mut body = response.await.unwrap().into_body();
                assert_eq!(body.data().await.unwrap().unwrap(), "abc");
            }
            send.send_reset(Reason::CANCEL);
            end.recv().await.unwrap();
        }
        assert_eq!(node.counted(HttpEvent::ClientGone), 2);
        assert_eq!(counted(&node, Http2Event::ClientReset), 2);
        // The end of the connection is the end of all its streams.
        let _silent = http2.begin(get("/silent")).await;
        eventually("the backend has it", || backend.connections.get() == 3).await;
        http2.driver.abort();
        end.recv().await.unwrap();
        eventually("it is counted", || node.counted(HttpEvent::ClientGone) == 3).await;
    });
}

#[test]
fn a_response_that_breaks_off_resets_its_stream_alone() {
    run(async {
        let backend = Backend::says(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        for _ in 0..2 {
            let mut body = http2.begin(get("/")).await.await.unwrap().into_body();
            let error = octets(&mut body).await.unwrap_err();
            assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
        }
        assert_eq!(node.counted(HttpEvent::BrokenResponse), 2);
        assert_eq!(counted(&node, Http2Event::BackendReset), 2);
    });
}

#[test]
fn a_stream_without_window_is_reset_and_others_go_on() {
    run(async {
        let backend = large(200_000).await;
        let timeout = Duration::from_millis(300);
        let node = Node::with(app(&[("c1", &[backend.address])]), window_timeout(timeout));
        let mut builder = Builder::new();
        builder.initial_window_size(20_000);
        let mut http2 = Http2::with(node.address, &builder).await;
        let mut stalled = http2.begin(get("/1")).await.await.unwrap().into_body();
        let mut read = 0;
        let error = loop {
            match stalled.data().await.unwrap() {
                Ok(data) => read += data.len(),
                Err(error) => break error,
            }
            // In the meantime another one is served whole.
            if read == 20_000 {
                assert_eq!(http2.get("/2").await.body.len(), 200_000);
            }
        };
        assert_eq!((error.reason(), read), (Some(Reason::CANCEL), 20_000));
        assert_eq!(counted(&node, Http2Event::WindowReset), 1);
        assert_eq!(http2.get("/3").await.body.len(), 200_000);
    });
}

#[test]
fn a_stop_finishes_the_streams_that_are_open_and_takes_no_others() {
    run(async {
        let (go, gone) = tokio::sync::watch::channel(false);
        let backend = Backend::start(move |stream, _| {
            let mut gone = gone.clone();
            async move {
                let mut peer = Peer::new(stream);
                let _ = peer.request().await;
                let _ = gone.wait_for(|go| *go).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                let _ = peer.stream.write_all(answer).await;
                let _ = peer.request().await;
            }
        })
        .await;
        let mut app = app(&[("c1", &[backend.address])]);
        app.timeouts.first_byte = Duration::from_secs(10);
        let mut node = Node::start(app);
        let mut idle = Http2::connect(node.address).await;
        assert!(
            std::future::poll_fn(|cx| idle.send.poll_ready(cx))
                .await
                .is_ok()
        );
        let mut http2 = Http2::connect(node.address).await;
        let open = http2.begin(get("/")).await;
        eventually("the backend has it", || backend.connections.get() == 1).await;
        node.begin_stop();
        assert!(idle.driver.await.unwrap().is_ok(), "ends without a fault");
        let refused = std::future::poll_fn(|cx| http2.send.poll_ready(cx));
        eventually("it is told to go", || {
            counted(&node, Http2Event::GoAwayStop) == 2
        })
        .await;
        go.send(true).unwrap();
        assert_eq!(whole(open).await.unwrap().text(), "ok");
        let _ = refused.await;
        assert!(http2.driver.await.unwrap().is_ok());
        node.stop().await;
    });
}

#[test]
fn a_connection_without_streams_is_ended_after_a_while() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::with(
            app(&[("c1", &[backend.address])]),
            settings(|settings| settings.idle_timeout = Duration::from_millis(200)),
        );
        let mut http2 = Http2::connect(node.address).await;
        assert_eq!(http2.get("/").await.status, 200);
        assert!(http2.driver.await.unwrap().is_ok());
        assert_eq!(counted(&node, Http2Event::GoAwayIdle), 1);
        eventually("it is closed", || node.counted(HttpEvent::ClientsOpen) == 0).await;
    });
}

#[test]
fn more_streams_than_announced_are_refused() {
    run(async {
        let backend = Backend::stalls().await;
        let node = Node::with(
            app(&[("c1", &[backend.address])]),
            settings(|settings| {
                settings.http2 = Some(Http2Settings {
                    max_streams: 3,
                    ..Http2Settings::default()
                });
            }),
        );
        let mut builder = Builder::new();
        builder.initial_max_send_streams(10);
        let mut http2 = Http2::with(node.address, &builder).await;
        let mut refused = 0;
        let mut timed_out = 0;
        let mut begun = Vec::new();
        for _ in 0..5 {
            begun.push(http2.send.send_request(get("/"), true).unwrap().0);
        }
        for response in begun {
            match response.await {
                Ok(response) => timed_out += u32::from(response.status() == 504),
                Err(error) => refused += u32::from(error.reason() == Some(Reason::REFUSED_STREAM)),
            }
        }
        assert_eq!((timed_out, refused), (3, 2));
    });
}
