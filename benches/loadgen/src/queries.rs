//! A pool of DNS queries made before the clock starts, and the reading of one answer.
//!
//! Not a DNS library: one question, type A, class IN, and of an answer only what
//! tells a good one from a bad one.

use std::net::Ipv4Addr;

use crate::arguments::{Arguments, Refusal};
use crate::draw::Draw;

const HEADER: usize = 12;
const RECURSION_BITS: [u8; 2] = [0, 0]; // an authority is asked: RD clear
const UDP_PAYLOAD: u16 = 1232;

/// What a query carries beside its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edns {
    Absent,
    Plain,
    /// A client subnet: a random public /24 for each query (RFC 7871 section 6).
    Subnet,
}

impl Edns {
    pub(crate) fn from_arguments(arguments: &mut Arguments) -> Self {
        match (arguments.switch("ecs"), arguments.switch("edns")) {
            (true, _) => Self::Subnet,
            (false, true) => Self::Plain,
            (false, false) => Self::Absent,
        }
    }
}

/// Checks that a template makes a name.
pub(crate) fn labels_of(template: &str) -> Result<(), Refusal> {
    if template
        .split('.')
        .any(|label| label.is_empty() || label.len() > 63)
    {
        return Err(Refusal::Usage(format!(
            "--name '{template}' has a label that is not 1 to 63 bytes"
        )));
    }
    Ok(())
}

/// Queries in random order, ready to be sent but for their id.
pub(crate) struct Pool {
    packets: Vec<Query>,
    next: usize,
}

/// One query packet; bytes 0 and 1 are its id.
pub(crate) struct Query {
    pub(crate) bytes: Vec<u8>,
    question_end: usize,
}

impl Pool {
    pub(crate) fn new(template: &str, edns: Edns, size: usize, seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let packets = (0..size)
            .map(|_| Query::new(template, edns, &mut draw))
            .collect();
        Self { packets, next: 0 }
    }

    /// The index of the next packet, round and round.
    pub(crate) fn turn(&mut self) -> usize {
        let index = self.next;
        self.next = (index + 1) % self.packets.len();
        index
    }

    pub(crate) fn query(&self, index: usize) -> &Query {
        &self.packets[index]
    }

    pub(crate) fn stamp(&mut self, index: usize, id: u16) {
        self.packets[index].bytes[..2].copy_from_slice(&id.to_be_bytes());
    }
}

impl Query {
    pub(crate) fn new(template: &str, edns: Edns, draw: &mut Draw) -> Self {
        let additional = u8::from(edns != Edns::Absent);
        let mut bytes = vec![
            0,
            0,
            RECURSION_BITS[0],
            RECURSION_BITS[1],
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            additional,
        ];
        for label in template.trim_end_matches('.').split('.') {
            bytes.push(u8::try_from(label.len()).expect("a label has at most 63 bytes"));
            bytes.extend(label.bytes().map(|b| {
                if b == b'#' {
                    b'0' + draw.below(10) as u8
                } else {
                    b
                }
            }));
        }
        bytes.extend([0, 0, 1, 0, 1]);
        let question_end = bytes.len();
        if edns != Edns::Absent {
            bytes.extend([0, 0, 41]);
            bytes.extend(UDP_PAYLOAD.to_be_bytes());
            bytes.extend([0, 0, 0, 0]);
            if edns == Edns::Subnet {
                // length of the data; code 8, length 7, family 1, source /24, scope 0, three bytes
                bytes.extend([0, 11, 0, 8, 0, 7, 0, 1, 24, 0]);
                bytes.extend(public_subnet(draw));
            } else {
                bytes.extend([0, 0]);
            }
        }
        Self {
            bytes,
            question_end,
        }
    }

    /// Judges an answer that carries this query's id.
    pub(crate) fn judge(&self, answer: &[u8]) -> Judgement {
        if answer.len() < self.question_end
            || answer[2] & 0x80 == 0
            || answer[HEADER..self.question_end] != self.bytes[HEADER..self.question_end]
        {
            return Judgement::Foreign;
        }
        let rcode = answer[3] & 0x0f;
        let answers = u16::from_be_bytes([answer[6], answer[7]]);
        Judgement::Answer {
            rcode,
            empty: answers == 0,
            address: first_address(&answer[self.question_end..]),
        }
    }
}

/// What came back for a query.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Not an answer to this question.
    Foreign,
    Answer {
        rcode: u8,
        empty: bool,
        address: Option<Ipv4Addr>,
    },
}

/// The address of the first record, if it is an A record whose owner is a compression pointer or the root.
fn first_address(records: &[u8]) -> Option<Ipv4Addr> {
    let owner = match records.first()? {
        0xc0.. => 2,
        0 => 1,
        _ => return None,
    };
    let fields: &[u8; 14] = records.get(owner..owner + 14)?.try_into().ok()?;
    let [0, 1, 0, 1, _, _, _, _, 0, 4, a, b, c, d] = *fields else {
        return None;
    };
    Some(Ipv4Addr::new(a, b, c, d))
}

/// A /24 with a first byte of 1 to 223, without the private, loopback and link-local first bytes.
fn public_subnet(draw: &mut Draw) -> [u8; 3] {
    loop {
        let bits = draw.next();
        let first = 1 + (bits % 223) as u8;
        if !matches!(first, 10 | 127 | 169 | 172 | 192) {
            return [first, (bits >> 16) as u8, (bits >> 32) as u8];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_to(query: &Query, rcode: u8, record: &[u8]) -> Vec<u8> {
        let mut bytes = query.bytes[..query.question_end].to_vec();
        bytes[2] |= 0x80;
        bytes[3] = rcode;
        bytes[7] = u8::from(!record.is_empty());
        bytes.extend(record);
        bytes
    }

    #[test]
    fn a_template_becomes_labels_with_digits() {
        let query = Query::new("host0###.example.com", Edns::Absent, &mut Draw::new(1));
        assert_eq!(&query.bytes[12..18], b"\x08host0");
        assert!(query.bytes[18..21].iter().all(u8::is_ascii_digit));
        assert_eq!(&query.bytes[21..], b"\x07example\x03com\0\0\x01\0\x01");
    }

    #[test]
    fn a_client_subnet_is_eleven_bytes_of_option_data() {
        let query = Query::new("a.b", Edns::Subnet, &mut Draw::new(1));
        let opt = &query.bytes[query.question_end..];
        assert_eq!(opt.len(), 11 + 11);
        assert_eq!(&opt[9..11], &[0, 11]);
    }

    #[test]
    fn a_good_answer_gives_rcode_and_address() {
        let query = Query::new("a.b", Edns::Plain, &mut Draw::new(1));
        let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7];
        let expected = Judgement::Answer {
            rcode: 0,
            empty: false,
            address: Some(Ipv4Addr::new(192, 0, 2, 7)),
        };
        assert_eq!(query.judge(&answer_to(&query, 0, &record)), expected);
    }

    #[test]
    fn another_question_is_foreign_and_so_is_a_query() {
        let query = Query::new("a.b", Edns::Plain, &mut Draw::new(1));
        let other = Query::new("a.c", Edns::Plain, &mut Draw::new(1));
        assert_eq!(query.judge(&answer_to(&other, 0, &[])), Judgement::Foreign);
        assert_eq!(query.judge(&query.bytes), Judgement::Foreign);
    }
}
