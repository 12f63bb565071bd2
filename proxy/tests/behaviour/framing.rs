//! What a message says about its own length and version, and what may not be made of it on the way.

use std::time::Duration;

use crate::support::backend::{Backend, Peer};
use crate::support::{self, Node, app, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windrose_proxy::Settings;

#[test]
fn the_version_of_a_backend_is_not_that_of_the_answer() {
    // RFC 9110 section 6.2: intermediaries MUST send their own HTTP-version in forwarded messages.
    run(async {
        let olds: [&'static [u8]; 2] = [
            b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nold",
            b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold",
        ];
        for old in olds {
            let backend = Backend::says(old).await;
            let node = Node::before(&backend);
            let mut client = node.client().await;
            for _ in 0..3 {
                let response = client.get("/").await;
                assert_eq!((response.status, response.text()), (200, "old"));
                assert_eq!(response.version, "HTTP/1.1");
                assert_eq!(response.field("connection"), "", "the connection stays");
            }
            node.stop().await;
        }
    });
}

#[test]
fn a_body_that_is_not_framed_as_it_has_to_be_is_answered_400_at_once() {
    run(async {
        for body in [
            "5;a\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\nx-sum: 1\n\r\n",
            "5\r\nhello\r\n0\r\nx-sum: 1\n",
            "5\nhello\r\n0\r\n\r\n",
            "g\r\n",
            "5\r\nhelloo\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
        ] {
            let backend = Backend::answers("a").await;
            let node = Node::before(&backend);
            // In one piece with the head, and behind it.
            for together in [true, false] {
                let mut client = node.client().await;
                let head =
                    "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
                if together {
                    client.send(format!("{head}{body}")).await;
                } else {
                    client.send(format!("{head}2\r\nab\r\n")).await;
                    support::eventually("the backend hears of it", || {
                        backend.connections.get() > 0
                    })
                    .await;
                    client.send(body).await;
                }
                let response = client.response().await;
                let told = (response.status, response.flags());
                assert_eq!(told, (400, "DPE"), "{body:?}");
                assert_eq!(response.field("connection"), "close");
                assert!(client.end().await.1.is_ok(), "{body:?}");
            }
            node.stop().await;
        }
    });
}

#[test]
fn a_backend_that_speaks_an_old_version_is_still_asked_in_ours() {
    run(async {
        // It keeps the connection; asked again over it, the engine would fall back to HTTP/1.0,
        // which has no chunked bodies.
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while let Some(request) = peer.request().await {
                assert!(request.head.contains(" HTTP/1.1\r\n"), "{}", request.head);
                let body = String::from_utf8(request.body).unwrap();
                let response = format!(
                    "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                peer.stream.write_all(response.as_bytes()).await.unwrap();
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        for _ in 0..3 {
            assert_eq!(client.get("/").await.status, 200);
            client
                .send(
                    "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                     5\r\nhello\r\n0\r\n\r\n",
                )
                .await;
            let response = client.response().await;
            assert_eq!(response.text(), "5\r\nhello\r\n0\r\n\r\n");
        }
        node.stop().await;
    });
}

#[test]
fn a_chunked_body_arrives_with_any_method() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while let Some(request) = peer.request().await {
                let body = String::from_utf8(request.body).unwrap();
                let response = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                peer.stream.write_all(response.as_bytes()).await.unwrap();
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        for method in ["POST", "GET", "DELETE", "GET"] {
            client
                .send(format!(
                    "{method} / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                     5\r\nhello\r\n0\r\n\r\n"
                ))
                .await;
            let response = client.response().await;
            assert_eq!(response.text(), "5\r\nhello\r\n0\r\n\r\n", "{method}");
        }
        assert_eq!(backend.connections.get(), 1);
        node.stop().await;
    });
}

/// What a client gets when a backend answers with these fields and this body.
async fn passed_on(answer: &'static [u8]) -> support::client::Response {
    let backend = Backend::says(answer).await;
    let node = Node::before(&backend);
    let response = node.get("/").await;
    node.stop().await;
    response
}

#[test]
fn an_encoding_overrides_a_length() {
    // RFC 9112 section 6.3: the Transfer-Encoding overrides the Content-Length; an intermediary
    // that forwards the message MUST first remove the received Content-Length field.
    run(async {
        for length in ["2", "500"] {
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n\
                 5\r\nhello\r\n0\r\n\r\n"
            );
            let response = passed_on(answer.leak().as_bytes()).await;
            assert_eq!((response.status, response.text()), (200, "hello"));
            assert_eq!(response.field("content-length"), "");
        }
    });
}

