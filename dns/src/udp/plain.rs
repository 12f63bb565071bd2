//! One datagram a call: for systems without batches.

use std::io::{self, ErrorKind};

use windrose_telemetry::DnsEvent;

use super::{QUERY_ROOM, Worker, pause};
use crate::answer::Transport;
use crate::message::UDP_SIZE;
use crate::query::Scratch;
use crate::respond::respond;

#[allow(clippy::unnecessary_wraps, reason = "the same shape as with batches")]
pub(super) fn run(mut worker: Worker<'_>) -> io::Result<()> {
    let mut packet = [0; QUERY_ROOM];
    let mut out = [0; UDP_SIZE as usize];
    let mut scratch = Scratch::new();
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
                    _ => pause(&error),
                }
                continue;
            }
        };
        let reply = respond(
            table,
            &packet[..len],
            &mut scratch,
            source.ip(),
            worker.dice.draw(),
            Transport::Udp,
            &mut out,
        );
        worker.counters.count(reply.as_ref());
        if let Some(reply) = reply
            && worker.socket.send_to(&out[..reply.len], source).is_err()
        {
            worker.counters.event(DnsEvent::SendFailed);
        }
    }
    Ok(())
}
