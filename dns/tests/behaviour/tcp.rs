//! DNS over TCP on loopback, with clients of all manners.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::world::{self, Ask, table};
use hickory_proto::op::Message;
use windrose_dns::{Manners, TcpLimits, serve_tcp};
use windrose_routing::Publisher;
use windrose_telemetry::{DnsEvent, Metrics};

fn serving(limits: TcpLimits, talk: impl FnOnce(SocketAddr)) -> Arc<Metrics> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (_publisher, source) = Publisher::new(table());
    let metrics = Metrics::new();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shared = Arc::clone(&metrics);
    let manners = world::manners(Manners {
        tcp: limits,
        ..Manners::default()
    });
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(serve_tcp(listener, source, shared, 7, manners, async {
            let _ = stopped.await;
        }))
    });
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| talk(address)));
    stop.send(()).unwrap();
    server.join().unwrap().unwrap();
    done.unwrap();
    metrics
}

fn client(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
}

fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&len, message].concat()
}

fn receive(stream: &mut TcpStream) -> Message {
    let mut len = [0; 2];
    stream.read_exact(&mut len).unwrap();
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut message).unwrap();
    Message::from_vec(&message).unwrap()
}

/// Whether the server closed the connection, orderly or not.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn queries_in_a_row_are_answered_in_order() {
    let metrics = serving(TcpLimits::default(), |address| {
        let mut stream = client(address);
        // RFC 7766 section 6.2.1.1: clients may pipeline.
        let mut burst = Vec::new();
        for id in 0..100 {
            burst.extend(framed(
                &Ask {
                    id,
                    ..Ask::new("crowd.example.com", 1)
                }
                .wire(),
            ));
        }
        stream.write_all(&burst).unwrap();
        for id in 0..100 {
            let reply = receive(&mut stream);
            assert_eq!(reply.metadata.id, id);
            assert_eq!(reply.answers.len(), 32, "TCP has room for all");
            assert!(!reply.metadata.truncation);
        }
    });
    assert_eq!(metrics.dns_events.sum(0, DnsEvent::TcpConnection as u32), 1);
}

#[test]
fn a_message_may_come_in_pieces_and_its_sender_may_stop_talking() {
    serving(TcpLimits::default(), |address| {
        let mut stream = client(address);
        for octet in framed(&Ask::new("www.example.com", 1).wire()) {
            stream.write_all(&[octet]).unwrap();
        }
        // RFC 7766 section 6.2.4: a half-closed connection still gets its answer.
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(receive(&mut stream).answers.len(), 2);
        assert!(is_closed(&mut stream));
    });
}

#[test]
fn garbage_ends_a_connection_and_only_that_one() {
    serving(TcpLimits::default(), |address| {
        let mut good = client(address);
        for garbage in [
            &b"\0\0\0\0"[..],
            b"\0\x05hello",
            b"\0\x0c\0\0\x80\0\0\0\0\0\0\0\0\0",
        ] {
            let mut bad = client(address);
            bad.write_all(garbage).unwrap();
            assert!(is_closed(&mut bad), "{garbage:?}");
        }
        // Longer than what follows: the rest of a message that never comes.
        let mut liar = client(address);
        liar.write_all(b"\xff\xffGET / HTTP/1.1\r\n\r\n").unwrap();
        liar.shutdown(Shutdown::Write).unwrap();
        assert!(is_closed(&mut liar));
        // A broken query inside a good frame is told so.
        good.write_all(&framed(&Ask::new("www.example.com", 1).wire()[..20]))
            .unwrap();
        assert_eq!(u16::from(receive(&mut good).metadata.response_code), 1);
        good.write_all(&framed(&Ask::new("www.example.com", 1).wire()))
            .unwrap();
        assert_eq!(receive(&mut good).answers.len(), 2);
    });
}

#[test]
fn a_silent_connection_is_closed() {
    let limits = TcpLimits {
        idle: Duration::from_millis(50),
        ..TcpLimits::default()
    };
    serving(limits, |address| {
        assert!(is_closed(&mut client(address)));
        // Octets that never become a message do not count as talking.
        let mut drip = client(address);
        drip.write_all(b"\x01\0").unwrap();
        assert!(is_closed(&mut drip));
    });
}

