//! What the DNS loads over UDP and TCP have in common: what to send, for how long, and what becomes
//! of an answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::arguments::{Arguments, Refusal};
use crate::flight::{Flight, LARGEST_WINDOW};
use crate::queries::{Edns, Judgement, Pool, labels_of};
use crate::tally::Tally;

/// How long a load rests that found nothing to do.
pub(crate) const NAP: Duration = Duration::from_micros(30);
/// How often it looks for queries that nobody answers any more.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_millis(100);

/// What to send, and for how long.
pub(crate) struct Load {
    pub(crate) server: SocketAddr,
    name: String,
    edns: Edns,
    expected: Vec<Ipv4Addr>,
    queries: u64,
    duration: Duration,
    /// Sockets or connections.
    pub(crate) lanes: usize,
    /// Queries in the air on each.
    pub(crate) window: usize,
    pool: usize,
    seed: u64,
    pub(crate) timeout: Duration,
}

impl Load {
    pub(crate) fn over_udp(arguments: &mut Arguments) -> Result<Self, Refusal> {
        Self::from_arguments(arguments, "sockets", 4, 48)
    }

    pub(crate) fn over_tcp(arguments: &mut Arguments) -> Result<Self, Refusal> {
        Self::from_arguments(arguments, "connections", 32, 1)
    }

    fn from_arguments(
        arguments: &mut Arguments,
        kind: &'static str,
        lanes: usize,
        window: usize,
    ) -> Result<Self, Refusal> {
        let load = Self {
            server: arguments.required("server")?,
            name: arguments.required("name")?,
            edns: Edns::from_arguments(arguments),
            expected: arguments.list("expect")?,
            queries: arguments.optional("queries")?.unwrap_or(u64::MAX),
            duration: Duration::from_secs_f64(arguments.optional("seconds")?.unwrap_or(10.0)),
            lanes: arguments.optional(kind)?.unwrap_or(lanes),
            window: arguments.optional("window")?.unwrap_or(window),
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
        if load.lanes == 0 || load.pool < LARGEST_WINDOW * load.lanes {
            return Err(Refusal::Usage(format!(
                "--pool must hold {LARGEST_WINDOW} queries for each of 1 or more {kind}"
            )));
        }
        labels_of(&load.name)?;
        Ok(load)
    }

    pub(crate) fn pool(&self) -> Pool {
        Pool::new(&self.name, self.edns, self.pool, self.seed)
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally::new(self.expected.clone())
    }

    /// How many queries may still be sent.
    pub(crate) fn left(&self, tally: &Tally, elapsed: Duration) -> usize {
        if elapsed >= self.duration {
            return 0;
        }
        usize::try_from(self.queries - tally.sent).unwrap_or(usize::MAX)
    }
}

/// Takes an answer that came at `now`: its query leaves the air, and it is counted.
pub(crate) fn land(
    answer: &[u8],
    now: Instant,
    flight: &mut Flight,
    pool: &Pool,
    tally: &mut Tally,
) {
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
            tally.latency.record(now.duration_since(landed.sent));
        }
    }
}
