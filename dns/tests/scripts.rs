//! Conversations: what is asked, what is answered, and the sentence of the RFC that says so.
//!
//! `?` asks: name, type, then any of `edns=SIZE`, `do`, `version=N`, `subnet=PREFIX`, `tcp`,
//! `from=ADDRESS`, `class=N`, `draw=N`. The lines under it are the whole response, as hickory-proto
//! reads it: the head, then its records.
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

mod world;

use std::fmt::Write as _;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{Record, RecordType};
use windrose_dns::{Scratch, Transport, respond};
use windrose_routing::Table;
use world::{Ask, ip, table};

/// Plays a script.
fn play(table: &Table, script: &str) {
    let lines = script.lines().map(str::trim);
    let mut steps: Vec<(&str, String)> = Vec::new();
    for line in lines.filter(|l| !l.is_empty() && !l.starts_with('#')) {
        if let Some(question) = line.strip_prefix("? ") {
            steps.push((question, String::new()));
        } else {
            let (_, wanted) = steps.last_mut().expect("a script begins with a question");
            let words: Vec<_> = line.split_whitespace().collect();
            writeln!(wanted, "{}", words.join(" ")).unwrap();
        }
    }
    assert!(!steps.is_empty());
    for (question, wanted) in steps {
        let got = ask(table, question);
        assert!(got == wanted, "? {question}\nwanted:\n{wanted}got:\n{got}");
    }
}

fn ask(table: &Table, question: &str) -> String {
    let mut words = question.split_whitespace();
    let name = words.next().unwrap();
    let mut ask = Ask::new(
        name,
        match words.next().unwrap() {
            "IXFR" => 251, // not among the texts hickory-proto reads
            text => text.parse::<RecordType>().unwrap().into(),
        },
    );
    let (mut source, mut transport, mut draw) = (ip("8.8.8.8"), Transport::Udp, 0);
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        ask = match key {
            "edns" => ask.edns(value.parse().unwrap()),
            "do" | "version" => {
                let (size, extended, options) = ask.opt.take().unwrap();
                let bits = if key == "do" {
                    0x8000
                } else {
                    value.parse::<u32>().unwrap() << 16
                };
                ask.opt = Some((size, extended | bits, options));
                ask
            }
            "subnet" => ask.subnet(value),
            "option" => ask.option(value.parse().unwrap(), &[1, 2, 3]),
            "class" => Ask {
                class: value.parse().unwrap(),
                ..ask
            },
            "flags" => Ask {
                flags: u16::from_str_radix(value, 16).unwrap(),
                ..ask
            },
            "from" => {
                source = ip(value);
                ask
            }
            "tcp" => {
                transport = Transport::Tcp;
                ask
            }
            "draw" => {
                draw = value.parse().unwrap();
                ask
            }
            _ => panic!("unknown word {word}"),
        };
    }
    let mut out = vec![0; 65_535];
    let reply = respond(
        table,
        &ask.wire(),
        &mut Scratch::new(),
        source,
        draw,
        transport,
        &mut out,
    )
    .unwrap();
    render(&out[..reply.len])
}

fn render(bytes: &[u8]) -> String {
    let message = Message::from_vec(bytes).unwrap();
    let head = &message.metadata;
    let code = u16::from(head.response_code);
    let mut text = match code {
        16 => "BADVERS".to_owned(),
        _ => windrose_telemetry::rcode_label(code.into()).to_owned(),
    };
    for (flag, set) in [
        ("aa", head.authoritative),
        ("tc", head.truncation),
        ("rd", head.recursion_desired),
        ("ra", head.recursion_available),
        ("ad", head.authentic_data),
        ("cd", head.checking_disabled),
    ] {
        if set {
            write!(text, " {flag}").unwrap();
        }
    }
    for query in &message.queries {
        write!(text, " {} {}", query.name(), query.query_type()).unwrap();
    }
    text.push('\n');
    for (section, records) in [("", &message.answers), ("authority ", &message.authorities)] {
        for record in records {
            writeln!(text, "{section}{}", line(record)).unwrap();
        }
    }
    assert!(message.additionals.is_empty());
    if let Some(edns) = &message.edns {
        write!(
            text,
            "opt {} version {}",
            edns.max_payload(),
            edns.version()
        )
        .unwrap();
        if edns.flags().dnssec_ok {
            text.push_str(" do");
        }
        for (_, option) in &edns.options().options {
            match option {
                EdnsOption::Subnet(s) => {
                    write!(
                        text,
                        " subnet {}/{} scope {}",
                        s.addr(),
                        s.source_prefix(),
                        s.scope_prefix()
                    )
                    .unwrap();
                }
                other => write!(text, " {other:?}").unwrap(),
            }
        }
        text.push('\n');
    }
    text
}

