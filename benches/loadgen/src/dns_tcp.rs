//! The DNS load over kept TCP connections (RFC 7766): a window of outstanding queries on each, one
//! thread. It naps like the load over UDP, for the same reason.
//!
//! What there is room for in a window goes out in one write; with a window of 1 a connection carries
//! one query at a time. A connection that the server closes is opened again and counted.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::arguments::{Arguments, Refusal};
use crate::flight::{Flight, LARGEST_WINDOW};
use crate::queries::{Edns, Judgement, Pool, labels_of};
use crate::tally::Tally;

const NAP: Duration = Duration::from_micros(30);
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// Octets before each message (RFC 1035 section 4.2.2).
const PREFIX: usize = 2;

/// What to send, and for how long.
pub(crate) struct Load {
    server: SocketAddr,
    name: String,
    edns: Edns,
    expected: Vec<Ipv4Addr>,
    duration: Duration,
    connections: usize,
    window: usize,
    pool: usize,
    seed: u64,
    timeout: Duration,
}

impl Load {
    pub(crate) fn from_arguments(arguments: &mut Arguments) -> Result<Self, Refusal> {
        let load = Self {
            server: arguments.required("server")?,
            name: arguments.required("name")?,
            edns: Edns::from_arguments(arguments),
            expected: arguments.list("expect")?,
            duration: Duration::from_secs_f64(arguments.optional("seconds")?.unwrap_or(10.0)),
            connections: arguments.optional("connections")?.unwrap_or(32),
            window: arguments.optional("window")?.unwrap_or(1),
            pool: arguments.optional("pool")?.unwrap_or(65_536),
            seed: arguments.optional("seed")?.unwrap_or(1),
            timeout: Duration::from_millis(arguments.optional("timeout-ms")?.unwrap_or(1000)),
        };
        arguments.finish()?;
        labels_of(&load.name)?;
        if !(1..=LARGEST_WINDOW).contains(&load.window) {
            return Err(Refusal::Usage(format!(
                "--window is {}, must be 1 to {LARGEST_WINDOW}",
                load.window
            )));
        }
        if load.connections == 0 || load.pool < LARGEST_WINDOW * load.connections {
            return Err(Refusal::Usage(format!(
                "--pool must hold {LARGEST_WINDOW} queries for each of 1 or more connections"
            )));
        }
        Ok(load)
    }
}

/// Runs the load; returns its JSON line.
pub(crate) fn run(load: &Load) -> Result<String, Refusal> {
    let mut pool = Pool::new(&load.name, load.edns, load.pool, load.seed);
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        connections.push(Connection::open(load)?);
    }
    let mut tally = Tally::new(load.expected.clone());
    let start = Instant::now();
    let (mut now, mut swept) = (start, start);
    loop {
        let sending = now.duration_since(start) < load.duration;
        if !sending && connections.iter().all(|one| one.flight.in_air() == 0) {
            break;
        }
        let mut moved = 0;
        for connection in &mut connections {
            if sending {
                tally.sent += connection.fill(&mut pool, now) as u64;
            }
            match connection.exchange(&pool, &mut tally) {
                Ok(answers) => moved += answers,
                Err(_) => {
                    tally.closed += 1;
                    tally.lost += connection.flight.in_air() as u64;
                    *connection = Connection::open(load)?;
                }
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

    /// Queues as many queries as the window has room for; returns how many.
    fn fill(&mut self, pool: &mut Pool, now: Instant) -> usize {
        let count = self.flight.room();
        for _ in 0..count {
            let query = pool.turn();
            let id = self
                .flight
                .take_off(query, now)
                .expect("count is the room in the window");
            pool.stamp(query, id);
            let bytes = &pool.query(query).bytes;
            let len = u16::try_from(bytes.len()).expect("a query is short");
            self.outgoing.extend(len.to_be_bytes());
            self.outgoing.extend(bytes);
        }
        count
    }

    /// Writes what is queued and reads what has come; returns the number of answers.
    fn exchange(&mut self, pool: &Pool, tally: &mut Tally) -> std::io::Result<usize> {
        if !self.outgoing.is_empty() {
            let written = settle(self.stream.write(&self.outgoing))?;
            self.outgoing.drain(..written);
        }
        if self.flight.in_air() == 0 {
            return Ok(0);
        }
        let mut room = [0; 16_384];
        match self.stream.read(&mut room) {
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
            land(&mut self.flight, answer, pool, tally);
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

fn land(flight: &mut Flight, answer: &[u8], pool: &Pool, tally: &mut Tally) {
    let id = answer.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
    let Some((id, landed)) = id.and_then(|id| Some((id, flight.find(id)?))) else {
        tally.unexpected += 1;
        return;
    };
    match pool.query(landed.query).judge(answer) {
        Judgement::Foreign => tally.unexpected += 1,
        Judgement::Answer {
            rcode,
            empty,
            address,
        } => {
            flight.release(id);
            tally.count(rcode, empty, address);
            tally.latency.record(landed.sent.elapsed());
        }
    }
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
