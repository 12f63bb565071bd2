//! TLS to endpoints: requests and TCP connections over it, and what becomes of those that cannot be.

use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use windrose_model::{App, ProxyProtocol, Tcp, Upstream, UpstreamTls};
use windrose_proxy::Settings;
use windrose_telemetry::{EndpointTlsFailure, GroupEvent, StreamEvent, StreamKind, stream_cell};

use crate::support::backend::Backend;
use crate::support::secure::{ORIGIN, Pki};
use crate::support::{HOST, Node, app, eventually, name, run, table};

/// An endpoint that answers 200 with its name to each request, over TLS.
async fn answers(mark: &'static str, config: Arc<ServerConfig>) -> Backend {
    Backend::start(move |stream, _| {
        let acceptor = TlsAcceptor::from(Arc::clone(&config));
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut read = Vec::new();
            while stream.read_buf(&mut read).await.is_ok_and(|n| n > 0) {
                if !read.ends_with(b"\r\n\r\n") {
                    continue;
                }
                let switches = String::from_utf8_lossy(&read).contains("upgrade: websocket");
                let response = match switches {
                    true => "HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n".to_owned(),
                    false => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{mark}", mark.len()),
                };
                let written = stream.write_all(response.as_bytes()).await;
                if written.is_err() || stream.flush().await.is_err() {
                    return;
                }
                read.clear();
                if switches {
                    let (mut from, mut to) = tokio::io::split(stream);
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                    return;
                }
            }
        }
    })
    .await
}

fn over_tls(mut app: App) -> App {
    app.upstream = Upstream {
        proxy_protocol: None,
        tls: Some(UpstreamTls {
            policy: ORIGIN,
            server_name: "backend.test".into(),
            verified: true,
        }),
        ..Upstream::default()
    };
    app.timeouts.connect = Duration::from_millis(500);
    app
}

fn failed(node: &Node, why: EndpointTlsFailure) -> u64 {
    node.metrics.endpoint_tls_failures.sum(0, why as u32)
}

fn handshakes(node: &Node) -> u64 {
    (0..4)
        .map(|cell| node.metrics.endpoint_tls.sum(0, cell))
        .sum()
}

#[test]
fn requests_share_a_connection_over_tls_whoever_sends_them() {
    run(async {
        let pki = Pki::new();
        let backend = answers("over tls", pki.server(&["backend.test"])).await;
        let app = over_tls(app(&[("c1", &[backend.address])]));
        let node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        for _ in 0..5 {
            assert_eq!(node.get("/").await.text(), "over tls");
        }
        assert_eq!((backend.connections.get(), handshakes(&node)), (1, 1));
        node.stop().await;
    });
}

