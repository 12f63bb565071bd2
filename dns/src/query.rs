//! HOT. Reads a query in place: header, exactly one question, at most one OPT record.
//!
//! Works on untrusted octets: no panic, no allocation, no recursion, one pass. It deliberately
//! knows only the form nearly every query has; what is legal but rare is [`Parsed::Odd`] and goes
//! to [`crate::slow`].

use crate::options::{Asks, code};
use crate::subnet::{Subnet, SubnetError};

/// Octets of a message header (RFC 1035 section 4.1.1).
pub(crate) const HEADER: usize = 12;
/// Longest name on the wire, root octet included (RFC 1035 section 3.1).
const NAME: usize = 255;

/// QR: the message is a response.
pub(crate) const QR: u16 = 0x8000;
/// The four bits of the operation code.
pub(crate) const OPCODE: u16 = 0x7800;
/// AA: authoritative answer.
pub(crate) const AA: u16 = 0x0400;
/// TC: truncated.
pub(crate) const TC: u16 = 0x0200;
/// RD: recursion desired; copied into the response.
pub(crate) const RD: u16 = 0x0100;

/// Record type numbers the answerer has to know by itself.
pub(crate) mod rtype {
    pub(crate) const A: u16 = 1;
    pub(crate) const NS: u16 = 2;
    pub(crate) const CNAME: u16 = 5;
    pub(crate) const SOA: u16 = 6;
    pub(crate) const HINFO: u16 = 13;
    pub(crate) const TXT: u16 = 16;
    pub(crate) const AAAA: u16 = 28;
    pub(crate) const OPT: u16 = 41;
    pub(crate) const DS: u16 = 43;
    pub(crate) const TKEY: u16 = 249;
    pub(crate) const TSIG: u16 = 250;
    pub(crate) const IXFR: u16 = 251;
    pub(crate) const AXFR: u16 = 252;
    pub(crate) const MAILB: u16 = 253;
    pub(crate) const MAILA: u16 = 254;
    pub(crate) const ANY: u16 = 255;
    /// Of zones only: never asked for, never answered.
    pub(crate) const ALIAS: u16 = 65_401;
}

/// Class IN.
pub(crate) const IN: u16 = 1;
/// Class CH.
pub(crate) const CH: u16 = 3;

/// Room for a lower-cased name, owned by the caller and used again for each query.
#[derive(Debug, Clone)]
pub struct Scratch([u8; 256]);

impl Scratch {
    /// Empty room.
    pub const fn new() -> Self {
        Self([0; 256])
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// What a datagram or TCP message turned out to be.
#[derive(Debug, Clone, Copy)]
pub enum Parsed<'b> {
    /// A query in the usual form.
    Query(Query<'b>),
    /// Broken: answer FORMERR (RFC 1035 section 4.1.1).
    Malformed(Malformed<'b>),
    /// Legal or not, it has a rare form: other opcode, not exactly one question, other class, other
    /// records than one OPT.
    Odd,
    /// Never answered: a response, or shorter than a header. Answering responses would let two
    /// servers talk for ever.
    Drop,
}

/// A standard query of class IN with one question.
#[derive(Debug, Clone, Copy)]
pub struct Query<'b> {
    /// Id and flags.
    pub head: Head,
    /// The question as sent, its case kept for the echo (draft-vixie-dnsext-dns0x20).
    pub question: &'b [u8],
    /// The lower-cased wire name with its root octet (RFC 4343).
    pub name: &'b [u8],
    /// Wanted type.
    pub qtype: u16,
    /// What the OPT record said, if there was one.
    pub edns: Option<Edns<'b>>,
}

/// Id and flags of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Id, echoed.
    pub id: u16,
    /// The sixteen bits after it.
    pub flags: u16,
}

/// What an OPT record says (RFC 6891 section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns<'b> {
    /// Version; only 0 is known.
    pub version: u8,
    /// Largest UDP message the client takes, as sent.
    pub size: u16,
    /// DO (RFC 3225).
    pub dnssec_ok: bool,
    /// The client subnet option (RFC 7871).
    pub subnet: Option<Subnet>,
    /// Data of the first cookie option (RFC 7873) that is one by its length; empty without.
    pub(crate) cookie: &'b [u8],
    /// Options besides the client subnet.
    pub(crate) asks: Asks,
}

