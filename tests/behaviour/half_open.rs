//! Thousands of TCP connections that begin a query and never end it, all held open by their clients
//! at the same time: honest clients do not notice.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use crate::support::{Backend, Files, Node, PATIENCE, ask, eventually};

/// So many from each of twelve addresses: fewer than one client may have, more than all may have.
const EACH: usize = 200;
/// What a node holds open unless its configuration says otherwise.
const HELD: usize = 512;

/// `shop.example.com A`, behind its length.
const QUERY: &[u8] =
    b"\0\x22\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04shop\x07example\x03com\0\0\x01\0\x01";

/// Nothing, half of a length, a length alone, and all but the last octet.
const BEGUN: [usize; 4] = [0, 1, 2, QUERY.len() - 1];

fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::from((Ipv4Addr::from(from), 0));
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks on a connection and reads the answer.
fn converse(stream: &mut TcpStream) {
    stream.write_all(QUERY).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..2], QUERY[2..4], "the id");
    assert_eq!(answer[3] & 0x0f, 0, "the code");
    assert!(answer.ends_with(&[192, 0, 2, 1]), "{answer:02x?}");
}

fn is_open(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    match stream.read(&mut [0; 1]) {
        Ok(octets) => octets > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

#[test]
fn honest_clients_are_answered_beside_thousands_of_half_open_connections() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let node = Node::start(&files.config);

    let mut kept = connect([127, 0, 0, 2], node.dns);
    let mut open = Vec::new();
    for count in 0..EACH {
        for host in 1..=12 {
            let mut stream = connect([127, 0, 1, host], node.dns);
            let begun = BEGUN[(count + usize::from(host)) % BEGUN.len()];
            // The node may have let go of it already.
            let _ = stream.write_all(&QUERY[..begun]);
            open.push(stream);
        }
        if count % 10 == 0 {
            converse(&mut kept);
            converse(&mut connect([127, 0, 0, 3], node.dns));
            let answer = eventually("an answer over UDP", || ask(node.dns, "shop.example.com."));
            assert_eq!(answer, (0, vec!["192.0.2.1".to_owned()]));
        }
    }
    assert_eq!(open.len(), 2_400);
    // Those that were silent longest had to go, and nobody who asks.
    eventually("no more than the node holds are open", || {
        open.retain_mut(is_open);
        (open.len() <= HELD).then_some(())
    });
    converse(&mut kept);
    assert_eq!(node.get("/healthz").0, 200);
    assert!(!node.log().contains("panicked"), "{}", node.log());
}