fn line(record: &Record) -> String {
    format!(
        "{} {} {} {}",
        record.name,
        record.ttl,
        record.record_type(),
        record.data
    )
}

#[test]
fn records_of_a_zone_are_answered_with_authority() {
    play(
        &table(),
        "
        # RFC 1035 section 4.1.1: AA ... the responding name server is an authority for the domain
        # name in question section.
        ? www.example.com A
        NOERROR aa rd www.example.com. A
        www.example.com. 300 A 192.0.2.80
        www.example.com. 300 A 192.0.2.81
        # The question is echoed with its case (draft-vixie-dnsext-dns0x20); RFC 4343 section 3:
        # comparisons are case-insensitive.
        ? wWw.EXAMPLE.com AAAA
        NOERROR aa rd wWw.EXAMPLE.com. AAAA
        wWw.EXAMPLE.com. 300 AAAA 2001:db8::80
        ? example.com NS
        NOERROR aa rd example.com. NS
        example.com. 3600 NS ns1.example.net.
        example.com. 3600 NS ns2.example.net.
        ? example.com MX
        NOERROR aa rd example.com. MX
        example.com. 3600 MX 10 mail.example.com.
        ? example.com TXT
        NOERROR aa rd example.com. TXT
        example.com. 3600 TXT v=spf1
        ? example.com SOA
        NOERROR aa rd example.com. SOA
        example.com. 900 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? alias.example.com CNAME
        NOERROR aa rd alias.example.com. CNAME
        alias.example.com. 600 CNAME www.example.com.
        # RD is copied into the response (RFC 1035 section 4.1.1); RFC 4035 section 3.1.6: CD and AD
        # are clear in authoritative answers.
        ? www.example.com AAAA flags=0030
        NOERROR aa www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        ",
    );
}

#[test]
fn what_does_not_exist_is_denied_with_the_soa() {
    play(
        &table(),
        "
        # RFC 2308 section 3: name servers authoritative for a zone MUST include the SOA record of
        # the zone in the authority section when reporting an NXDOMAIN; section 5: TTL = min(MINIMUM,
        # SOA TTL).
        ? nothing.EXAMPLE.com A
        NXDOMAIN aa rd nothing.EXAMPLE.com. A
        authority EXAMPLE.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? nothing.second.test A
        NXDOMAIN aa rd nothing.second.test. A
        authority second.test. 900 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 1800
        # RFC 2308 section 2.2: NODATA is indicated by an answer with the RCODE set to NOERROR and no
        # relevant answers.
        ? mail.example.com AAAA
        NOERROR aa rd mail.example.com. AAAA
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # RFC 8020 section 2: a name with names below it exists.
        ? empty.example.com A
        NOERROR aa rd empty.example.com. A
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # RFC 4592 section 2.1.1: the asterisk label stands for names below the closest encloser.
        ? any.thing.wild.example.com TXT
        NOERROR aa rd any.thing.wild.example.com. TXT
        any.thing.wild.example.com. 120 TXT wild
        ? any.wild.example.com A
        NOERROR aa rd any.wild.example.com. A
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ",
    );
}

#[test]
fn what_is_not_ours_is_refused() {
    play(
        &table(),
        "
        # RFC 1035 section 4.1.1: REFUSED - the name server refuses to perform the operation.
        ? www.example.org A
        REFUSED rd www.example.org. A
        ? . NS
        REFUSED rd . NS
        ? com SOA edns=4096
        REFUSED rd com. SOA
        opt 1232 version 0
        # RFC 5936 section 4.2: an AXFR server may refuse; nobody may transfer from here.
        ? example.com AXFR tcp
        REFUSED rd example.com. AXFR
        ? example.com IXFR
        REFUSED rd example.com. IXFR
        # Other classes take the slow path.
        ? version.bind TXT class=3
        REFUSED rd version.bind. TXT
        ? example.com A class=255 edns=512 do
        REFUSED rd example.com. A
        opt 1232 version 0 do
        ",
    );
}