impl Edns<'_> {
    /// The record without its options.
    #[cold]
    fn bare(&self) -> Self {
        Self {
            subnet: None,
            cookie: &[],
            asks: Asks::default(),
            ..*self
        }
    }
}

/// A query that cannot be understood, with what is needed to say so.
#[derive(Debug, Clone, Copy)]
pub struct Malformed<'b> {
    /// Id and flags.
    pub head: Head,
    /// The question as sent; empty when it is what is broken.
    pub question: &'b [u8],
    /// The OPT record without its options; the client asked for one back (RFC 6891 section 7).
    pub edns: Option<Edns<'b>>,
}

/// Reads one message. The lower-cased name is written to `scratch`.
#[inline]
pub fn parse<'b>(packet: &'b [u8], scratch: &'b mut Scratch) -> Parsed<'b> {
    let Some((header, body)) = packet.split_first_chunk::<HEADER>() else {
        return Parsed::Drop;
    };
    let head = Head {
        id: u16::from_be_bytes([header[0], header[1]]),
        flags: u16::from_be_bytes([header[2], header[3]]),
    };
    if head.flags & QR != 0 {
        return Parsed::Drop;
    }
    // One question, no answer, no authority, at most one additional record, as one comparison.
    let counts = u64::from_be_bytes([
        header[4], header[5], header[6], header[7], header[8], header[9], header[10], header[11],
    ]);
    let ordinary = counts & !1 == 1 << 48;
    if head.flags & OPCODE != 0 || !ordinary {
        return Parsed::Odd;
    }
    let malformed = |question, edns| {
        Parsed::Malformed(Malformed {
            head,
            question,
            edns,
        })
    };
    let Some((name, qtype, class)) = question(body) else {
        return malformed(&[], None);
    };
    if class != IN {
        return Parsed::Odd;
    }
    let (question, rest) = body.split_at(name.len() + 4);
    let edns = if counts & 1 == 1 {
        match opt(rest) {
            Ok(edns) => Some(edns),
            Err(OptError::NotOpt) => return Parsed::Odd,
            Err(OptError::Cut) => return malformed(question, None),
            Err(OptError::Option(bare)) => return malformed(question, Some(bare)),
        }
    } else if rest.is_empty() {
        None
    } else {
        return malformed(question, None);
    };
    Parsed::Query(Query {
        head,
        question,
        name: lower_case(body, name.len(), scratch),
        qtype,
        edns,
    })
}

/// Splits a question into name, type and class. `None` when it is cut short, its name is longer
/// than 255 octets, or it holds anything but plain labels: a compression pointer has nothing
/// earlier to point to (RFC 1035 section 4.1.4).
#[inline]
pub(crate) fn question(body: &[u8]) -> Option<(&[u8], u16, u16)> {
    let mut end = 0;
    loop {
        let len = *body.get(end)?;
        end += 1 + usize::from(len);
        if len == 0 {
            break;
        }
        if len > 63 || end >= NAME {
            return None;
        }
    }
    let (name, rest) = body.split_at_checked(end)?;
    let [t0, t1, c0, c1] = *rest.first_chunk::<4>()?;
    Some((
        name,
        u16::from_be_bytes([t0, t1]),
        u16::from_be_bytes([c0, c1]),
    ))
}

/// Why an OPT record cannot be read.
pub(crate) enum OptError<'b> {
    /// Some other record, or an OPT with an owner other than the root.
    NotOpt,
    /// The record does not end where the message ends.
    Cut,
    /// Its options overrun it, or the client subnet in them is wrong.
    Option(Edns<'b>),
}

