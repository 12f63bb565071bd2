//! Which node is this: NSID, class CH, and the version of the zone.

use windrose_dns::Manners;

use super::play::{play, play_with};
use crate::world::table;

fn open() -> Manners {
    Manners {
        nsid: b"edge-7".as_slice().into(),
        chaos_id: b"edge-7.example".as_slice().into(),
        chaos_version: b"windrose".as_slice().into(),
        ..Manners::default()
    }
}

#[test]
fn the_identifier_is_told_to_who_asks() {
    play_with(
        &table(),
        &open(),
        "
        # RFC 5001 section 2.2: A name server that understands the NSID option and chooses to honor
        # a particular NSID request responds by including identifying information.
        ? www.example.com AAAA option=3
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 nsid edge-7
        # Section 2.2: the name server MUST NOT send an NSID option ... if not requested.
        ? www.example.com AAAA edns=1232
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        # Section 2.1: what the query's option holds is ignored.
        ? www.example.org AAAA option=3:616263
        REFUSED rd www.example.org. AAAA
        opt 1232 version 0 nsid edge-7 ede 20
        ",
    );
    play(
        &table(),
        "
        # Not without the operator's leave.
        ? www.example.com AAAA option=3
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        ",
    );
}

#[test]
fn class_chaos_names_the_node_where_the_operator_allows_it() {
    play_with(
        &table(),
        &open(),
        "
        # RFC 4892 section 3: ID.SERVER, TXT, class CHAOS.
        ? ID.server TXT class=3
        NOERROR aa rd ID.server. TXT
        ID.server. 0 TXT edge-7.example
        ? hostname.bind TXT class=3 edns=1232
        NOERROR aa rd hostname.bind. TXT
        hostname.bind. 0 TXT edge-7.example
        opt 1232 version 0
        ? version.server ANY class=3
        NOERROR aa rd version.server. ANY
        version.server. 0 TXT windrose
        ? version.bind TXT class=3 tcp
        NOERROR aa rd version.bind. TXT
        version.bind. 0 TXT windrose
        # All else of that class is nobody's.
        ? version.bind A class=3
        REFUSED rd version.bind. A
        ? authors.bind TXT class=3 edns=1232
        REFUSED rd authors.bind. TXT
        opt 1232 version 0 ede 20
        # And of class IN it is a name like any other.
        ? version.bind TXT
        REFUSED rd version.bind. TXT
        ",
    );
    play(
        &table(),
        "
        ? id.server TXT class=3
        REFUSED rd id.server. TXT
        ? version.bind TXT class=3
        REFUSED rd version.bind. TXT
        ",
    );
}

#[test]
fn the_serial_of_the_zone_is_told_to_who_asks() {
    play(
        &table(),
        "
        # RFC 9660 section 2: LABELCOUNT 2 (example.com), TYPE 0 (SOA-SERIAL), serial 7.
        ? www.example.com AAAA option=19
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0 zone version 020000000007
        ? nothing.example.com AAAA option=19
        NXDOMAIN aa rd nothing.example.com. AAAA
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        opt 1232 version 0 zone version 020000000007
        # Section 3.2: not when the server is not authoritative for the name.
        ? www.example.org A option=19
        REFUSED rd www.example.org. A
        opt 1232 version 0 ede 20
        # Section 3.1: in queries the option has no data.
        ? www.example.com AAAA option=19:02
        FORMERR rd www.example.com. AAAA
        opt 1232 version 0
        ",
    );
    let silent = Manners {
        zone_version: false,
        ..Manners::default()
    };
    play_with(
        &table(),
        &silent,
        "
        ? www.example.com AAAA option=19
        NOERROR aa rd www.example.com. AAAA
        www.example.com. 300 AAAA 2001:db8::80
        opt 1232 version 0
        ",
    );
}
