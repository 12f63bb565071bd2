//! HOT. Up to 32 datagrams a system call.

use std::io::{self, ErrorKind};
use std::net::IpAddr;

use nix::sys::socket::{setsockopt, sockopt};
use windrose_mmsg::Batch;
use windrose_telemetry::DnsEvent;

use super::{Pauses, QUERY_ROOM, Worker};
use crate::answer::Transport;
use crate::gate::{Passing, ticks};
use crate::manners::{Asked, clock};
use crate::query::Scratch;
use crate::respond::respond;

/// Datagrams a call.
const BATCH: usize = 32;

pub(super) fn run(mut worker: Worker<'_>) -> io::Result<()> {
    // A wildcard socket has several addresses; the system must tell which one was asked.
    match worker.socket.local_addr()?.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            setsockopt(worker.socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            setsockopt(worker.socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        _ => {}
    }
    let room = |size: u16| {
        let size = usize::from(size);
        Batch::new(BATCH, QUERY_ROOM.max(size), size)
    };
    let mut size = worker.manners.load().udp_size();
    let mut batch = room(size);
    let mut scratch = Scratch::new();
    let mut pauses = Pauses::default();
    while !worker.is_stopped() {
        let wanted = worker.manners.load().udp_size();
        if wanted != size {
            size = wanted;
            batch = room(size);
        }
        let received = batch.receive(worker.socket);
        // The only load of this batch; also made after a timeout, so that an idle thread does not
        // hold on to an old Table.
        let table = worker.reader.load();
        if let Err(error) = received {
            match error.kind() {
                // A timeout; a signal; an ICMP message about an earlier answer.
                ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionRefused => {}
                _ => pauses.pause(&error),
            }
            continue;
        }
        let manners = worker.manners.load();
        let (now, ticks) = (clock(), ticks(manners));
        for datagram in batch.datagrams() {
            if datagram.source.port() == 0 {
                worker.gate.event(DnsEvent::Dropped);
                continue;
            }
            let asked = Asked {
                source: datagram.source.ip(),
                transport: Transport::Udp,
                draw: worker.dice.draw(),
                now,
                limited: manners.limited(datagram.source.ip(), ticks),
                manners,
            };
            let reply = respond(table, datagram.query, &mut scratch, &asked, datagram.answer);
            let passing = Passing {
                table,
                asked: &asked,
                source: datagram.source,
                query: datagram.query,
                reply,
                now: ticks,
            };
            *datagram.answer_len = worker.gate.pass(&passing, datagram.answer);
        }
        for _ in 0..batch.send(worker.socket).failed {
            worker.gate.event(DnsEvent::SendFailed);
        }
    }
    Ok(())
}
