//! Wildcards and empty non-terminals (RFC 4592), by the example of its section 2.2.1 and more.

use windrose_routing::Table;

use super::play::play;
use crate::world::{draft, table_of, zone};

/// The zone of RFC 4592 section 2.2.1, with addresses for its SRV records.
const EXAMPLE: &str = "
    example                   3600 NS    ns.example.com
    example                   3600 NS    ns.example.net
    *.example                 3600 TXT   this is a wildcard
    *.example                 3600 MX    host1.example
    sub.*.example             3600 TXT   this is not a wildcard
    host1.example             3600 A     192.0.2.1
    _ssh._tcp.host1.example   3600 A     192.0.2.11
    _ssh._tcp.host2.example   3600 A     192.0.2.12
    subdel.example            3600 NS    ns.example.com
    subdel.example            3600 NS    ns.example.net
    *.alias.example           120  CNAME host1.example
    deep.*.mid.example        60   A     192.0.2.9
";

fn table() -> Table {
    let mut draft = draft();
    let (apex, zone) = zone("example", EXAMPLE, 300);
    draft.zones.insert(apex, zone);
    table_of(draft, &[])
}

#[test]
fn wildcards_cover_what_the_rfc_says() {
    play(
        &table(),
        "
        # RFC 4592 section 2.2.1: the following responses would be synthesized from one of the
        # wildcards in the zone: QNAME=host3.example. QTYPE=MX
        ? host3.example MX
        NOERROR aa rd host3.example. MX
        host3.example. 3600 MX 10 host1.example.
        # ... QTYPE=A: no error, but no data.
        ? host3.example A
        NOERROR aa rd host3.example. A
        authority example. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? foo.bar.example TXT
        NOERROR aa rd foo.bar.example. TXT
        foo.bar.example. 3600 TXT this is a wildcard
        # The following would not: host1.example exists;
        ? host1.example MX
        NOERROR aa rd host1.example. MX
        authority example. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # sub.*.example exists;
        ? sub.*.example MX
        NOERROR aa rd sub.*.example. MX
        authority example. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # _tcp.host1.example exists, without data: nothing below it is covered;
        ? _telnet._tcp.host1.example A
        NXDOMAIN aa rd _telnet._tcp.host1.example. A
        authority example. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? _tcp.host2.example A
        NOERROR aa rd _tcp.host2.example. A
        authority example. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # subdel.example is a cut;
        ? host.subdel.example A
        NOERROR rd host.subdel.example. A
        authority subdel.example. 3600 NS ns.example.com.
        authority subdel.example. 3600 NS ns.example.net.
        # *.example exists, so it is the closest encloser of ghost.*.example.
        ? ghost.*.example MX
        NXDOMAIN aa rd ghost.*.example. MX
        authority example. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? *.example TXT
        NOERROR aa rd *.example. TXT
        *.example. 3600 TXT this is a wildcard
        ",
    );
}

#[test]
fn a_wildcard_alias_is_followed_and_an_asterisk_inside_a_name_is_a_label() {
    play(
        &table(),
        "
        # RFC 4592 section 4.3: a CNAME at a wildcard is treated as any other.
        ? a.b.alias.example A
        NOERROR aa rd a.b.alias.example. A
        a.b.alias.example. 120 CNAME host1.example.
        host1.example. 3600 A 192.0.2.1
        ? x.alias.example AAAA
        NOERROR aa rd x.alias.example. AAAA
        x.alias.example. 120 CNAME host1.example.
        authority example. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # Section 2.1.1: only the leftmost label makes a wildcard. *.mid is an empty non-terminal and
        # a wildcard without data.
        ? deep.*.mid.example A
        NOERROR aa rd deep.*.mid.example. A
        deep.*.mid.example. 60 A 192.0.2.9
        ? deep.x.mid.example A
        NOERROR aa rd deep.x.mid.example. A
        authority example. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ",
    );
}
