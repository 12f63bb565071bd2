//! HOT. Table + query → response, for UDP and TCP alike. Pure: source, chance and limits are
//! arguments.

use windrose_routing::Table;

use crate::manners::Asked;
use crate::message::{Message, Rcode};
use crate::query::{Edns, Head, Malformed, Query, rtype};
use crate::reply::{Reply, Verdict};
use resolve::Resolution;

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
    let Some(message) = begin(query.question, query.edns, asked, out) else {
        return Reply::none();
    };
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return message.reply(query.head, &Verdict::plain(Rcode::BadVers));
    }
    // Zones are not transferred from here.
    if matches!(query.qtype, rtype::AXFR | rtype::IXFR) {
        return message.reply(query.head, &Verdict::plain(Rcode::Refused));
    }
    let mut resolution = Resolution {
        table,
        query,
        source: asked.source.to_canonical(),
        draw: asked.draw,
        message,
    };
    let verdict = resolution.run();
    resolution.message.reply(query.head, &verdict)
}

/// Says FORMERR to a query that could not be read.
pub fn malformed(query: &Malformed<'_>, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    refuse(
        query.head,
        query.question,
        query.edns,
        Rcode::FormErr,
        asked,
        out,
    )
}

/// A response without records.
pub(crate) fn refuse(
    head: Head,
    question: &[u8],
    edns: Option<Edns>,
    rcode: Rcode,
    asked: &Asked<'_>,
    out: &mut [u8],
) -> Reply {
    match begin(question, edns, asked, out) {
        Some(message) => message.reply(head, &Verdict::plain(rcode)),
        None => Reply::none(),
    }
}

/// A client that says less than 512 means 512 (RFC 6891 section 6.2.3).
#[inline]
fn begin<'o>(
    question: &[u8],
    edns: Option<Edns>,
    asked: &Asked<'_>,
    out: &'o mut [u8],
) -> Option<Message<'o>> {
    let udp_size = asked.manners.udp_size();
    let limit = match (asked.transport, edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => MIN_ROOM,
        (Transport::Udp, Some(edns)) => usize::from(edns.size.min(udp_size)).max(MIN_ROOM),
    };
    Message::new(out, limit, udp_size, question, edns)
}
