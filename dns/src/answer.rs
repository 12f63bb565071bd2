//! HOT. Table + query → response, for UDP and TCP alike. Pure: source, chance and limits are
//! arguments.

use windrose_routing::Table;

use crate::extended_error::ExtendedError;
use crate::manners::Asked;
use crate::message::{Message, Opt, Rcode};
use crate::options::Extras;
use crate::query::{Edns, Head, Malformed, Query, rtype};
use crate::reply::{Reply, Verdict};
use resolve::{HOPS, Resolution};

mod alias;
mod below;
mod reason;
mod resolve;
mod steer;

/// Smallest message any client takes (RFC 1035 section 4.2.1), and the least room a response
/// buffer must have.
pub const MIN_ROOM: usize = 512;

/// How a response travels, which bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// 512 octets without EDNS (RFC 1035 section 4.2.1), with it what the client takes up to
    /// [`Manners::udp_size`](crate::Manners::udp_size).
    Udp,
    /// 65,535 octets (RFC 1035 section 4.2.2).
    Tcp,
}

/// Answers a query into `out`, which needs at least [`MIN_ROOM`] octets.
#[inline]
pub fn answer(table: &Table, query: &Query<'_>, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    let extras = Extras::asked(query.edns.as_ref(), asked);
    let opt = Opt::of(query.edns.as_ref(), asked, extras.as_ref());
    let Some(mut message) = begin(query.question, opt, asked, out) else {
        return Reply::none();
    };
    if let Some(verdict) = opt.and_then(objection) {
        return message.reply(query.head, &verdict);
    }
    if (query.qtype >= rtype::TKEY || query.qtype == rtype::OPT)
        && let Some(verdict) = meta(query.qtype)
    {
        return message.reply(query.head, &verdict);
    }
    let mut resolution = Resolution {
        table,
        query,
        source: asked.source.to_canonical(),
        draw: asked.draw,
        any: asked.manners.any,
        message: &mut message,
        dnames: [0; HOPS],
    };
    let verdict = resolution.run();
    resolution.message.reply(query.head, &verdict)
}

/// Says FORMERR to a query that could not be read.
pub fn malformed(query: &Malformed<'_>, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    let verdict = Verdict::plain(Rcode::FormErr);
    refuse(
        query.head,
        query.question,
        query.edns.as_ref(),
        &verdict,
        asked,
        out,
    )
}

/// A response without records.
pub(crate) fn refuse(
    head: Head,
    question: &[u8],
    edns: Option<&Edns<'_>>,
    verdict: &Verdict,
    asked: &Asked<'_>,
    out: &mut [u8],
) -> Reply {
    let extras = Extras::asked(edns, asked);
    let opt = Opt::of(edns, asked, extras.as_ref());
    match begin(question, opt, asked, out) {
        Some(mut message) => {
            let objection = opt.and_then(objection);
            message.reply(head, objection.as_ref().unwrap_or(verdict))
        }
        None => Reply::none(),
    }
}

/// Types that are no data (RFC 6895 section 3.1): what is said to who asks for one. ANY has an answer.
#[cold]
fn meta(qtype: u16) -> Option<Verdict> {
    match qtype {
        // They only ever stand in the additional section of a message.
        rtype::OPT | rtype::TKEY | rtype::TSIG => {
            Some(Verdict::because(Rcode::FormErr, ExtendedError::QueryType))
        }
        // Zones are not transferred from here.
        rtype::AXFR | rtype::IXFR => {
            Some(Verdict::because(Rcode::Refused, ExtendedError::NoTransfer))
        }
        // Obsolete since RFC 973 and RFC 1035 section 3.2.3.
        rtype::MAILB | rtype::MAILA => {
            Some(Verdict::because(Rcode::NotImp, ExtendedError::QueryType))
        }
        _ => None,
    }
}

/// What the OPT record of a query is told instead of an answer.
#[inline]
pub(crate) fn objection(opt: Opt<'_>) -> Option<Verdict> {
    if opt.edns.version != 0 {
        // The OPT record of the response says the highest version we know: 0 (RFC 6891 section
        // 6.1.3).
        return Some(Verdict::plain(Rcode::BadVers));
    }
    let extras = opt.extras?;
    if extras.malformed {
        return Some(Verdict::plain(Rcode::FormErr));
    }
    extras.unproven.then(|| Verdict::plain(Rcode::BadCookie))
}

/// A client that says less than 512 means 512 (RFC 6891 section 6.2.3).
#[inline(always)]
pub(crate) fn begin<'m>(
    question: &[u8],
    opt: Option<Opt<'m>>,
    asked: &Asked<'_>,
    out: &'m mut [u8],
) -> Option<Message<'m>> {
    let manners = asked.manners;
    let mut limit = match (asked.transport, opt) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => MIN_ROOM,
        (Transport::Udp, Some(opt)) => {
            usize::from(opt.edns.size.min(manners.udp_size())).max(MIN_ROOM)
        }
    };
    if let Some(most) = manners.unproven_size
        && asked.transport == Transport::Udp
        && !opt.and_then(|opt| opt.extras).is_some_and(Extras::proven)
    {
        limit = limit.min(usize::from(most));
    }
    Message::new(out, limit, question, opt)
}
