//! What passes through: fields, bodies of all kinds and sizes, trailers, and in whose words.

use std::time::Duration;

use crate::support::backend::{Backend, Peer};
use crate::support::{self, Node, app, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windrose_proxy::{Settings, Underscores};
use windrose_telemetry::HttpEvent;

#[test]
fn hop_by_hop_fields_stay_behind_both_ways() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while let Some(request) = peer.request().await {
                let response = format!(
                    "HTTP/1.1 200 OK\r\nConnection: x-secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\n\
                     Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nX-Open: 1\r\nSet-Cookie: a\r\n\
                     Set-Cookie: b\r\nContent-Length: {}\r\n\r\n{}",
                    request.head.len(),
                    request.head
                );
                peer.stream.write_all(response.as_bytes()).await.unwrap();
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client
            .send(
                "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive, X-Drop, Upgrade\r\n\
                 X-Drop: 1\r\nUpgrade: h2c\r\nTE: trailers\r\nProxy-Authorization: x\r\n\
                 Keep-Alive: 1\r\nProxy-Connection: close\r\nExpect: other\r\nX-Keep: 1\r\n\
                 X-Forwarded-For: 6.6.6.6\r\nX-Request-Id: mine\r\nX-Windrose-Flags: UF\r\n\r\n",
            )
            .await;
        let response = client.response().await;
        let seen = response.text().to_lowercase();
        for gone in [
            "x-drop",
            "upgrade",
            "proxy-",
            "keep-alive",
            "connection",
            "expect",
            "6.6.6.6",
            "mine",
            "x-windrose-flags",
        ] {
            assert!(!seen.contains(gone), "{gone}: {seen}");
        }
        let id = response.field("x-request-id").to_owned();
        let port = node.address.port();
        for there in [
            "x-keep: 1",
            "te: trailers",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-proto: http",
            "x-forwarded-host: app.test",
            &format!("x-forwarded-port: {port}"),
            &format!("x-request-id: {id}"),
        ] {
            assert!(seen.contains(there), "{there}: {seen}");
        }
        let names: Vec<_> = response.fields.iter().map(|(n, _)| n.as_str()).collect();
        for gone in [
            "connection",
            "x-secret",
            "keep-alive",
            "proxy-authenticate",
            "upgrade",
        ] {
            assert!(!names.contains(&gone), "{gone}: {names:?}");
        }
        assert_eq!(response.field("x-open"), "1");
        assert_eq!(names.iter().filter(|n| **n == "set-cookie").count(), 2);
        node.stop().await;
    });
}

#[test]
fn a_trusted_peer_is_believed() {
    run(async {
        let backend = Backend::answers("a").await;
        let settings = Settings {
            forwarded_trust: vec!["127.0.0.0/8".parse().unwrap()],
            ..Settings::default()
        };
        let node = Node::with(app(&[("c1", &[backend.address])]), settings);
        let mut client = node.client().await;
        client
            .send(
                "GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 198.51.100.7\r\n\
                 X-Forwarded-Proto: https\r\nX-Request-Id: theirs\r\n\r\n",
            )
            .await;
        let response = client.response().await;
        assert_eq!(response.field("x-request-id"), "theirs");
        assert!(
            response
                .text()
                .contains("x-forwarded-for: 198.51.100.7, 127.0.0.1\r\n")
        );
        assert!(response.text().contains("x-forwarded-proto: https\r\n"));
        node.stop().await;
    });
}

#[test]
fn fields_that_an_application_takes_for_ours_do_not_reach_it() {
    run(async {
        for (underscores, status, others) in [
            (Underscores::Drop, 200, 0),
            (Underscores::Allow, 200, 1),
            (Underscores::Refuse, 400, 0),
        ] {
            let backend = Backend::answers("a").await;
            let settings = Settings {
                underscores,
                ..Settings::default()
            };
            let node = Node::with(app(&[("c1", &[backend.address])]), settings);
            let mut client = node.client().await;
            client
                .send(
                    "GET / HTTP/1.1\r\nHost: app.test\r\nX_Forwarded_Client_Cert: Hash=1\r\n\
                     x_forwarded_for: 6.6.6.6\r\nContent_Length: 9\r\nTransfer_Encoding: chunked\r\n\
                     x_other: 1\r\n\r\n",
                )
                .await;
            let response = client.response().await;
            assert_eq!(response.status, status);
            let seen = backend.seen.borrow().join("");
            assert_eq!(seen.matches('_').count(), others, "{seen}");
            let left_out = node.counted(HttpEvent::UnderscoredField);
            let expected = if status == 200 { 5 - others as u64 } else { 0 };
            assert_eq!(left_out, expected);
            node.stop().await;
        }
    });
}

