//! Batches of UDP datagrams: many received by one `recvmmsg`, their answers sent by one `sendmmsg`.
//!
//! The one place with unsafe code. It exists because the safe wrapper we know (nix 0.31) shares
//! control messages among all datagrams of a batch, so that a wildcard socket could not answer each
//! from the address it was asked on, and counts what was sent by reading addresses nobody wrote.
//! Deliberately absent: socket options, and any idea of what the octets mean.
//!
//! # Invariants
//! - **Pointers**: every pointer the kernel gets is derived, in the same call that hands it over,
//!   from a buffer that the `Batch` owns and that this call borrows exclusively.
//! - **Lengths**: beside it stands the length of exactly that buffer.
//! - **Count**: the kernel is told at most as many headers as there are, and what it returns is
//!   taken as at most that many.
//!
//! Whatever the kernel writes is read back as plain octets with checked slices; a wrong length in a
//! header can make an answer wrong, never a read out of bounds.
#![cfg(target_os = "linux")]

use std::io;
use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};

use libc::{c_void, iovec, mmsghdr, socklen_t};

/// Octets of the largest address a UDP socket has (`sockaddr_in6`).
const NAME: usize = 28;
/// Where the payload of a control message begins: length, level, type.
const PAYLOAD: usize = size_of::<usize>() + 8;
/// Room for one `in6_pktinfo`, the larger of the two.
const CONTROL: usize = PAYLOAD + 24;

/// A `sockaddr_in` or `sockaddr_in6`, as the kernel wrote it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Name([u8; NAME]);

/// A control message, as the kernel wrote it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Room for a batch: received datagrams and their answers.
pub struct Batch {
    headers: Box<[mmsghdr]>,
    slices: Box<[iovec]>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    queries: Box<[u8]>,
    query_room: usize,
    answers: Box<[u8]>,
    answer_room: usize,
    /// Octets of each answer; zero where there is none.
    answer_lens: Box<[usize]>,
    received: usize,
}

/// One received datagram and the room for its answer.
pub struct Datagram<'b> {
    /// What came; cut where it was longer than the room for it.
    pub query: &'b [u8],
    /// From where. Port 0 cannot be answered.
    pub source: SocketAddr,
    /// Room for the answer.
    pub answer: &'b mut [u8],
    /// Octets of the answer to send; zero, as it is at first, for none.
    pub answer_len: &'b mut usize,
}

/// What became of the answers of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// Taken by the system.
    pub sent: usize,
    /// Refused by it, one by one.
    pub failed: usize,
}

impl Batch {
    /// Room for `count` datagrams of at most `query_room` octets, and as many answers of at most
    /// `answer_room`. All rooms are at least one.
    pub fn new(count: usize, query_room: usize, answer_room: usize) -> Self {
        let (count, query_room, answer_room) =
            (count.max(1), query_room.max(1), answer_room.max(1));
        // SAFETY: `mmsghdr` is a C struct of integers and pointers; all zeroes is a value of it.
        let header: mmsghdr = unsafe { std::mem::zeroed() };
        let slice = iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        Self {
            headers: vec![header; count].into(),
            slices: vec![slice; count].into(),
            names: vec![Name([0; NAME]); count].into(),
            controls: vec![Control([0; CONTROL]); count].into(),
            queries: vec![0; count * query_room].into(),
            query_room,
            answers: vec![0; count * answer_room].into(),
            answer_room,
            answer_lens: vec![0; count].into(),
            received: 0,
        }
    }

