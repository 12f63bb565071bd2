//! One sampled query with its answer, copied: no pointer into anybody's buffer or Table.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windrose_model::Stamp;

use crate::answer::Transport;
use crate::gate::Passing;
use crate::limit::Judgement;
use crate::message::Rcode;
use crate::reply::AnswerClass;

/// Octets of a query that are kept; more is cut.
const QUERY: usize = 512;
/// Octets of an answer that are kept: what goes over UDP unless the operator allows more.
const ANSWER: usize = 1_232;
/// The longest name of an app or cluster.
const NAME: usize = 63;

/// One sampled query with its answer.
#[derive(Clone)]
pub(crate) struct Record {
    /// Since 1970.
    pub(super) at: Duration,
    pub(super) source: SocketAddr,
    pub(super) transport: Transport,
    /// Of the Table that answered.
    pub(super) stamp: Stamp,
    /// Chance and time that the answer was made with.
    pub(super) draw: u64,
    pub(super) now: u32,
    /// Whether the client had used up its queries when it was answered.
    pub(super) over: bool,
    pub(super) judgement: Judgement,
    /// `None` if it got no answer.
    pub(super) told: Option<Told>,
    pub(super) query: Octets<QUERY>,
    pub(super) answer: Octets<ANSWER>,
}

/// What is known of the answer.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) rcode: Rcode,
    pub(super) class: AnswerClass,
    pub(super) scope: u8,
    pub(super) truncated: bool,
    pub(super) question: usize,
    pub(super) app: Octets<NAME>,
    pub(super) cluster: Octets<NAME>,
}

/// A message, or as much of it as there is room for.
#[derive(Clone, Copy)]
pub(super) struct Octets<const N: usize> {
    octets: [u8; N],
    /// As it was.
    len: usize,
}

impl Record {
    /// A copy of what was asked and told. `message` is the answer as it was made, whether or not it
    /// goes out.
    pub(crate) fn new(passing: &Passing<'_>, message: &[u8], judgement: Judgement) -> Self {
        let Passing { table, asked, .. } = passing;
        let told = passing.reply.map(|reply| {
            let (mut app, mut cluster) = (Octets::EMPTY, Octets::EMPTY);
            if let Some(steered) = reply.steered {
                let plan = &table.app(steered.app).plan;
                app = Octets::new(plan.name.as_str().as_bytes());
                if let Some(to) = plan.clusters.get(usize::from(steered.cluster)) {
                    cluster = Octets::new(to.name.as_str().as_bytes());
                }
            }
            Told {
                rcode: reply.rcode,
                class: reply.class,
                scope: reply.scope,
                truncated: reply.truncated,
                question: reply.question(message).len(),
                app,
                cluster,
            }
        });
        Self {
            at: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            source: passing.source,
            transport: asked.transport,
            stamp: table.stamp(),
            draw: asked.draw,
            now: asked.now,
            over: asked.limited,
            judgement,
            told,
            query: Octets::new(passing.query),
            answer: Octets::new(message),
        }
    }
}

impl<const N: usize> Octets<N> {
    const EMPTY: Self = Self {
        octets: [0; N],
        len: 0,
    };

    fn new(of: &[u8]) -> Self {
        let mut octets = [0; N];
        let kept = of.len().min(N);
        octets[..kept].copy_from_slice(&of[..kept]);
        Self {
            octets,
            len: of.len(),
        }
    }

    /// What was kept of it.
    pub(super) fn kept(&self) -> &[u8] {
        &self.octets[..self.len.min(N)]
    }

    /// All of it; `None` if it was cut.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        self.octets.get(..self.len)
    }

    /// Octets it had.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// As text: what came from one.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(self.kept()).unwrap_or_default()
    }
}