#[test]
fn head_and_bodiless_answers_keep_their_fields_and_the_connection() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while let Some(request) = peer.request().await {
                let status = match request.head.split(' ').nth(1).unwrap() {
                    "/204" => "204 No Content\r\n",
                    "/304" => "304 Not Modified\r\netag: x\r\n",
                    _ => "200 OK\r\ncontent-length: 12345\r\n",
                };
                let response = format!("HTTP/1.1 {status}\r\n");
                peer.stream.write_all(response.as_bytes()).await.unwrap();
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        for _ in 0..2 {
            client
                .send("HEAD / HTTP/1.1\r\nHost: app.test\r\n\r\n")
                .await;
            let response = client.head().await;
            assert_eq!(
                (response.status, response.field("content-length")),
                (200, "12345")
            );
            assert_eq!(client.get("/204").await.status, 204);
            let response = client.get("/304").await;
            assert_eq!((response.status, response.field("etag")), (304, "x"));
        }
        assert_eq!(backend.connections.get(), 1);
        node.stop().await;
    });
}

#[test]
fn bodies_arrive_as_they_were_framed() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while let Some(request) = peer.request().await {
                let body = [request.head.as_bytes(), b"|", &request.body].concat();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                peer.stream.write_all(head.as_bytes()).await.unwrap();
                peer.stream.write_all(&body).await.unwrap();
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        let post = "POST / HTTP/1.1\r\nHost: app.test\r\n";
        client
            .send(format!("{post}Content-Length: 5\r\n\r\nhello"))
            .await;
        let text = client.response().await.text().to_owned();
        assert!(
            text.contains("content-length: 5\r\n") && text.ends_with("|hello"),
            "{text}"
        );
        client
            .send(format!("{post}Content-Length: 0\r\n\r\n"))
            .await;
        let text = client.response().await.text().to_owned();
        assert!(
            text.contains("content-length: 0\r\n") && text.ends_with('|'),
            "{text}"
        );
        node.stop().await;
    });
}

#[test]
fn trailers_pass_both_ways() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            peer.head().await;
            while !peer.read.ends_with(b"0\r\nx-sum: 7\r\n\r\n") {
                assert!(peer.stream.read_buf(&mut peer.read).await.unwrap() > 0);
            }
            let response =
                b"HTTP/1.1 200 OK\r\ntrailer: x-end\r\ntransfer-encoding: chunked\r\n\r\n\
                2\r\nok\r\n0\r\nx-end: 9\r\n\r\n";
            let _ = peer.stream.write_all(response).await;
            peer.head().await;
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client
            .send(
                "POST / HTTP/1.1\r\nHost: app.test\r\nTE: trailers\r\nTrailer: x-sum\r\n\
                 Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\n\r\n",
            )
            .await;
        let response = client.response().await;
        assert_eq!((response.status, response.text()), (200, "ok"));
        assert_eq!(response.trailers, "x-end: 9");
        assert_eq!(response.field("trailer"), "x-end");
        node.stop().await;
    });
}

#[test]
fn what_is_not_sent_is_not_announced_and_nobody_speaks_in_our_name() {
    run(async {
        let backend = Backend::says(
            b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ntrailer: x-end\r\n\
              X-Windrose-Flags: UF\r\nx-windrose-else: 1\r\ntransfer-encoding: chunked\r\n\r\n\
              2\r\nok\r\n0\r\nx-end: 9\r\n\r\n",
        )
        .await;
        let node = Node::before(&backend);
        let response = node.get("/").await;
        assert_eq!((response.status, response.text()), (200, "ok"));
        assert_eq!(
            (response.field("trailer"), response.trailers.as_str()),
            ("", "")
        );
        assert_eq!(response.flags(), "");
        assert_eq!(response.field("x-windrose-else"), "");
        node.stop().await;
    });
}

#[test]
fn a_client_that_expects_100_gets_it_once() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client
            .send("PUT / HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            .await;
        assert_eq!(client.response().await.status, 100);
        client.send("hello").await;
        let response = client.response().await;
        assert_eq!(response.status, 200);
        assert!(!response.text().contains("expect"));
        node.stop().await;
    });
}

