//! Queries of rare form, read with hickory-proto: other opcodes, several questions, other classes,
//! records besides OPT. What is a plain question after all is answered by the same
//! [`answer`](crate::answer()).

use hickory_proto::op::{Message, OpCode};
use hickory_proto::rr::DNSClass;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use windrose_routing::Table;

use crate::answer::{answer, refuse};
use crate::manners::Asked;
use crate::message::Rcode;
use crate::query::{self, Edns, HEADER, Head, Query, Scratch};
use crate::reply::Reply;
use crate::subnet::Subnet;

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
    let reply = match read(packet, body, head, &mut scratch) {
        Ok(query) => answer(table, &query, asked, out),
        Err(refusal) => refuse(
            head,
            refusal.question,
            refusal.edns,
            refusal.rcode,
            asked,
            out,
        ),
    };
    Some(reply)
}

/// Why a message is no query for us, with what its answer echoes.
struct Refusal<'b> {
    rcode: Rcode,
    question: &'b [u8],
    edns: Option<Edns>,
}

fn read<'b>(
    packet: &'b [u8],
    body: &'b [u8],
    head: Head,
    scratch: &'b mut Scratch,
) -> Result<Query<'b>, Refusal<'b>> {
    let nothing = |rcode| Refusal {
        rcode,
        question: &[],
        edns: None,
    };
    // An operation we do not know may have sections we cannot read (RFC 1035 section 4.1.1).
    if head.flags & query::OPCODE != u16::from(u8::from(OpCode::Query)) << 11 {
        return Err(nothing(Rcode::NotImp));
    }
    let mut decoder = BinDecoder::new(packet);
    let Ok(message) = Message::read(&mut decoder) else {
        return Err(nothing(Rcode::FormErr));
    };
    let (edns, broken) = edns(&message);
    // QDCOUNT above 1 is an error (RFC 9619 section 4); so is 0 without a cookie (RFC 7873
    // section 5.4), which we do not give.
    let [asked] = message.queries.as_slice() else {
        return Err(Refusal {
            edns,
            ..nothing(Rcode::FormErr)
        });
    };
    let Some((name, ..)) = query::question(body) else {
        return Err(Refusal {
            edns,
            ..nothing(Rcode::FormErr)
        });
    };
    let question = &body[..name.len() + 4];
    let refusal = |rcode| Refusal {
        rcode,
        question,
        edns,
    };
    if broken || !decoder.is_empty() {
        return Err(refusal(Rcode::FormErr));
    }
    if asked.query_class() != DNSClass::IN {
        return Err(refusal(Rcode::Refused));
    }
    Ok(Query {
        head,
        question,
        name: query::lower_case(body, name.len(), scratch),
        qtype: u16::from(asked.query_type()),
        edns,
    })
}

/// The OPT record in our terms, and whether its client subnet is wrong.
fn edns(message: &Message) -> (Option<Edns>, bool) {
    let Some(opt) = &message.edns else {
        return (None, false);
    };
    let mut edns = Edns {
        version: opt.version(),
        size: opt.max_payload(),
        dnssec_ok: opt.flags().dnssec_ok,
        subnet: None,
    };
    if edns.version != 0 {
        return (Some(edns), false);
    }
    let told = opt.options().get_all(EdnsCode::Subnet);
    let mut subnets = told.iter().map(|option| match option {
        EdnsOption::Subnet(subnet) if subnet.scope_prefix() == 0 => {
            let read = Subnet::new(subnet.addr(), subnet.source_prefix())?;
            (read.address().is_none() || read.address() == Some(subnet.addr())).then_some(read)
        }
        _ => None,
    });
    match (subnets.next(), subnets.next()) {
        (None, _) => (Some(edns), false),
        (Some(Some(subnet)), None) => {
            edns.subnet = Some(subnet);
            (Some(edns), false)
        }
        _ => (Some(edns), true),
    }
}
