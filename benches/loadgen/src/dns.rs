//! The DNS load: windows of outstanding queries over several sockets, one thread.
//!
//! When nothing has arrived it naps instead of polling: a wake-up would be charged to the
//! server that sends the answer, and how often it happens depends on the server's
//! speed. The windows hold enough work to keep the server busy through a nap.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::arguments::{Arguments, Refusal};
use crate::batch::{BATCH, Lane};
use crate::flight::{Flight, LARGEST_WINDOW};
use crate::queries::{Edns, Judgement, Pool, labels_of};
use crate::tally::Tally;

const NAP: Duration = Duration::from_micros(30);
const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// What to send, and for how long.
pub(crate) struct Load {
    server: SocketAddr,
    name: String,
    edns: Edns,
    expected: Vec<Ipv4Addr>,
    queries: u64,
    duration: Duration,
    sockets: usize,
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
            queries: arguments.optional("queries")?.unwrap_or(u64::MAX),
            duration: Duration::from_secs_f64(arguments.optional("seconds")?.unwrap_or(10.0)),
            sockets: arguments.optional("sockets")?.unwrap_or(4),
            window: arguments.optional("window")?.unwrap_or(48),
            pool: arguments.optional("pool")?.unwrap_or(65_536),
            seed: arguments.optional("seed")?.unwrap_or(1),
            timeout: Duration::from_millis(arguments.optional("timeout-ms")?.unwrap_or(1000)),
        };
        arguments.finish()?;
        if !(1..=LARGEST_WINDOW).contains(&load.window) {
            return Err(Refusal::Usage(format!(
                "--window is {}, must be 1 to {LARGEST_WINDOW}",
                load.window
            )));
        }
        if load.sockets == 0 || load.pool < LARGEST_WINDOW * load.sockets {
            return Err(Refusal::Usage(format!(
                "--pool must hold {LARGEST_WINDOW} packets for each of 1 or more sockets"
            )));
        }
        labels_of(&load.name)?;
        Ok(load)
    }
}

/// Runs the load; returns its JSON line.
pub(crate) fn run(load: &Load) -> Result<String, Refusal> {
    let mut pool = Pool::new(&load.name, load.edns, load.pool, load.seed);
    let mut lanes = Vec::with_capacity(load.sockets);
    for _ in 0..load.sockets {
        lanes.push((Lane::connect(load.server)?, Flight::new(load.window)));
    }
    let mut tally = Tally::new(load.expected.clone());
    let start = Instant::now();
    let mut now = start;
    let mut swept = start;
    loop {
        let sending = tally.sent < load.queries && now.duration_since(start) < load.duration;
        if !sending && lanes.iter().all(|(_, flight)| flight.in_air() == 0) {
            break;
        }
        let mut moved = 0;
        for (lane, flight) in &mut lanes {
            if sending {
                let left = usize::try_from(load.queries - tally.sent).unwrap_or(usize::MAX);
                let sent = send(lane, flight, &mut pool, left, now)?;
                tally.sent += sent as u64;
                moved += sent;
            }
            moved += receive(lane, flight, &pool, &mut tally)?;
        }
        if moved == 0 {
            std::thread::sleep(NAP);
        }
        now = Instant::now();
        if now.duration_since(swept) > SWEEP_EVERY {
            swept = now;
            tally.lost += lanes
                .iter_mut()
                .map(|(_, flight)| flight.sweep(now, load.timeout))
                .sum::<u64>();
        }
    }
    Ok(tally.json(start.elapsed()))
}

/// Fills the window of one lane, one batch at most.
fn send(
    lane: &mut Lane,
    flight: &mut Flight,
    pool: &mut Pool,
    left: usize,
    now: Instant,
) -> Result<usize, Refusal> {
    let count = flight.room().min(BATCH).min(left);
    if count == 0 {
        return Ok(0);
    }
    let mut queries = [(0, 0); BATCH];
    for slot in &mut queries[..count] {
        let query = pool.turn();
        let id = flight
            .take_off(query, now)
            .expect("count is at most the room in the window");
        pool.stamp(query, id);
        *slot = (query, id);
    }
    let sent = lane.send(
        queries[..count]
            .iter()
            .map(|&(query, _)| pool.query(query).bytes.as_slice()),
    )?;
    for &(_, id) in &queries[sent..count] {
        flight.release(id);
    }
    Ok(sent)
}

/// Takes one batch of answers and judges each.
fn receive(
    lane: &mut Lane,
    flight: &mut Flight,
    pool: &Pool,
    tally: &mut Tally,
) -> Result<usize, Refusal> {
    let received = lane.receive()?;
    let now = Instant::now();
    for index in 0..received {
        let datagram = lane.datagram(index);
        let id = datagram
            .first_chunk()
            .map(|bytes| u16::from_be_bytes(*bytes));
        let Some((id, landed)) = id.and_then(|id| Some((id, flight.find(id)?))) else {
            tally.unexpected += 1;
            continue;
        };
        match pool.query(landed.query).judge(datagram) {
            Judgement::Foreign => tally.unexpected += 1,
            Judgement::Answer {
                rcode,
                empty,
                address,
            } => {
                flight.release(id);
                tally.count(rcode, empty, address);
                tally.latency.record(now.duration_since(landed.sent));
            }
        }
    }
    Ok(received)
}