#[test]
fn a_response_in_an_encoding_nobody_asked_for_is_refused() {
    // RFC 9112 section 6.1: no transfer coding but chunked without a TE field that names it, and
    // chunked once. With the field gone, the octets would be taken for the content.
    run(async {
        for fields in [
            "transfer-encoding: gzip\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n5\r\nhello\r\n0\r\n\r\n");
            let response = passed_on(answer.leak().as_bytes()).await;
            assert_eq!((response.status, response.flags()), (502, "UPE"));
        }
    });
}

#[test]
fn trailers_that_nobody_asked_for_are_left_out() {
    run(async {
        let response = passed_on(
            b"HTTP/1.1 200 OK\r\ntrailer: x-end\r\ntransfer-encoding: chunked\r\n\r\n\
              5\r\nhello\r\n0\r\nx-end: 9\r\n\r\n",
        )
        .await;
        assert_eq!((response.status, response.text()), (200, "hello"));
        assert_eq!(response.trailers, "");
    });
}

#[test]
fn a_length_is_told_once() {
    // RFC 9112 section 6.3: a list of equal lengths is replaced by that one, or the message refused.
    run(async {
        for fields in [
            "content-length: 5, 5\r\n",
            "content-length: 5\r\ncontent-length: 5\r\n",
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello");
            let response = passed_on(answer.leak().as_bytes()).await;
            assert_eq!((response.status, response.text()), (200, "hello"));
            let lengths = response
                .fields
                .iter()
                .filter(|(n, _)| n == "content-length");
            let lengths: Vec<_> = lengths.map(|(_, v)| v.as_str()).collect();
            assert_eq!(lengths, ["5"]);
        }
        for wrong in ["5, 6", "+5", "5x", ""] {
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {wrong}\r\n\r\nhello");
            let response = passed_on(answer.leak().as_bytes()).await;
            assert_eq!(response.status, 502, "{wrong:?}");
        }
    });
}

#[test]
fn a_body_that_is_sent_again_leaves_no_more_time_for_the_answer() {
    run(async {
        let (resets, stalls) = (Backend::resets().await, Backend::stalls().await);
        let mut app = app(&[("c1", &[resets.address]), ("c2", &[stalls.address])]);
        app.timeouts.first_byte = Duration::from_millis(100);
        let node = Node::start(app);
        let mut client = node.client().await;
        client
            .send("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\n\r\nhello")
            .await;
        let response = client.response().await;
        assert_eq!((response.status, response.flags()), (504, "UT,URX,CF"));
        node.stop().await;
    });
}

#[test]
fn an_answer_before_the_end_of_a_repeated_body_does_not_shorten_it() {
    run(async {
        const PIECES: usize = 128;
        const END: &[u8] = b"\r\n0\r\n\r\n";
        let piece = [&b"10000\r\n"[..], &[b'x'; 65_536], b"\r\n"].concat();
        let all = PIECES * 65_536;
        // More than sockets hold, so that most of the body is still here when the answer begins.
        async fn count(peer: &mut Peer) -> usize {
            let (mut count, mut end) = (0, Vec::new());
            while !end.ends_with(END) {
                count += peer.read.iter().filter(|b| **b == b'x').count();
                end.extend_from_slice(&peer.read[peer.read.len().saturating_sub(END.len())..]);
                end.drain(..end.len().saturating_sub(END.len()));
                peer.read.clear();
                if !end.ends_with(END) && peer.stream.read_buf(&mut peer.read).await.unwrap() == 0 {
                    break;
                }
            }
            count
        }
        let resets = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            peer.head().await;
            count(&mut peer).await;
            let _ = peer.stream.set_zero_linger();
        })
        .await;
        let (go, wait) = tokio::sync::watch::channel(false);
        let hasty = Backend::start(move |stream, _| {
            let mut wait = wait.clone();
            async move {
                let mut peer = Peer::new(stream);
                peer.head().await;
                let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                peer.stream.write_all(head).await.unwrap();
                wait.wait_for(|go| *go).await.unwrap();
                let count = count(&mut peer).await.to_string();
                let body = format!("{:x}\r\n{count}\r\n0\r\n\r\n", count.len());
                peer.stream.write_all(body.as_bytes()).await.unwrap();
                peer.head().await;
            }
        })
        .await;
        let settings = Settings {
            replay_bytes: 2 * all,
            ..Settings::default()
        };
        let mut app = app(&[("c1", &[resets.address]), ("c2", &[hasty.address])]);
        app.timeouts.first_byte = Duration::from_secs(20);
        let node = Node::with(app, settings);
        let mut client = node.client().await;
        client
            .send("PUT / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await;
        for _ in 0..PIECES {
            client.send(&piece).await;
        }
        client.send("0\r\n\r\n").await;
        let head = client.head().await;
        assert_eq!((head.status, head.flags()), (200, ""));
        go.send(true).unwrap();
        let (_, size) = (client.line().await.unwrap(), client.line().await.unwrap());
        assert_eq!(size, all.to_string());
        node.stop().await;
    });
}
