//! Switches of protocols (RFC 9110 section 7.8, RFC 6455): asked for, granted, refused, carried,
//! ended.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrose_proxy::Settings;
use windrose_telemetry::{HttpEvent, StreamEvent, StreamKind, stream_cell};

use crate::support::backend::{Backend, Peer, refusing};
use crate::support::client::Client;
use crate::support::{Node, app, eventually, run};

const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
const ASK: &str =
    "GET /chat HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

/// Switches, then sends back what comes, until the other side ends.
async fn echo(stream: TcpStream) {
    let mut peer = Peer::new(stream);
    if peer.head().await.is_none() {
        return;
    }
    let early = std::mem::take(&mut peer.read);
    let _ = peer.stream.write_all(SWITCHED.as_bytes()).await;
    let _ = peer.stream.write_all(&early).await;
    let (mut read, mut write) = peer.stream.into_split();
    let _ = tokio::io::copy(&mut read, &mut write).await;
}

async fn switched(node: &Node) -> Client {
    let mut client = node.client().await;
    client.send(ASK).await;
    assert_eq!(client.head().await.status, 101);
    client
}

fn ended(node: &Node, how: StreamEvent) -> u64 {
    let cell = stream_cell(StreamKind::Tunnel, how);
    node.metrics.streams.sum(0, cell)
}

fn open(node: &Node) -> u64 {
    node.metrics.streams_open.sum(0, StreamKind::Tunnel as u32)
}

#[test]
fn both_sides_are_told_of_the_switch_and_speak_from_then_on() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            let head = peer.head().await.unwrap().to_ascii_lowercase();
            assert!(head.contains("\r\nupgrade: echo\r\n"), "{head}");
            assert!(head.contains("\r\nconnection: upgrade\r\n"), "{head}");
            assert!(
                head.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"),
                "{head}"
            );
            let _ = peer.stream.write_all(SWITCHED.as_bytes()).await;
            let (mut read, mut write) = peer.stream.into_split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client.send(ASK).await;
        let head = client.head().await;
        assert_eq!(
            (head.status, head.field("upgrade"), head.field("connection")),
            (101, "echo", "Upgrade")
        );
        assert_eq!(head.field("x-request-id").len(), 32);
        assert_eq!(open(&node), 1);
        // What would be no HTTP passes as it is.
        let octets = b"\n\r\0\xff GET / HTTP/1.1\nContent-Length: x\n\n";
        client.send(octets).await;
        client.stream.shutdown().await.unwrap();
        let (back, how) = client.end().await;
        how.unwrap();
        assert_eq!(back, octets);
        eventually("the tunnel is over", || open(&node) == 0).await;
        assert_eq!(ended(&node, StreamEvent::Opened), 1);
        assert_eq!(ended(&node, StreamEvent::Closed), 1);
        let size = octets.len() as u64;
        assert_eq!(ended(&node, StreamEvent::FromClient), size);
        assert_eq!(ended(&node, StreamEvent::ToClient), size);
        node.stop().await;
    });
}

#[test]
fn octets_next_to_the_heads_of_a_fast_switch_are_never_lost() {
    run(async {
        let backend = Backend::start(|stream, number| async move {
            let mut peer = Peer::new(stream);
            if peer.head().await.is_none() {
                return;
            }
            // One segment: the head, the first message, and the end.
            let all = format!("{SWITCHED}first {number}");
            let _ = peer.stream.write_all(all.as_bytes()).await;
            let _ = peer.stream.shutdown().await;
            let mut read = std::mem::take(&mut peer.read);
            let _ = peer.stream.read_to_end(&mut read).await;
            assert_eq!(read, format!("early {number}").as_bytes());
        })
        .await;
        let node = Node::before(&backend);
        for number in 0..1_000 {
            let mut client = node.client().await;
            client.send(format!("{ASK}early {number}")).await;
            client.stream.shutdown().await.unwrap();
            let head = client.head().await;
            assert_eq!(head.status, 101, "number {number}");
            let (back, how) = client.end().await;
            how.unwrap();
            assert_eq!(back, format!("first {number}").as_bytes());
        }
        eventually("all tunnels are over", || {
            ended(&node, StreamEvent::Closed) == 1_000
        })
        .await;
        node.stop().await;
    });
}

