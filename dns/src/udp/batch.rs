//! HOT. Up to 32 datagrams a system call, by nix's `recvmmsg` and `sendmmsg`: headers and buffers
//! are made once, each batch only points into them.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrIn, SockaddrIn6,
    SockaddrLike, recvmmsg, sendmmsg, setsockopt, sockopt,
};
use windrose_telemetry::DnsEvent;

use super::{QUERY_ROOM, Worker, pause};
use crate::answer::Transport;
use crate::message::UDP_SIZE;
use crate::query::Scratch;
use crate::respond::respond;

/// Datagrams a call.
const BATCH: usize = 32;

pub(super) fn run(worker: Worker<'_>) -> io::Result<()> {
    let local = worker.socket.local_addr()?.ip();
    let wildcard = local.is_unspecified();
    match local {
        IpAddr::V4(_) => {
            if wildcard {
                setsockopt(worker.socket, sockopt::Ipv4PacketInfo, &true)?;
            }
            serve::<SockaddrIn>(worker, wildcard.then(|| cmsg_space!(in_pktinfo)));
        }
        IpAddr::V6(_) => {
            if wildcard {
                setsockopt(worker.socket, sockopt::Ipv6RecvPacketInfo, &true)?;
            }
            serve::<SockaddrIn6>(worker, wildcard.then(|| cmsg_space!(in6_pktinfo)));
        }
    }
    Ok(())
}

/// Where a datagram came from. A socket has one family, so its addresses have one size.
trait Peer: SockaddrLike + Copy {
    fn source(&self) -> IpAddr;
    fn port(&self) -> u16;
}

impl Peer for SockaddrIn {
    #[inline]
    fn source(&self) -> IpAddr {
        IpAddr::V4(self.ip())
    }
    #[inline]
    fn port(&self) -> u16 {
        self.port()
    }
}

impl Peer for SockaddrIn6 {
    #[inline]
    fn source(&self) -> IpAddr {
        IpAddr::V6(self.ip())
    }
    #[inline]
    fn port(&self) -> u16 {
        self.port()
    }
}

/// Replies of one batch, in the order they go out.
struct Outbox<P> {
    buffers: Box<[[u8; UDP_SIZE as usize]; BATCH]>,
    lens: [usize; BATCH],
    peers: [Option<P>; BATCH],
    /// The address each was asked on, where the socket has several.
    locals: [Option<Local>; BATCH],
    count: usize,
}

/// The address a datagram was sent to, and for a link-local one the interface.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Local {
    V4([u8; 4]),
    V6([u8; 16], u32),
}

fn serve<P: Peer>(mut worker: Worker<'_>, control: Option<Vec<u8>>) {
    let fd = worker.socket.as_raw_fd();
    let wildcard = control.is_some();
    let mut buffers = Box::new([[0; QUERY_ROOM]; BATCH]);
    let mut incoming = MultiHeaders::<P>::preallocate(BATCH, control.clone());
    let mut outgoing = MultiHeaders::<P>::preallocate(BATCH, control);
    let mut outbox = Outbox::<P> {
        buffers: Box::new([[0; UDP_SIZE as usize]; BATCH]),
        lens: [0; BATCH],
        peers: [None; BATCH],
        locals: [None; BATCH],
        count: 0,
    };
    let mut scratch = Scratch::new();
    while !worker.is_stopped() {
        let mut room = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let received = recvmmsg(
            fd,
            &mut incoming,
            room.iter_mut(),
            MsgFlags::MSG_WAITFORONE,
            None,
        );
        // The only load of this batch; also made after a timeout, so that an idle thread does not
        // hold on to an old Table.
        let table = worker.reader.load();
        let messages = match received {
            Ok(messages) => messages,
            // A timeout; a signal; an ICMP message about an earlier reply.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => continue,
            Err(errno) => {
                pause(&errno.into());
                continue;
            }
        };
        outbox.count = 0;
        for message in messages {
            let Some(peer) = message.address.filter(|peer| peer.port() != 0) else {
                worker.counters.count(None);
                continue;
            };
            let at = outbox.count;
            let reply = respond(
                table,
                message.iovs().next().unwrap_or_default(),
                &mut scratch,
                peer.source(),
                worker.dice.draw(),
                Transport::Udp,
                &mut outbox.buffers[at],
            );
            worker.counters.count(reply.as_ref());
            if let Some(reply) = reply {
                outbox.lens[at] = reply.len;
                outbox.peers[at] = Some(peer);
                if wildcard {
                    outbox.locals[at] = asked_on(&message);
                }
                outbox.count += 1;
            }
        }
        outbox.send(fd, &mut outgoing, &worker);
    }
}

impl<P: Peer> Outbox<P> {
    /// Sends all replies. Control messages are shared by a call, so replies from different local
    /// addresses take different calls; nearly always there is one.
    #[inline]
    fn send(&self, fd: i32, headers: &mut MultiHeaders<P>, worker: &Worker<'_>) {
        let mut from = 0;
        while from < self.count {
            let local = self.locals[from];
            let run = self.locals[from..self.count]
                .iter()
                .take_while(|other| **other == local)
                .count();
            let until = from + run;
            while from < until {
                match self.send_run(fd, headers, from, until, local) {
                    Ok(sent) => from += sent.max(1),
                    Err(Errno::EINTR) => {}
                    // The first one of the run cannot be sent; the others may.
                    Err(_) => {
                        worker.counters.event(DnsEvent::SendFailed);
                        from += 1;
                    }
                }
            }
        }
    }

    #[inline]
    fn send_run(
        &self,
        fd: i32,
        headers: &mut MultiHeaders<P>,
        from: usize,
        until: usize,
        local: Option<Local>,
    ) -> Result<usize, Errno> {
        let slices: [[IoSlice<'_>; 1]; BATCH] =
            std::array::from_fn(|i| [IoSlice::new(&self.buffers[i][..self.lens[i]])]);
        let flags = MsgFlags::empty();
        let (slices, peers) = (&slices[from..until], &self.peers[from..until]);
        let sent = match local {
            None => sendmmsg(fd, headers, slices, peers, [], flags)?.count(),
            Some(Local::V4(ip)) => {
                let address = in_addr {
                    s_addr: u32::from_ne_bytes(ip),
                };
                let info = in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: address,
                    ipi_addr: address,
                };
                let control = [ControlMessage::Ipv4PacketInfo(&info)];
                sendmmsg(fd, headers, slices, peers, control, flags)?.count()
            }
            Some(Local::V6(ip, interface)) => {
                let info = in6_pktinfo {
                    ipi6_addr: in6_addr { s6_addr: ip },
                    ipi6_ifindex: interface,
                };
                let control = [ControlMessage::Ipv6PacketInfo(&info)];
                sendmmsg(fd, headers, slices, peers, control, flags)?.count()
            }
        };
        Ok(sent)
    }
}

/// The address a datagram was sent to (RFC 3542 section 6.2). The interface is left to routing,
/// except for link-local addresses, which mean nothing without one.
#[inline]
fn asked_on<P: Peer>(message: &RecvMsg<'_, '_, P>) -> Option<Local> {
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(Local::V4(info.ipi_spec_dst.s_addr.to_ne_bytes()))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let ip = info.ipi6_addr.s6_addr;
            let link_local = Ipv6Addr::from(ip).is_unicast_link_local();
            Some(Local::V6(
                ip,
                if link_local { info.ipi6_ifindex } else { 0 },
            ))
        }
        _ => None,
    })
}
