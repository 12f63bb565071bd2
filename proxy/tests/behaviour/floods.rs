//! Known attacks over HTTP/2: who attacks is stopped, what it cost is bounded, and others are served.

use std::time::Duration;
use tokio::time::timeout;

use windrose_proxy::{Http2, Settings};
use windrose_telemetry::{Http2Event, HttpEvent};

use crate::support::backend::{Backend, Peer};
use crate::support::frames::*;
use crate::support::http2::Http2 as Honest;
use crate::support::{Node, app, eventually, run};
use tokio::io::AsyncWriteExt;

const ENHANCE_YOUR_CALM: u32 = 11;
const CANCEL: u32 = 8;

fn counted(node: &Node, event: Http2Event) -> u64 {
    node.metrics.http2_events.sum(0, event as u32)
}

fn before(backend: &Backend, change: impl FnOnce(&mut Settings)) -> Node {
    let mut settings = Settings::default();
    change(&mut settings);
    Node::with(app(&[("c1", &[backend.address])]), settings)
}

/// Sends octets again and again until the connection is ended: the code of its GOAWAY, and how often.
async fn flood(node: &Node, begin: &[u8], mut next: impl FnMut(u32) -> Vec<u8>) -> (u32, u32) {
    let mut honest = Honest::connect(node.address).await;
    let mut raw = Raw::connect(node.address).await;
    raw.write(begin).await;
    let mut times = 0;
    while times < 20_000 && raw.try_write(&next(times)).await {
        times += 1;
        if times % 100 == 0 {
            assert_eq!(honest.get("/").await.status, 200);
        }
    }
    let code = raw.until(GOAWAY).await.map_or(0, |frame| frame.code());
    assert_eq!(honest.get("/").await.status, 200);
    (code, times)
}

#[test]
fn rapid_resets_end_the_connection() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let opened_and_reset = |n| [request(2 * n + 1, &[]), reset(2 * n + 1, CANCEL)].concat();
        let (code, times) = flood(&node, &[], opened_and_reset).await;
        assert_eq!(code, ENHANCE_YOUR_CALM);
        assert!(times < 20_000);
        assert!(counted(&node, Http2Event::Stream) < 1_500);
        eventually("nothing is left of it", || {
            node.counted(HttpEvent::ClientsOpen) == 0
        })
        .await;
    });
}

#[test]
fn resets_of_streams_that_are_with_their_backend_end_the_connection() {
    run(async {
        let backend = Backend::stalls().await;
        let node = Node::before(&backend);
        let mut raw = Raw::connect(node.address).await;
        // In batches, because what comes slowly enough is no flood.
        for batch in 0..10_u32 {
            let numbers = (50 * batch..50 * (batch + 1)).map(|n| 2 * n + 1);
            let opened: Vec<u8> = numbers.clone().flat_map(|n| request(n, &[])).collect();
            if !raw.try_write(&opened).await {
                break;
            }
            let taken_up = u64::from(50 * (batch + 1));
            eventually("they are taken up", || {
                counted(&node, Http2Event::Stream) >= taken_up
                    || node.counted(HttpEvent::ClientsOpen) == 0
            })
            .await;
            raw.try_write(&numbers.flat_map(|n| reset(n, CANCEL)).collect::<Vec<u8>>())
                .await;
        }
        let gone = raw.until(GOAWAY).await.unwrap();
        assert_eq!(gone.code(), ENHANCE_YOUR_CALM);
        assert_eq!(counted(&node, Http2Event::GoAwayResets), 1);
    });
}

#[test]
fn who_resets_less_than_it_lets_be_answered_is_served() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut raw = Raw::connect(node.address).await;
        for n in 0..500 {
            raw.write(&request(4 * n + 1, &[])).await;
            raw.until(DATA).await.unwrap();
            let cancelled = [request(4 * n + 3, &[]), reset(4 * n + 3, CANCEL)];
            let given_back = window_update(0, 1_000);
            raw.write(&[&cancelled.concat()[..], &given_back].concat())
                .await;
        }
        assert_eq!(counted(&node, Http2Event::GoAwayResets), 0);
        assert_eq!(counted(&node, Http2Event::GoAwayFrames), 0);
    });
}

#[test]
fn continuation_without_end_ends_the_connection() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let begin = frame(HEADERS, END_STREAM, 1, &head("GET", &[]));
        let field = block(&[("x-a", &"a".repeat(100))]);
        for piece in [&field[..], &[]] {
            let more = frame(CONTINUATION, 0, 1, piece);
            let (code, times) = flood(&node, &begin, |_| more.clone()).await;
            assert!(code == ENHANCE_YOUR_CALM || code == 0, "{code}");
            assert!(times < 20_000);
        }
        assert!(counted(&node, Http2Event::GoAwayFrames) >= 2);
    });
}

#[test]
fn a_head_that_grows_when_it_is_decompressed_is_refused() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        // One octet for 4,000: a value that the table remembers, then its index again and again.
        let mut bomb = head("GET", &[]);
        bomb.extend([0x40, 3, b'x', b'-', b'a', 0x7f, 0xa1, 0x1e]);
        bomb.extend([b'a'; 4_000]);
        let mut once = bomb.clone();
        once.extend([0xbe; 20]);
        let mut raw = Raw::connect(node.address).await;
        raw.write(&frame(HEADERS, ALL, 1, &once)).await;
        // 431, which the engine answers for itself: `:status` as a literal.
        assert_eq!(raw.until(HEADERS).await.unwrap().payload[0] & 0xf0, 0x40);
        bomb.extend([0xbe; 10_000]);
        let mut raw = Raw::connect(node.address).await;
        raw.write(&frame(HEADERS, ALL, 1, &bomb)).await;
        assert_eq!(raw.until(GOAWAY).await.unwrap().code(), ENHANCE_YOUR_CALM);
        assert_eq!(backend.seen.borrow().len(), 0);
    });
}