#[test]
fn a_large_message_passes_whole_both_ways_whoever_is_slow() {
    run(async {
        let backend = Backend::start(|stream, _| echo(stream)).await;
        let node = Node::before(&backend);
        let client = switched(&node).await;
        let message: Vec<u8> = (0..4_000_000u32).map(|n| (n % 251) as u8).collect();
        let (mut read, mut write) = client.stream.into_split();
        let sent = message.clone();
        let writing = tokio::task::spawn_local(async move {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        });
        // Nothing is read before all buffers on the way are full.
        eventually("the way is full", || {
            ended(&node, StreamEvent::FromClient) > 500_000
        })
        .await;
        let mut back = Vec::new();
        read.read_to_end(&mut back).await.unwrap();
        writing.await.unwrap();
        assert!(back == message, "{} of {}", back.len(), message.len());
        node.stop().await;
    });
}

#[test]
fn one_half_may_close_long_before_the_other() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            let _ = peer.head().await;
            let _ = peer.stream.write_all(SWITCHED.as_bytes()).await;
            let _ = peer.stream.shutdown().await;
            let mut all = Vec::new();
            let _ = peer.stream.read_to_end(&mut all).await;
            assert_eq!(all, b"still here");
        })
        .await;
        let node = Node::before(&backend);
        let mut client = switched(&node).await;
        let (nothing, how) = client.end().await;
        how.unwrap();
        assert_eq!(nothing, b"");
        client.send("still here").await;
        client.stream.shutdown().await.unwrap();
        eventually("both halves are closed", || {
            ended(&node, StreamEvent::Closed) == 1
        })
        .await;
        node.stop().await;
    });
}

#[test]
fn a_backend_that_refuses_gives_a_plain_response_and_the_connection_goes_on() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        // Two pipelined requests behind it: what was held back is a request after all.
        let next = "GET /next HTTP/1.1\r\nHost: app.test\r\n\r\n";
        client.send(format!("{ASK}{ASK}{next}")).await;
        for path in ["/chat", "/chat", "/next"] {
            let response = client.response().await;
            assert_eq!(response.status, 200);
            assert!(response.text().starts_with(&format!("GET {path} ")));
        }
        assert_eq!(client.get("/last").await.status, 200);
        assert_eq!(open(&node), 0);
        node.stop().await;
    });
}

#[test]
fn a_faulty_request_behind_a_refused_switch_is_still_refused() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        let faulty = "GET /bad HTTP/1.1\nHost: app.test\r\n\r\n";
        client.send(format!("{ASK}{faulty}")).await;
        assert_eq!(client.response().await.status, 200);
        assert_eq!(client.response().await.status, 400);
        assert_eq!(backend.seen.borrow().len(), 1);
        node.stop().await;
    });
}

#[test]
fn http_2_is_never_offered_to_a_backend() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client
            .send(
                "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                 Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            )
            .await;
        let response = client.response().await;
        assert_eq!(response.status, 200);
        for field in ["upgrade", "connection", "http2-settings"] {
            assert!(!response.text().contains(field), "{}", response.text());
        }
        node.stop().await;
    });
}

#[test]
fn what_is_no_sound_request_to_switch_never_reaches_a_backend() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let head = "Host: app.test\r\nConnection: Upgrade\r\n";
        for request in [
            format!("GET / HTTP/1.1\r\n{head}Upgrade: echo\r\nContent-Length: 3\r\n\r\nabc"),
            format!(
                "GET / HTTP/1.1\r\n{head}Upgrade: echo\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            format!("GET / HTTP/1.1\r\n{head}Upgrade: e cho\r\n\r\n"),
            format!("GET / HTTP/1.1\r\n{head}Upgrade: websocket\r\n\r\n"),
            format!(
                "POST / HTTP/1.1\r\n{head}Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
        ] {
            let mut client = node.client().await;
            client.send(&request).await;
            let response = client.response().await;
            assert_eq!(
                (response.status, response.flags()),
                (400, "DPE"),
                "{request}"
            );
        }
        assert_eq!(backend.connections.get(), 0);
        node.stop().await;
    });
}

#[test]
fn a_switch_to_what_was_not_offered_is_a_protocol_error() {
    run(async {
        let backend = Backend::says(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        )
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client.send(ASK).await;
        let response = client.response().await;
        assert_eq!((response.status, response.flags()), (502, "UPE"));
        assert_eq!(open(&node), 0);
        node.stop().await;
    });
}

#[test]
fn a_request_to_switch_is_never_repeated_after_it_reached_a_backend() {
    run(async {
        let (bad, good) = (Backend::resets().await, Backend::answers("good").await);
        let mut app = app(&[("c1", &[bad.address]), ("c2", &[good.address])]);
        app.retry.attempts = 5;
        let node = Node::start(app);
        let mut client = node.client().await;
        client.send(ASK).await;
        let response = client.response().await;
        assert_eq!((response.status, response.flags()), (502, "UC"));
        assert_eq!(good.connections.get(), 0);
        node.stop().await;
    });
}

