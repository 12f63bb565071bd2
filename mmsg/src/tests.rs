//! The batch with a kernel made of tests: what the real one does with the pointers it is given is
//! done here by hand, so that Miri can watch (`cargo +nightly miri test --lib` in this folder).
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

use super::*;

/// A `sockaddr_in` or `sockaddr_in6`.
fn name(address: SocketAddr) -> Vec<u8> {
    let family = |number: i32| u16::try_from(number).unwrap().to_ne_bytes().to_vec();
    let port = address.port().to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => [
            family(libc::AF_INET),
            port.into(),
            ip.octets().into(),
            vec![0; 8],
        ],
        IpAddr::V6(ip) => {
            let rest = [vec![0; 4], ip.octets().into(), vec![0; 4]].concat();
            [family(libc::AF_INET6), port.into(), rest, vec![]]
        }
    }
    .concat()
}

/// What the system says about the address a datagram was sent to.
fn packet_info(level: i32, kind: i32, payload: &[u8]) -> Vec<u8> {
    let len = (PAYLOAD + payload.len()).to_ne_bytes();
    [&len[..], &level.to_ne_bytes(), &kind.to_ne_bytes(), payload].concat()
}

fn v4_info(local: [u8; 4]) -> Vec<u8> {
    let payload = [[7, 0, 0, 0], local, local].concat();
    packet_info(libc::IPPROTO_IP, libc::IP_PKTINFO, &payload)
}

/// Writes `octets` where a pointer of a header leads, as far as it says there is room.
fn write(to: *mut c_void, room: usize, octets: &[u8]) -> usize {
    let len = octets.len().min(room);
    // SAFETY: Pointers, Lengths: `to` and `room` stand beside each other in a header that `offer`
    // has set, and nothing has touched the batch since.
    unsafe { std::ptr::copy_nonoverlapping(octets.as_ptr(), to.cast::<u8>(), len) };
    len
}

/// `len` octets from where a pointer of a header leads.
fn read(from: *const c_void, len: usize) -> Vec<u8> {
    // SAFETY: Pointers, Lengths: as in `write`, for headers that `gather` has set.
    unsafe { std::slice::from_raw_parts(from.cast::<u8>(), len) }.to_vec()
}

/// What `recvmmsg` does.
fn deliver(batch: &mut Batch, datagrams: &[(SocketAddr, &[u8], &[u8])]) {
    batch.offer();
    for (header, (source, octets, control)) in batch.headers.iter_mut().zip(datagrams) {
        let head = &mut header.msg_hdr;
        // SAFETY: Pointers: `offer` has pointed each header at one slice.
        let slice = unsafe { *head.msg_iov };
        header.msg_len = u32::try_from(write(slice.iov_base, slice.iov_len, octets)).unwrap();
        let len = write(head.msg_name, head.msg_namelen as usize, &name(*source));
        head.msg_namelen = len as socklen_t;
        head.msg_controllen = write(head.msg_control, head.msg_controllen, control) as _;
    }
    batch.received = datagrams.len().min(batch.headers.len());
}

/// What `sendmmsg` sees: address, octets, control octets of each answer.
fn sent(batch: &mut Batch) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let count = batch.gather();
    let headers = batch.headers[..count].iter().map(|header| {
        let head = &header.msg_hdr;
        // SAFETY: Pointers: `gather` has pointed each header at one slice.
        let slice = unsafe { *head.msg_iov };
        let control = match head.msg_controllen {
            0 => Vec::new(),
            len => read(head.msg_control, len),
        };
        let address = read(head.msg_name, head.msg_namelen as usize);
        (address, read(slice.iov_base, slice.iov_len), control)
    });
    headers.collect()
}

fn echo(batch: &mut Batch, skip: &[u8]) {
    for datagram in batch.datagrams() {
        if datagram.query == skip {
            continue;
        }
        let len = datagram.query.len();
        datagram.answer[..len].copy_from_slice(datagram.query);
        *datagram.answer_len = len;
    }
}

#[test]
fn answers_move_up_over_queries_without_one_and_keep_their_addresses() {
    let first: SocketAddr = "192.0.2.1:1001".parse().unwrap();
    let second: SocketAddr = "192.0.2.2:1002".parse().unwrap();
    let third: SocketAddr = "[2001:db8::3]:1003".parse().unwrap();
    let mut batch = Batch::new(4, 16, 16);
    for _ in 0..2 {
        let info = v4_info([198, 51, 100, 1]);
        deliver(
            &mut batch,
            &[
                (first, b"none", &[]),
                (second, b"two", &info),
                (third, b"three", &[]),
            ],
        );
        let sources: Vec<_> = batch.datagrams().map(|datagram| datagram.source).collect();
        assert_eq!(sources, [first, second, third]);
        echo(&mut batch, b"none");
        let out = sent(&mut batch);
        let octets: Vec<_> = out.iter().map(|(_, octets, _)| octets.as_slice()).collect();
        assert_eq!(octets, [&b"two"[..], b"three"]);
        assert_eq!(out[0].0, name(second));
        assert_eq!(out[1].0, name(third));
        // The interface is left to routing, the local address stays.
        assert_eq!(
            out[0].2[PAYLOAD..PAYLOAD + 8],
            [0, 0, 0, 0, 198, 51, 100, 1]
        );
        assert!(out[1].2.is_empty());
    }
}

#[test]
fn what_is_longer_than_its_room_is_cut_and_more_than_a_batch_is_left() {
    let source: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let mut batch = Batch::new(1, 4, 4);
    deliver(
        &mut batch,
        &[(source, b"longer", &[]), (source, b"left", &[])],
    );
    let queries: Vec<_> = batch
        .datagrams()
        .map(|datagram| datagram.query.to_vec())
        .collect();
    assert_eq!(queries, [b"long"]);
    echo(&mut batch, b"");
    for datagram in batch.datagrams() {
        *datagram.answer_len = usize::MAX;
    }
    assert_eq!(sent(&mut batch)[0].1.len(), 4);
}

#[test]
fn a_link_local_answer_keeps_its_interface_and_others_do_not() {
    for (first, kept) in [(0xfe, 3), (0x20, 0)] {
        let mut payload = [0; 20];
        [payload[0], payload[1], payload[16]] = [first, 0x80, 3];
        let info = packet_info(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &payload);
        let source: SocketAddr = "[fe80::1]:9".parse().unwrap();
        let mut batch = Batch::new(1, 8, 8);
        deliver(&mut batch, &[(source, b"q", &info)]);
        echo(&mut batch, b"");
        assert_eq!(sent(&mut batch)[0].2[PAYLOAD + 16], kept);
    }
}

#[test]
fn control_octets_of_any_other_kind_are_not_sent_back() {
    let source: SocketAddr = "192.0.2.1:1".parse().unwrap();
    for control in [
        packet_info(libc::SOL_SOCKET, 29, &[1; 16]),
        vec![0xff; CONTROL],
    ] {
        let mut batch = Batch::new(1, 8, 8);
        deliver(&mut batch, &[(source, b"q", &control)]);
        echo(&mut batch, b"");
        assert!(sent(&mut batch)[0].2.is_empty());
    }
}