#[test]
fn one_connection_too_many_closes_the_one_silent_longest() {
    let limits = TcpLimits {
        connections: 3,
        ..TcpLimits::default()
    };
    serving(limits, |address| {
        let ask = |stream: &mut TcpStream| {
            stream
                .write_all(&framed(&Ask::new("www.example.com", 1).wire()))
                .unwrap();
            assert_eq!(receive(stream).answers.len(), 2);
        };
        let mut streams: Vec<_> = (0..3).map(|_| client(address)).collect();
        streams.iter_mut().for_each(ask);
        ask(&mut streams[0]);
        let mut late = client(address);
        ask(&mut late);
        assert!(is_closed(&mut streams[1]));
        ask(&mut streams[0]);
        ask(&mut streams[2]);
    });
}

#[test]
fn clients_that_vanish_leave_nothing_behind() {
    let limits = TcpLimits {
        connections: 4,
        ..TcpLimits::default()
    };
    serving(limits, |address| {
        for _ in 0..50 {
            let mut stream = client(address);
            // Gone with answers on the way: the kernel resets.
            let query = framed(&Ask::new("crowd.example.com", 1).wire());
            stream.write_all(&query.repeat(10)).unwrap();
        }
        let mut stream = client(address);
        stream
            .write_all(&framed(&Ask::new("www.example.com", 1).wire()))
            .unwrap();
        assert_eq!(receive(&mut stream).answers.len(), 2);
    });
}

#[test]
fn one_client_too_often_closes_its_own_and_no_other() {
    let limits = TcpLimits {
        per_client: 2,
        ..TcpLimits::default()
    };
    serving(limits, |address| {
        let from = |host: &str| {
            let socket = socket2::Socket::new(
                socket2::Domain::IPV4,
                socket2::Type::STREAM,
                Some(socket2::Protocol::TCP),
            )
            .unwrap();
            socket
                .bind(&SocketAddr::from((world::ip(host), 0)).into())
                .unwrap();
            socket.connect(&address.into()).unwrap();
            let stream = TcpStream::from(socket);
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            stream
        };
        let ask = |stream: &mut TcpStream| {
            stream
                .write_all(&framed(&Ask::new("www.example.com", 1).wire()))
                .unwrap();
            assert_eq!(receive(stream).answers.len(), 2);
        };
        let mut other = from("127.0.0.9");
        ask(&mut other);
        let mut first = client(address);
        ask(&mut first);
        let mut second = client(address);
        ask(&mut second);
        ask(&mut first);
        let mut third = client(address);
        ask(&mut third);
        assert!(is_closed(&mut second));
        ask(&mut first);
        ask(&mut other);
    });
}

#[test]
fn thousands_of_half_open_connections_do_not_keep_honest_clients_out() {
    let limits = TcpLimits {
        connections: 64,
        per_client: 48,
        ..TcpLimits::default()
    };
    serving(limits, |address| {
        let mut open = std::collections::VecDeque::new();
        for round in 0..2_000 {
            let mut stream = client(address);
            // Nothing, half of a length, a length, or the beginning of a message that never ends.
            let _ = stream.write_all(&b"\x01\0\x12\x34"[..round % 4]);
            open.push_back(stream);
            // As many as a shell may have open.
            if open.len() > 400 {
                open.pop_front();
            }
            if round % 100 == 0 {
                let mut honest = client(address);
                honest
                    .write_all(&framed(&Ask::new("www.example.com", 1).wire()))
                    .unwrap();
                assert_eq!(receive(&mut honest).answers.len(), 2);
            }
        }
    });
}

#[test]
fn what_was_asked_before_the_end_is_answered() {
    let mut stream = None;
    serving(TcpLimits::default(), |address| {
        let mut asking = client(address);
        let query = framed(&Ask::new("crowd.example.com", 1).wire());
        asking.write_all(&query.repeat(20)).unwrap();
        // They came in one segment: the first answer says that all of them were read.
        assert_eq!(receive(&mut asking).answers.len(), 32);
        stream = Some(asking);
    });
    let mut stream = stream.unwrap();
    for _ in 1..20 {
        assert_eq!(receive(&mut stream).answers.len(), 32);
    }
    assert!(is_closed(&mut stream));
}

#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let limits = TcpLimits {
        idle: Duration::from_millis(300),
        ..TcpLimits::default()
    };
    serving(limits, |address| {
        let mut deaf = client(address);
        deaf.set_write_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let burst = framed(&Ask::new("crowd.example.com", 1).wire()).repeat(1_000);
        // 550 octets for each 35: in the end nothing moves, and the server lets go.
        let stuck = (0..10_000).find(|_| deaf.write_all(&burst).is_err());
        assert!(stuck.is_some());
        let mut honest = client(address);
        honest
            .write_all(&framed(&Ask::new("www.example.com", 1).wire()))
            .unwrap();
        assert_eq!(receive(&mut honest).answers.len(), 2);
    });
}
