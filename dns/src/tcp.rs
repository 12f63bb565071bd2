//! HOT. DNS over TCP (RFC 7766): connections are accepted up to a bound, and the same
//! [`respond`](crate::respond()) answers what they say.
//!
//! One thread waits for all of them and takes what is ready in turn. A task for each connection with
//! a timer of its own costs 0.5 µs of 7 more for each query; hickory's server takes any number of
//! connections and would encode every answer a second time.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use tokio::sync::watch;
use windrose_routing::Reader;

use crate::counters::Counters;
use crate::manners::{Manners, MannersReader};
use converse::{Conversation, ROOM, Wish};
use desk::Desk;
use open::{Open, Patience};

mod converse;
mod desk;
mod framing;
mod open;

/// What TCP clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpLimits {
    /// Open connections; one more closes the one that has been silent longest (RFC 7766 section
    /// 6.2.3 lets a server do so at any time).
    pub connections: usize,
    /// Open connections of one client (an IPv4 address, or an IPv6 /56); one more closes the one of
    /// that client that has been silent longest (RFC 7766 section 6.2.2).
    pub per_client: usize,
    /// A connection on which no whole message came, or none could be sent, for this long is closed.
    pub idle: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            per_client: 256,
            idle: Duration::from_secs(10),
        }
    }
}

/// How long answers may take to leave after the end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Longest time without a look at the stop flag, and without letting go of an old Table.
const LOOK_AROUND: Duration = Duration::from_millis(100);
/// How long to wait after a connection could not be accepted.
const RETRY: Duration = Duration::from_millis(10);
/// Most events taken in one go.
const EVENTS: usize = 256;
/// Most connections accepted in one go.
const ACCEPTS: usize = 64;

/// Answers connections until `stop` is set: the body of one thread. Each listener has the limits for
/// itself.
///
/// # Errors
/// When the listeners cannot be used at all; when the system cannot wait for events.
pub fn serve_tcp(
    listeners: Vec<std::net::TcpListener>,
    reader: Reader,
    manners: watch::Receiver<Arc<Manners>>,
    counters: &Counters,
    seed: u64,
    stop: &AtomicBool,
) -> io::Result<()> {
    let desk = Desk::new(reader, MannersReader::new(manners), counters, seed);
    let mut server = Server::new(listeners, desk)?;
    let mut events = Events::with_capacity(EVENTS);
    while !stop.load(Ordering::Relaxed) {
        let wait = server.house_keeping();
        server.wait(&mut events, wait)?;
        server.each(&events);
    }
    // What has come until now is answered, and those answers still leave.
    server.wait(&mut events, Duration::ZERO)?;
    server.each(&events);
    server.last_words(&mut events)
}

struct Server<'d> {
    poll: Poll,
    listeners: Vec<TcpListener>,
    /// One for each listener; they outlive it.
    doors: Vec<Door>,
    desk: Desk<'d>,
    limits: TcpLimits,
    patience: Patience,
    /// As of the last events.
    now: Instant,
    /// For what is read, and for what is said.
    room: Box<[u8]>,
    outgoing: Vec<u8>,
}

/// The connections of a listener.
struct Door {
    open: Open<Conversation>,
    knocks: Knocks,
}

/// Whether connections wait to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knocks {
    /// An event will tell.
    None,
    /// There may be more.
    More,
    /// The last one could not be accepted.
    Refused,
}

impl<'d> Server<'d> {
    fn new(listeners: Vec<std::net::TcpListener>, mut desk: Desk<'d>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut own = Vec::with_capacity(listeners.len());
        for (at, listener) in listeners.into_iter().enumerate() {
            listener.set_nonblocking(true)?;
            let mut listener = TcpListener::from_std(listener);
            let registry = poll.registry();
            registry.register(&mut listener, Token(at), Interest::READABLE)?;
            own.push(listener);
        }
        let door = |_: &TcpListener| Door {
            open: Open::new(),
            knocks: Knocks::None,
        };
        let limits = desk.look_around();
        Ok(Self {
            poll,
            doors: own.iter().map(door).collect(),
            listeners: own,
            desk,
            limits,
            patience: Patience::new(limits.idle),
            now: Instant::now(),
            room: vec![0; ROOM].into(),
            outgoing: Vec::new(),
        })
    }

