//! Bytes that mean nothing leave a node as healthy as before.

mod support;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use support::{Backend, Files, Node, ask, get};

/// A simple generator with a printed seed: the same garbage each time.
struct Garbage(u64);

impl Garbage {
    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let length = self.next() % most + 1;
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn garbage_on_every_port_leaves_the_node_healthy() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let node = Node::start(&files.config);
    let seed = 0x5eed;
    println!("seed {seed}");
    let mut garbage = Garbage(seed);

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..2_000 {
        let _ = socket.send_to(&garbage.bytes(600), node.dns);
    }
    for port in [node.dns, node.http, node.admin] {
        for round in 0..20 {
            let mut stream = TcpStream::connect(port).unwrap();
            // The peer may be gone before all is written.
            let _ = stream.write_all(&garbage.bytes(4_000));
            // Some leave at once, some wait for what comes back.
            if round % 4 == 0 {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
                let _ = stream.read(&mut [0; 4_096]);
            }
        }
    }
    // A head that never ends, kept open while others are served.
    let mut open = TcpStream::connect(node.http).unwrap();
    open.write_all(b"GET / HTTP/1.1\r\nHost: shop").unwrap();

    assert_eq!(
        ask(node.dns, "shop.example.com."),
        Some((0, vec!["192.0.2.1".to_owned()]))
    );
    assert_eq!(get(node.http, "shop.example.com", "/").unwrap().0, 200);
    assert_eq!(node.get("/healthz").0, 200);
    assert!(!node.log().contains("panicked"), "{}", node.log());
}
