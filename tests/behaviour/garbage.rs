//! Bytes that mean nothing leave a node as healthy as before.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::support::{Backend, Files, Node, ask, get};

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

/// Queries of all forms: plain, with EDNS, a client subnet, a cookie, of class CH, of another opcode.
fn corpus() -> Vec<Vec<u8>> {
    let query = |flags: [u8; 2], class: u8, options: Option<&[u8]>| {
        let mut wire = vec![0x12, 0x34, flags[0], flags[1], 0, 1, 0, 0, 0, 0, 0, 0];
        wire.extend(b"\x04shop\x07example\x03com\0\0\x01\0");
        wire.push(class);
        if let Some(options) = options {
            wire[11] = 1;
            wire.extend([0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0]);
            wire.push(u8::try_from(options.len()).unwrap());
            wire.extend(options);
        }
        wire
    };
    let subnet = [0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2];
    let cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    let all = [
        &subnet[..],
        &cookie,
        &[0, 3, 0, 0, 0, 19, 0, 0, 0, 11, 0, 0],
    ]
    .concat();
    // A name that points at itself, and two that point at each other.
    let mut loops = query([1, 0], 1, None);
    loops.truncate(12);
    loops.extend([0xc0, 12, 0, 1, 0, 1]);
    let mut pair = query([1, 0], 1, None);
    pair[5] = 2;
    pair.truncate(12);
    pair.extend([0xc0, 18, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1]);
    vec![
        query([1, 0], 1, None),
        query([1, 0], 1, Some(&[])),
        query([0, 0x30], 1, Some(&subnet)),
        query([1, 0], 1, Some(&cookie)),
        query([1, 0], 1, Some(&all)),
        query([1, 0], 3, Some(&all)),
        query([0x28, 0], 1, Some(&all)),
        loops,
        pair,
    ]
}

/// An honest query is answered, as long as the system itself loses nothing.
fn is_answered(node: &Node) -> bool {
    let wanted = Some((0, vec!["192.0.2.1".to_owned()]));
    (0..5).any(|_| ask(node.dns, "shop.example.com.") == wanted)
}

#[test]
fn twenty_thousand_mutated_messages_hinder_no_honest_client() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let node = Node::start(&files.config);
    let seed = 0xd15_ea5e;
    println!("seed {seed}");
    let mut garbage = Garbage(seed);
    let corpus = corpus();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();

    // Cut at every octet; over TCP the length says so, or promises what never comes.
    for message in &corpus {
        for end in 0..=message.len() {
            let _ = socket.send_to(&message[..end], node.dns);
            for told in [end, message.len()] {
                let mut stream = TcpStream::connect(node.dns).unwrap();
                let length = u16::try_from(told).unwrap().to_be_bytes();
                let _ = stream.write_all(&[&length[..], &message[..end]].concat());
            }
        }
    }
    assert!(is_answered(&node));
    let mut stream = TcpStream::connect(node.dns).unwrap();
    for round in 0..20_000 {
        let pick = garbage.next() as usize % corpus.len();
        let mut message = corpus[pick].clone();
        for _ in 0..=garbage.next() % 4 {
            let at = garbage.next() as usize % message.len();
            message[at] = garbage.next() as u8;
        }
        if garbage.next().is_multiple_of(8) {
            message.truncate(garbage.next() as usize % (message.len() + 1));
        }
        if round % 4 == 0 {
            let prefix = u16::try_from(message.len()).unwrap().to_be_bytes();
            let framed = [&prefix[..], &message].concat();
            // What is no query ends a connection; the next message has another one.
            if stream.write_all(&framed).is_err() || round % 32 == 0 {
                stream = TcpStream::connect(node.dns).unwrap();
            }
        } else {
            let _ = socket.send_to(&message, node.dns);
        }
        if round % 1_000 == 0 {
            assert!(is_answered(&node), "round {round}");
        }
    }
    assert!(is_answered(&node));
    assert_eq!(node.get("/healthz").0, 200);
    assert!(!node.log().contains("panicked"), "{}", node.log());
}
