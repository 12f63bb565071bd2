//! Records, denials and refusals.

use super::play::play;
use crate::world::table;

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
        opt 1232 version 0 ede 20
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
        opt 1232 version 0 do ede 20
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
