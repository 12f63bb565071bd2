//! Types and classes that are no data.

use windrose_dns::{AnyAnswer, Manners};

use super::play::{play, play_with};
use crate::world::table;

#[test]
fn types_that_are_no_data_are_not_looked_up() {
    play(
        &table(),
        "
        # RFC 6891 section 6.1.1: OPT ... is a pseudo-RR; it is never asked for.
        ? www.example.com TYPE41 edns=1232
        FORMERR rd www.example.com. OPT
        opt 1232 version 0 ede 30
        # RFC 2930 section 2, RFC 8945 section 4.2: TKEY and TSIG are meta RRs.
        ? www.example.com TYPE249
        FORMERR rd www.example.com. TYPE249
        ? www.example.com TYPE250
        FORMERR rd www.example.com. TSIG
        # RFC 1035 section 3.2.3: MAILA is obsolete; MAILB (experimental) is not done here.
        ? www.example.com TYPE253
        NOTIMP rd www.example.com. TYPE253
        ? www.example.com TYPE254 edns=1232
        NOTIMP rd www.example.com. TYPE254
        opt 1232 version 0 ede 30
        # RFC 3597 section 2: unknown types are data like any other; RRSIG too, as long as nothing is
        # signed.
        ? mail.example.com TYPE65280
        NOERROR aa rd mail.example.com. TYPE65280
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? mail.example.com TYPE46
        NOERROR aa rd mail.example.com. RRSIG
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # RFC 6895 section 3.1: TYPE 0 is special, and no data stands there.
        ? mail.example.com TYPE0
        NOERROR aa rd mail.example.com. ZERO
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ",
    );
}

#[test]
fn classes_but_ours_are_refused() {
    play(
        &table(),
        "
        # RFC 1035 section 4.1.1: REFUSED. Class ANY would need a union of classes we do not have.
        ? www.example.com A class=255
        REFUSED rd www.example.com. A
        ? www.example.com A class=254
        REFUSED rd www.example.com. A
        ? www.example.com A class=4 edns=1232
        REFUSED rd www.example.com. A
        opt 1232 version 0 ede 20
        ",
    );
}

#[test]
fn any_may_be_told_to_ask_for_something() {
    let manners = Manners {
        any: AnyAnswer::Hinfo,
        ..Manners::default()
    };
    play_with(
        &table(),
        &manners,
        "
        # RFC 8482 section 4.2: the CPU field of the HINFO RDATA SHOULD be set to RFC8482.
        ? mail.example.com ANY
        NOERROR aa rd mail.example.com. ANY
        mail.example.com. 3600 HINFO RFC8482
        ? alias.example.com ANY tcp
        NOERROR aa rd alias.example.com. ANY
        alias.example.com. 3600 HINFO RFC8482
        ? shop.example.com ANY
        NOERROR aa rd shop.example.com. ANY
        shop.example.com. 3600 HINFO RFC8482
        # RFC 8482 section 4: only for names that exist.
        ? nothing.example.com ANY
        NXDOMAIN aa rd nothing.example.com. ANY
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? empty.example.com ANY
        NOERROR aa rd empty.example.com. ANY
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ",
    );
}
