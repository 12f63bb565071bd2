//! HTTP/2 to backends: how requests share connections, what passes both ways, and what a backend may
//! do to a stream or a connection.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, SendResponse};
use http::{Method, Request, Response};
use rustls::ServerConfig;
use windrose_model::UpstreamTls;
use windrose_proxy::Settings;
use windrose_telemetry::{EndpointTlsFailure, Http2Event, HttpEvent};

use crate::support::backend::Backend;
use crate::support::http2::{Http2, get, octets, whole};
use crate::support::secure::{ORIGIN, Pki};
use crate::support::streams::{
    accept, echo, fields, ok, over_http2, push, secure_streams, streams,
};
use crate::support::{HOST, Node, app, eventually, run};

fn node(backends: &[&Backend]) -> Node {
    let addresses: Vec<_> = backends.iter().map(|b| b.address).collect();
    Node::start(over_http2(app(&[("c1", &addresses)])))
}

fn unprocessed(node: &Node) -> u64 {
    let event = Http2Event::Unprocessed as u32;
    node.metrics.http2_events.sum(0, event)
}

fn post(path: &str) -> Request<()> {
    let mut request = get(path);
    *request.method_mut() = Method::POST;
    request
}

async fn echoing() -> Backend {
    streams(Builder::new(), |stream, _| echo(stream)).await
}

/// Keeps streams open until they are let go.
#[derive(Clone, Default)]
struct Held(Rc<RefCell<Vec<SendResponse<Bytes>>>>);

impl Held {
    fn count(&self) -> usize {
        self.0.borrow().len()
    }

    fn let_go(&self) {
        self.0.borrow_mut().drain(..).for_each(ok);
    }
}

