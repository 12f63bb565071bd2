//! HOT. One message in, one message out: the usual form straight to [`answer`], the rest to
//! [`slow`].

use windrose_routing::Table;

use crate::answer::{answer, malformed};
use crate::manners::Asked;
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
    asked: &Asked<'_>,
    out: &mut [u8],
) -> Option<Reply> {
    // By reference: what was parsed is read where it lies, and not copied.
    match &parse(packet, scratch) {
        Parsed::Query(query) => Some(answer(table, query, asked, out)),
        Parsed::Malformed(query) => Some(malformed(query, asked, out)),
        Parsed::Odd => slow::respond(table, packet, asked, out),
        Parsed::Drop => None,
    }
}