#[test]
fn large_bodies_pass_both_ways() {
    run(async {
        let pki = Pki::new();
        let config = pki.server(&["backend.test"]);
        // Sends the body back.
        let backend = Backend::start(move |stream, _| {
            let acceptor = TlsAcceptor::from(Arc::clone(&config));
            async move {
                let mut stream = acceptor.accept(stream).await.unwrap();
                let mut read = Vec::new();
                while read.len() < 1_000_000 {
                    stream.read_buf(&mut read).await.unwrap();
                    if let Some(at) = read.windows(4).position(|w| w == b"\r\n\r\n") {
                        read.drain(..at + 4);
                    }
                }
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
                stream.write_all(head).await.unwrap();
                stream.write_all(&read).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        })
        .await;
        let app = over_tls(app(&[("c1", &[backend.address])]));
        let node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        let body: Vec<u8> = (0..1_000_000u32).map(|i| b'a' + (i % 23) as u8).collect();
        let mut client = node.client().await;
        let head = format!("POST / HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 1000000\r\n\r\n");
        client.send([head.as_bytes(), &body].concat()).await;
        assert!(client.response().await.body == body);
        node.stop().await;
    });
}

#[test]
fn an_endpoint_that_is_not_trusted_is_passed_over_before_anything_is_sent() {
    run(async {
        let (pki, strangers) = (Pki::new(), Pki::new());
        let foreign = answers("foreign", strangers.server(&["backend.test"])).await;
        let other = answers("other", pki.server(&["other.test"])).await;
        let plain = Backend::start(|mut stream, _| async move {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let good = answers("good", pki.server(&["backend.test"])).await;
        let endpoints = [foreign.address, other.address, plain.address];
        let app = over_tls(app(&[("c1", &endpoints), ("c2", &[good.address])]));
        let node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        // Not idempotent, and repeated all the same: nothing was sent.
        let mut client = node.client().await;
        let head = format!("POST / HTTP/1.1\r\nhost: {HOST}\r\ncontent-length: 0\r\n\r\n");
        client.send(head).await;
        assert_eq!(client.response().await.text(), "good");
        assert_eq!(failed(&node, EndpointTlsFailure::Untrusted), 1);
        assert_eq!(failed(&node, EndpointTlsFailure::Name), 1);
        let no_tls =
            failed(&node, EndpointTlsFailure::Garbage) + failed(&node, EndpointTlsFailure::Closed);
        assert_eq!(no_tls, 1);
        let events = &node.metrics.group_events;
        assert_eq!(events.sum(0, GroupEvent::ConnectFailure as u32), 3);
        node.stop().await;
    });
}

#[test]
fn a_handshake_has_the_time_of_a_connect() {
    run(async {
        let pki = Pki::new();
        let silent = Backend::start(|stream, _| async move {
            let mut stream = stream;
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all).await;
        })
        .await;
        let mut app = over_tls(app(&[("c1", &[silent.address])]));
        app.timeouts.connect = Duration::from_millis(60);
        let node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        let response = node.get("/").await;
        assert_eq!((response.status, response.flags()), (503, "UF"));
        assert_eq!(failed(&node, EndpointTlsFailure::Timeout), 1);
        node.stop().await;
    });
}

#[test]
fn a_connection_in_the_clear_is_not_used_once_tls_is_wanted_nor_the_other_way() {
    run(async {
        let pki = Pki::new();
        let config = pki.server(&["backend.test"]);
        // Whatever comes first is answered in kind.
        let backend = Backend::start(move |stream, _| {
            let acceptor = TlsAcceptor::from(Arc::clone(&config));
            async move {
                let mut first = [0];
                stream.peek(&mut first).await.unwrap();
                let over = if first == [22] { "tls" } else { "clear" };
                let ok = format!("HTTP/1.1 200 OK\r\nx-over: {over}\r\ncontent-length: 0\r\n\r\n");
                let mut read = [0; 4_096];
                if first == [22] {
                    let mut stream = acceptor.accept(stream).await.unwrap();
                    while stream.read(&mut read).await.is_ok_and(|n| n > 0) {
                        stream.write_all(ok.as_bytes()).await.unwrap();
                        stream.flush().await.unwrap();
                    }
                } else {
                    let mut stream = stream;
                    while stream.read(&mut read).await.is_ok_and(|n| n > 0) {
                        stream.write_all(ok.as_bytes()).await.unwrap();
                    }
                }
            }
        })
        .await;
        let plain = || app(&[("c1", &[backend.address])]);
        let mut node = Node::over_tls(plain(), Settings::default(), pki.store(&[HOST]));
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.field("x-over"), "clear");
        assert_eq!(handshakes(&node), 0);
        node.publish(over_tls(plain()), 2, |_| {});
        assert_eq!(client.get("/").await.field("x-over"), "tls");
        assert_eq!((backend.connections.get(), handshakes(&node)), (2, 1));
        node.publish(plain(), 3, |_| {});
        assert_eq!(client.get("/").await.field("x-over"), "clear");
        // Each waits for whoever wants its kind.
        assert_eq!((backend.connections.get(), handshakes(&node)), (2, 1));
        node.stop().await;
    });
}

#[test]
fn protocols_are_switched_over_tls_as_in_the_clear() {
    run(async {
        let pki = Pki::new();
        let backend = answers("a", pki.server(&["backend.test"])).await;
        let app = over_tls(app(&[("c1", &[backend.address])]));
        let node = Node::over_tls(app, Settings::default(), pki.store(&[HOST]));
        let mut client = node.client().await;
        client
            .send(format!(
                "GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ))
            .await;
        assert_eq!(client.head().await.status, 101);
        client.send(b"any octets").await;
        let mut got = [0; 10];
        client.stream.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"any octets");
        node.stop().await;
    });
}

#[test]
fn a_tcp_connection_goes_on_over_tls_behind_its_header() {
    run(async {
        let pki = Pki::new();
        let config = pki.server(&["backend.test"]);
        let backend = Backend::start(move |mut stream, _| {
            let acceptor = TlsAcceptor::from(Arc::clone(&config));
            async move {
                let mut header = [0; 6];
                stream.read_exact(&mut header).await.unwrap();
                assert_eq!(&header, b"PROXY ");
                while stream.read_u8().await.unwrap() != b'\n' {}
                let stream = acceptor.accept(stream).await.unwrap();
                assert_eq!(stream.get_ref().1.alpn_protocol(), None);
                let (mut from, mut to) = tokio::io::split(stream);
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            }
        })
        .await;
        let mut app = over_tls(app(&[("c1", &[backend.address])]));
        app.upstream.proxy_protocol = Some(ProxyProtocol::V1);
        app.upstream.tls.as_mut().unwrap().policy = ORIGIN + 1;
        app.tcp = Some(Tcp::all_of(name("in")));
        let store = pki.store(&[HOST]);
        let node = Node::tcp_over(
            "127.0.0.1:0",
            table(app, 1, |_| {}),
            Settings::default(),
            store,
        );
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        let sent: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
        let (mut from, mut to) = stream.split();
        let mut got = Vec::new();
        let (written, read) = tokio::join!(
            async {
                to.write_all(&sent).await?;
                to.shutdown().await
            },
            from.read_to_end(&mut got)
        );
        written.unwrap();
        read.unwrap();
        assert!(got == sent);
        let ended = stream_cell(StreamKind::Tcp, StreamEvent::Closed);
        eventually("it is over", || node.metrics.streams.sum(0, ended) == 1).await;
        node.stop().await;
    });
}

/// Takes TLS, says this, and closes without a `close_notify`.
async fn cuts(config: Arc<ServerConfig>, says: &'static [u8]) -> Backend {
    Backend::start(move |stream, _| {
        let acceptor = TlsAcceptor::from(Arc::clone(&config));
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut read = [0; 1_024];
            assert!(stream.read(&mut read).await.unwrap() > 0);
            stream.write_all(says).await.unwrap();
            stream.flush().await.unwrap();
            let (mut bare, _) = stream.into_inner();
            bare.shutdown().await.unwrap();
            let _ = bare.read_to_end(&mut Vec::new()).await;
        }
    })
    .await
}

#[test]
fn an_end_that_tls_did_not_announce_breaks_a_response_and_ends_a_tcp_connection() {
    run(async {
        let pki = Pki::new();
        let config = pki.server(&["backend.test"]);
        let backend = cuts(Arc::clone(&config), b"HTTP/1.1 200 OK\r\n\r\nhalf").await;
        let app_of = |backend: &Backend| over_tls(app(&[("c1", &[backend.address])]));
        let http = app_of(&backend);
        let node = Node::over_tls(http, Settings::default(), pki.store(&[HOST]));
        let mut client = node.client().await;
        client.begin("/").await;
        // The body goes on until the connection ends, so nobody could tell that it was cut.
        assert!(client.try_response(true).await.is_err());
        node.stop().await;

        let backend = cuts(config, b"all").await;
        let mut tcp = app_of(&backend);
        tcp.tcp = Some(Tcp::all_of(name("in")));
        let table = table(tcp, 1, |_| {});
        let store = pki.store(&[HOST]);
        let node = Node::tcp_over("127.0.0.1:0", table, Settings::default(), store);
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        let mut got = Vec::new();
        stream.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"all");
        node.stop().await;
    });
}
