//! HOT. Table + query → response, for UDP and TCP alike. Pure: source, chance and limits are
//! arguments.

use windrose_routing::Table;

use crate::extended_error::ExtendedError;
use crate::manners::Asked;
use crate::message::{Message, Opt, Rcode};
use crate::options::Extras;
use crate::query::{Edns, Head, Malformed, Query, rtype};
use crate::reply::{Reply, Verdict};
use resolve::Resolution;

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
pub fn answer<'o>(table: &Table, query: &Query<'_>, asked: &Asked<'o>, out: &'o mut [u8]) -> Reply {
    let Some(message) = begin(query.question, query.edns.as_ref(), asked, out) else {
        return Reply::none();
    };
    if let Some(verdict) = query
        .edns
        .as_ref()
        .and_then(|edns| objection(&message, edns))
    {
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
        message,
        dname: None,
    };
    let verdict = resolution.run();
    resolution.message.reply(query.head, &verdict)
}

/// Says FORMERR to a query that could not be read.
pub fn malformed<'o>(query: &Malformed<'_>, asked: &Asked<'o>, out: &'o mut [u8]) -> Reply {
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
pub(crate) fn refuse<'o>(
    head: Head,
    question: &[u8],
    edns: Option<&Edns>,
    verdict: &Verdict,
    asked: &Asked<'o>,
    out: &'o mut [u8],
) -> Reply {
    match begin(question, edns, asked, out) {
        Some(message) => {
            let objection = edns.and_then(|edns| objection(&message, edns));
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
pub(crate) fn objection(message: &Message<'_>, edns: &Edns) -> Option<Verdict> {
    if edns.version != 0 {
        // The OPT record of the response says the highest version we know: 0 (RFC 6891 section
        // 6.1.3).
        return Some(Verdict::plain(Rcode::BadVers));
    }
    let extras = message.extras_asked()?;
    if extras.malformed {
        return Some(Verdict::plain(Rcode::FormErr));
    }
    extras.unproven.then(|| Verdict::plain(Rcode::BadCookie))
}

/// A client that says less than 512 means 512 (RFC 6891 section 6.2.3).
#[inline]
pub(crate) fn begin<'o>(
    question: &[u8],
    edns: Option<&Edns>,
    asked: &Asked<'o>,
    out: &'o mut [u8],
) -> Option<Message<'o>> {
    let manners = asked.manners;
    let udp_size = manners.udp_size();
    let mut limit = match (asked.transport, edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => MIN_ROOM,
        (Transport::Udp, Some(edns)) => usize::from(edns.size.min(udp_size)).max(MIN_ROOM),
    };
    let opt = edns.map(|edns| Opt {
        udp_size,
        dnssec_ok: edns.dnssec_ok,
        subnet: edns.subnet,
        extras: match edns.asks.any() {
            true => Extras::of(edns, asked),
            false => Extras::NONE,
        },
        errors: manners.extended_errors,
    });
    if let Some(most) = manners.unproven_size
        && asked.transport == Transport::Udp
        && !opt.is_some_and(|opt| opt.extras.proven())
    {
        limit = limit.min(usize::from(most));
    }
    Message::new(out, limit, question, opt)
}