    /// Closes who was silent too long and accepts who was left waiting; returns how long nothing
    /// else has to be done.
    fn house_keeping(&mut self) -> Duration {
        let idle = self.patience.now(self.limits.idle, self.now);
        let mut wait = LOOK_AROUND;
        for at in 0..self.doors.len() {
            let Some(door) = self.doors.get_mut(at) else {
                continue;
            };
            if let Some(until) = door.open.close_silent(self.now, idle) {
                wait = wait.min(until.duration_since(self.now));
            }
            if door.knocks != Knocks::None {
                self.accept(at);
            }
            wait = wait.min(match self.doors.get(at).map(|door| door.knocks) {
                Some(Knocks::More) => Duration::ZERO,
                Some(Knocks::Refused) => RETRY,
                Some(Knocks::None) | None => LOOK_AROUND,
            });
        }
        wait
    }

    /// Waits for events and reads the clocks.
    fn wait(&mut self, events: &mut Events, longest: Duration) -> io::Result<()> {
        if let Err(error) = self.poll.poll(events, Some(longest)) {
            // Whatever is in there has been seen.
            events.clear();
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
        }
        self.now = Instant::now();
        self.limits = self.desk.look_around();
        Ok(())
    }

    fn each(&mut self, events: &Events) {
        for event in events {
            let Token(token) = event.token();
            match token.checked_sub(self.doors.len()) {
                Some(token) => self.turn(token, event),
                None => self.accept(token),
            }
        }
    }

    /// One connection's turn. The event may have been of an earlier one with the same token: then
    /// there is nothing to do.
    fn turn(&mut self, token: usize, event: &Event) {
        let (id, at) = (token / self.doors.len(), token % self.doors.len());
        let Some(door) = self.doors.get_mut(at) else {
            return;
        };
        let Some(conversation) = door.open.get_mut(id) else {
            return;
        };
        let turn = conversation.turn(
            event.is_read_closed(),
            &mut self.room,
            &mut self.outgoing,
            &mut self.desk,
        );
        let is_lost = match turn.wish {
            Wish::Same => false,
            Wish::Told(interest) => {
                let (registry, token) = (self.poll.registry(), event.token());
                let stream = &mut conversation.stream;
                registry.reregister(stream, token, interest).is_err()
            }
            Wish::End => true,
        };
        if is_lost {
            door.open.remove(id);
        } else if turn.spoke {
            door.open.spoke(id, self.now);
        }
    }

    fn accept(&mut self, at: usize) {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get(at) else {
                return;
            };
            let knocks = match listener.accept() {
                Ok((stream, peer)) => {
                    self.welcome(at, stream, peer);
                    continue;
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => Knocks::None,
                    ErrorKind::Interrupted => continue,
                    // Out of descriptors, or a client that left at once: the next one may do better.
                    _ => {
                        tracing::debug!(%error, "accepting a DNS connection failed");
                        Knocks::Refused
                    }
                },
            };
            return self.knock(at, knocks);
        }
        self.knock(at, Knocks::More);
    }

    fn knock(&mut self, at: usize, knocks: Knocks) {
        if let Some(door) = self.doors.get_mut(at) {
            door.knocks = knocks;
        }
    }

    fn welcome(&mut self, at: usize, stream: TcpStream, peer: SocketAddr) {
        let count = self.doors.len();
        let Some(door) = self.doors.get_mut(at) else {
            return;
        };
        self.desk.accepted();
        // Small answers must not wait for more (RFC 7766 section 8); without it they only come later.
        let _ = stream.set_nodelay(true);
        door.open.make_way(peer.ip(), self.limits);
        let conversation = Conversation::new(stream, peer);
        let id = door.open.add(conversation, peer.ip(), self.now);
        let Some(conversation) = door.open.get_mut(id) else {
            return;
        };
        let token = Token(count + id * count + at);
        let stream = &mut conversation.stream;
        let registry = self.poll.registry();
        if let Err(error) = registry.register(stream, token, Interest::READABLE) {
            tracing::debug!(%error, "a DNS connection cannot be waited for");
            door.open.remove(id);
        }
    }

    /// Sends what is left to say, for a while.
    fn last_words(mut self, events: &mut Events) -> io::Result<()> {
        self.listeners.clear();
        let end = Instant::now() + LAST_WORDS;
        loop {
            for door in &mut self.doors {
                door.open.retain(Conversation::is_writing);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.doors.iter().all(|door| door.open.is_empty()) {
                return Ok(());
            }
            self.wait(events, left)?;
            self.each(events);
        }
    }
}
