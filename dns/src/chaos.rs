//! Class CH: which node is this, and what does it run (RFC 4892). What the operator did not allow is
//! REFUSED, and so is everything else of that class.

use crate::answer::{begin, objection};
use crate::extended_error::ExtendedError;
use crate::manners::{Asked, Manners};
use crate::message::{Opt, Rcode};
use crate::options::Extras;
use crate::query::{CH, Query, rtype};
use crate::reply::{Reply, Verdict};

pub(crate) fn answer(query: &Query<'_>, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    let extras = Extras::asked(query.edns.as_ref(), asked);
    let opt = Opt::of(query.edns.as_ref(), asked, extras.as_ref());
    let Some(mut message) = begin(query.question, opt, asked, out) else {
        return Reply::none();
    };
    if let Some(verdict) = opt.and_then(objection) {
        return message.reply(query.head, &verdict);
    }
    let text = text(query, asked.manners);
    if text.is_empty() {
        let verdict = Verdict::because(Rcode::Refused, ExtendedError::NotAuthoritative);
        return message.reply(query.head, &verdict);
    }
    // The names are nobody's zone, but nobody knows better. TTL 0: it is about this very server.
    let verdict = Verdict {
        authoritative: true,
        ..Verdict::plain(Rcode::NoError)
    };
    message.strings(rtype::TXT, CH, 0, &[text]);
    message.reply(query.head, &verdict)
}

/// Empty if there is nothing to be told.
fn text<'m>(query: &Query<'_>, manners: &'m Manners) -> &'m [u8] {
    if !matches!(query.qtype, rtype::TXT | rtype::ANY) {
        return &[];
    }
    match query.name {
        b"\x02id\x06server\0" | b"\x08hostname\x04bind\0" => &manners.chaos_id,
        b"\x07version\x06server\0" | b"\x07version\x04bind\0" => &manners.chaos_version,
        _ => &[],
    }
}
