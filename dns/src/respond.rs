//! HOT. One message in, one message out: the usual form straight to [`answer`], the rest to
//! [`slow`].

use std::net::IpAddr;

use windrose_routing::Table;

use crate::answer::{Transport, answer, malformed};
use crate::query::{Parsed, Scratch, parse};
use crate::reply::Reply;
use crate::slow;

/// Answers one message into `out`; `None` if it gets no answer. Any octets may come in; `out`
/// needs at least [`MIN_ROOM`](crate::MIN_ROOM) octets, or the answer is empty.
#[inline]
pub fn respond(
    table: &Table,
    packet: &[u8],
    scratch: &mut Scratch,
    source: IpAddr,
    draw: u64,
    transport: Transport,
    out: &mut [u8],
) -> Option<Reply> {
    match parse(packet, scratch) {
        Parsed::Query(query) => Some(answer(table, &query, source, draw, transport, out)),
        Parsed::Malformed(query) => Some(malformed(&query, transport, out)),
        Parsed::Odd => slow::respond(table, packet, source, draw, transport, out),
        Parsed::Drop => None,
    }
}
