//! Queries of rare form, read with hickory-proto: other opcodes, several questions, other classes,
//! records besides OPT. What is a plain question after all is answered by the same
//! [`answer`](crate::answer()).

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::DNSClass;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use windrose_routing::Table;

use crate::answer::{answer, refuse};
use crate::chaos;
use crate::cookie::SentCookie;
use crate::extended_error::ExtendedError;
use crate::manners::Asked;
use crate::message::Rcode;
use crate::query::{self, Edns, HEADER, Head, OptError, Query, Scratch};
use crate::reply::{Reply, Verdict};

/// Answers one message, as [`respond`](crate::respond()) does, but whatever its form by way of
/// hickory-proto: the second opinion in tests. `None` if it gets no answer.
pub fn respond(table: &Table, packet: &[u8], asked: &Asked<'_>, out: &mut [u8]) -> Option<Reply> {
    let (header, body) = packet.split_first_chunk::<HEADER>()?;
    let head = Head {
        id: u16::from_be_bytes([header[0], header[1]]),
        flags: u16::from_be_bytes([header[2], header[3]]),
    };
    if head.flags & query::QR != 0 {
        return None;
    }
    let mut scratch = Scratch::new();
    let reply = match read(packet, body, head, asked, &mut scratch) {
        Ok(query) => answer(table, &query, asked, out),
        Err(Other::Verdict {
            verdict,
            question,
            edns,
        }) => refuse(head, question, edns.as_ref(), &verdict, asked, out),
        Err(Other::Chaos(query)) => chaos::answer(&query, asked, out),
    };
    Some(reply)
}

/// A message that is no query of class IN.
enum Other<'b> {
    /// What it is told, with what the answer echoes.
    Verdict {
        verdict: Verdict,
        question: &'b [u8],
        edns: Option<Edns<'b>>,
    },
    /// A query of class CH.
    Chaos(Query<'b>),
}

fn read<'b>(
    packet: &'b [u8],
    body: &'b [u8],
    head: Head,
    asked: &Asked<'_>,
    scratch: &'b mut Scratch,
) -> Result<Query<'b>, Other<'b>> {
    let parts = without_options(packet);
    let opt = parts.as_ref().and_then(|(_, opt)| *opt);
    let (edns, broken) = opt.map_or((None, false), edns);
    let message = parts.and_then(|(rest, _)| {
        let mut decoder = BinDecoder::new(&rest);
        let message = Message::read(&mut decoder).ok()?;
        Some((message, decoder.is_empty()))
    });
    let tell = |verdict, question| Other::Verdict {
        verdict,
        question,
        edns,
    };
    // An operation we do not know may have sections we cannot read (RFC 1035 section 4.1.1): no
    // question is echoed.
    if head.flags & query::OPCODE != u16::from(u8::from(OpCode::Query)) << 11 {
        let verdict = Verdict::because(Rcode::NotImp, ExtendedError::Operation);
        return Err(tell(verdict, &[]));
    }
    let malformed = Verdict::plain(Rcode::FormErr);
    // Behind a question that cannot be read nothing is believed, and no OPT record asks for one back.
    if packet.get(4..6) == Some(&[0, 1]) && query::question(body).is_none() {
        return Err(Other::Verdict {
            verdict: malformed,
            question: &[],
            edns: None,
        });
    }
    let Some((message, is_whole)) = message else {
        return Err(tell(malformed, &[]));
    };
    if let ([], Some(sent)) = (
        &*message.queries,
        edns.and_then(|edns| SentCookie::read(edns.cookie)),
    ) && asked.manners.cookies.is_some()
        && !broken
        && is_whole
    {
        return Err(tell(bare_cookie(&sent, asked), &[]));
    }
    // QDCOUNT above 1 is an error (RFC 9619 section 4); so is 0 without a cookie.
    let ([question], Some((name, ..))) = (&*message.queries, query::question(body)) else {
        return Err(tell(malformed, &[]));
    };
    let class = question.query_class();
    let qtype = u16::from(question.query_type());
    let question = &body[..name.len() + 4];
    if broken || !is_whole {
        return Err(tell(malformed, question));
    }
    let query = Query {
        head,
        question,
        name: query::lower_case(body, name.len(), scratch),
        qtype,
        edns,
    };
    match class {
        DNSClass::IN => Ok(query),
        DNSClass::CH => Err(Other::Chaos(query)),
        _ => {
            let verdict = Verdict::because(Rcode::Refused, ExtendedError::NotAuthoritative);
            Err(tell(verdict, question))
        }
    }
}

/// A query without a question fetches a cookie, or asks whether one is good (RFC 7873 section 5.4).
fn bare_cookie(sent: &SentCookie, asked: &Asked<'_>) -> Verdict {
    let cookies = asked.manners.cookies.as_ref();
    let valid = cookies.is_some_and(|c| c.check(sent, asked.source, asked.now).valid());
    Verdict::plain(match sent.has_server() && !valid {
        true => Rcode::BadCookie,
        false => Rcode::NoError,
    })
}

/// An OPT record in our terms, and whether its options are wrong.
fn edns(record: &[u8]) -> (Option<Edns<'_>>, bool) {
    match query::opt(record) {
        Ok(edns) => (Some(edns), false),
        Err(OptError::Option(bare)) => (Some(bare), true),
        Err(OptError::NotOpt | OptError::Cut) => (None, true),
    }
}

/// A message without the options of its OPT record, and that record: hickory-proto reads options
/// too kindly (a client subnet of too many octets, options cut short) and knows no subnet of family
/// 0. `None` unless all records are whole and at most one is an OPT, of the root (RFC 6891 sections
/// 6.1.1 and 6.1.2).
fn without_options(packet: &[u8]) -> Option<(Vec<u8>, Option<&[u8]>)> {
    /// Owner, type, class and TTL of an OPT record.
    const FIXED: usize = 9;
    let (header, mut rest) = packet.split_first_chunk::<HEADER>()?;
    let count = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
    for _ in 0..count(4) {
        rest = after_name(rest)?.get(4..)?;
    }
    let mut opt = None;
    for _ in 0..count(6) + count(8) + count(10) {
        let ([t0, t1, .., l0, l1], data) = after_name(rest)?.split_first_chunk::<10>()?;
        let behind = data.get(usize::from(u16::from_be_bytes([*l0, *l1]))..)?;
        if u16::from_be_bytes([*t0, *t1]) == query::rtype::OPT {
            if opt.is_some() || rest.first() != Some(&0) {
                return None;
            }
            let record = rest.get(..rest.len() - behind.len())?;
            opt = Some((packet.len() - rest.len(), record));
        }
        rest = behind;
    }
    let mut short = packet.to_vec();
    let Some((at, record)) = opt else {
        return Some((short, None));
    };
    short.splice(at + FIXED..at + record.len(), [0, 0]);
    Some((short, Some(record)))
}

/// What stands behind a name, which ends with the root or a pointer.
fn after_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (&len, behind) = rest.split_first()?;
        match len {
            0 => return Some(behind),
            0xc0.. => return behind.get(1..),
            _ => rest = behind.get(usize::from(len)..)?,
        }
    }
}
