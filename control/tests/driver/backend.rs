//! Backends on loopback that behave as told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

/// A listener whose every connection is handled by `serve`, one after the other.
pub(crate) fn backend(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
    address
}

/// Answers each request with these bytes and closes.
pub(crate) fn answers(reply: &'static str) -> SocketAddr {
    backend(move |stream| reply_with(stream, reply))
}

/// Healthy while the switch is on; closes at once while it is off.
pub(crate) fn switched(on: &Arc<AtomicBool>) -> SocketAddr {
    let on = Arc::clone(on);
    backend(move |stream| {
        if on.load(Relaxed) {
            reply_with(stream, OK);
        }
    })
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Takes connections and says nothing; the listener is to be kept.
pub(crate) fn stalls() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Says this before it is asked, and then nothing until the other side closes.
pub(crate) fn speaks_first(banner: &'static str) -> SocketAddr {
    backend(move |mut stream| {
        let _ = stream.write_all(banner.as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// Reads one request head; none if the connection ends before.
pub(crate) fn request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => request.push(byte[0]),
            _ => return None,
        }
    }
    Some(request)
}

fn reply_with(mut stream: TcpStream, reply: &str) {
    let Some(request) = request(&mut stream) else {
        return;
    };
    let request = String::from_utf8(request).unwrap();
    assert!(
        request.starts_with("GET /healthz HTTP/1.1\r\n"),
        "{request}"
    );
    for header in [
        "host: ",
        "user-agent: windrose-probe\r\n",
        "connection: close\r\n",
    ] {
        assert!(request.contains(header), "{request}");
    }
    let _ = stream.write_all(reply.as_bytes());
}
