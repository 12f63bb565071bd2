//! HOT. What an answer passes between being made and going out: limits, counters, the query log.

use std::borrow::Borrow;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Instant;

use windrose_routing::Table;
use windrose_telemetry::DnsEvent;

use crate::answer::Transport;
use crate::counters::{Counters, way};
use crate::limit::{Action, Judgement, Ticks};
use crate::log::{QueryLog, Record, Sampler};
use crate::manners::{Asked, Manners};
use crate::message::Rcode;
use crate::reply::Reply;

/// One thread's gate.
pub(crate) struct Gate<C> {
    counters: C,
    sampler: Sampler,
}

/// One message and what became of it so far.
pub(crate) struct Passing<'p> {
    pub(crate) table: &'p Table,
    pub(crate) asked: &'p Asked<'p>,
    pub(crate) source: SocketAddr,
    pub(crate) query: &'p [u8],
    /// `None` if it gets no answer.
    pub(crate) reply: Option<Reply>,
    /// What [`ticks`] said for this batch.
    pub(crate) now: Option<Ticks>,
}

impl<C: Borrow<Counters>> Gate<C> {
    pub(crate) fn new(counters: C, seed: u64) -> Self {
        Self {
            counters,
            sampler: Sampler::new(seed),
        }
    }

    /// Counts something else than an answer.
    pub(crate) fn event(&self, event: DnsEvent) {
        self.counters.borrow().event(event);
    }

    /// Octets of `message` that go out; zero for none.
    #[inline]
    pub(crate) fn pass(&mut self, passing: &Passing<'_>, message: &mut [u8]) -> usize {
        let (asked, reply) = (passing.asked, passing.reply.as_ref());
        let Some(now) = passing.now else {
            let sent = reply.map_or(0, |reply| reply.len);
            let way = way(asked.transport, asked.source);
            self.counters.borrow().count(way, reply, sent);
            return sent;
        };
        self.pass_watched(passing, message, now)
    }

    /// The same with limits or a log.
    fn pass_watched(&mut self, passing: &Passing<'_>, message: &mut [u8], now: Ticks) -> usize {
        let Passing { asked, reply, .. } = passing;
        let judgement = match (reply, &asked.manners.limiter) {
            (Some(reply), Some(limiter)) if asked.transport == Transport::Udp => {
                limiter.judge(reply, message, asked.source, now)
            }
            _ => Judgement::PASSED,
        };
        if let Some(reply) = reply
            && judgement != Judgement::PASSED
        {
            self.counters.borrow().limited(reply.class, &judgement);
        }
        let made = reply.map_or(0, |reply| reply.len);
        let sent = match (reply, judgement.action) {
            (Some(_), Action::Answer) => made,
            // It is as small, and says how to come back too.
            (Some(reply), Action::Slip) if reply.rcode == Rcode::BadCookie => made,
            (Some(reply), Action::Slip) => reply.cut(message),
            _ => 0,
        };
        if let Some(log) = &asked.manners.log
            && self.sampler.due(log.settings().sample)
        {
            // What goes out, or would have.
            let shown = if sent > 0 { sent } else { made };
            offer(
                log,
                passing,
                message.get(..shown).unwrap_or_default(),
                judgement,
                now,
            );
        }
        let way = way(asked.transport, asked.source);
        self.counters.borrow().count(way, reply.as_ref(), sent);
        sent
    }
}

#[cold]
fn offer(log: &QueryLog, passing: &Passing<'_>, answer: &[u8], judgement: Judgement, now: Ticks) {
    log.offer(now, || Record::new(passing, answer, judgement));
}

/// The time for limits and log, read once a batch; `None` when nobody wants it.
#[inline]
pub(crate) fn ticks(manners: &Manners) -> Option<Ticks> {
    /// The same for all threads, because they share limits.
    static START: OnceLock<Instant> = OnceLock::new();
    (manners.limiter.is_some() || manners.log.is_some())
        .then(|| Ticks::after(START.get_or_init(Instant::now).elapsed()))
}