/// Reads the OPT record (RFC 6891 section 6.1.2), which must be all of `rest`.
#[inline]
pub(crate) fn opt(rest: &[u8]) -> Result<Edns<'_>, OptError<'_>> {
    let Some((fixed, mut options)) = rest.split_first_chunk::<11>() else {
        return Err(OptError::Cut);
    };
    if fixed[0] != 0 || u16::from_be_bytes([fixed[1], fixed[2]]) != rtype::OPT {
        return Err(OptError::NotOpt);
    }
    if usize::from(u16::from_be_bytes([fixed[9], fixed[10]])) != options.len() {
        return Err(OptError::Cut);
    }
    let mut edns = Edns {
        version: fixed[6],
        size: u16::from_be_bytes([fixed[3], fixed[4]]),
        dnssec_ok: fixed[7] & 0x80 != 0,
        subnet: None,
        cookie: &[],
        asks: Asks::default(),
    };
    // Options of a version we do not know have no meaning to us (RFC 6891 section 6.1.3).
    if edns.version != 0 {
        return Ok(edns);
    }
    while !options.is_empty() {
        let Some(([c0, c1, l0, l1], rest)) = options.split_first_chunk::<4>() else {
            return Err(OptError::Option(edns.bare()));
        };
        let len = usize::from(u16::from_be_bytes([*l0, *l1]));
        let Some((data, rest)) = rest.split_at_checked(len) else {
            return Err(OptError::Option(edns.bare()));
        };
        match u16::from_be_bytes([*c0, *c1]) {
            code::CLIENT_SUBNET => match Subnet::read(data) {
                Ok(read) if edns.subnet.is_none() => edns.subnet = Some(read),
                Ok(_) | Err(SubnetError) => return Err(OptError::Option(edns.bare())),
            },
            // Most queries carry none of the others.
            other => edns.note(other, data),
        }
        options = rest;
    }
    Ok(edns)
}

/// Folds the ASCII case of the name of `len` octets that `body` begins with, eight octets at a time.
/// Length octets are at most 63 and so never look like upper-case letters: the name needs no second
/// walk by labels. What stands behind the name may be folded along; the scratch has room for it.
#[inline]
pub(crate) fn lower_case<'s>(body: &[u8], len: usize, scratch: &'s mut Scratch) -> &'s [u8] {
    let len = len.min(NAME);
    let mut at = 0;
    for to in scratch.0.chunks_exact_mut(8) {
        if at >= len {
            break;
        }
        let rest = body.get(at..).unwrap_or_default();
        let word = rest
            .first_chunk::<8>()
            .map_or_else(|| cut(rest), |word| u64::from_le_bytes(*word));
        to.copy_from_slice(&fold(word).to_le_bytes());
        at += 8;
    }
    &scratch.0[..len]
}

/// A word of fewer than eight octets, at the very end of a message. Type and class stand behind the
/// name, so there are more than four: two halves that overlap.
#[inline]
fn cut(octets: &[u8]) -> u64 {
    match (octets.first_chunk::<4>(), octets.last_chunk::<4>()) {
        (Some(first), Some(last)) if octets.len() < 8 => {
            let shift = (octets.len() - 4) * 8;
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << shift
        }
        _ => 0,
    }
}

