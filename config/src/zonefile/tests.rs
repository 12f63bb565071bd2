//! Master files and what they say, as RFC 1035 section 5 has it.

use std::sync::Arc;

use super::*;
use crate::source::Sources;

/// Texts by name, the first of them a zone's file.
struct Texts<'a> {
    sources: Sources,
    texts: &'a [(&'a str, &'a str)],
}

impl Includes for Texts<'_> {
    fn open(&mut self, _: u32, path: &str) -> Result<(u32, Arc<[u8]>), Unopened> {
        let (name, text) = self
            .texts
            .iter()
            .find(|(name, _)| *name == path)
            .ok_or("not found")?;
        let octets: Arc<[u8]> = text.as_bytes().into();
        Ok((self.sources.add_octets(name, "".as_ref(), &octets), octets))
    }
    fn close(&mut self) {}
}

/// Records and problems, a line each.
fn said(texts: &[(&str, &str)]) -> Vec<String> {
    let apex = DnsName::parse("example.com").unwrap();
    let mut texts = Texts {
        sources: Sources::default(),
        texts,
    };
    let (source, octets) = texts.open(0, texts.texts[0].0).unwrap();
    let read = read(source, &octets, &apex, Ttl::new(300).unwrap(), &mut texts);
    let soa = read
        .soa
        .map(|(soa, _)| format!("SOA {} {} {}", soa.mname, soa.serial, soa.ttl.seconds()));
    let records = read.records.iter().map(|r| {
        let data = r.data.as_ref();
        format!(
            "{} {} {} {data}",
            r.owner,
            r.ttl.seconds(),
            data.record_type()
        )
    });
    let problems = read.problems.iter().map(|p| {
        let (line, column) = texts.sources.line_and_column(p.span.source, p.span.start);
        format!(
            "{}:{line}:{column} {}: {}",
            texts.sources.name(p.span.source),
            p.code,
            p.message
        )
    });
    soa.into_iter().chain(records).chain(problems).collect()
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(said(&[("z", text)]), expected, "{text}");
}

#[test]
fn owners_origins_and_ttls_carry_on() {
    check(
        "$TTL 1h
@ IN SOA ns hostmaster ( 7 ; serial
    1d 2h 4w 5m )
  NS ns
ns 60 IN A 192.0.2.1
   IN 120 AAAA 2001:db8::1
$ORIGIN sub
a A 192.0.2.2
$ORIGIN example.com.
b CLASS1 A 192.0.2.3
",
        &[
            "SOA ns.example.com 7 3600",
            "example.com 3600 NS ns.example.com",
            "ns.example.com 60 A 192.0.2.1",
            "ns.example.com 120 AAAA 2001:db8::1",
            "a.sub.example.com 3600 A 192.0.2.2",
            "b.example.com 3600 A 192.0.2.3",
        ],
    );
}

#[test]
fn without_a_default_the_last_stated_ttl_counts() {
    check(
        "a A 192.0.2.1\nb 60 A 192.0.2.1\nc A 192.0.2.1\n",
        &[
            "a.example.com 300 A 192.0.2.1",
            "b.example.com 60 A 192.0.2.1",
            "c.example.com 60 A 192.0.2.1",
        ],
    );
}

#[test]
fn every_mistake_is_told_at_its_place_and_costs_its_record_only() {
    check(
        " A 192.0.2.1
a 1x A 192.0.2.1
a CH A 192.0.2.1
a NOPE x
a A x
a..b A 192.0.2.1
www.example.org. A 192.0.2.1
a.example.com A 192.0.2.1
a TXT \"open
$GENERATE 1-2 a$ A 192.0.2.$
$TTL
a RRSIG x
a AXFR x
a
b A 192.0.2.1
",
        &[
            "a.example.com.example.com 300 A 192.0.2.1",
            "b.example.com 300 A 192.0.2.1",
            "z:1:2 missing-owner: a line that begins with a blank belongs to the name before, and there is none",
            "z:2:3 bad-duration: \"1x\" is no TTL, must be seconds up to 2147483647 or a time such as 1h30m",
            "z:3:3 bad-class: CH is not served, the class is IN",
            "z:4:3 bad-record-type: \"NOPE\" is no record type",
            "z:5:5 bad-record-value: the address of A is \"x\", must be an IPv4 address",
            "z:6:1 bad-domain: \"a..b\" is no name here: a domain name has an empty label",
            "z:7:18 record-outside-zone: www.example.org A lies outside zone example.com",
            "z:8:1 relative-name: `a.example.com` is relative to the zone and stands for a.example.com.example.com.",
            "z:9:7 zone-file-syntax: the quotation mark is not closed on its line",
            "z:10:1 unknown-directive: \"$GENERATE\" is no directive",
            "z:11:1 unknown-directive: $TTL takes one time",
            "z:12:3 bad-record-type: a.example.com RRSIG belongs to a signed zone, and zones are not signed yet",
            "z:13:3 bad-record-type: a.example.com AXFR is a question or a protocol element, never a record of a zone",
            "z:14:1 bad-record-type: a.example.com has neither type nor data here",
        ],
    );
}

#[test]
fn an_included_file_leaves_origin_and_owner_as_they_were() {
    let said = said(&[
        (
            "z",
            "a A 192.0.2.1\n$INCLUDE i sub\n  TXT x\nb A 192.0.2.1\n$INCLUDE none\n",
        ),
        ("i", "@ A 192.0.2.2\n$ORIGIN deep.sub\nc A y\n"),
    ]);
    assert_eq!(
        said,
        [
            "a.example.com 300 A 192.0.2.1",
            "sub.example.com 300 A 192.0.2.2",
            "a.example.com 300 TXT \"x\"",
            "b.example.com 300 A 192.0.2.1",
            "i:3:5 bad-record-value: the address of A is \"y\", must be an IPv4 address",
            "z:5:10 bad-include: cannot include \"none\": not found",
        ]
    );
}

#[test]
fn a_zone_has_one_soa_record_at_its_apex() {
    let soa = "SOA ns host 1 2 3 4 5";
    check(
        &format!("@ {soa}\n@ {soa}\na {soa}\n"),
        &[
            "SOA ns.example.com 1 300",
            "z:2:3 duplicate-soa: a zone has one SOA record",
            "z:3:3 soa-not-at-apex: a.example.com SOA does not stand at the zone's apex example.com",
        ],
    );
}

#[test]
fn a_file_of_nothing_but_mistakes_is_read_to_the_thousandth() {
    let text = "a A x\n".repeat(5_000);
    assert_eq!(said(&[("z", &text)]).len(), MISTAKES);
}
