//! A node shows what its breakers hold, and which circuits are open and why.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Backend, Files, Node, eventually, get};

/// A backend whose checks pass, and whose `/slow` is never answered; all else is 503.
fn half_alive() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
                let (mut head, mut chunk) = (Vec::new(), [0; 4096]);
                while let Ok(n @ 1..) = stream.read(&mut chunk) {
                    head.extend_from_slice(&chunk[..n]);
                    if !head.ends_with(b"\r\n\r\n") || head.starts_with(b"GET /slow") {
                        continue;
                    }
                    let status = match head.starts_with(b"GET /healthz") {
                        true => "200 OK",
                        false => "503 Service Unavailable",
                    };
                    head.clear();
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nx\n");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn what_clusters_hold_and_which_circuits_are_open_is_shown() {
    let (bad, good) = (half_alive(), Backend::start("good"));
    let files = Files::new(bad, good.address);
    files.write(&files.text(bad, good.address).replace(
        "    ttl: 5s\n",
        "    ttl: 5s\n    breakers: {requests: 1, failures: 2, open_for: 1h}\n",
    ));
    let node = Node::start(&files.config);
    let status = || -> Value { serde_json::from_str(&node.get("/status").1).unwrap() };
    assert_eq!(status()["breakers"], Value::Array(Vec::new()));
    let visit = |path: &str| get(node.http, "shop.example.com", path);
    let address = node.http;
    std::thread::spawn(move || get(address, "shop.example.com", "/slow"));
    let held = eventually("a request hangs", || status()["breakers"].get(0).cloned());
    assert_eq!(
        (&held["app"], &held["cluster"]),
        (&"shop".into(), &"a".into())
    );
    assert_eq!(held["state"], "closed");
    assert_eq!(
        (&held["requests"]["now"], &held["requests"]["limit"]),
        (&1.into(), &1.into())
    );
    assert_eq!(visit("/").unwrap().0, 200, "the other cluster serves");
    let (_, page) = node.get("/status?format=text");
    let line = "breakers here\nshop/a  closed  connections 1/1024  pending 0/1024  requests 1/1  retries 0";
    assert!(page.contains(line), "{page}");
    let metrics = node.get("/metrics").1;
    let labels = "{app=\"shop\",cluster=\"a\"";
    for line in [
        format!("windrose_breaker_open{labels},limit=\"requests\"}} 1"),
        format!("windrose_breaker_open{labels},limit=\"circuit\"}} 0"),
        format!("windrose_breaker_in_use{labels},limit=\"connections\"}} 1"),
        format!("windrose_breaker_overflows_total{labels},limit=\"requests\"}} 1"),
        format!("windrose_breaker_opened_total{labels}}} 0"),
    ] {
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
    // With room, the cluster fails, and is left alone.
    files.write(&files.text(bad, good.address).replace(
        "    ttl: 5s\n",
        "    ttl: 5s\n    breakers: {failures: 2, open_for: 1h}\n",
    ));
    eventually("the limit is gone", || {
        (visit("/").unwrap().0 == 503).then_some(())
    });
    assert_eq!([(); 3].map(|()| visit("/").unwrap().0), [503, 200, 200]);
    let open = status()["breakers"][0].clone();
    assert_eq!(
        (&open["state"], &open["cause"]),
        (&"open".into(), &"2 failures in a row".into())
    );
    let metrics = node.get("/metrics").1;
    for line in [
        format!("windrose_breaker_open{labels},limit=\"circuit\"}} 1"),
        format!("windrose_breaker_opened_total{labels}}} 1"),
    ] {
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
    assert!(node.log().contains("circuit opened"), "{}", node.log());
}
