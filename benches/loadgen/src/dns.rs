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
use crate::latency::Latency;
use crate::queries::{Edns, Judgement, Pool};

const NAP: Duration = Duration::from_micros(30);
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// Different addresses told apart in the tally of answers; what goes beyond is counted as other.
const TALLIED: usize = 8;

/// What to send, and for how long.
pub(crate) struct Load {
    server: SocketAddr,
    name: String,
    edns: Edns,
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
        let edns = match (arguments.switch("ecs"), arguments.switch("edns")) {
            (true, _) => Edns::Subnet,
            (false, true) => Edns::Plain,
            (false, false) => Edns::Absent,
        };
        let load = Self {
            server: arguments.required("server")?,
            name: arguments.required("name")?,
            edns,
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
        if load
            .name
            .split('.')
            .any(|label| label.is_empty() || label.len() > 63)
        {
            return Err(Refusal::Usage(format!(
                "--name '{}' has a label that is not 1 to 63 bytes",
                load.name
            )));
        }
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
    let mut tally = Tally::new();
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

/// What was sent and what came of it.
struct Tally {
    sent: u64,
    lost: u64,
    unexpected: u64,
    empty: u64,
    by_rcode: [u64; 16],
    by_address: Vec<(Ipv4Addr, u64)>,
    other_addresses: u64,
    latency: Latency,
}

impl Tally {
    fn new() -> Self {
        Self {
            sent: 0,
            lost: 0,
            unexpected: 0,
            empty: 0,
            by_rcode: [0; 16],
            by_address: Vec::with_capacity(TALLIED),
            other_addresses: 0,
            latency: Latency::new(),
        }
    }

    fn count(&mut self, rcode: u8, empty: bool, address: Option<Ipv4Addr>) {
        self.by_rcode[usize::from(rcode)] += 1;
        self.empty += u64::from(rcode == 0 && empty);
        let Some(address) = address else { return };
        if let Some((_, count)) = self
            .by_address
            .iter_mut()
            .find(|(known, _)| *known == address)
        {
            *count += 1;
        } else if self.by_address.len() < TALLIED {
            self.by_address.push((address, 1));
        } else {
            self.other_addresses += 1;
        }
    }

    fn json(&mut self, elapsed: Duration) -> String {
        self.by_address.sort_unstable();
        let received: u64 = self.by_rcode.iter().sum();
        let rcodes = (0u8..16).zip(self.by_rcode).filter(|(_, count)| *count > 0);
        let rcodes: Vec<String> = rcodes
            .map(|(rcode, count)| format!(r#""{}":{count}"#, rcode_name(rcode)))
            .collect();
        let addresses: Vec<String> = self
            .by_address
            .iter()
            .map(|(ip, count)| format!(r#""{ip}":{count}"#))
            .collect();
        format!(
            concat!(
                r#"{{"sent":{},"received":{},"noerror_with_answer":{},"lost":{},"unexpected":{},"by_rcode":{{{}}},"#,
                r#""by_address":{{{}}},"other_addresses":{},"elapsed_s":{:.6},"per_second":{:.0},"latency_us":{}}}"#
            ),
            self.sent,
            received,
            self.by_rcode[0] - self.empty,
            self.lost,
            self.unexpected,
            rcodes.join(","),
            addresses.join(","),
            self.other_addresses,
            elapsed.as_secs_f64(),
            received as f64 / elapsed.as_secs_f64(),
            self.latency.json(),
        )
    }
}

fn rcode_name(rcode: u8) -> String {
    let name = match rcode {
        0 => "noerror",
        1 => "formerr",
        2 => "servfail",
        3 => "nxdomain",
        4 => "notimp",
        5 => "refused",
        other => return format!("rcode{other}"),
    };
    name.to_owned()
}
