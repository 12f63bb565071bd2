//! The client subnet option (RFC 7871).

use windrose_dns::{Scratch, Transport, respond};

use super::play::{ask, play, render};
use crate::world::{Ask, asked, ip, table};

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
        # An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) counts as itself; the scope counts the
        # bits in front of it.
        ? shop.example.com A subnet=2002:a01:200::/40
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.2
        shop.example.com. 30 A 192.0.2.3
        opt 1232 version 0 subnet 2002:a01:200::/40 scope 40
        ? shop.example.com A subnet=64:ff9b::a09:900/120
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        opt 1232 version 0 subnet 64:ff9b::a09:900/120 scope 109
        # Teredo keeps the client's address at its end, which /56 does not tell: steered by resolver, and
        # the scope says that it would have to be longer.
        ? shop.example.com A subnet=2001:0:102:300::/56 from=10.9.9.9
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        opt 1232 version 0 subnet 2001:0:102:300::/56 scope 99
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
        opt 1232 version 0 subnet 10.9.9.0/24 scope 0 ede 3
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
            &asked(ip("8.8.8.8"), 0, Transport::Udp),
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
