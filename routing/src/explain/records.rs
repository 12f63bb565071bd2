//! RRsets of the Table in presentation form (RFC 1035 section 5), names without their final dot.

use windrose_model::{DnsName, RData, RecordType};

use crate::answers::AnswerRef;

/// Octets before the data of a record: owner pointer, type, class, TTL, length.
const FIXED: usize = 12;

/// One line per record: name, TTL, type, data.
pub(super) fn lines(owner: &DnsName, ttl: u32, set: AnswerRef<'_>) -> Vec<String> {
    let rtype = RecordType::new(set.rtype);
    let mut lines = Vec::new();
    let mut rest = set.wire;
    while let Some((fixed, after)) = rest.split_at_checked(FIXED) {
        let length = usize::from(u16::from_be_bytes([fixed[FIXED - 2], fixed[FIXED - 1]]));
        let Some((data, after)) = after.split_at_checked(length) else {
            break;
        };
        // The Table's octets were data once, and its own.
        if let Ok(data) = RData::from_wire(rtype, data) {
            lines.push(format!("{owner} {ttl} {rtype} {}", data.as_ref()));
        }
        rest = after;
    }
    lines
}

/// The target of an alias.
pub(super) fn target(set: AnswerRef<'_>) -> Option<DnsName> {
    DnsName::from_wire(set.target()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::AnswerSet;
    use windrose_model::{RrSet, Soa, Ttl};

    fn dns(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    fn check(data: &RData, expected: &str) {
        let rtype = data.record_type();
        let set = RrSet::single(Ttl::new(60).unwrap(), data);
        let set = AnswerSet::of(&set, rtype.code());
        let line = format!("a.b 60 {rtype} {expected}");
        assert_eq!(lines(&dns("a.b"), 60, set.view()), [line]);
    }

    #[test]
    fn every_type_is_shown_as_it_is_written() {
        check(&RData::a([192, 0, 2, 1].into()), "192.0.2.1");
        check(&RData::aaaa("2001:db8::1".parse().unwrap()), "2001:db8::1");
        check(&RData::cname(&dns("c.d")), "c.d");
        check(&RData::ns(&dns(".")), ".");
        check(&RData::mx(10, &dns("mail.c.d")), "10 mail.c.d");
        let strings: [&[u8]; 3] = [b"a \"b\"", &[0xc3, b'c'], b""];
        check(&RData::txt(&strings).unwrap(), r#""a \"b\"" "\195c" """#);
        let unknown = RData::from_wire(RecordType::new(65_280), &[0, 171]).unwrap();
        check(&unknown, "\\# 2 00ab");
        let soa = Soa {
            mname: dns("ns.a.b"),
            rname: dns("root.a.b"),
            serial: 1,
            refresh: 2,
            retry: 3,
            expire: 4,
            minimum: 5,
            ttl: Ttl::new(60).unwrap(),
        };
        assert_eq!(
            lines(&dns("a.b"), 60, AnswerSet::soa(&soa).view()),
            ["a.b 60 SOA ns.a.b root.a.b 1 2 3 4 5"]
        );
    }
}
