//! HTTP/2 to clients: how responses, streams and connections end.

use std::time::Duration;

use h2::Reason;
use h2::client::Builder;
use http::Request;
use tokio::io::AsyncWriteExt;
use tokio::time::{interval, timeout};
use windrose_proxy::{Http2 as Http2Settings, Settings};
use windrose_telemetry::Http2Event;

use crate::support::backend::{Backend, Peer};
use crate::support::frames::*;
use crate::support::http2::{Http2, get};
use crate::support::{HOST, Node, app, run};

fn with(backend: &Backend, change: impl FnOnce(&mut Settings)) -> Node {
    let mut settings = Settings::default();
    change(&mut settings);
    Node::with(app(&[("c1", &[backend.address])]), settings)
}

#[test]
fn a_response_to_head_ends_with_its_head_whoever_made_it() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        for (host, status) in [(HOST, 200), ("other.test", 404)] {
            let request = Request::head(format!("http://{host}/")).body(()).unwrap();
            let mut response = http2.begin(request).await.await.unwrap();
            assert_eq!(response.status(), status);
            assert!(response.body_mut().data().await.is_none(), "{host}");
        }
    });
}

#[test]
fn a_response_of_204_has_no_length_and_every_response_a_date() {
    run(async {
        let said = b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n";
        let backend = Backend::says(said).await;
        let node = Node::before(&backend);
        let mut http2 = Http2::connect(node.address).await;
        let response = http2.get("/").await;
        assert_eq!(response.status, 204);
        assert!(
            response
                .fields
                .iter()
                .all(|(name, _)| name != "content-length")
        );
        assert!(response.field("date").ends_with(" GMT"));
    });
}

#[test]
fn who_has_its_response_and_still_sends_is_not_reset_at_once() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut raw = Raw::connect(node.address).await;
        // Refused before any of its body came.
        let refused = [("content-length", "4"), ("host", "other.test")];
        raw.write(&upload(1, &refused)).await;
        let head = raw.until(HEADERS).await.unwrap();
        assert_eq!(head.stream, 1);
        let end = async |raw: &mut Raw| loop {
            let frame = raw.next().await.unwrap();
            if frame.kind == DATA && frame.flags & END_STREAM != 0 {
                return;
            }
        };
        end(&mut raw).await;
        raw.write(&frame(DATA, END_STREAM, 1, b"abcd")).await;
        raw.write(&frame(PING, 0, 0, &[1; 8])).await;
        loop {
            let frame = raw.next().await.unwrap();
            assert_ne!(frame.kind, RST_STREAM);
            if frame.kind == PING {
                break;
            }
        }
    });
}

#[test]
fn a_window_that_opens_by_trickles_does_not_hold_a_stream_whatever_pieces_come() {
    run(async {
        // Pieces of the size of a trickle, more of them than fit in the window.
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            let _ = peer.request().await;
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let _ = peer.stream.write_all(head).await;
            for _ in 0..1_000 {
                let piece = [b"64\r\n".as_slice(), &[b'x'; 100], b"\r\n"].concat();
                if peer.stream.write_all(&piece).await.is_err() {
                    return;
                }
            }
            let _ = peer.request().await;
        })
        .await;
        let node = with(&backend, |settings| {
            settings.http2 = Some(Http2Settings {
                window_timeout: Duration::from_millis(300),
                ..Http2Settings::default()
            });
        });
        let mut builder = Builder::new();
        builder.initial_window_size(100);
        let mut http2 = Http2::with(node.address, &builder).await;
        let mut body = http2.begin(get("/")).await.await.unwrap().into_body();
        let mut pace = interval(Duration::from_millis(100));
        let mut pieces = 0;
        let error = loop {
            pace.tick().await;
            match body.data().await.unwrap() {
                Ok(data) => body.flow_control().release_capacity(data.len()).unwrap(),
                Err(error) => break error,
            }
            pieces += 1;
            assert!(pieces < 30, "it goes on and on");
        };
        assert_eq!(error.reason(), Some(Reason::CANCEL));
        assert_eq!(
            node.metrics
                .http2_events
                .sum(0, Http2Event::WindowReset as u32),
            1
        );
    });
}

#[test]
fn a_request_that_crosses_the_goaway_of_an_idle_connection_is_served() {
    run(async {
        let (go, gone) = tokio::sync::watch::channel(false);
        let backend = Backend::start(move |stream, _| {
            let mut gone = gone.clone();
            async move {
                let mut peer = Peer::new(stream);
                while peer.request().await.is_some() {
                    let _ = gone.wait_for(|go| *go).await;
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    let _ = peer.stream.write_all(answer).await;
                }
            }
        })
        .await;
        let mut app = app(&[("c1", &[backend.address])]);
        app.timeouts.first_byte = Duration::from_secs(10);
        let settings = Settings {
            idle_timeout: Duration::from_millis(200),
            ..Settings::default()
        };
        let node = Node::with(app, settings);
        let mut raw = Raw::connect(node.address).await;
        let goaway = raw.until(GOAWAY).await.unwrap();
        assert_eq!(goaway.code(), 0);
        raw.write(&request(1, &[])).await;
        // Longer than what a connection without streams is given.
        let early = timeout(Duration::from_millis(2_500), raw.until(HEADERS)).await;
        assert!(early.is_err(), "{early:?}");
        go.send(true).unwrap();
        assert_eq!(raw.until(HEADERS).await.unwrap().stream, 1);
        assert_eq!(raw.until(DATA).await.unwrap().payload, b"ok");
    });
}
