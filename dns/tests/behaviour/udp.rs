//! The UDP threads on loopback.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::world::{self, Ask, ip, table};
use windrose_dns::{BadCookie, Cookies, Counters, Manners, Secret, serve_udp};
use windrose_routing::Publisher;
use windrose_telemetry::{COOKIES, DnsEvent, EXTENDED_ERRORS, Metrics, NO_ZONE, rcode_cell};

/// Serves on `bind` while `talk` runs; returns what was counted.
fn serving(bind: &str, talk: impl FnOnce(SocketAddr)) -> Arc<Metrics> {
    serving_with(Manners::default(), bind, talk)
}

fn serving_with(manners: Manners, bind: &str, talk: impl FnOnce(SocketAddr)) -> Arc<Metrics> {
    let socket = UdpSocket::bind((ip(bind), 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let (_publisher, source) = Publisher::new(table());
    let stop = Arc::new(AtomicBool::new(false));
    let metrics = Metrics::new();
    std::thread::scope(|scope| {
        let counters = Counters::new(&metrics);
        let (socket, source, flag) = (&socket, &source, &stop);
        let server = scope.spawn(move || {
            let manners = world::manners(manners);
            serve_udp(socket, source.reader(), manners, &counters, 7, flag)
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| talk(address)));
        stop.store(true, Ordering::Relaxed);
        server.join().unwrap().unwrap();
        done.unwrap();
    });
    metrics
}

fn client(address: SocketAddr) -> UdpSocket {
    let any = if address.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    };
    let socket = UdpSocket::bind(any).unwrap();
    socket.connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket
}

fn exchange(socket: &UdpSocket, query: &[u8]) -> Vec<u8> {
    socket.send(query).unwrap();
    let mut reply = [0; 2_000];
    let len = socket.recv(&mut reply).unwrap();
    reply[..len].to_vec()
}

#[test]
fn many_queries_at_once_are_all_answered_and_counted() {
    let metrics = serving("127.0.0.1", |address| {
        let socket = client(address);
        for round in 0..20_u16 {
            for i in 0..50 {
                let id = round * 50 + i;
                let ask = Ask {
                    id,
                    ..Ask::new("www.example.com", 1)
                };
                socket.send(&ask.wire()).unwrap();
            }
            let mut ids: Vec<u16> = (0..50)
                .map(|_| {
                    let mut reply = [0; 512];
                    let len = socket.recv(&mut reply).unwrap();
                    assert_eq!(len, 65, "two A records");
                    u16::from_be_bytes([reply[0], reply[1]])
                })
                .collect();
            ids.sort_unstable();
            assert_eq!(ids, (round * 50..round * 50 + 50).collect::<Vec<_>>());
        }
        exchange(&socket, &Ask::new("www.example.org", 1).wire());
        exchange(
            &socket,
            &Ask::new("shop.example.com", 1).subnet("10.9.9.0/24").wire(),
        );
        exchange(&socket, &Ask::new("crowd.example.com", 1).wire());
    });
    let sum = |rcode| {
        (0..8)
            .map(|slot| metrics.dns_queries.sum(slot, rcode))
            .sum::<u64>()
    };
    assert_eq!(sum(0), 1_002);
    assert_eq!(metrics.dns_queries.sum(NO_ZONE, 5), 1);
    assert_eq!(
        (0..64)
            .map(|slot| metrics.dns_steered.sum(slot, 0))
            .sum::<u64>(),
        1
    );
    assert_eq!(metrics.dns_events.sum(0, DnsEvent::Truncated as u32), 1);
}

#[test]
fn empty_short_long_and_garbage_datagrams_do_no_harm() {
    let metrics = serving("127.0.0.1", |address| {
        let socket = client(address);
        let good = Ask::new("www.example.com", 1).wire();
        socket.send(&[]).unwrap();
        socket.send(&[0; 11]).unwrap();
        let mut response = good.clone();
        response[2] |= 0x80;
        socket.send(&response).unwrap();
        let long = [good.clone(), vec![7; 8_000]].concat();
        assert_eq!(exchange(&socket, &long)[3] & 15, 1, "FORMERR");
        assert_eq!(exchange(&socket, &[0x20; 40])[3] & 15, 4, "NOTIMP");
        assert_eq!(exchange(&socket, &good).len(), 65);
    });
    assert_eq!(metrics.dns_events.sum(0, DnsEvent::Dropped as u32), 3);
}

#[test]
fn a_client_that_vanished_does_not_stop_the_others() {
    serving("127.0.0.1", |address| {
        for _ in 0..100 {
            // The reply meets a closed port; its ICMP error comes back to the server.
            client(address)
                .send(&Ask::new("www.example.com", 1).wire())
                .unwrap();
        }
        assert_eq!(
            exchange(&client(address), &Ask::new("www.example.com", 1).wire()).len(),
            65
        );
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_wildcard_socket_answers_from_the_address_it_was_asked_on() {
    serving("0.0.0.0", |address| {
        // A connected client takes only what comes from there.
        for host in ["127.0.0.2", "127.0.0.3", "127.0.0.2"] {
            let socket = client((ip(host), address.port()).into());
            assert_eq!(
                exchange(&socket, &Ask::new("www.example.com", 1).wire()).len(),
                65
            );
        }
        // Mixed in one batch, too.
        let clients: Vec<_> = (2..12)
            .map(|n| client((ip(&format!("127.0.0.{n}")), address.port()).into()))
            .collect();
        for _ in 0..3 {
            for socket in &clients {
                socket.send(&Ask::new("www.example.com", 1).wire()).unwrap();
            }
        }
        for socket in clients.iter().cycle().take(30) {
            assert_eq!(socket.recv(&mut [0; 512]).unwrap(), 65);
        }
    });
}

#[test]
fn both_families_of_a_dual_stack_socket_are_answered() {
    let dual = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None).unwrap();
    if dual.bind(&SocketAddr::from((ip("::1"), 0)).into()).is_err() {
        return; // a machine without IPv6
    }
    serving("::", |address| {
        // The IPv4 client is steered as 127.0.0.1, in no rule; so is ::1.
        for host in ["::1", "127.0.0.2"] {
            let socket = client((ip(host), address.port()).into());
            assert_eq!(
                exchange(&socket, &Ask::new("www.example.com", 1).wire()).len(),
                65,
                "{host}"
            );
        }
    });
    serving("::1", |address| {
        assert_eq!(
            exchange(&client(address), &Ask::new("www.example.com", 1).wire()).len(),
            65
        );
    });
}

#[test]
fn cookies_and_reasons_are_counted_by_what_they_were() {
    let manners = Manners {
        cookies: Cookies::new(vec![Secret::new([7; 16])], BadCookie::Always),
        ..Manners::default()
    };
    let metrics = serving_with(manners, "127.0.0.1", |address| {
        let socket = client(address);
        let with = |cookie: &[u8]| Ask::new("www.example.com", 1).option(10, cookie).wire();
        // No EDNS, and EDNS without a cookie: neither is counted.
        exchange(&socket, &Ask::new("www.example.com", 1).wire());
        exchange(&socket, &Ask::new("www.example.com", 1).edns(1232).wire());
        let first = exchange(&socket, &with(&[1; 8]));
        // The cookie is the last option of the message, 24 octets.
        let cookie = &first[first.len() - 24..];
        exchange(&socket, &with(cookie));
        exchange(&socket, &with(cookie));
        let mut forged = cookie.to_vec();
        forged[23] ^= 1;
        exchange(&socket, &with(&forged));
        exchange(&socket, &with(&[2; 40]));
        exchange(&socket, &with(&[3; 7]));
        // Without EDNS nobody can be told; it is counted all the same.
        exchange(&socket, &Ask::new("last.example.com", 1).wire());
        exchange(&socket, &Ask::new("www.example.org", 1).edns(1232).wire());
    });
    let counts = COOKIES
        .iter()
        .zip(0..)
        .map(|(result, cell)| (*result, metrics.dns_cookies.sum(0, cell)));
    let wanted = [
        ("client_only", 1),
        ("valid", 2),
        ("expired", 0),
        ("wrong", 2),
        ("malformed", 1),
    ];
    assert_eq!(counts.collect::<Vec<_>>(), wanted);
    let badcookie: u64 = (0..8)
        .chain([NO_ZONE])
        .map(|slot| metrics.dns_queries.sum(slot, rcode_cell(23)))
        .sum();
    assert_eq!(badcookie, 3, "one without ours yet, two wrong ones");
    let counted = EXTENDED_ERRORS
        .iter()
        .zip(0..)
        .map(|(what, cell)| (*what, metrics.dns_extended_errors.sum(0, cell)))
        .filter(|(_, count)| *count > 0);
    let wanted = [((3, "last_known"), 1), ((20, "not_authoritative"), 1)];
    assert_eq!(counted.collect::<Vec<_>>(), wanted);
}
