//! EDNS, and what does not fit.

use crate::play::{ask, play};
use crate::world::table;

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
