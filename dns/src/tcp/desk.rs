//! HOT. Where the messages of all connections are answered.

use std::net::SocketAddr;

use windrose_routing::Reader;
use windrose_telemetry::DnsEvent;

use super::TcpLimits;
use super::framing::{Taken, append, each_message};
use crate::answer::Transport;
use crate::counters::Counters;
use crate::dice::Dice;
use crate::gate::{Gate, Passing, ticks};
use crate::limit::Ticks;
use crate::manners::{Asked, MannersReader, clock};
use crate::query::Scratch;
use crate::respond::respond;

pub(super) struct Desk<'d> {
    reader: Reader,
    manners: MannersReader,
    gate: Gate<&'d Counters>,
    dice: Dice,
    scratch: Scratch,
    /// The largest message; copied from, never kept.
    out: Box<[u8]>,
    now: u32,
    ticks: Option<Ticks>,
}

impl<'d> Desk<'d> {
    pub(super) fn new(
        reader: Reader,
        manners: MannersReader,
        counters: &'d Counters,
        seed: u64,
    ) -> Self {
        Self {
            reader,
            manners,
            gate: Gate::new(counters, seed),
            dice: Dice::new(seed),
            scratch: Scratch::new(),
            out: vec![0; usize::from(u16::MAX)].into(),
            now: 0,
            ticks: None,
        }
    }

    /// Reads the clocks for all messages until the next call. Also lets go of an old Table and old
    /// manners, which an idle thread must not hold on to; says which limits hold now.
    pub(super) fn look_around(&mut self) -> TcpLimits {
        self.reader.load();
        let manners = self.manners.load();
        (self.now, self.ticks) = (clock(), ticks(manners));
        manners.tcp
    }

    pub(super) fn accepted(&self) {
        self.gate.event(DnsEvent::TcpConnection);
    }

    /// Answers the whole messages that a stream begins with, by one Table.
    #[inline]
    pub(super) fn answer(
        &mut self,
        stream: &[u8],
        peer: SocketAddr,
        outgoing: &mut Vec<u8>,
    ) -> Taken {
        let table = self.reader.load();
        let manners = self.manners.load();
        each_message(stream, outgoing, |message, outgoing| {
            let asked = Asked {
                source: peer.ip(),
                transport: Transport::Tcp,
                draw: self.dice.draw(),
                now: self.now,
                limited: false,
                manners,
            };
            let passing = Passing {
                table,
                asked: &asked,
                source: peer,
                query: message,
                reply: respond(table, message, &mut self.scratch, &asked, &mut self.out),
                now: self.ticks,
            };
            let sent = self.gate.pass(&passing, &mut self.out);
            let answer = passing.reply.and_then(|_| self.out.get(..sent));
            answer.and_then(|answer| append(outgoing, answer)).is_some()
        })
    }
}
