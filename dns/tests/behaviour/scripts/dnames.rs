//! DNAME (RFC 6672).

use windrose_routing::Table;

use super::play::{ask, play};
use crate::world::{draft, table_of, zone};

fn table() -> Table {
    let long = ["a", "b", "c"].map(|label| label.repeat(63)).join(".");
    let records = format!(
        "
        r.test          3600 NS    ns1.example.net
        old.r.test      1800 DNAME new.r.test
        old.r.test      60   TXT   at the owner
        host.new.r.test 60   A     192.0.2.77
        chain.r.test    600  CNAME host.old.r.test
        first.r.test    900  DNAME old.r.test
        abroad.r.test   1800 DNAME example.org
        loop.r.test     1800 DNAME loop.loop.r.test
        circle.r.test   1800 DNAME circus.r.test
        circus.r.test   1800 DNAME circle.r.test
        long.r.test     1800 DNAME {long}.r.test
        tocut.r.test    1800 DNAME cut.r.test
        cut.r.test      1800 NS    ns1.example.net
        toapp.r.test    1800 DNAME example.com
        "
    );
    let mut draft = draft();
    let (apex, zone_r) = zone("r.test", &records, 300);
    draft.zones.insert(apex, zone_r);
    let all = "all.test 3600 NS ns1.example.net\nall.test 60 DNAME new.r.test\n";
    let (apex, zone) = zone("all.test", all, 300);
    draft.zones.insert(apex, zone);
    table_of(draft, &[])
}

#[test]
fn names_below_a_dname_are_renamed() {
    play(
        &table(),
        "
        # RFC 6672 section 3.2 step 3c: copy that record into the answer section ... The server MUST
        # synthesize a CNAME record ... Change QNAME to the new name and go back. Section 3.1: the
        # TTL of the synthesized CNAME is that of the DNAME.
        ? Host.OLD.r.test A
        NOERROR aa rd Host.OLD.r.test. A
        OLD.r.test. 1800 DNAME new.r.test.
        Host.OLD.r.test. 1800 CNAME host.new.r.test.
        host.new.r.test. 60 A 192.0.2.77
        # RFC 6604 section 3: the code is that of the last name.
        ? none.old.r.test A
        NXDOMAIN aa rd none.old.r.test. A
        old.r.test. 1800 DNAME new.r.test.
        none.old.r.test. 1800 CNAME none.new.r.test.
        authority r.test. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # The owner itself is not renamed (section 2.3).
        ? old.r.test TXT
        NOERROR aa rd old.r.test. TXT
        old.r.test. 60 TXT at the owner
        ? old.r.test A
        NOERROR aa rd old.r.test. A
        authority r.test. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? old.r.test DNAME
        NOERROR aa rd old.r.test. DNAME
        old.r.test. 1800 DNAME new.r.test.
        # At an apex (section 2.3).
        ? host.all.test A
        NOERROR aa rd host.all.test. A
        all.test. 60 DNAME new.r.test.
        host.all.test. 60 CNAME host.new.r.test.
        host.new.r.test. 60 A 192.0.2.77
        ? all.test NS
        NOERROR aa rd all.test. NS
        all.test. 3600 NS ns1.example.net.
        ",
    );
}

#[test]
fn dnames_and_aliases_make_chains_that_end() {
    play(
        &table(),
        "
        ? chain.r.test A
        NOERROR aa rd chain.r.test. A
        chain.r.test. 600 CNAME host.old.r.test.
        old.r.test. 1800 DNAME new.r.test.
        host.old.r.test. 1800 CNAME host.new.r.test.
        host.new.r.test. 60 A 192.0.2.77
        ? host.first.r.test A
        NOERROR aa rd host.first.r.test. A
        first.r.test. 900 DNAME old.r.test.
        host.first.r.test. 900 CNAME host.old.r.test.
        old.r.test. 1800 DNAME new.r.test.
        host.old.r.test. 1800 CNAME host.new.r.test.
        host.new.r.test. 60 A 192.0.2.77
        ? a.b.abroad.r.test A
        NOERROR aa rd a.b.abroad.r.test. A
        abroad.r.test. 1800 DNAME example.org.
        a.b.abroad.r.test. 1800 CNAME a.b.example.org.
        # Into a delegation, and into a steered name.
        ? x.tocut.r.test A
        NOERROR aa rd x.tocut.r.test. A
        tocut.r.test. 1800 DNAME cut.r.test.
        x.tocut.r.test. 1800 CNAME x.cut.r.test.
        authority cut.r.test. 1800 NS ns1.example.net.
        ? shop.toapp.r.test A from=10.9.9.9
        NOERROR aa rd shop.toapp.r.test. A
        toapp.r.test. 1800 DNAME example.com.
        shop.toapp.r.test. 1800 CNAME shop.example.com.
        shop.example.com. 30 A 192.0.2.1
        # A circle ends where it closes.
        ? x.circle.r.test A
        NOERROR aa rd x.circle.r.test. A
        circle.r.test. 1800 DNAME circus.r.test.
        x.circle.r.test. 1800 CNAME x.circus.r.test.
        circus.r.test. 1800 DNAME circle.r.test.
        x.circus.r.test. 1800 CNAME x.circle.r.test.
        ",
    );
    // A name that grows with each turn ends after the limit, and has its DNAME once.
    let growing = ask(&table(), "x.loop.r.test A edns=1232");
    assert!(
        growing.starts_with("NOERROR aa rd x.loop.r.test. A\n"),
        "{growing}"
    );
    assert_eq!(growing.matches(" CNAME ").count(), 9, "{growing}");
    assert_eq!(growing.matches(" DNAME ").count(), 1, "{growing}");
}

#[test]
fn a_new_name_that_would_be_too_long_is_said_to_be() {
    let table = table();
    // RFC 6672 section 3.2 step 3c: if substitution ... would overflow the legal size for a domain
    // name, set RCODE to YXDOMAIN and exit; the DNAME is in the answer.
    let fits = "y".repeat(253 - 3 * 64 - 6 - 1);
    let text = ask(&table, &format!("{fits}.long.r.test A edns=1232"));
    assert!(text.starts_with("NXDOMAIN aa rd"), "{text}");
    assert_eq!(text.matches(" CNAME ").count(), 1, "{text}");
    let text = ask(&table, &format!("{fits}y.long.r.test A edns=1232"));
    assert!(text.starts_with("YXDOMAIN aa rd"), "{text}");
    assert_eq!(text.matches(" DNAME ").count(), 1, "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
}