#[test]
fn frames_that_do_nothing_end_the_connection() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let open = upload(1, &[]);
        for (what, begin, flooding) in [
            ("PING", &[][..], frame(PING, 0, 0, &[0; 8])),
            ("SETTINGS", &[], settings(&[(1, 4_096)])),
            ("empty SETTINGS", &[], settings(&[])),
            ("PRIORITY", &[], frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])),
            ("unknown", &[], frame(99, 0, 0, &[0; 8])),
            ("WINDOW_UPDATE", &open, window_update(1, 1)),
            ("empty DATA", &open, frame(DATA, 0, 1, &[])),
            ("padded DATA", &open, frame(DATA, PADDED, 1, &[3, 0, 0, 0])),
        ] {
            let (code, times) = flood(&node, begin, |_| flooding.clone()).await;
            assert!(code == ENHANCE_YOUR_CALM || code == 0, "{what}: {code}");
            assert!(times < 20_000, "{what}: {times}");
        }
        eventually("all are gone", || node.counted(HttpEvent::ClientsOpen) == 0).await;
        assert!(counted(&node, Http2Event::GoAwayFrames) >= 6);
    });
}

#[test]
fn a_window_that_is_given_octet_by_octet_refreshes_nothing() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while peer.request().await.is_some() {
                let answer = [
                    &b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\n"[..],
                    &[0; 90_000],
                ];
                let _ = peer.stream.write_all(&answer.concat()).await;
            }
        })
        .await;
        let node = before(&backend, |settings| {
            settings.http2 = Some(Http2 {
                window_timeout: Duration::from_millis(500),
                ..Http2::default()
            });
        });
        // No window at first; then an octet for each one that comes.
        let mut raw = Raw::with(node.address, &[(4, 0)]).await;
        raw.write(&[request(1, &[]), window_update(1, 1)].concat())
            .await;
        let mut octets = 0;
        let end = loop {
            // An octet of window whenever nothing comes for a while.
            let frame = match timeout(Duration::from_millis(5), raw.next()).await {
                Ok(frame) => frame.unwrap(),
                Err(_) => {
                    raw.write(&window_update(1, 1)).await;
                    continue;
                }
            };
            match frame.kind {
                DATA => octets += frame.payload.len(),
                RST_STREAM => break frame,
                _ => {}
            }
        };
        assert_eq!((end.stream, end.code()), (1, CANCEL));
        assert!((1..1_000).contains(&octets), "{octets}");
        assert_eq!(counted(&node, Http2Event::WindowReset), 1);
        assert_eq!(node.counted(HttpEvent::ClientGone), 1);
    });
}

#[test]
fn a_client_that_does_not_read_at_all_is_disconnected() {
    run(async {
        let backend = Backend::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while peer.request().await.is_some() {
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 30000000\r\n\r\n";
                let _ = peer.stream.write_all(head.as_bytes()).await;
                let _ = peer.stream.write_all(&vec![0; 30_000_000]).await;
            }
        })
        .await;
        let node = before(&backend, |settings| {
            settings.http2 = Some(Http2 {
                window_timeout: Duration::from_millis(500),
                ..Http2::default()
            });
        });
        let mut raw = Raw::with(node.address, &[(4, 0x7fff_ffff)]).await;
        let windows = window_update(0, 0x7000_0000);
        raw.write(&[windows, request(1, &[])].concat()).await;
        eventually("it is disconnected", || {
            node.counted(HttpEvent::ClientsOpen) == 0
        })
        .await;
        assert_eq!(counted(&node, Http2Event::GoAwayWindow), 1);
    });
}

#[test]
fn a_head_that_never_ends_is_ended() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = before(&backend, |settings| {
            settings.head_timeout = Duration::from_millis(300);
        });
        let head = frame(HEADERS, END_STREAM, 1, &head("GET", &[]));
        for begun in [&head[..], &head[..20], &head[..3]] {
            let mut raw = Raw::connect(node.address).await;
            raw.write(begun).await;
            assert_eq!(raw.until(GOAWAY).await.unwrap().code(), ENHANCE_YOUR_CALM);
        }
        assert_eq!(node.counted(HttpEvent::HeadTimeout), 3);
        assert_eq!(counted(&node, Http2Event::GoAwayHead), 3);
        // Nor is a preface waited for.
        let mut raw = Raw::bare(node.address).await;
        raw.write(&PREFACE[..10]).await;
        assert_eq!(raw.next().await, None);
    });
}

#[test]
fn streams_that_we_are_made_to_reset_are_bounded() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        // More data than was announced is a fault of the stream.
        let faulty = |n| {
            let head = upload(2 * n + 1, &[("content-length", "1")]);
            [head, frame(DATA, 0, 2 * n + 1, b"ab")].concat()
        };
        let (code, times) = flood(&node, &[], faulty).await;
        assert_eq!(code, ENHANCE_YOUR_CALM);
        assert!(times < 20_000);
        assert!(counted(&node, Http2Event::Stream) < 3_000);
    });
}
