//! DNS over TCP on loopback, with clients of all manners.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::world::{self, Ask, table};
use hickory_proto::op::Message;
use windrose_dns::{Counters, Manners, TcpLimits, serve_tcp};
use windrose_routing::Publisher;
use windrose_telemetry::{DnsEvent, Metrics};

fn serving(limits: TcpLimits, talk: impl FnOnce(SocketAddr)) -> Arc<Metrics> {
    serving_at(limits, |[address]| talk(address))
}

fn serving_at<const N: usize>(
    limits: TcpLimits,
    talk: impl FnOnce([SocketAddr; N]),
) -> Arc<Metrics> {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = listeners.each_ref().map(|one| one.local_addr().unwrap());
    let (_publisher, source) = Publisher::new(table());
    let metrics = Metrics::new();
    let stop = Arc::new(AtomicBool::new(false));
    let (shared, stopped) = (Arc::clone(&metrics), Arc::clone(&stop));
    let manners = world::manners(Manners {
        tcp: limits,
        ..Manners::default()
    });
    let server = std::thread::spawn(move || {
        let (counters, reader) = (Counters::new(&shared), source.reader());
        serve_tcp(listeners.into(), reader, manners, &counters, 7, &stopped)
    });
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| talk(addresses)));
    stop.store(true, Ordering::Relaxed);
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

#[test]
fn messages_have_65_535_octets_and_what_stands_behind_them_is_answered() {
    serving(TcpLimits::default(), |address| {
        let mut ask = Ask::new("www.example.com", 1);
        ask.opt = Some((1_232, 0, Vec::new()));
        let padding = u16::try_from(65_535 - ask.wire().len() - 4).unwrap();
        // An option that nobody knows.
        let mut options = [65_001_u16.to_be_bytes(), padding.to_be_bytes()].concat();
        options.resize(options.len() + usize::from(padding), 0);
        ask.opt = Some((1_232, 0, options));
        let long = ask.wire();
        assert_eq!(long.len(), 65_535);
        let short = Ask::new("www.example.com", 1).wire();
        let mut stream = client(address);
        let all = [framed(&long), framed(&short), framed(&long), framed(&short)].concat();
        for piece in all.chunks(9_999) {
            stream.write_all(piece).unwrap();
        }
        for _ in 0..4 {
            assert_eq!(receive(&mut stream).answers.len(), 2);
        }
    });
}

#[test]
fn answers_that_a_client_is_slow_to_read_all_come_in_order_and_after_its_last_word() {
    serving(TcpLimits::default(), |address| {
        let mut stream = client(address);
        let mut talking = stream.try_clone().unwrap();
        // 11 MB of answers: more than the system keeps for anybody.
        let writer = std::thread::spawn(move || {
            for id in 0..20_000 {
                let mut ask = Ask::new("crowd.example.com", 1);
                ask.id = id;
                talking.write_all(&framed(&ask.wire())).unwrap();
            }
            talking.shutdown(Shutdown::Write).unwrap();
        });
        let mut other = client(address);
        for id in 0..20_000 {
            assert_eq!(receive(&mut stream).metadata.id, id);
            if id % 5_000 == 0 {
                let query = framed(&Ask::new("www.example.com", 1).wire());
                other.write_all(&query).unwrap();
                assert_eq!(receive(&mut other).answers.len(), 2);
            }
        }
        assert!(is_closed(&mut stream));
        writer.join().unwrap();
    });
}

#[test]
fn each_address_has_the_limits_for_itself() {
    let limits = TcpLimits {
        connections: 1,
        ..TcpLimits::default()
    };
    let metrics = serving_at(limits, |[one, other]| {
        let ask = |stream: &mut TcpStream| {
            let query = framed(&Ask::new("www.example.com", 1).wire());
            stream.write_all(&query).unwrap();
            assert_eq!(receive(stream).answers.len(), 2);
        };
        let (mut here, mut there) = (client(one), client(other));
        ask(&mut here);
        ask(&mut there);
        ask(&mut here);
        let mut next = client(other);
        ask(&mut next);
        assert!(is_closed(&mut there));
        ask(&mut here);
        ask(&mut next);
    });
    assert_eq!(metrics.dns_events.sum(0, DnsEvent::TcpConnection as u32), 3);
}
