//! One datagram a call: for systems without batches.

use std::io::{self, ErrorKind};

use windrose_telemetry::DnsEvent;

use super::{Pauses, Worker};
use crate::answer::Transport;
use crate::gate::{Passing, ticks};
use crate::manners::{Asked, clock};
use crate::query::Scratch;
use crate::respond::respond;

/// The largest query: what a configuration may announce.
const MOST: usize = 4_096;

#[allow(clippy::unnecessary_wraps, reason = "the same shape as with batches")]
pub(super) fn run(mut worker: Worker<'_>) -> io::Result<()> {
    let mut packet = [0; MOST];
    let mut out = [0; u16::MAX as usize];
    let mut scratch = Scratch::new();
    let mut pauses = Pauses::default();
    while !worker.is_stopped() {
        let received = worker.socket.recv_from(&mut packet);
        let table = worker.reader.load();
        let (len, source) = match received {
            Ok(received) => received,
            Err(error) => {
                match error.kind() {
                    ErrorKind::WouldBlock
                    | ErrorKind::TimedOut
                    | ErrorKind::Interrupted
                    | ErrorKind::ConnectionRefused
                    | ErrorKind::ConnectionReset => {}
                    _ => pauses.pause(&error),
                }
                continue;
            }
        };
        let manners = worker.manners.load();
        let ticks = ticks(manners);
        let asked = Asked {
            source: source.ip(),
            transport: Transport::Udp,
            draw: worker.dice.draw(),
            now: clock(),
            limited: manners.limited(source.ip(), ticks),
            manners,
        };
        let reply = respond(table, &packet[..len], &mut scratch, &asked, &mut out);
        let passing = Passing {
            table,
            asked: &asked,
            source,
            query: &packet[..len],
            reply,
            now: ticks,
        };
        let sent = worker.gate.pass(&passing, &mut out);
        if sent > 0 && worker.socket.send_to(&out[..sent], source).is_err() {
            worker.gate.event(DnsEvent::SendFailed);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use windrose_routing::{Publisher, Table};
    use windrose_telemetry::{Metrics, NO_ZONE};

    use super::*;
    use crate::counters::Counters;
    use crate::dice::Dice;
    use crate::gate::Gate;
    use crate::manners::{Manners, MannersReader};

    #[test]
    fn the_plain_loop_answers_too() {
        let (_publisher, source) = Publisher::new(Table::empty());
        let metrics = Metrics::new();
        let stop = AtomicBool::new(false);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(5)))
            .unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        std::thread::scope(|scope| {
            let counters = Counters::new(&metrics);
            let (socket, stop, reader) = (&socket, &stop, source.reader());
            let manners = tokio::sync::watch::channel(Arc::new(Manners::default())).1;
            let server = scope.spawn(move || {
                run(Worker {
                    socket,
                    reader,
                    manners: MannersReader::new(manners),
                    gate: Gate::new(&counters, 0),
                    dice: Dice::new(0),
                    stop,
                })
            });
            client
                .send(b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01")
                .unwrap();
            let mut reply = [0; 512];
            let received = client.recv(&mut reply);
            stop.store(true, Ordering::Relaxed);
            server.join().unwrap().unwrap();
            assert_eq!(received.unwrap(), 19);
            assert_eq!(reply[..4], [0x12, 0x34, 0x81, 5]);
        });
        assert_eq!(metrics.dns_queries.sum(NO_ZONE, 5), 1);
    }
}
