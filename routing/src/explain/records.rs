//! RRsets of the Table in presentation form (RFC 1035 section 5), names without their final dot.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use windrose_model::{DnsName, RecordType};

use crate::answers::AnswerSet;

/// Octets before the data of a record: owner pointer, type, class, TTL, length.
const FIXED: usize = 12;

/// One line per record: name, TTL, type, data.
pub(super) fn lines(owner: &DnsName, ttl: u32, set: &AnswerSet) -> Vec<String> {
    let rtype = RecordType::new(set.rtype);
    let mut lines = Vec::new();
    let mut rest = &set.wire[..];
    while let Some((fixed, after)) = rest.split_at_checked(FIXED) {
        let length = usize::from(u16::from_be_bytes([fixed[FIXED - 2], fixed[FIXED - 1]]));
        let Some((data, after)) = after.split_at_checked(length) else {
            break;
        };
        if let Some(data) = present(rtype, data) {
            lines.push(format!("{owner} {ttl} {rtype} {data}"));
        }
        rest = after;
    }
    lines
}

/// The target of an alias.
pub(super) fn target(set: &AnswerSet) -> Option<DnsName> {
    Some(name(set.target()?)?.0)
}

fn present(rtype: RecordType, data: &[u8]) -> Option<String> {
    Some(match rtype {
        RecordType::A => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).to_string(),
        RecordType::AAAA => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).to_string(),
        RecordType::CNAME | RecordType::NS => name(data)?.0.to_string(),
        RecordType::MX => {
            let (preference, host) = data.split_first_chunk()?;
            let preference = u16::from_be_bytes(*preference);
            format!("{preference} {}", name(host)?.0)
        }
        RecordType::TXT => strings(data),
        RecordType::SOA => {
            let (mname, rest) = name(data)?;
            let (rname, numbers) = name(rest)?;
            let mut text = format!("{mname} {rname}");
            for number in numbers.as_chunks().0 {
                // Writing to a string does not fail.
                let _ = write!(text, " {}", u32::from_be_bytes(*number));
            }
            text
        }
        // RFC 3597 section 5.
        _ => {
            let mut text = format!("\\# {}", data.len());
            for (at, octet) in data.iter().enumerate() {
                let _ = write!(text, "{}{octet:02x}", if at == 0 { " " } else { "" });
            }
            text
        }
    })
}

/// Character strings in quotes; what is no visible ASCII as `\DDD`.
fn strings(mut data: &[u8]) -> String {
    let mut text = String::new();
    while let Some((&length, after)) = data.split_first() {
        let (string, rest) = after.split_at(usize::from(length).min(after.len()));
        text.push_str(if text.is_empty() { "\"" } else { " \"" });
        for &octet in string {
            match octet {
                b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
                b' '..=b'~' => text.push(char::from(octet)),
                other => {
                    let _ = write!(text, "\\{other:03}");
                }
            }
        }
        text.push('"');
        data = rest;
    }
    text
}

/// An uncompressed name and what follows it.
fn name(wire: &[u8]) -> Option<(DnsName, &[u8])> {
    let mut text = String::new();
    let mut rest = wire;
    loop {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            let text = if text.is_empty() { "." } else { &text };
            return Some((DnsName::parse(text).ok()?, after));
        }
        let (label, after) = after.split_at_checked(usize::from(length))?;
        text.extend(label.iter().map(|&octet| char::from(octet)));
        text.push('.');
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windrose_model::{RData, RrSet, Soa, Ttl};

    fn dns(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    fn check(data: &RData, expected: &str) {
        let rtype = data.record_type();
        let set = RrSet::single(Ttl::new(60).unwrap(), data);
        let set = AnswerSet::of(&set, rtype.code());
        let line = format!("a.b 60 {rtype} {expected}");
        assert_eq!(lines(&dns("a.b"), 60, &set), [line]);
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
            lines(&dns("a.b"), 60, &AnswerSet::soa(&soa)),
            ["a.b 60 SOA ns.a.b root.a.b 1 2 3 4 5"]
        );
    }
}