    /// Waits for a first datagram (as long as the socket lets it), takes what else is there, and
    /// returns how many there are. Forgets the batch before.
    ///
    /// # Errors
    /// The system's; a timeout of the socket is `WouldBlock`.
    #[inline]
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.offer();
        // SAFETY: Pointers, Lengths: set by `offer`, from buffers that `self` owns and this call
        // borrows exclusively. Count: the number of headers. The descriptor is open while it is
        // borrowed; no timeout is passed.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as _,
                libc::MSG_WAITFORONE as _,
                std::ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        self.received = received.min(self.headers.len());
        Ok(self.received)
    }

    /// Forgets the batch before and points the headers at the rooms for datagrams.
    #[inline]
    fn offer(&mut self) {
        self.received = 0;
        let queries = self.queries.chunks_exact_mut(self.query_room);
        let names = self.names.iter_mut().zip(&mut self.controls);
        let headers = self.headers.iter_mut().zip(&mut self.slices);
        for (((header, slice), (name, control)), query) in headers.zip(names).zip(queries) {
            slice.iov_base = query.as_mut_ptr().cast::<c_void>();
            slice.iov_len = query.len();
            let header = &mut header.msg_hdr;
            header.msg_name = name.0.as_mut_ptr().cast::<c_void>();
            header.msg_namelen = NAME as socklen_t;
            header.msg_iov = slice;
            header.msg_iovlen = 1;
            header.msg_control = control.0.as_mut_ptr().cast::<c_void>();
            header.msg_controllen = CONTROL as _;
        }
    }

    /// The datagrams received, in order.
    #[inline]
    pub fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        let queries = self.queries.chunks_exact(self.query_room);
        let answers = self.answers.chunks_exact_mut(self.answer_room);
        self.headers[..self.received]
            .iter()
            .zip(&self.names)
            .zip(queries)
            .zip(answers.zip(&mut self.answer_lens))
            .map(|(((header, name), query), (answer, answer_len))| {
                *answer_len = 0;
                Datagram {
                    query: &query[..(header.msg_len as usize).min(query.len())],
                    source: name.address(),
                    answer,
                    answer_len,
                }
            })
    }

    /// Sends the answers, each to where its query came from, and from the address the query was
    /// sent to where the socket was told to say so (`IP_PKTINFO`, `IPV6_RECVPKTINFO`). Waits while
    /// the socket has no room, as long as it lets it.
    #[inline]
    pub fn send(&mut self, socket: &impl AsFd) -> Sent {
        let count = self.gather();
        let mut result = Sent::default();
        let mut rest = &mut self.headers[..count];
        while !rest.is_empty() {
            // SAFETY: Pointers, Lengths: set by `gather`, from buffers that `self` owns and this call
            // borrows exclusively. Count: the number of headers left. The descriptor is open while
            // it is borrowed.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_fd().as_raw_fd(),
                    rest.as_mut_ptr(),
                    rest.len() as _,
                    0,
                )
            };
            let done = match usize::try_from(sent) {
                Ok(sent) => {
                    let sent = sent.clamp(1, rest.len());
                    result.sent += sent;
                    sent
                }
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => 0,
                // There was no room for as long as the socket waits; each further answer would wait
                // as long again, and nobody would receive meanwhile.
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock => {
                    result.failed += rest.len();
                    rest.len()
                }
                // It was the first one that failed; the others may do better.
                Err(_) => {
                    result.failed += 1;
                    1
                }
            };
            rest = &mut rest[done..];
        }
        result
    }

    /// Points the first headers at the answers and forgets the batch; returns how many there are.
    #[inline]
    fn gather(&mut self) -> usize {
        let mut count = 0;
        let mut slices = self.slices.iter_mut();
        let answers = self.answers.chunks_exact_mut(self.answer_room);
        let all = self.names.iter_mut().zip(&mut self.controls).zip(answers);
        for (at, ((name, control), answer)) in all.enumerate().take(self.received) {
            let len = self.answer_lens[at].min(answer.len());
            if len == 0 {
                continue;
            }
            // Answers move up over those that are none; `count` never passes `at`.
            let control_len = match self.headers[at].msg_hdr.msg_controllen {
                0 => 0,
                _ => control.turn_around(),
            };
            let Some(slice) = slices.next() else {
                break;
            };
            slice.iov_base = answer.as_mut_ptr().cast::<c_void>();
            slice.iov_len = len;
            let header = &mut self.headers[count].msg_hdr;
            header.msg_name = name.0.as_mut_ptr().cast::<c_void>();
            header.msg_namelen = name.len();
            header.msg_iov = slice;
            header.msg_iovlen = 1;
            header.msg_control = match control_len {
                0 => std::ptr::null_mut(),
                _ => control.0.as_mut_ptr().cast::<c_void>(),
            };
            header.msg_controllen = control_len as _;
            count += 1;
        }
        self.received = 0;
        count
    }
}

impl Name {
    #[inline]
    fn is_v6(&self) -> bool {
        let [f0, f1, ..] = self.0;
        i32::from(u16::from_ne_bytes([f0, f1])) == libc::AF_INET6
    }

    #[inline]
    fn len(&self) -> socklen_t {
        if self.is_v6() { 28 } else { 16 }
    }

    /// Family, port, then the address; in IPv6 with the flow label between and the scope behind.
    #[inline]
    fn address(&self) -> SocketAddr {
        let [_, _, p0, p1, a, b, c, d, rest @ ..] = self.0;
        let port = u16::from_be_bytes([p0, p1]);
        if self.is_v6() {
            let octets = rest.first_chunk::<16>().copied().unwrap_or_default();
            SocketAddr::new(IpAddr::V6(Ipv6Addr::from(octets)), port)
        } else {
            SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
        }
    }
}

impl Control {
    /// Turns the packet information of a query into that of its answer: the same local address, the
    /// interface left to routing, except for link-local addresses, which mean nothing without one
    /// (RFC 3542 section 6.2). Returns the octets in use; zero if it is anything else.
    #[inline]
    fn turn_around(&mut self) -> usize {
        let (head, payload) = self.0.split_at_mut(PAYLOAD);
        let (_, kind) = head.split_at(size_of::<usize>());
        let word = |at: usize| {
            let octets = kind.get(at..at + 4).and_then(<[u8]>::first_chunk::<4>);
            octets.map_or(0, |octets| i32::from_ne_bytes(*octets))
        };
        match (word(0), word(4)) {
            // interface, the local address, the address in the packet
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                payload[..4].fill(0);
                // A datagram that came before the socket was told has no local address yet.
                if payload[4..8] == [0; 4] {
                    payload.copy_within(8..12, 4);
                }
                PAYLOAD + 12usize.next_multiple_of(size_of::<usize>())
            }
            // address, interface
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let link_local = payload[0] == 0xfe && payload[1] & 0xc0 == 0x80;
                if !link_local {
                    payload[16..20].fill(0);
                }
                PAYLOAD + 20usize.next_multiple_of(size_of::<usize>())
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