#[test]
fn any_gets_one_rrset() {
    play(
        &table(),
        "
        # RFC 8482 section 4.1: a DNS responder ... MAY decide to answer with a single RRset.
        ? alias.example.com ANY
        NOERROR aa rd alias.example.com. ANY
        alias.example.com. 600 CNAME www.example.com.
        ? mail.example.com ANY
        NOERROR aa rd mail.example.com. ANY
        mail.example.com. 300 A 192.0.2.25
        ? shop.example.com ANY from=10.1.2.3
        NOERROR aa rd shop.example.com. ANY
        shop.example.com. 30 A 192.0.2.2
        shop.example.com. 30 A 192.0.2.3
        ? empty.example.com ANY
        NOERROR aa rd empty.example.com. ANY
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ",
    );
}

#[test]
fn aliases_are_followed_inside_our_zones() {
    play(
        &table(),
        "
        # RFC 1034 section 4.3.2 step 3a: copy the CNAME RR into the answer section, change QNAME to
        # the canonical name and go back to step 1.
        ? Alias.example.com AAAA
        NOERROR aa rd Alias.example.com. AAAA
        Alias.example.com. 600 CNAME www.example.com.
        www.example.com. 300 AAAA 2001:db8::80
        ? other.example.com A
        NOERROR aa rd other.example.com. A
        other.example.com. 600 CNAME www.second.test.
        www.second.test. 60 A 198.51.100.1
        ? outside.example.com A
        NOERROR aa rd outside.example.com. A
        outside.example.com. 600 CNAME www.example.org.
        # RFC 6604 section 3: the RCODE in the ultimate DNS response MUST be set to the one of the
        # last name in the chain; RFC 2308 section 2.1: with the SOA of its zone.
        ? dangling.example.com A
        NXDOMAIN aa rd dangling.example.com. A
        dangling.example.com. 600 CNAME nothing.example.com.
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? alias.example.com MX
        NOERROR aa rd alias.example.com. MX
        alias.example.com. 600 CNAME www.example.com.
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # Loops end where they close.
        ? self.example.com A
        NOERROR aa rd self.example.com. A
        self.example.com. 600 CNAME self.example.com.
        ? loop-a.example.com A
        NOERROR aa rd loop-a.example.com. A
        loop-a.example.com. 600 CNAME loop-b.example.com.
        loop-b.example.com. 600 CNAME loop-a.example.com.
        # Eight hops.
        ? c0.example.com AAAA edns=1232
        NOERROR aa rd c0.example.com. AAAA
        c0.example.com. 600 CNAME c1.example.com.
        c1.example.com. 600 CNAME c2.example.com.
        c2.example.com. 600 CNAME c3.example.com.
        c3.example.com. 600 CNAME c4.example.com.
        c4.example.com. 600 CNAME c5.example.com.
        c5.example.com. 600 CNAME c6.example.com.
        c6.example.com. 600 CNAME c7.example.com.
        c7.example.com. 600 CNAME www.example.com.
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        ",
    );
}

#[test]
fn a_steered_name_follows_the_client() {
    play(
        &table(),
        "
        # design: steering by the source where the resolver tells no client subnet.
        ? shop.example.com A from=10.9.9.9
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        ? Shop.Example.com A from=10.1.2.200
        NOERROR aa rd Shop.Example.com. A
        Shop.Example.com. 30 A 192.0.2.2
        Shop.Example.com. 30 A 192.0.2.3
        ? shop.example.com AAAA from=10.9.9.9
        NOERROR aa rd shop.example.com. AAAA
        shop.example.com. 30 AAAA 2001:db8::a
        # RFC 4291 section 2.5.5.2: an IPv4-mapped address represents the IPv4 node.
        ? shop.example.com A from=::ffff:10.9.9.9
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        # A cluster without addresses of the family: NODATA, never another cluster's.
        ? shop.example.com AAAA from=10.1.2.200
        NOERROR aa rd shop.example.com. AAAA
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # Other types stand beside the steered ones.
        ? shop.example.com TXT
        NOERROR aa rd shop.example.com. TXT
        shop.example.com. 300 TXT beside the steered addresses
        # Wildcard hosts.
        ? eu.shop.example.com A from=10.9.9.9
        NOERROR aa rd eu.shop.example.com. A
        eu.shop.example.com. 30 A 192.0.2.1
        # An alias into a steered name: each record with its own owner and TTL.
        ? toapp.example.com A from=10.9.9.9
        NOERROR aa rd toapp.example.com. A
        toapp.example.com. 600 CNAME shop.example.com.
        shop.example.com. 30 A 192.0.2.1
        ",
    );
}