/// Lower-cases the eight ASCII octets of a word without branches.
#[inline]
const fn fold(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let seven = word & (0x7f * EACH);
    let at_least_a = seven + (0x80 - b'A' as u64) * EACH;
    let above_z = seven + (0x7f - b'Z' as u64) * EACH;
    let upper = (at_least_a ^ above_z) & !word & (0x80 * EACH);
    word | (upper >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(name: &[u8], tail: &[u8], additional: u8) -> Vec<u8> {
        let mut bytes = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional];
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(tail);
        bytes
    }

    fn class_of(bytes: &[u8]) -> &'static str {
        match parse(bytes, &mut Scratch::new()) {
            Parsed::Query(_) => "query",
            Parsed::Malformed(_) => "malformed",
            Parsed::Odd => "odd",
            Parsed::Drop => "drop",
        }
    }

    const A_IN: &[u8] = &[0, 1, 0, 1];

    #[test]
    fn the_name_is_lower_cased_and_the_question_kept() {
        let bytes = packet(b"\x03wWw\x0bEXample-Z[@\x03cOm\0", A_IN, 0);
        let mut scratch = Scratch::new();
        let Parsed::Query(query) = parse(&bytes, &mut scratch) else {
            panic!("a query")
        };
        assert_eq!(query.name, b"\x03www\x0bexample-z[@\x03com\0");
        assert_eq!(query.question, &bytes[12..]);
        assert_eq!((query.head.id, query.qtype), (0xabcd, 1));
        assert!(query.edns.is_none());
    }

    #[test]
    fn folding_touches_upper_case_ascii_only() {
        for octet in 0..=255_u8 {
            let word = u64::from_ne_bytes([octet; 8]);
            assert_eq!(
                fold(word).to_ne_bytes(),
                [octet.to_ascii_lowercase(); 8],
                "{octet}"
            );
        }
    }

    #[test]
    fn names_up_to_255_octets_are_read_and_longer_ones_are_not() {
        let mut name = Vec::new();
        for len in [63, 63, 63, 61] {
            name.push(len);
            name.extend(vec![b'X'; usize::from(len)]);
        }
        name.push(0);
        assert_eq!(name.len(), 255);
        assert_eq!(class_of(&packet(&name, A_IN, 0)), "query");
        name[192] = 62;
        name.insert(200, b'x');
        assert_eq!(class_of(&packet(&name, A_IN, 0)), "malformed");
    }

    #[test]
    fn what_is_not_an_ordinary_query_is_told_apart() {
        let good = packet(b"\x01a\0", A_IN, 0);
        assert_eq!(class_of(&good), "query");
        for cut in 0..12 {
            assert_eq!(class_of(&good[..cut]), "drop");
        }
        for cut in 12..good.len() {
            assert_eq!(class_of(&good[..cut]), "malformed");
        }
        let with = |at: usize, octet: u8| {
            let mut bytes = good.clone();
            bytes[at] = octet;
            bytes
        };
        assert_eq!(class_of(&with(2, 0x80)), "drop");
        assert_eq!(class_of(&with(2, 0x28)), "odd");
        assert_eq!(class_of(&with(5, 2)), "odd");
        assert_eq!(class_of(&with(5, 0)), "odd");
        assert_eq!(class_of(&with(7, 1)), "odd");
        assert_eq!(class_of(&with(9, 1)), "odd");
        assert_eq!(class_of(&with(11, 2)), "odd");
        assert_eq!(class_of(&with(18, 3)), "odd");
        // compression pointer, and the two label types nobody uses
        assert_eq!(class_of(&with(12, 0xc0)), "malformed");
        assert_eq!(class_of(&with(12, 0x40)), "malformed");
        assert_eq!(class_of(&with(12, 0x80)), "malformed");
        let mut trailing = good;
        trailing.push(0);
        assert_eq!(class_of(&trailing), "malformed");
    }

    fn edns_of(options: &[u8]) -> Result<(u8, u16, bool, Option<Subnet>), &'static str> {
        let mut tail = A_IN.to_vec();
        tail.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0]);
        tail.push(u8::try_from(options.len()).unwrap());
        tail.extend(options);
        let bytes = packet(b"\0", &tail, 1);
        match parse(&bytes, &mut Scratch::new()) {
            Parsed::Query(query) => {
                let edns = query.edns.unwrap();
                Ok((edns.version, edns.size, edns.dnssec_ok, edns.subnet))
            }
            Parsed::Malformed(m) if m.edns.is_some() => Err("malformed"),
            _ => Err("other"),
        }
    }

    #[test]
    fn unknown_options_are_skipped() {
        let (version, size, dnssec_ok, subnet) =
            edns_of(&[0, 10, 0, 2, 1, 2, 0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2]).unwrap();
        assert_eq!((version, size, dnssec_ok), (0, 1232, true));
        assert_eq!(subnet.unwrap().source(), 24);
    }

    #[test]
    fn options_that_overrun_or_repeat_the_subnet_are_malformed() {
        assert_eq!(edns_of(&[0, 10, 0, 3, 1, 2]), Err("malformed"));
        assert_eq!(edns_of(&[0, 10, 0]), Err("malformed"));
        let subnet = [0, 8, 0, 4, 0, 1, 0, 0];
        assert!(edns_of(&subnet).is_ok());
        assert_eq!(edns_of(&[subnet, subnet].concat()), Err("malformed"));
    }
}
