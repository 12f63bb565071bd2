//! What probes make of backends.

use windrose_model::Verdict::{Down, Unknown, Up};
use windrose_model::{Cause, HttpVersion, Probe, ProbeFailure, ProxyProtocol};
use windrose_telemetry::ProbeOutcome;

use crate::backend::{OK, answers, backend, nobody, request, speaks_first, stalls};
use crate::node::{Node, draft, entry, http, model};

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it";
const BAD_CHUNKS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n";
const ENDLESS_HEAD: &str = "HTTP/1.1 200 OK\r\nX: ";

#[tokio::test]
async fn every_way_to_fail_has_its_cause() {
    let (_kept, stalling) = stalls();
    let cases = [
        ("refuses", nobody(), ProbeFailure::Refused),
        ("stalls", stalling, ProbeFailure::Timeout),
        (
            "garbage",
            answers("SSH-2.0-OpenSSH\r\n\r\n"),
            ProbeFailure::Garbage,
        ),
        ("mail", speaks_first("220 mail\r\n"), ProbeFailure::Garbage),
        ("chunks", answers(BAD_CHUNKS), ProbeFailure::Garbage),
        ("closes", backend(drop), ProbeFailure::Reset),
        ("half", answers(HALF), ProbeFailure::Reset),
        ("head", answers(ENDLESS_HEAD), ProbeFailure::Reset),
        (
            "busy",
            answers("HTTP/1.1 503 Busy\r\n\r\n"),
            ProbeFailure::Status(503),
        ),
        (
            "moved",
            answers("HTTP/1.1 301 Moved\r\n\r\n"),
            ProbeFailure::Status(301),
        ),
    ];
    let apps: Vec<_> = cases
        .iter()
        .map(|(app, address, _)| (*app, http(), std::slice::from_ref(address)))
        .collect();
    let node = Node::start(model(draft(&apps), 1, None), None);
    let all_down = |s: &windrose_control::Snapshot| {
        cases
            .iter()
            .all(|(app, ..)| entry(s, app, 0).verdict == Down)
    };
    let snapshot = node.until(all_down).await;
    for (app, _, last) in cases {
        let expected = Cause::EndpointsDown { of: 1, last };
        assert_eq!(entry(&snapshot, app, 0).cause, expected, "{app}");
    }
    let scalars = &node.metrics.scalars;
    assert!(scalars.probes(ProbeOutcome::Garbage).get() >= 2);
    assert!(scalars.probes(ProbeOutcome::Timeout).get() >= 2);
}

#[tokio::test]
async fn what_serves_is_up_by_tcp_and_by_http() {
    let (_kept, silent) = stalls();
    let long = answers("HTTP/1.1 204 No Content\r\n\r\n");
    let node = Node::start(
        model(
            draft(&[
                ("tcp", Probe::Tcp, &[silent]),
                ("http", http(), &[answers(OK), long]),
            ]),
            1,
            None,
        ),
        None,
    );
    let snapshot = node.handle.snapshot();
    assert_eq!(entry(&snapshot, "tcp", 0).verdict, Unknown);
    node.handle.first_round().await;
    let snapshot = node.handle.snapshot();
    for (app, cluster) in [("tcp", 0), ("http", 0), ("http", 1)] {
        assert_eq!(
            entry(&snapshot, app, cluster).verdict,
            Up,
            "{app} {cluster}"
        );
    }
    assert!(snapshot.ready.ready && snapshot.ready.missing.is_empty());
}

#[tokio::test]
async fn a_probe_says_first_that_it_speaks_for_itself_where_headers_are_expected() {
    let headers: [(ProxyProtocol, &[u8]); 2] = [
        (ProxyProtocol::V1, b"PROXY UNKNOWN\r\n"),
        (ProxyProtocol::V2, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"),
    ];
    for (version, header) in headers {
        let address = backend(move |mut stream| {
            use std::io::{Read, Write};
            let mut first = vec![0; header.len()];
            let announced = stream.read_exact(&mut first).is_ok() && first == header;
            if announced && request(&mut stream).is_some() {
                let _ = stream.write_all(OK.as_bytes());
            }
        });
        let mut draft = draft(&[("web", http(), &[address])]);
        let app = draft.apps.values_mut().next().unwrap();
        app.upstream.proxy_protocol = Some(version);
        let node = Node::start(model(draft, 1, None), None);
        let snapshot = node.until(|s| entry(s, "web", 0).verdict != Unknown).await;
        assert_eq!(entry(&snapshot, "web", 0).verdict, Up, "{version:?}");
    }
}

/// Answers the first request over HTTP/2 with 200, and nothing else.
fn answer_over_http2(stream: &mut std::net::TcpStream) -> std::io::Result<()> {
    use std::io::{Read, Write};
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut first = vec![0; PREFACE.len()];
    stream.read_exact(&mut first)?;
    if first != PREFACE {
        return Ok(());
    }
    // SETTINGS, and those of the prober acknowledged.
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0])?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length])?;
        if head[3] == 1 {
            // HEADERS: `:status` is 200, and that is all.
            stream.write_all(&[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88])?;
        }
    }
}

#[tokio::test]
async fn a_probe_speaks_the_version_of_http_that_traffic_speaks() {
    let new = backend(|mut stream| {
        let _ = answer_over_http2(&mut stream);
    });
    let old = backend(|mut stream| {
        use std::io::Write;
        if request(&mut stream).is_some() {
            let _ = stream.write_all(OK.as_bytes());
        }
    });
    for (address, verdict) in [(new, Up), (old, Down)] {
        let mut draft = draft(&[("web", http(), &[address])]);
        let app = draft.apps.values_mut().next().unwrap();
        app.upstream.http = HttpVersion::Http2;
        let node = Node::start(model(draft, 1, None), None);
        let snapshot = node.until(|s| entry(s, "web", 0).verdict != Unknown).await;
        assert_eq!(entry(&snapshot, "web", 0).verdict, verdict);
    }
}

#[tokio::test]
async fn a_body_without_end_is_read_to_a_bound() {
    let endless = backend(|mut stream| {
        use std::io::Write;
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let node = Node::start(model(draft(&[("web", http(), &[endless])]), 1, None), None);
    let snapshot = node.until(|s| entry(s, "web", 0).verdict != Unknown).await;
    assert_eq!(entry(&snapshot, "web", 0).verdict, Up);
}
