//! Queries of rare form: other opcodes, several questions, other classes, records besides OPT. The
//! question is read by hickory-proto. What is a plain one after all is answered by the same
//! [`answer`](crate::answer()).
//!
//! Records besides OPT are walked over in one pass and not read: what a query may hold of them means
//! nothing here, and who follows the pointers in their names can be kept busy with them.

use hickory_proto::op::{self, OpCode};
use hickory_proto::rr::DNSClass;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use windrose_routing::Table;

use crate::answer::{answer, refuse};
use crate::chaos;
use crate::cookie::SentCookie;
use crate::extended_error::ExtendedError;
use crate::manners::Asked;
use crate::message::Rcode;
use crate::query::{self, Edns, HEADER, Head, OptError, Query, Scratch, rtype};
use crate::reply::{Reply, Verdict};

/// Answers one message, as [`respond`](crate::respond()) does, but whatever its form by the way of
/// rare ones: the second opinion in tests. `None` if it gets no answer.
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
    let records = records(packet);
    let opt = records.as_ref().and_then(|records| records.opt);
    let (edns, broken) = opt.map_or((None, false), edns);
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
    let Some(records) = records else {
        return Err(tell(malformed, &[]));
    };
    if let (0, Some(sent)) = (
        records.questions,
        edns.and_then(|edns| SentCookie::read(edns.cookie)),
    ) && asked.manners.cookies.is_some()
        && !broken
        && records.is_all
    {
        return Err(tell(bare_cookie(&sent, asked), &[]));
    }
    // QDCOUNT above 1 is an error (RFC 9619 section 4); so is 0 without a cookie.
    let (1, Some((name, ..))) = (records.questions, query::question(body)) else {
        return Err(tell(malformed, &[]));
    };
    let question = &body[..name.len() + 4];
    let Ok(read) = op::Query::read(&mut BinDecoder::new(question)) else {
        return Err(tell(malformed, &[]));
    };
    if broken || !records.is_all {
        return Err(tell(malformed, question));
    }
    let class = read.query_class();
    let qtype = u16::from(read.query_type());
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

/// What a message holds besides its questions.
struct Records<'b> {
    questions: u16,
    opt: Option<&'b [u8]>,
    /// Whether nothing stands behind the last of them.
    is_all: bool,
}

/// Walks over a message: one step for each label and record. `None` unless all records are whole, at
/// most one is an OPT, of the root (RFC 6891 sections 6.1.1 and 6.1.2), and neither that nor TSIG (RFC
/// 8945 section 5.1) stands outside the additional section.
fn records(packet: &[u8]) -> Option<Records<'_>> {
    let (header, mut rest) = packet.split_first_chunk::<HEADER>()?;
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let questions = count(4);
    for _ in 0..questions {
        rest = after_name(rest)?.get(4..)?;
    }
    let mut opt = None;
    for (section, count) in [(6, count(6)), (8, count(8)), (10, count(10))] {
        for _ in 0..count {
            let ([t0, t1, .., l0, l1], data) = after_name(rest)?.split_first_chunk::<10>()?;
            let behind = data.get(usize::from(u16::from_be_bytes([*l0, *l1]))..)?;
            let rtype = u16::from_be_bytes([*t0, *t1]);
            if matches!(rtype, rtype::OPT | rtype::TSIG) && section != 10 {
                return None;
            }
            if rtype == rtype::OPT {
                if opt.is_some() || rest.first() != Some(&0) {
                    return None;
                }
                opt = rest.get(..rest.len() - behind.len());
            }
            rest = behind;
        }
    }
    Some(Records {
        questions,
        opt,
        is_all: rest.is_empty(),
    })
}

/// What stands behind a name, which ends with the root or a pointer.
fn after_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (&len, behind) = rest.split_first()?;
        match len {
            0 => return Some(behind),
            1..64 => rest = behind.get(usize::from(len)..)?,
            // RFC 6891 section 5: the label types in between are not in use.
            64..0xc0 => return None,
            0xc0.. => return behind.get(1..),
        }
    }
}
