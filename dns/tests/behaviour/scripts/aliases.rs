//! Aliases.

use super::play::play;
use crate::world::table;

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