#[test]
fn the_apex_may_be_steered() {
    let table = table();
    let text = ask(&table, "second.test A");
    assert!(
        text.starts_with("NOERROR aa rd second.test. A\nsecond.test. 30 A 192.0.2."),
        "{text}"
    );
    assert_eq!(
        text.lines().count(),
        1 + 4,
        "three clusters, one of them with two addresses"
    );
    play(
        &table,
        "
        ? second.test NS
        NOERROR aa rd second.test. NS
        second.test. 3600 NS ns1.example.net.
        ",
    );
}

#[test]
fn when_all_is_down_the_operator_chose_what_happens() {
    play(
        &table(),
        "
        ? silent.example.com A edns=1232 subnet=192.0.2.0/24
        SERVFAIL rd silent.example.com. A
        opt 1232 version 0 subnet 192.0.2.0/24 scope 0
        ? quiet.example.com A
        NOERROR aa rd quiet.example.com. A
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # design section 4, 13: never NXDOMAIN or NODATA because of health.
        ? last.example.com A
        NOERROR aa rd last.example.com. A
        last.example.com. 30 A 192.0.2.1
        ",
    );
}

#[test]
fn edns_is_answered_in_kind() {
    play(
        &table(),
        "
        # RFC 6891 section 6.1.1: If an OPT record is present in a received request, compliant
        # responders MUST include an OPT record in their respective responses.
        ? www.example.com AAAA edns=4096
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        # RFC 3225 section 3: the DO bit of the query MUST be copied in the response.
        ? www.example.com AAAA edns=4096 do
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 do
        # RFC 6891 section 6.1.3: If a responder does not implement the VERSION level of the request,
        # then it MUST respond with RCODE=BADVERS.
        ? www.example.com AAAA edns=4096 version=1
        BADVERS rd www.example.com. AAAA
        opt 1232 version 0
        # RFC 6891 section 6.1.2: Any OPTION-CODE values not understood MUST be ignored.
        ? www.example.com AAAA edns=4096 option=65001 option=10
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        ",
    );
}

#[test]
fn the_client_subnet_steers_and_is_echoed_with_its_scope() {
    play(
        &table(),
        "
        # RFC 7871 section 7.2.1: SCOPE PREFIX-LENGTH ... the widest for which the answer holds; dns.md
        # section 2.6: policy 10/8=A, 10.1.2/24=B, else default: /13 and /1... are widest safe.
        ? shop.example.com A subnet=10.9.9.0/24
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        opt 1232 version 0 subnet 10.9.9.0/24 scope 13
        ? shop.example.com A subnet=10.1.2.0/24
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.2
        shop.example.com. 30 A 192.0.2.3
        opt 1232 version 0 subnet 10.1.2.0/24 scope 24
        # Section 7.2.1: the scope may be longer than the source when more is needed to tell.
        ? shop.example.com A subnet=10.0.0.0/8
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        opt 1232 version 0 subnet 10.0.0.0/8 scope 16
        ? shop.example.com AAAA subnet=2001:db8:2::/56
        NOERROR aa rd shop.example.com. AAAA
        shop.example.com. 30 AAAA 2001:db8::c
        opt 1232 version 0 subnet 2001:db8:2::/56 scope 47
        # Section 7.1.2: SOURCE PREFIX-LENGTH 0 ... answer as if the option were absent, scope 0.
        ? shop.example.com A subnet=0.0.0.0/0 from=10.9.9.9
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        opt 1232 version 0 subnet 0.0.0.0/0 scope 0
        # Private, and no rule names it: steered by resolver, scope = source length.
        ? shop.example.com A subnet=192.168.7.0/24 from=10.9.9.9
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        opt 1232 version 0 subnet 192.168.7.0/24 scope 24
        # One scope per answer, also through an alias.
        ? toapp.example.com A subnet=10.9.9.0/24
        NOERROR aa rd toapp.example.com. A
        toapp.example.com. 600 CNAME shop.example.com.
        shop.example.com. 30 A 192.0.2.1
        opt 1232 version 0 subnet 10.9.9.0/24 scope 13
        # What is the same for everyone has scope 0.
        ? www.example.com AAAA subnet=10.9.9.0/24
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 subnet 10.9.9.0/24 scope 0
        ? nothing.example.com A subnet=10.9.9.0/24
        NXDOMAIN aa rd nothing.example.com. A
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        opt 1232 version 0 subnet 10.9.9.0/24 scope 0
        ? last.example.com A subnet=10.9.9.0/24
        NOERROR aa rd last.example.com. A
        last.example.com. 30 A 192.0.2.1
        opt 1232 version 0 subnet 10.9.9.0/24 scope 0
        ",
    );
}