#[test]
fn a_small_body_is_sent_again_and_a_large_one_is_not() {
    run(async {
        for (length, status) in [(1_000, 200), (200_000, 502)] {
            let resets = Backend::start(move |stream, _| async move {
                let mut peer = Peer::new(stream);
                peer.request().await;
                let _ = peer.stream.set_zero_linger();
            })
            .await;
            let takes = Backend::start(move |stream, _| async move {
                let mut peer = Peer::new(stream);
                let request = peer.request().await.unwrap();
                assert_eq!(request.body, vec![b'x'; length]);
                let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                peer.stream.write_all(ok).await.unwrap();
                peer.request().await;
            })
            .await;
            let node = Node::start(app(&[("c1", &[resets.address]), ("c2", &[takes.address])]));
            let mut client = node.client().await;
            let head =
                format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n");
            client.send(head).await;
            client.send("x".repeat(length)).await;
            assert_eq!(client.response().await.status, status, "{length} octets");
            node.stop().await;
        }
    });
}

const BIG: usize = 32 << 20;

#[test]
fn a_long_download_streams_and_waits_for_its_reader() {
    run(async {
        let written = std::rc::Rc::new(std::cell::Cell::new(0));
        let counter = std::rc::Rc::clone(&written);
        let backend = Backend::start(move |stream, _| {
            let counter = std::rc::Rc::clone(&counter);
            async move {
                let mut peer = Peer::new(stream);
                peer.request().await;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {BIG}\r\n\r\n");
                peer.stream.write_all(head.as_bytes()).await.unwrap();
                let piece = vec![7; 64 * 1024];
                while counter.get() < BIG {
                    peer.stream.write_all(&piece).await.unwrap();
                    counter.set(counter.get() + piece.len());
                }
                peer.request().await;
            }
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client.begin("/").await;
        assert_eq!(client.head().await.status, 200);
        // Nobody reads: what is under way settles far below the whole.
        let mut last = usize::MAX;
        let mut look = tokio::time::interval(Duration::from_millis(50));
        look.tick().await;
        while written.get() != last {
            last = written.get();
            look.tick().await;
        }
        assert!(
            last < BIG * 3 / 4,
            "{last} octets were taken without a reader"
        );
        let mut read = 0;
        let mut buffer = vec![0; 256 * 1024];
        // The head reader may have taken the first part of the body already.
        while written.get() < BIG {
            read += client.stream.read(&mut buffer).await.unwrap();
        }
        assert!(read > 0);
        drop(client);
        node.stop().await;
    });
}

#[test]
fn a_long_upload_streams_and_waits_for_its_backend() {
    run(async {
        let (go, wait) = tokio::sync::watch::channel(false);
        let backend = Backend::start(move |stream, _| {
            let mut wait = wait.clone();
            async move {
                let mut peer = Peer::new(stream);
                peer.head().await;
                wait.wait_for(|go| *go).await.unwrap();
                let mut left = BIG - peer.read.len();
                let mut buffer = vec![0; 256 * 1024];
                while left > 0 {
                    left -= peer.stream.read(&mut buffer).await.unwrap();
                }
                let ok = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                peer.stream.write_all(ok).await.unwrap();
                peer.head().await;
            }
        })
        .await;
        let mut app = app(&[("c1", &[backend.address])]);
        app.timeouts.first_byte = Duration::from_secs(20);
        let node = Node::start(app);
        let mut client = node.client().await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {BIG}\r\n\r\n"
            ))
            .await;
        let piece = vec![7; 64 * 1024];
        let mut sent = 0;
        loop {
            let patience = Duration::from_millis(200);
            let mut at = 0;
            let write = async {
                while at < piece.len() {
                    at += client.stream.write(&piece[at..]).await.unwrap();
                }
            };
            let done = tokio::time::timeout(patience, write).await.is_ok();
            sent += at;
            if !done {
                break;
            }
        }
        assert!(
            sent < BIG * 3 / 4,
            "{sent} octets were taken without a backend that reads"
        );
        go.send(true).unwrap();
        while sent < BIG {
            let n = piece.len().min(BIG - sent);
            sent += client.stream.write(&piece[..n]).await.unwrap();
        }
        assert_eq!(client.response().await.status, 200);
        node.stop().await;
    });
}

#[test]
fn an_early_answer_ends_the_upload() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            peer.head().await;
            let no = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n";
            let _ = peer.stream.write_all(no).await;
            peer.head().await;
        })
        .await;
        let node = Node::before(&backend);
        let mut client = node.client().await;
        client
            .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100000\r\n\r\nabc")
            .await;
        assert_eq!(client.response().await.status, 413);
        support::eventually("the connection is not kept", || {
            node.counted(HttpEvent::UpstreamsOpen) == 0
        })
        .await;
        node.stop().await;
    });
}
