//! The fast path allocates nothing. A binary of its own: the counting allocator is global.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

mod world;

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use windrose_dns::{Counters, Manners, Rcode, Scratch, Transport, respond, serve_udp};
use windrose_routing::Publisher;
use windrose_telemetry::Metrics;
use world::{Ask, asked, ip, table};

#[test]
fn a_query_on_the_fast_path_allocates_nothing() {
    let table = table();
    let mut out = [0; 1232];
    let mut scratch = Scratch::new();
    let long = format!("{}.example.com", "x".repeat(63));
    for ask in [
        Ask::new("www.example.com", 1),
        Ask::new("WWW.example.COM", 28).edns(1232),
        Ask::new("example.com", 6),
        Ask::new("nothing.example.com", 1).edns(4096),
        Ask::new(&long, 1),
        Ask::new("any.wild.example.com", 16),
        Ask::new("www.example.org", 1),
        Ask::new("c0.example.com", 1).edns(1232),
        Ask::new("loop-a.example.com", 1),
        Ask::new("shop.example.com", 1),
        Ask::new("x.shop.example.com", 1).subnet("10.1.2.0/24"),
        Ask::new("shop.example.com", 28).subnet("2001:db8:1::/56"),
        Ask::new("shop.example.com", 1).subnet("192.168.0.0/16"),
        Ask::new("sticky.example.com", 1).subnet("203.0.113.0/24"),
        Ask::new("plain.example.com", 255),
        Ask::new("last.example.com", 1),
        Ask::new("silent.example.com", 1),
        Ask::new("crowd.example.com", 1),
        Ask::new("example.com", 252),
        Ask::new("shop.example.com", 1).option(8, &[0, 1, 33, 0]),
        Ask::new("shop.example.com", 1).option(10, &[1, 2, 3, 4, 5, 6, 7, 8]),
    ] {
        let wire = ask.wire();
        let source = ip("8.8.8.8");
        let counted = allocation_counter::measure(|| {
            for draw in 0..100 {
                let reply = respond(
                    &table,
                    &wire,
                    &mut scratch,
                    &asked(source, draw, Transport::Udp),
                    &mut out,
                );
                assert!(reply.is_some_and(|reply| reply.len >= 12));
            }
        });
        assert_eq!(counted.count_total, 0, "{ask:?}");
    }
}

#[test]
fn a_udp_thread_allocates_when_it_starts_and_never_again() {
    assert_eq!(allocations_of_serving(64), allocations_of_serving(6_400));
}

/// Names that are 8,175 pointers long, each to the one before, at the owner and in the data of each of
/// 3,472 records: 65 KB that took a fifth of a second to read.
#[test]
fn records_besides_the_question_are_not_read() {
    let table = table();
    let mut out = vec![0; 65_535];
    for opcode in [0, 5] {
        let wire = chain(opcode);
        let counted = allocation_counter::measure(|| {
            let asked = asked(ip("8.8.8.8"), 0, Transport::Tcp);
            let reply = respond(&table, &wire, &mut Scratch::new(), &asked, &mut out).unwrap();
            let refused = if opcode == 0 {
                Rcode::Refused
            } else {
                Rcode::NotImp
            };
            assert_eq!(reply.rcode, refused);
        });
        // The question, nothing that grows with the message.
        assert!(counted.bytes_total < 1_000, "{opcode}: {counted:?}");
    }
}

fn chain(opcode: u8) -> Vec<u8> {
    let mut wire = vec![0x12, 0x34, opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    // A question for the root; a record of a private type that holds the pointers.
    wire.extend([0, 0, 1, 0, 1, 0, 0xff, 0, 0, 1, 0, 0, 0, 0]);
    let hops: u16 = 8_175;
    wire.extend((1 + 2 * hops).to_be_bytes());
    wire.push(0);
    let mut last: u16 = 12 + 5 + 11;
    for hop in 0..hops {
        wire.extend((0xc000 | last).to_be_bytes());
        last = 12 + 5 + 12 + 2 * hop;
    }
    let pointer = (0xc000 | last).to_be_bytes();
    let mut records: u16 = 1;
    while wire.len() + 14 <= 65_000 {
        wire.extend(pointer);
        wire.extend([0, 2, 0, 1, 0, 0, 0, 0, 0, 2]);
        wire.extend(pointer);
        records += 1;
    }
    wire[6..8].copy_from_slice(&records.to_be_bytes());
    wire
}

/// Allocations of a thread's whole life, serving so many queries.
fn allocations_of_serving(queries: usize) -> u64 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (_publisher, source) = Publisher::new(table());
    let (stop, metrics) = (Arc::new(AtomicBool::new(false)), Metrics::new());
    let (reader, counters) = (source.reader(), Counters::new(&metrics));
    let manners = world::manners(Manners::default());
    let flag = Arc::clone(&stop);
    let client = std::thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let names = ["www.example.com", "shop.example.com", "nothing.example.com"];
        let wires = names.map(|name| Ask::new(name, 1).subnet("10.1.2.0/24").wire());
        for _ in 0..queries / 64 {
            for wire in wires.iter().cycle().take(64) {
                socket.send(wire).unwrap();
            }
            for _ in 0..64 {
                socket.recv(&mut [0; 512]).unwrap();
            }
        }
        flag.store(true, Ordering::Relaxed);
    });
    let counted = allocation_counter::measure(|| {
        serve_udp(&socket, reader, manners, &counters, 7, &stop).unwrap();
    });
    client.join().unwrap();
    counted.count_total
}