#[test]
fn a_sticky_answer_is_the_same_for_a_prefix_and_says_so() {
    let table = table();
    let of = |subnet: &str, draw: u64| {
        ask(
            &table,
            &format!("sticky.example.com A subnet={subnet} draw={draw}"),
        )
    };
    let first = of("203.0.113.0/24", 1);
    assert!(first.contains("subnet 203.0.113.0/24 scope 24"), "{first}");
    assert_eq!(first, of("203.0.113.0/24", 99));
    assert!(of("203.0.0.0/16", 1).contains("scope 16"));
    assert!(of("203.0.113.77/32", 1).contains("scope 24"));
    assert!(of("2001:db8:77::/64", 1).contains("scope 56"));
    let wanted = |text: &str| text.lines().nth(1).unwrap().to_owned();
    assert_eq!(wanted(&first), wanted(&of("203.0.113.77/32", 5)));
}

#[test]
fn a_wrong_client_subnet_is_a_format_error() {
    let table = table();
    let mut out = [0; 512];
    for (data, why) in [
        (
            &[0, 1, 24, 0, 10, 0][..],
            "RFC 7871 section 6: the address is as long as the prefix needs",
        ),
        (&[0, 1, 24, 0, 10, 0, 0, 0], "the same, too long"),
        (
            &[0, 1, 23, 0, 10, 0, 1],
            "section 6: all remaining bits MUST be 0",
        ),
        (&[0, 9, 24, 0, 10, 0, 0], "section 7.1.2: unknown family"),
        (&[0, 1, 33, 0, 10, 0, 0, 0, 0], "longer than the address"),
        (
            &[0, 1, 24, 8, 10, 0, 0],
            "section 6: scope MUST be 0 in queries",
        ),
    ] {
        let query = Ask::new("shop.example.com", 1).option(8, data).wire();
        let reply = respond(
            &table,
            &query,
            &mut Scratch::new(),
            ip("8.8.8.8"),
            0,
            Transport::Udp,
            &mut out,
        )
        .unwrap();
        assert_eq!(
            render(&out[..reply.len]),
            "FORMERR rd shop.example.com. A\nopt 1232 version 0\n",
            "{why}"
        );
    }
}

#[test]
fn an_answer_that_does_not_fit_is_left_out_whole() {
    let table = table();
    // 32 addresses: 512 octets of records.
    play(
        &table,
        "
        # RFC 2181 section 9: TC should be set only when an RRSet is required but could not be
        # included; a partial RRset is not sent.
        ? crowd.example.com A
        NOERROR aa tc rd crowd.example.com. A
        ? crowd.example.com A edns=512
        NOERROR aa tc rd crowd.example.com. A
        opt 1232 version 0
        # RFC 6891 section 6.2.3: values lower than 512 MUST be treated as equal to 512.
        ? crowd.example.com A edns=0
        NOERROR aa tc rd crowd.example.com. A
        opt 1232 version 0
        ",
    );
    for whole in ["edns=1232", "edns=65535", "tcp", "tcp edns=512"] {
        let text = ask(&table, &format!("crowd.example.com A {whole}"));
        assert!(text.starts_with("NOERROR aa rd"), "{text}");
        assert_eq!(text.matches(" A 203.0.113.").count(), 32, "{whole}");
    }
}

#[test]
fn a_response_is_never_answered_and_a_broken_query_is_told_so() {
    let table = table();
    let mut out = [0; 512];
    let mut reply_to = |bytes: &[u8]| {
        respond(
            &table,
            bytes,
            &mut Scratch::new(),
            ip("8.8.8.8"),
            0,
            Transport::Udp,
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
