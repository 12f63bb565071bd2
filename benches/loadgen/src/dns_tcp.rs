//! The DNS load over kept TCP connections (RFC 7766): a window of outstanding queries on each, one
//! thread. It naps like the load over UDP, for the same reason.
//!
//! What there is room for in a window goes out in one write; with a window of 1 a connection carries
//! one query at a time. A visit reads first and writes then, so that an answer costs one read and
//! one write: a load that did more would be slower than the server, and the server would pay for
//! waiting. A connection that the server closes is opened again and counted.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::arguments::Refusal;
use crate::flight::Flight;
use crate::load::{Load, NAP, SWEEP_EVERY, land};
use crate::queries::Pool;
use crate::tally::Tally;

/// Octets before each message (RFC 1035 section 4.2.2).
const PREFIX: usize = 2;

/// Runs the load; returns its JSON line.
pub(crate) fn run(load: &Load) -> Result<String, Refusal> {
    let mut pool = load.pool();
    let mut connections = Vec::with_capacity(load.lanes);
    for _ in 0..load.lanes {
        connections.push(Connection::open(load)?);
    }
    let mut tally = load.tally();
    let mut room = [0; 16_384];
    let start = Instant::now();
    let (mut now, mut swept) = (start, start);
    loop {
        let elapsed = now.duration_since(start);
        if load.left(&tally, elapsed) == 0 && connections.iter().all(|c| c.flight.in_air() == 0) {
            break;
        }
        let mut moved = 0;
        for connection in &mut connections {
            let received = connection.receive(&mut room, &pool, &mut tally);
            let left = load.left(&tally, elapsed);
            let sent = received.and_then(|answers| {
                moved += answers;
                let filled = connection.fill(&mut pool, left, now);
                tally.sent += filled as u64;
                moved += filled;
                connection.send()
            });
            if sent.is_err() {
                tally.closed += 1;
                tally.lost += connection.flight.in_air() as u64;
                *connection = Connection::open(load)?;
            }
        }
        if moved == 0 {
            std::thread::sleep(NAP);
        }
        now = Instant::now();
        if now.duration_since(swept) > SWEEP_EVERY {
            swept = now;
            for connection in &mut connections {
                tally.lost += connection.flight.sweep(now, load.timeout);
            }
        }
    }
    Ok(tally.json(start.elapsed()))
}

struct Connection {
    stream: TcpStream,
    flight: Flight,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

impl Connection {
    fn open(load: &Load) -> std::io::Result<Self> {
        let stream = TcpStream::connect(load.server)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            flight: Flight::new(load.window),
            outgoing: Vec::new(),
            incoming: Vec::new(),
        })
    }

    /// Queues as many queries as the window has room for, and `left` at most; returns how many.
    fn fill(&mut self, pool: &mut Pool, left: usize, now: Instant) -> usize {
        let count = self.flight.room().min(left);
        for _ in 0..count {
            let query = pool.turn();
            let id = self
                .flight
                .take_off(query, now)
                .expect("count is at most the room in the window");
            pool.stamp(query, id);
            let bytes = &pool.query(query).bytes;
            let len = u16::try_from(bytes.len()).expect("a query is short");
            self.outgoing.extend(len.to_be_bytes());
            self.outgoing.extend(bytes);
        }
        count
    }

    /// Writes what is queued.
    fn send(&mut self) -> std::io::Result<()> {
        if !self.outgoing.is_empty() {
            let written = settle(self.stream.write(&self.outgoing))?;
            self.outgoing.drain(..written);
        }
        Ok(())
    }

    /// Reads what has come; returns the number of answers.
    fn receive(
        &mut self,
        room: &mut [u8],
        pool: &Pool,
        tally: &mut Tally,
    ) -> std::io::Result<usize> {
        if self.flight.in_air() == 0 {
            return Ok(0);
        }
        match self.stream.read(room) {
            Ok(0) => return Err(ErrorKind::ConnectionReset.into()),
            read => {
                let read = settle(read)?;
                self.incoming.extend(&room[..read]);
            }
        }
        let (mut at, mut answers) = (0, 0);
        while let Some(answer) = message(&self.incoming[at..]) {
            at += PREFIX + answer.len();
            answers += 1;
            land(answer, Instant::now(), &mut self.flight, pool, tally);
        }
        self.incoming.drain(..at);
        Ok(answers)
    }
}

/// The first whole message of a stream.
fn message(stream: &[u8]) -> Option<&[u8]> {
    let (len, rest) = stream.split_first_chunk::<PREFIX>()?;
    rest.get(..usize::from(u16::from_be_bytes(*len)))
}

/// A full buffer and an empty queue are no work done, not failures.
fn settle(outcome: std::io::Result<usize>) -> std::io::Result<usize> {
    match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(0)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_from_a_stream_when_they_are_whole() {
        assert_eq!(message(&[0]), None);
        assert_eq!(message(&[0, 2, 7]), None);
        assert_eq!(message(&[0, 2, 7, 8, 0]), Some(&[7, 8][..]));
    }
}
