//! Batches over loopback.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]
#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::Duration;

use windrose_mmsg::{Batch, Sent};

fn bound() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket
}

#[test]
fn each_answer_goes_to_its_asker() {
    let server = bound();
    let clients: Vec<_> = (0..5).map(|_| bound()).collect();
    for (i, client) in (0u8..).zip(&clients) {
        client
            .send_to(&[i; 3], server.local_addr().unwrap())
            .unwrap();
    }
    let mut batch = Batch::new(8, 64, 64);
    let mut seen = 0;
    while seen < 5 {
        seen += batch.receive(&server).unwrap();
        for datagram in batch.datagrams() {
            let who = datagram.query[0];
            assert_eq!(datagram.query, [who; 3]);
            assert_eq!(
                datagram.source,
                clients[usize::from(who)].local_addr().unwrap()
            );
            // The second and the last one are not answered.
            if !matches!(who, 1 | 4) {
                datagram.answer[..2].copy_from_slice(&[who, 99]);
                *datagram.answer_len = 2;
            }
        }
        let sent = batch.send(&server);
        assert_eq!(sent.failed, 0);
    }
    for who in [0u8, 2, 3] {
        let mut answer = [0; 9];
        assert_eq!(clients[usize::from(who)].recv(&mut answer).unwrap(), 2);
        assert_eq!(answer[..2], [who, 99]);
    }
    assert_eq!(batch.send(&server), Sent::default(), "a batch is sent once");
}

#[test]
fn long_and_empty_datagrams_are_taken() {
    let server = bound();
    let client = bound();
    client
        .send_to(&[7; 100], server.local_addr().unwrap())
        .unwrap();
    client.send_to(&[], server.local_addr().unwrap()).unwrap();
    let mut batch = Batch::new(1, 10, 1);
    for wanted in [10, 0] {
        assert_eq!(batch.receive(&server).unwrap(), 1);
        let lens: Vec<_> = batch.datagrams().map(|d| d.query.len()).collect();
        assert_eq!(lens, [wanted]);
    }
}

#[test]
fn an_answer_that_cannot_be_sent_does_not_stop_the_others() {
    // An answer above 64 KiB is refused by the system (EMSGSIZE).
    let server = bound();
    let clients = [bound(), bound(), bound()];
    for client in &clients {
        client.send_to(&[1], server.local_addr().unwrap()).unwrap();
    }
    let mut batch = Batch::new(3, 10, 70_000);
    let mut done = Sent::default();
    let mut seen = 0;
    while seen < 3 {
        let received = batch.receive(&server).unwrap();
        for (i, datagram) in batch.datagrams().enumerate() {
            *datagram.answer_len = if seen + i == 1 { 70_000 } else { 5 };
        }
        seen += received;
        let Sent { sent, failed } = batch.send(&server);
        done = Sent {
            sent: done.sent + sent,
            failed: done.failed + failed,
        };
    }
    assert_eq!(done, Sent { sent: 2, failed: 1 });
    for client in [&clients[0], &clients[2]] {
        assert_eq!(client.recv(&mut [0; 9]).unwrap(), 5);
    }
}

#[test]
fn a_timeout_is_would_block() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let error = Batch::new(4, 10, 10).receive(&server).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_socket_without_room_is_waited_for_once() {
    // A stream, because its room can be taken; addresses mean nothing to it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    std::io::Write::write_all(&mut client, b"12345678").unwrap();
    server.set_nonblocking(true).unwrap();
    while std::io::Write::write(&mut server, &[0; 65_536]).is_ok() {}
    server.set_nonblocking(false).unwrap();
    let patience = Duration::from_millis(200);
    server.set_write_timeout(Some(patience)).unwrap();
    let mut batch = Batch::new(8, 1, 65_536);
    let received = batch.receive(&server).unwrap();
    for datagram in batch.datagrams() {
        *datagram.answer_len = 65_536;
    }
    let began = std::time::Instant::now();
    let none = Sent {
        sent: 0,
        failed: received,
    };
    assert_eq!(batch.send(&server), none);
    assert!(received > 4 && began.elapsed() < 3 * patience, "{received}");
}
