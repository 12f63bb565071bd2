//! Responses, broken queries and rare forms.

use windrose_dns::{Scratch, Transport, respond};

use super::play::render;
use crate::world::{Ask, asked, ip, table};

#[test]
fn a_response_is_never_answered_and_a_broken_query_is_told_so() {
    let table = table();
    let mut out = [0; 512];
    let mut reply_to = |bytes: &[u8]| {
        respond(
            &table,
            bytes,
            &mut Scratch::new(),
            &asked(ip("8.8.8.8"), 0, Transport::Udp),
            &mut out,
        )
        .map(|reply| out[..reply.len].to_vec())
    };
    let good = Ask::new("www.example.com", 1).wire();
    let with = |at: usize, octet: u8| {
        let mut bytes = good.clone();
        bytes[at] = octet;
        bytes
    };
    // RFC 1035 section 7.3: the first step is to check the header; QR set means it is no query.
    assert_eq!(reply_to(&with(2, 0x81)), None);
    assert_eq!(reply_to(&good[..11]), None);
    assert_eq!(reply_to(b""), None);
    // A name that is cut, or points: id, opcode and RD come back, nothing else.
    let formerr = [0x12, 0x34, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(reply_to(&good[..20]).unwrap(), formerr);
    assert_eq!(reply_to(&with(12, 0xc0)).unwrap(), formerr);
    // What seems to stand behind such a name is not believed, whoever reads it: here an OPT record of
    // version 16.
    let mut behind = with(12, 0xc0);
    behind.splice(14..behind.len() - 4, []);
    behind[11] = 1;
    behind.extend([0, 0, 41, 4, 208, 0, 16, 0, 0, 0, 0]);
    assert_eq!(reply_to(&behind).unwrap(), formerr);
    behind[7] = 1;
    assert_eq!(reply_to(&behind).unwrap(), formerr);
    // Trailing octets belong to nothing: the question was read, and is echoed.
    let trailing = [good.clone(), vec![0]].concat();
    assert_eq!(
        render(&reply_to(&trailing).unwrap()),
        "FORMERR rd www.example.com. A\n"
    );
    // RFC 9619 section 4: QDCOUNT above 1 is FORMERR.
    let two = [with(5, 2), good[12..].to_vec()].concat();
    assert_eq!(render(&reply_to(&two).unwrap()), "FORMERR rd\n");
    assert_eq!(
        render(&reply_to(&with(5, 0)[..12]).unwrap()),
        "FORMERR rd\n"
    );
    // RFC 1035 section 4.1.1: NOTIMP, the server does not support the requested kind of query.
    for opcode in [1, 2, 4, 5, 6, 15] {
        let reply = reply_to(&with(2, 1 | opcode << 3)).unwrap();
        assert_eq!(reply[..4], [0x12, 0x34, 0x81 | opcode << 3, 4]);
        assert_eq!(reply.len(), 12);
    }
    // Records nobody expects in a query do no harm: here an A record behind the question.
    let mut extra = with(11, 1);
    extra.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]);
    let text = render(&reply_to(&extra).unwrap());
    assert!(
        text.starts_with("NOERROR aa rd www.example.com. A\nwww.example.com. 300 A"),
        "{text}"
    );
    // RFC 6891 section 6.1.1: more than one OPT is FORMERR.
    let mut twice = with(11, 2);
    twice.extend([
        0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0,
    ]);
    assert_eq!(reply_to(&twice).unwrap()[3], 1);
}
