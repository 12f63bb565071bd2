//! EDNS, and what does not fit.

use windrose_dns::{ExtendedErrors, Manners};

use super::play::{ask, ask_with, play, play_with};
use crate::world::{draft, table, table_of};

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
        ? www.example.com AAAA edns=4096 option=65001:010203 option=10:010203
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        # RFC 6891 section 6.1.4: Z: Set to zero by senders and ignored by receivers.
        ? www.example.com AAAA edns=4096 z
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        # RFC 6891 section 6.1.3: of another version nothing is understood, not even a wrong option,
        # and not in another class either.
        ? www.example.com AAAA option=8:00 version=7
        BADVERS rd www.example.com. AAAA
        opt 1232 version 0
        ? version.bind TXT class=3 edns=4096 version=1
        BADVERS rd version.bind. TXT
        opt 1232 version 0
        # RFC 6891 section 7: FORMERR to an option that is wrong carries OPT, too.
        ? www.example.com AAAA option=8:00
        FORMERR rd www.example.com. AAAA
        opt 1232 version 0
        # Over TCP EDNS is the same; its size does not matter there.
        ? www.example.com AAAA tcp edns=512 do
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 do
        ",
    );
}

#[test]
fn the_udp_size_is_the_operators() {
    let manners = Manners {
        udp_size: 4_096,
        ..Manners::default()
    };
    play_with(
        &table(),
        &manners,
        "
        # RFC 6891 section 6.2.3: the requestor's size bounds the response, and so does ours (6.2.5).
        ? www.example.com AAAA edns=1232
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 4096 version 0
        ",
    );
}

#[test]
fn keepalive_is_told_over_tcp_to_who_asks() {
    play(
        &table(),
        "
        # RFC 7828 section 3.1: TIMEOUT in units of 100 milliseconds; 10 s here.
        ? www.example.com AAAA tcp option=11
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 keepalive 0064
        # Section 3.2.1: DNS servers MUST ignore it over UDP.
        ? www.example.com AAAA option=11
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        ? www.example.com AAAA option=11:0001
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        # Section 3.1: in queries OPTION-LENGTH is 0.
        ? www.example.com AAAA tcp option=11:0001
        FORMERR rd www.example.com. AAAA
        opt 1232 version 0
        ? www.example.com AAAA tcp edns=1232
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        ",
    );
}

#[test]
fn reasons_are_told_as_far_as_the_operator_allows() {
    let with = |extended_errors| Manners {
        extended_errors,
        ..Manners::default()
    };
    let table = table();
    play_with(
        &table,
        &with(ExtendedErrors::Codes),
        "
        # RFC 8914 section 4.4: Stale Answer; section 4.21: Not Authoritative; 4.19: Prohibited.
        ? last.example.com A edns=1232
        NOERROR aa rd last.example.com. A
        last.example.com. 30 A 192.0.2.1
        opt 1232 version 0 ede 3
        ? www.example.org A edns=1232
        REFUSED rd www.example.org. A
        opt 1232 version 0 ede 20
        ? example.com AXFR edns=1232
        REFUSED rd example.com. AXFR
        opt 1232 version 0 ede 18
        # Section 2: only with EDNS.
        ? www.example.org A
        REFUSED rd www.example.org. A
        # Code 0 says nothing without a text.
        ? silent.example.com A edns=1232
        SERVFAIL rd silent.example.com. A
        opt 1232 version 0
        ",
    );
    play_with(
        &table,
        &with(ExtendedErrors::Reasons),
        "
        ? last.example.com A edns=1232
        NOERROR aa rd last.example.com. A
        last.example.com. 30 A 192.0.2.1
        opt 1232 version 0 ede 3 all clusters down: last known ones
        ? silent.example.com A edns=1232
        SERVFAIL rd silent.example.com. A
        opt 1232 version 0 ede 0 all clusters down
        ",
    );
    play_with(
        &table,
        &with(ExtendedErrors::Off),
        "
        ? last.example.com A edns=1232
        NOERROR aa rd last.example.com. A
        last.example.com. 30 A 192.0.2.1
        opt 1232 version 0
        ",
    );
}

#[test]
fn a_reason_never_costs_a_record() {
    // 29 octets of name are the first for which 31 addresses leave no room for a reason.
    let manners = Manners {
        extended_errors: ExtendedErrors::Reasons,
        ..Manners::default()
    };
    let down = table_of(draft(), &["crowd"]);
    let plain = ask_with(&down, &manners, "crowd.example.com A edns=1232");
    assert!(plain.contains("ede 3 all clusters down"), "{plain}");
    // As small as the answer itself: 12 + 23 + 32 * 16 + 11.
    let exact = ask_with(&down, &manners, "crowd.example.com A edns=558");
    assert!(!exact.contains("ede"), "{exact}");
    assert_eq!(exact.matches(" A 203.0.113.").count(), 32, "{exact}");
    // Six octets more: the code.
    let code = ask_with(&down, &manners, "crowd.example.com A edns=564");
    assert!(code.ends_with("ede 3\n"), "{code}");
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
