//! A node shows whom it leaves out and why, and a health check that passes lets it in again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Backend, Files, Node, eventually, get};

/// A backend whose requests fail while `fails`, and whose checks pass or are left unanswered.
fn failing(fails: &Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let fails = Arc::clone(fails);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let fails = Arc::clone(&fails);
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
                let (mut head, mut chunk) = (Vec::new(), [0; 4096]);
                while let Ok(n @ 1..) = stream.read(&mut chunk) {
                    head.extend_from_slice(&chunk[..n]);
                    if !head.ends_with(b"\r\n\r\n") {
                        continue;
                    }
                    let status = match fails.load(Relaxed) && !head.starts_with(b"GET /healthz") {
                        true => "500 Internal Server Error",
                        false => "200 OK",
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
fn who_is_ejected_is_shown_and_a_check_that_passes_ends_it() {
    let fails = Arc::new(AtomicBool::new(true));
    let (bad, good) = (failing(&fails), Backend::start("good"));
    let files = Files::new(bad, good.address);
    let text = files.text(bad, good.address);
    // At first checks say nothing.
    let quiet = text.replace(
        "    ttl: 5s\n",
        "    ttl: 5s\n    outliers: {consecutive: 3, restore_on_check: false}\n",
    );
    files.write(&quiet);
    let node = Node::start(&files.config);
    let visit = || get(node.http, "shop.example.com", "/").unwrap().0;
    assert_eq!([visit(), visit(), visit()], [500; 3]);
    assert_eq!([visit(), visit()], [200; 2], "the other cluster serves");
    let status = || -> Value { serde_json::from_str(&node.get("/status").1).unwrap() };
    let out = status()["ejected"][0].clone();
    assert_eq!(out["endpoint"], bad.to_string());
    assert_eq!(
        (&out["app"], &out["cluster"]),
        (&"shop".into(), &"a".into())
    );
    assert_eq!(out["cause"], "3 failures in a row");
    let (_, page) = node.get("/status?format=text");
    assert!(page.contains("ejected here\nshop/v1/a"), "{page}");
    let (_, metrics) = node.get("/metrics");
    for line in [
        "windrose_endpoints_ejected{app=\"shop\",cluster=\"a\"} 1",
        "windrose_endpoint_ejections_total{app=\"shop\",cluster=\"a\",cause=\"consecutive\"} 1",
        "windrose_endpoint_ejections_prevented_total{app=\"shop\",cluster=\"b\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    fails.store(false, Relaxed);
    files.write(&quiet.replace(", restore_on_check: false", ", restore_on_check: true"));
    // The rule at the time of the ejection holds: not a check, but nothing before its 30 s.
    assert_eq!(visit(), 200);
    assert_eq!(status()["ejected"][0]["times"], 1);
    // One that is ejected under the new rule comes back with the next check.
    let (again, other) = (failing(&Arc::new(AtomicBool::new(true))), good.address);
    files.write(&files.text(again, other).replace(
        "    ttl: 5s\n",
        "    ttl: 5s\n    outliers: {consecutive: 3}\n",
    ));
    eventually("the new endpoint fails", || (visit() == 500).then_some(()));
    eventually("its ejection, and its end by a check", || {
        visit();
        let (_, log) = (visit(), node.log());
        log.contains("a health check passed").then_some(())
    });
}