#[test]
fn requests_of_all_clients_share_one_connection_in_the_form_of_http_2() {
    run(async {
        let backend = echoing().await;
        let node = node(&[&backend]);
        let response = node.get("/a?b=c").await;
        assert_eq!(
            (response.status, response.version.as_str()),
            (200, "HTTP/1.1")
        );
        assert_eq!(response.field("x-backend"), "h2");
        assert_eq!(response.field("transfer-encoding"), "chunked");
        let head = response.text();
        assert!(
            head.starts_with("GET http://app.test/a?b=c HTTP/2.0\n"),
            "{head}"
        );
        assert!(head.contains("x-forwarded-for: 127.0.0.1\n"), "{head}");
        for absent in ["\nhost:", "\nconnection:", "\ntransfer-encoding:"] {
            assert!(!head.contains(absent), "{absent} in {head}");
        }
        let mut client = Http2::connect(node.address).await;
        for _ in 0..3 {
            assert_eq!(client.get("/").await.status, 200);
        }
        let mut client = node.client().await;
        client
            .send("POST /up HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .await;
        let response = client.response().await;
        assert!(response.text().ends_with("\nabc"), "{}", response.text());
        assert_eq!(backend.connections.get(), 1);
        assert_eq!(node.counted(HttpEvent::UpstreamConnection), 1);
    });
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    run(async {
        let backend = echoing().await;
        let node = node(&[&backend]);
        let mut client = Http2::connect(node.address).await;
        let mut request = post("/");
        request
            .headers_mut()
            .insert("te", "trailers".parse().unwrap());
        let (response, mut send) = client.send.send_request(request, false).unwrap();
        let body = vec![b'x'; 1 << 20];
        let response = tokio::task::spawn_local(whole(response));
        push(&mut send, body.into()).await.unwrap();
        send.send_trailers(fields(&[("x-sum", "7"), ("grpc-status", "0")]))
            .unwrap();
        let response = response.await.unwrap().unwrap();
        assert!(response.body.len() > 1 << 20);
        assert!(response.text().contains("te: trailers\n"));
        assert_eq!(response.trailers, "x-sum: 7,grpc-status: 0");
        // To a client of HTTP/1.1 that takes them.
        let mut client = node.client().await;
        client
            .send("POST / HTTP/1.1\r\nHost: app.test\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n1\r\na\r\n0\r\nx-sum: 9\r\n\r\n")
            .await;
        let response = client.response().await;
        assert_eq!(response.status, 200);
        assert!(response.text().ends_with("\na"));
    });
}

#[test]
fn another_connection_is_made_when_all_streams_of_those_before_are_taken() {
    run(async {
        let held = Held::default();
        let mut builder = Builder::new();
        builder.max_concurrent_streams(2);
        let holding = held.clone();
        let backend = streams(builder, move |(_, respond), _| {
            holding.0.borrow_mut().push(respond);
            async {}
        })
        .await;
        let mut app = over_http2(app(&[("c1", &[backend.address])]));
        app.timeouts.first_byte = Duration::ZERO;
        let node = Node::start(app);
        let mut client = Http2::connect(node.address).await;
        let mut responses = Vec::new();
        for _ in 0..5 {
            responses.push(client.begin(get("/")).await);
        }
        eventually("all have arrived", || held.count() == 5).await;
        assert_eq!(backend.connections.get(), 3);
        held.let_go();
        for response in responses {
            assert_eq!(whole(response).await.unwrap().status, 200);
        }
        let again = client.begin(get("/")).await;
        eventually("one more has arrived", || held.count() == 1).await;
        held.let_go();
        assert_eq!(whole(again).await.unwrap().status, 200);
        assert_eq!(backend.connections.get(), 3);
        assert_eq!(unprocessed(&node), 0);
    });
}

#[test]
fn what_a_backend_refuses_is_tried_again_whatever_the_method() {
    run(async {
        let refusals = Rc::new(Cell::new(2));
        let left = Rc::clone(&refusals);
        let backend = streams(Builder::new(), move |mut stream, _| {
            let refuse = left.get() > 0;
            left.set(left.get() - i32::from(refuse));
            async move {
                if refuse {
                    stream.1.send_reset(Reason::REFUSED_STREAM);
                } else {
                    echo(stream).await;
                }
            }
        })
        .await;
        let node = node(&[&backend]);
        let mut client = node.client().await;
        let upload = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody";
        client.send(upload).await;
        let response = client.response().await;
        assert_eq!(response.status, 200);
        assert!(response.text().ends_with("\nbody"));
        assert_eq!(unprocessed(&node), 2);
        refusals.set(100);
        client.send(upload).await;
        let response = client.response().await;
        assert_eq!((response.status, response.flags()), (503, "UC"));
        refusals.set(0);
        assert_eq!(
            node.get("/").await.status,
            200,
            "it says nothing about the endpoint"
        );
    });
}

#[test]
fn behind_a_goaway_open_streams_are_finished_and_new_ones_go_elsewhere() {
    run(async {
        let held = Held::default();
        let holding = held.clone();
        let backend = Backend::start(move |stream, number| {
            let holding = holding.clone();
            async move {
                let mut connection = accept(stream).await;
                while let Some(Ok((_, respond))) = connection.accept().await {
                    if number == 0 {
                        holding.0.borrow_mut().push(respond);
                        connection.graceful_shutdown();
                    } else {
                        ok(respond);
                    }
                }
            }
        })
        .await;
        let node = node(&[&backend]);
        let mut client = Http2::connect(node.address).await;
        let first = client.begin(get("/first")).await;
        eventually("it has arrived", || held.count() == 1).await;
        for _ in 0..3 {
            let mut request = get("/");
            *request.method_mut() = Method::POST;
            assert_eq!(client.fetch(request).await.status, 200);
        }
        assert_eq!(backend.connections.get(), 2);
        held.let_go();
        assert_eq!(whole(first).await.unwrap().status, 200);
    });
}

#[test]
fn a_client_that_resets_its_stream_resets_the_backends() {
    run(async {
        let reset = Rc::new(Cell::new(None));
        let seen = Rc::clone(&reset);
        let backend = streams(Builder::new(), move |(request, mut respond), _| {
            let seen = Rc::clone(&seen);
            async move {
                let begins = request.uri().path() == "/begun";
                let mut sending = None;
                if begins {
                    sending = Some(respond.send_response(Response::new(()), false).unwrap());
                }
                let reason = match &mut sending {
                    Some(send) => std::future::poll_fn(|cx| send.poll_reset(cx)).await,
                    None => std::future::poll_fn(|cx| respond.poll_reset(cx)).await,
                };
                seen.set(reason.ok());
            }
        })
        .await;
        let node = node(&[&backend]);
        let mut client = Http2::connect(node.address).await;
        // Before its response, behind it, and while the body is under way.
        for (path, method, ended) in [
            ("/", Method::GET, true),
            ("/begun", Method::GET, true),
            ("/", Method::POST, false),
            ("/begun", Method::POST, false),
        ] {
            reset.set(None);
            let mut request = get(path);
            *request.method_mut() = method;
            let (response, mut send) = client.send.send_request(request, ended).unwrap();
            if path == "/begun" {
                let response = response.await.unwrap();
                send.send_reset(Reason::CANCEL);
                drop(response);
            } else {
                let streams = Http2Event::Stream as u32;
                let before = node.metrics.http2_events.sum(0, streams);
                eventually("it has begun", || {
                    node.metrics.http2_events.sum(0, streams) >= before.max(1)
                })
                .await;
                tokio::task::yield_now().await;
                send.send_reset(Reason::CANCEL);
            }
            eventually("the backend is told", || {
                path == "/" || reset.get() == Some(Reason::CANCEL)
            })
            .await;
        }
        assert_eq!(backend.connections.get(), 1);
        assert_eq!(unprocessed(&node), 0);
    });
}

#[test]
fn a_stream_that_a_backend_resets_ends_alone() {
    run(async {
        let backend = streams(Builder::new(), |(request, mut respond), _| async move {
            match request.uri().path() {
                "/before" => respond.send_reset(Reason::INTERNAL_ERROR),
                "/behind" => {
                    let mut send = respond.send_response(Response::new(()), false).unwrap();
                    send.send_data(Bytes::from_static(b"part"), false).unwrap();
                    // What was sent goes before the reset.
                    tokio::task::spawn_local(async move {
                        let waited = std::future::poll_fn(|cx| send.poll_reset(cx));
                        let _ = tokio::time::timeout(Duration::from_millis(20), waited).await;
                        send.send_reset(Reason::INTERNAL_ERROR);
                    });
                }
                _ => ok(respond),
            }
        })
        .await;
        let node = node(&[&backend]);
        let mut client = Http2::connect(node.address).await;
        let response = client.fetch(post("/before")).await;
        assert_eq!((response.status, response.flags()), (502, "UC"));
        let response = client.begin(post("/behind")).await;
        let error = whole(response).await.unwrap_err();
        assert_eq!(error.reason(), Some(Reason::INTERNAL_ERROR));
        assert_eq!(client.get("/").await.status, 200);
        let mut client = node.client().await;
        client.begin("/behind").await;
        assert!(client.try_response(true).await.is_err());
        assert_eq!(backend.connections.get(), 1);
    });
}

#[test]
fn who_does_not_speak_http_2_is_a_connect_failure() {
    run(async {
        let old = Backend::answers("old").await;
        let new = echoing().await;
        let node = node(&[&old, &new]);
        for _ in 0..8 {
            let mut client = node.client().await;
            let upload = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nbody";
            client.send(upload).await;
            assert_eq!(client.response().await.status, 200);
        }
        assert!(old.seen.borrow().iter().all(|head| !head.contains("POST")));
        drop(new);
        let alone = Node::start(over_http2(app(&[("c1", &[old.address])])));
        let response = alone.get("/").await;
        assert_eq!((response.status, response.flags()), (503, "UF"));
    });
}

#[test]
fn a_client_that_does_not_read_holds_up_its_own_stream_alone() {
    run(async {
        let sent = Rc::new(Cell::new(0_usize));
        let count = Rc::clone(&sent);
        let backend = streams(Builder::new(), move |(request, mut respond), _| {
            let count = Rc::clone(&count);
            async move {
                if request.uri().path() == "/" {
                    return ok(respond);
                }
                let mut send = respond.send_response(Response::new(()), false).unwrap();
                for _ in 0..1 << 10 {
                    let piece = Bytes::from_static(&[b'x'; 1 << 10]);
                    if push(&mut send, piece).await.is_err() {
                        return;
                    }
                    count.set(count.get() + (1 << 10));
                }
                let _ = send.send_data(Bytes::new(), true);
            }
        })
        .await;
        let node = node(&[&backend]);
        // Room for what is not read, so that it is the streams that are full.
        let mut room = h2::client::Builder::new();
        room.initial_connection_window_size(1 << 20);
        let mut client = Http2::with(node.address, &room).await;
        let mut stalled = Vec::new();
        for _ in 0..4 {
            let response = client.begin(get("/large")).await.await.unwrap();
            stalled.push(response);
        }
        eventually("the windows are full", || sent.get() >= (4 * 256) << 10).await;
        assert_eq!(client.get("/").await.status, 200);
        assert!(sent.get() < 4 * (512 << 10), "{}", sent.get());
        for response in stalled {
            let mut body = response.into_body();
            assert_eq!(octets(&mut body).await.unwrap().len(), 1 << 20);
        }
        assert_eq!(backend.connections.get(), 1);
    });
}

#[test]
fn a_backend_that_does_not_read_holds_up_its_client() {
    run(async {
        let bodies: Rc<RefCell<Vec<_>>> = Rc::default();
        let kept = Rc::clone(&bodies);
        let backend = streams(Builder::new(), move |stream, _| {
            kept.borrow_mut().push(stream);
            async {}
        })
        .await;
        let mut app = over_http2(app(&[("c1", &[backend.address])]));
        app.timeouts.first_byte = Duration::ZERO;
        let node = Node::start(app);
        let mut client = Http2::connect(node.address).await;
        let (response, mut send) = client.send.send_request(post("/"), false).unwrap();
        let pushed = Rc::new(Cell::new(0_usize));
        let count = Rc::clone(&pushed);
        let pushing = tokio::task::spawn_local(async move {
            for _ in 0..2 << 10 {
                let piece = Bytes::from_static(&[b'x'; 1 << 10]);
                if push(&mut send, piece).await.is_err() {
                    return;
                }
                count.set(count.get() + (1 << 10));
            }
            send.send_data(Bytes::new(), true).unwrap();
        });
        eventually("some has arrived", || pushed.get() >= 64 << 10).await;
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        assert!(pushed.get() < 1 << 20, "{}", pushed.get());
        let stream = bodies.borrow_mut().pop().unwrap();
        let (request, respond) = stream;
        let mut body = request.into_body();
        assert_eq!(octets(&mut body).await.unwrap().len(), 2 << 20);
        ok(respond);
        assert_eq!(whole(response).await.unwrap().status, 200);
        pushing.await.unwrap();
    });
}

#[test]
fn both_directions_of_a_stream_go_on_after_the_response_has_begun() {
    run(async {
        let backend = streams(Builder::new(), |(request, mut respond), _| async move {
            let mut send = respond.send_response(Response::new(()), false).unwrap();
            let mut body = request.into_body();
            while let Some(Ok(data)) = body.data().await {
                let _ = body.flow_control().release_capacity(data.len());
                if push(&mut send, data).await.is_err() {
                    return;
                }
            }
            let _ = send.send_trailers(fields(&[("x-end", "1")]));
        })
        .await;
        let node = node(&[&backend]);
        let mut client = Http2::connect(node.address).await;
        let (response, mut send) = client.send.send_request(post("/"), false).unwrap();
        let mut body = response.await.unwrap().into_body();
        for piece in ["one", "two", "three"] {
            push(&mut send, Bytes::from_static(piece.as_bytes()))
                .await
                .unwrap();
            let data = body.data().await.unwrap().unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            assert_eq!(data, piece);
        }
        send.send_data(Bytes::new(), true).unwrap();
        assert!(body.data().await.is_none());
        let trailers = body.trailers().await.unwrap().unwrap();
        assert_eq!(trailers["x-end"], "1");
    });
}

#[test]
fn clients_that_cancel_in_thousands_take_the_connection_from_nobody() {
    run(async {
        let held = Held::default();
        let holding = held.clone();
        let backend = streams(Builder::new(), move |(request, mut respond), _| {
            let holding = holding.clone();
            async move {
                if request.uri().path() == "/honest" {
                    holding.0.borrow_mut().push(respond);
                    return;
                }
                let mut send = respond.send_response(Response::new(()), false).unwrap();
                let piece = Bytes::from_static(&[b'x'; 16 << 10]);
                while push(&mut send, piece.clone()).await.is_ok() {}
            }
        })
        .await;
        let mut app = over_http2(app(&[("c1", &[backend.address])]));
        app.timeouts.first_byte = Duration::ZERO;
        let node = Node::start(app);
        let mut honest = Http2::connect(node.address).await;
        let answer = honest.begin(get("/honest")).await;
        eventually("it has arrived", || held.count() == 1).await;
        for _ in 0..30 {
            let mut client = Http2::connect(node.address).await;
            let mut responses = Vec::new();
            for _ in 0..80 {
                responses.push(client.begin(get("/endless")).await);
            }
            for response in &mut responses {
                assert_eq!(response.await.unwrap().status(), 200);
            }
        }
        held.let_go();
        assert_eq!(whole(answer).await.unwrap().status, 200);
        assert_eq!(unprocessed(&node), 0);
    });
}

#[test]
fn over_tls_it_is_agreed_upon_by_alpn_and_nothing_else_is_spoken() {
    run(async {
        let pki = Pki::new();
        let server = |protocols: &[&[u8]]| {
            let mut config = ServerConfig::clone(&pki.server(&["backend.test"]));
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            Arc::new(config)
        };
        let start = |backend: &Backend| {
            let mut app = over_http2(app(&[("c1", &[backend.address])]));
            app.upstream.tls = Some(UpstreamTls {
                policy: ORIGIN + 2,
                server_name: "backend.test".into(),
                verified: true,
            });
            Node::over_tls(app, Settings::default(), pki.store(&[HOST]))
        };
        let new = secure_streams(server(&[b"h2"]), |stream, _| echo(stream)).await;
        let node = start(&new);
        let response = node.get("/").await;
        assert_eq!(response.status, 200);
        assert!(
            response
                .text()
                .starts_with("GET https://app.test/ HTTP/2.0\n")
        );
        for protocols in [&[][..], &[&b"http/1.1"[..]]] {
            let old = secure_streams(server(protocols), |stream, _| echo(stream)).await;
            let node = start(&old);
            let response = node.get("/").await;
            assert_eq!((response.status, response.flags()), (503, "UF"));
            let why = EndpointTlsFailure::Protocol as u32;
            assert_eq!(node.metrics.endpoint_tls_failures.sum(0, why), 1);
        }
    });
}

#[test]
fn a_silent_connection_gets_no_further_requests() {
    run(async {
        let backend = Backend::start(|stream, number| async move {
            let mut connection = accept(stream).await;
            while let Some(Ok((_, respond))) = connection.accept().await {
                if number == 0 {
                    std::future::pending::<()>().await;
                }
                ok(respond);
            }
        })
        .await;
        let mut app = over_http2(app(&[("c1", &[backend.address])]));
        app.timeouts.first_byte = Duration::from_millis(1_100);
        app.retry.attempts = 0;
        let node = Node::start(app);
        assert_eq!(node.get("/").await.status, 504);
        assert_eq!(node.get("/").await.status, 200);
        assert_eq!(backend.connections.get(), 2);
    });
}

#[test]
fn idle_connections_are_closed_and_upgrades_are_not_offered() {
    run(async {
        let backend = echoing().await;
        let settings = Settings {
            upstream_idle_timeout: Duration::from_millis(50),
            ..Settings::default()
        };
        let node = Node::with(over_http2(app(&[("c1", &[backend.address])])), settings);
        let mut client = node.client().await;
        client
            .send("GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n")
            .await;
        let response = client.response().await;
        assert_eq!(response.status, 200);
        assert!(!response.text().contains("upgrade"), "{}", response.text());
        let open = HttpEvent::UpstreamsOpen;
        eventually("it is closed", || node.counted(open) == 0).await;
        assert_eq!(node.get("/").await.status, 200);
        assert_eq!(backend.connections.get(), 2);
    });
}
