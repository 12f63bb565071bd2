//! DNS over TCP (RFC 7766): connections are accepted up to a bound, and the same [`respond`]
//! answers what they say.
//!
//! All of it is ours. hickory's server takes any number of connections and would encode every answer
//! a second time; its framing alone costs two reads and a channel for each message.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use windrose_routing::Source;
use windrose_telemetry::{DnsEvent, Metrics};

use crate::answer::Transport;
use crate::counters::Counters;
use crate::dice::Dice;
use crate::gate::{Gate, Passing, ticks};
use crate::manners::{Asked, Manners, MannersReader, clock};
use crate::query::Scratch;
use crate::respond::respond;
use converse::{Taken, append, converse, each_message};
use open::Open;

mod converse;
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

/// Answers connections until `stop` is done. Runs on any tokio runtime with I/O and time.
///
/// # Errors
/// When the listener cannot be used at all; not afterwards.
pub async fn serve_tcp(
    listener: std::net::TcpListener,
    source: Source,
    metrics: Arc<Metrics>,
    seed: u64,
    manners: watch::Receiver<Arc<Manners>>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut told = manners.clone();
    let desk = Arc::new(Desk {
        source,
        state: Mutex::new(State {
            gate: Gate::new(Counters::new(&metrics), seed),
            dice: Dice::new(seed),
            manners: MannersReader::new(manners),
            scratch: Scratch::new(),
            out: vec![0; usize::from(u16::MAX)].into(),
        }),
        turns: AtomicU64::new(0),
    });
    let (ending, ended) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut open = Open::default();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            // Looked at although nobody asks anything: what the old ones hold has to go.
            Ok(()) = told.changed() => {
                desk.limits();
            }
            Some(ended) = tasks.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                open.remove(id);
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let limits = desk.limits();
                    desk.accepted();
                    open.make_way(peer.ip(), limits);
                    let last_turn = Arc::new(AtomicU64::new(desk.turn()));
                    let turn = Arc::clone(&last_turn);
                    let desk = Arc::clone(&desk);
                    let task = converse(desk, stream, peer, limits.idle, turn, ended.clone());
                    open.add(tasks.spawn(task), peer.ip(), last_turn);
                }
                // Out of descriptors, or a client that left at once: the next one may do better.
                Err(error) => {
                    tracing::debug!(%error, "accepting a DNS connection failed");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
        }
    }
    // What was read has been answered; those answers still leave.
    drop(listener);
    ending.send_replace(true);
    let all = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_WORDS, all).await;
    Ok(())
}

/// What all connections share.
struct Desk {
    source: Source,
    state: Mutex<State>,
    /// Counts messages, so that "silent longest" needs no clock.
    turns: AtomicU64,
}

struct State {
    gate: Gate<Counters>,
    dice: Dice,
    manners: MannersReader,
    scratch: Scratch,
    /// The largest message; copied from, never kept.
    out: Box<[u8]>,
}

impl Desk {
    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    fn limits(&self) -> TcpLimits {
        self.state().manners.load().tcp
    }

    fn accepted(&self) {
        self.state().gate.event(DnsEvent::TcpConnection);
    }

    /// Answers the whole messages that a stream begins with, by one Table; and how long the stream
    /// may be silent from now on.
    fn answer(&self, stream: &[u8], peer: SocketAddr, outgoing: &mut Vec<u8>) -> (Taken, Duration) {
        let table = self.source.load();
        let mut state = self.state();
        let State {
            gate,
            dice,
            manners,
            scratch,
            out,
        } = &mut *state;
        let manners = manners.load();
        let (now, ticks) = (clock(), ticks(manners));
        let taken = each_message(stream, outgoing, |message, outgoing| {
            let asked = Asked {
                source: peer.ip(),
                transport: Transport::Tcp,
                draw: dice.draw(),
                now,
                limited: false,
                manners,
            };
            let passing = Passing {
                table: &table,
                asked: &asked,
                source: peer,
                query: message,
                reply: respond(&table, message, scratch, &asked, out),
                now: ticks,
            };
            let sent = gate.pass(&passing, out);
            let answer = passing.reply.and_then(|_| out.get(..sent));
            answer.and_then(|answer| append(outgoing, answer)).is_some()
        });
        (taken, manners.tcp.idle)
    }

    /// Nothing is left half done in it: a panic elsewhere does not matter.
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