#[test]
fn a_request_to_switch_goes_past_endpoints_that_cannot_be_reached() {
    run(async {
        let backend = Backend::start(|stream, _| echo(stream)).await;
        let node = Node::start(app(&[("c1", &[refusing()]), ("c2", &[backend.address])]));
        let mut client = switched(&node).await;
        client.send("x").await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.end().await.0, b"x");
        node.stop().await;
    });
}

#[test]
fn a_tunnel_in_which_nothing_moves_is_closed() {
    run(async {
        let backend = Backend::start(|stream, _| echo(stream)).await;
        let mut app = app(&[("c1", &[backend.address])]);
        app.timeouts.tunnel = Duration::from_millis(50);
        let node = Node::start(app);
        let mut client = switched(&node).await;
        let (rest, how) = client.end().await;
        how.unwrap();
        assert_eq!(rest, b"");
        eventually("it is counted", || ended(&node, StreamEvent::Idle) == 1).await;
        node.stop().await;
    });
}

#[test]
fn a_tunnel_outlives_the_timeouts_of_exchanges() {
    run(async {
        let backend = Backend::start(|stream, _| echo(stream)).await;
        let mut app = app(&[("c1", &[backend.address])]);
        app.timeouts.request = Duration::from_millis(60);
        app.timeouts.first_byte = Duration::from_millis(60);
        let settings = Settings {
            idle_timeout: Duration::from_millis(20),
            stream_timeout: Duration::from_millis(20),
            head_timeout: Duration::from_millis(20),
            ..Settings::default()
        };
        let node = Node::with(app, settings);
        let mut client = switched(&node).await;
        let mut every = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..10 {
            every.tick().await;
            client.send("x").await;
        }
        client.stream.shutdown().await.unwrap();
        let (back, how) = client.end().await;
        how.unwrap();
        assert_eq!(back, b"xxxxxxxxxx");
        node.stop().await;
    });
}

#[test]
fn a_reset_is_passed_on_as_a_reset() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            let _ = peer.head().await;
            let _ = peer.stream.write_all(SWITCHED.as_bytes()).await;
            let mut one = [0];
            let _ = peer.stream.read_exact(&mut one).await;
            let _ = peer.stream.set_zero_linger();
        })
        .await;
        let node = Node::before(&backend);
        let mut client = switched(&node).await;
        client.send("x").await;
        assert!(client.end().await.1.is_err(), "no clean end");
        eventually("it is counted", || {
            ended(&node, StreamEvent::UpstreamReset) == 1
        })
        .await;
        let client = switched(&node).await;
        client.stream.set_zero_linger().unwrap();
        drop(client);
        eventually("it is counted", || {
            ended(&node, StreamEvent::ClientReset) == 1
        })
        .await;
        node.stop().await;
    });
}

#[test]
fn a_stop_waits_for_tunnels_as_long_as_its_grace_and_no_longer() {
    run(async {
        let backend = Backend::start(|stream, _| echo(stream)).await;
        let settings = Settings {
            grace: Duration::from_millis(200),
            ..Settings::default()
        };
        let mut node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let (mut one, mut other) = (switched(&node).await, switched(&node).await);
        node.begin_stop();
        // The first ends in its own time, the second with the grace.
        one.send("last words").await;
        one.stream.shutdown().await.unwrap();
        let (back, how) = one.end().await;
        how.unwrap();
        assert_eq!(back, b"last words");
        assert_eq!(other.end().await.0, b"");
        assert_eq!(ended(&node, StreamEvent::Stopped), 1);
        node.stop().await;
    });
}

#[test]
fn a_tunnel_keeps_no_table_alive() {
    run(async {
        let backend = Backend::start(|stream, _| echo(stream)).await;
        let same = || app(&[("c1", &[backend.address])]);
        let mut node = Node::start(same());
        let mut client = switched(&node).await;
        for epoch in 2..5 {
            node.publish(same(), epoch, |_| {});
        }
        // Another request makes the thread look at the newest.
        node.get("/").await;
        eventually("only the newest is left", || node.publisher.sweep() == 1).await;
        client.send("x").await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.end().await.0, b"x");
        node.stop().await;
    });
}

#[test]
fn tunnels_are_counted_among_the_connections_of_both_sides() {
    run(async {
        let backend = Backend::start(|stream, _| echo(stream)).await;
        let node = Node::before(&backend);
        let client = switched(&node).await;
        assert_eq!(node.counted(HttpEvent::ClientsOpen), 1);
        assert_eq!(node.counted(HttpEvent::UpstreamsOpen), 1);
        drop(client);
        eventually("both are closed", || {
            node.counted(HttpEvent::ClientsOpen) == 0 && node.counted(HttpEvent::UpstreamsOpen) == 0
        })
        .await;
        node.stop().await;
    });
}
