//! The demo's load: DNS queries and HTTP requests at a fixed rate, over sockets, open-loop: a slow
//! answer holds up nobody else.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::task::LocalSet;

use super::http::{Client, Method};
use super::person::PEOPLE;
use super::tally::Tally;
use super::wire;

/// How often the pacers look at the clock.
const TICK: Duration = Duration::from_millis(4);
/// An answer that takes longer is none.
const QUERY_LIMIT: Duration = Duration::from_secs(2);
/// One in so many requests is a POST, which nobody may repeat.
const POST_EVERY: u64 = 20;
/// What is still under way when the load ends gets so long.
const LAST_WAIT: Duration = Duration::from_secs(12);

/// What to load, and how much.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) dns: SocketAddr,
    pub(crate) http_port: u16,
    pub(crate) host: String,
    /// Requests, and queries, a second.
    pub(crate) rate: u32,
}

/// The running load.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Load {
    pub(crate) fn start(plan: Plan, tally: Arc<Tally>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("demo-load".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                LocalSet::new().block_on(&runtime, run(plan, tally, stopped))
            })?;
        Ok(Self { stop, thread })
    }

    /// Sends nothing more, waits for what is under way.
    pub(crate) fn stop(self) -> std::io::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(std::io::Error::other("the demo's load ended by a panic")))
    }
}

async fn run(plan: Plan, tally: Arc<Tally>, stop: Arc<AtomicBool>) -> std::io::Result<()> {
    let world = Rc::new(World {
        socket: UdpSocket::bind(("127.0.0.1", 0)).await?,
        client: Client::new(&plan.host),
        host: super::wire_name(&plan.host),
        known: PEOPLE.iter().map(|_| Cell::new(None)).collect(),
        asked: RefCell::new(HashMap::new()),
        under_way: Cell::new(0),
        plan,
        tally,
    });
    world.socket.connect(world.plan.dns).await?;
    let reader = tokio::task::spawn_local(Rc::clone(&world).hear());
    let mut pace = Pace::new(world.plan.rate);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let now = Instant::now();
        for number in pace.due(now) {
            world.ask(number, now);
            world.fetch(number);
        }
        world.give_up(now);
    }
    let last = Instant::now() + LAST_WAIT;
    while world.under_way.get() > 0 && Instant::now() < last {
        tick.tick().await;
    }
    world.give_up(Instant::now());
    reader.abort();
    Ok(())
}

/// All that the load's tasks share, on one thread.
struct World {
    plan: Plan,
    tally: Arc<Tally>,
    socket: UdpSocket,
    client: Client,
    /// Wire form.
    host: Vec<u8>,
    /// What each person's resolver knows, until when. Parallel to [`PEOPLE`].
    known: Vec<Cell<Option<(IpAddr, Instant)>>>,
    /// Queries without an answer, by id: who, when.
    asked: RefCell<HashMap<u16, (usize, Instant)>>,
    under_way: Cell<u32>,
}

impl World {
    /// Sends one query.
    fn ask(&self, number: u64, now: Instant) {
        let who = person_of(number);
        #[allow(clippy::cast_possible_truncation, reason = "ids go round")]
        let id = number as u16;
        let packet = wire::question(id, &self.host, PEOPLE[who].address());
        self.tally.asked();
        self.asked.borrow_mut().insert(id, (who, now));
        // A full socket buffer is a lost query, told as a timeout.
        let _ = self.socket.try_send(&packet);
    }

    /// Reads answers until the load ends.
    async fn hear(self: Rc<Self>) {
        let mut packet = [0; 1500];
        loop {
            let Ok(length) = self.socket.recv(&mut packet).await else {
                // The port is refused while nobody listens.
                tokio::time::sleep(TICK).await;
                continue;
            };
            let now = Instant::now();
            let Some(answer) = wire::answer(&packet[..length]) else {
                continue;
            };
            let Some((who, _)) = self.asked.borrow_mut().remove(&answer.id) else {
                continue;
            };
            let address = answer.address.map(|(ip, _)| IpAddr::from(ip));
            self.tally.answered(rcode(answer.rcode), address, now);
            let Some((ip, ttl)) = answer.address else {
                continue;
            };
            // A resolver keeps an answer as long as it may.
            if self.known[who].get().is_none_or(|(_, until)| until <= now) {
                let until = now + Duration::from_secs(ttl.into());
                self.known[who].set(Some((ip.into(), until)));
            }
        }
    }

    /// Queries that nobody answered.
    fn give_up(&self, now: Instant) {
        let mut asked = self.asked.borrow_mut();
        let before = asked.len();
        asked.retain(|_, (_, at)| now.duration_since(*at) < QUERY_LIMIT);
        for _ in asked.len()..before {
            self.tally.answered("TIMEOUT", None, now);
        }
    }

    /// Sends one request to the address that DNS gave.
    fn fetch(self: &Rc<Self>, number: u64) {
        let who = person_of(number);
        // Before the first answer a person waits.
        let Some((ip, _)) = self.known[who].get() else {
            return;
        };
        let to = SocketAddr::new(ip, self.plan.http_port);
        let method = match number % POST_EVERY {
            POST_EVERY_LAST => Method::Post,
            _ => Method::Get,
        };
        let world = Rc::clone(self);
        world.tally.sent();
        world.under_way.set(world.under_way.get() + 1);
        tokio::task::spawn_local(async move {
            let from = PEOPLE[who].address();
            let answer = world.client.request(to, method, number, from).await;
            world.tally.ended(answer.outcome(method));
            world.under_way.set(world.under_way.get() - 1);
        });
    }
}

const POST_EVERY_LAST: u64 = POST_EVERY - 1;

/// Goes through the people in an order that does not beat with other periods.
fn person_of(number: u64) -> usize {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "below the number of people"
    )]
    let who = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % PEOPLE.len() as u64;
    who as usize
}

fn rcode(code: u8) -> &'static str {
    match code {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        _ => "OTHER",
    }
}

/// How many are due, so that the rate holds on average whatever the ticks do.
struct Pace {
    rate: f64,
    start: Option<Instant>,
    sent: u64,
}

impl Pace {
    fn new(rate: u32) -> Self {
        Self {
            rate: rate.into(),
            start: None,
            sent: 0,
        }
    }

    /// The numbers of what is to be sent now.
    fn due(&mut self, now: Instant) -> std::ops::Range<u64> {
        let start = *self.start.get_or_insert(now);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of requests, not negative"
        )]
        let wanted = (now.duration_since(start).as_secs_f64() * self.rate) as u64;
        let from = self.sent;
        self.sent = wanted.max(from);
        from..self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_holds_over_late_ticks() {
        let mut pace = Pace::new(200);
        let start = Instant::now();
        assert_eq!(pace.due(start).count(), 0);
        assert_eq!(pace.due(start + Duration::from_millis(5)).count(), 1);
        assert_eq!(pace.due(start + Duration::from_secs(1)).count(), 199);
    }

    #[test]
    fn every_person_gets_a_turn() {
        let mut seen = vec![0; PEOPLE.len()];
        for number in 0..10_000 {
            seen[person_of(number)] += 1;
        }
        assert!(seen.iter().all(|n| *n > 100), "{seen:?}");
    }
}
