//! SIGTERM: nothing new is accepted, what is under way is finished, the process ends.

use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::support::{Backend, Files, Node, eventually, get};
use nix::sys::signal::Signal;

#[test]
fn sigterm_finishes_the_exchange_under_way_and_ends_with_0() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let mut node = Node::start(&files.config);
    let http = node.http;
    backend.hold.store(true, Ordering::Relaxed);
    let slow = std::thread::spawn(move || get(http, "shop.example.com", "/slow").unwrap());
    eventually("the request reached the backend", || {
        (backend.requests.load(Ordering::Relaxed) > 0).then_some(())
    });
    node.signal(Signal::SIGTERM);
    node.await_log("stopping");
    // Without a request: one that came just in time would be held too.
    eventually("no new connection is accepted", || {
        TcpStream::connect(http).is_err().then_some(())
    });
    // Long after its own limit, were it told to end at the same time.
    let until = Instant::now() + Duration::from_millis(1_500);
    while Instant::now() < until {
        assert_eq!(node.get("/healthz").0, 200, "admin outlives the exchanges");
        assert_eq!(node.get("/readyz").0, 503, "nothing new is accepted");
    }
    backend.hold.store(false, Ordering::Relaxed);
    assert_eq!(slow.join().unwrap(), (200, "a\n".to_owned()));
    assert_eq!(node.end(), 0);
}

#[test]
fn a_second_signal_ends_at_once() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let mut node = Node::spawn(&files.config, &["--grace", "1h"]);
    node.wait_ready();
    let http = node.http;
    backend.hold.store(true, Ordering::Relaxed);
    let stuck = std::thread::spawn(move || get(http, "shop.example.com", "/stuck"));
    eventually("the request reached the backend", || {
        (backend.requests.load(Ordering::Relaxed) > 0).then_some(())
    });
    node.signal(Signal::SIGTERM);
    node.await_log("stopping");
    node.signal(Signal::SIGTERM);
    assert_eq!(node.end(), 0);
    assert!(stuck.join().unwrap().is_err());
}

#[test]
fn the_grace_is_bounded() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let mut node = Node::spawn(&files.config, &["--grace", "200ms"]);
    node.wait_ready();
    let http = node.http;
    backend.hold.store(true, Ordering::Relaxed);
    let stuck = std::thread::spawn(move || get(http, "shop.example.com", "/stuck"));
    eventually("the request reached the backend", || {
        (backend.requests.load(Ordering::Relaxed) > 0).then_some(())
    });
    node.signal(Signal::SIGTERM);
    assert_eq!(node.end(), 0);
    let _ = stuck.join().unwrap();
}
