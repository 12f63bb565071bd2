//! Delegations, their glue, and zones of ours below zones of ours. The same questions were put to
//! Knot 3.2.6 and NSD 4.6.1 with the same zones. Where they differ we follow NSD: YXDOMAIN for a
//! new name too long, aliases followed into other zones of ours. Both add addresses of MX and SRV
//! targets; we do not.

use windrose_routing::Table;

use super::play::{ask, play};
use crate::world::{draft, table_of, zone};

const PARENT: &str = "
    d.test         3600 NS    ns1.example.net
    ns.d.test      300  A     192.0.2.53
    sub.d.test     3600 NS    ns.sub.d.test
    sub.d.test     3600 NS    ns.other.d.test
    sub.d.test     3600 NS    ns.d.test
    sub.d.test     3600 NS    ns1.example.net
    sub.d.test     3600 DS    00010d020123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    sub.d.test     60   TXT   hidden
    ns.sub.d.test  600  A     192.0.2.1
    ns.sub.d.test  600  AAAA  2001:db8::1
    www.sub.d.test 600  A     192.0.2.99
    *.sub.d.test   600  A     192.0.2.98
    other.d.test   3600 NS    ns.other.d.test
    ns.other.d.test 600 A     192.0.2.2
    self.d.test    3600 NS    self.d.test
    self.d.test    600  A     192.0.2.3
    tosub.d.test   600  CNAME www.sub.d.test
    *.d.test       60   TXT   wild
    kid.d.test     3600 NS    ns.kid.d.test
    kid.d.test     3600 DS    00010d020123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    ns.kid.d.test  600  A     192.0.2.44
    x.kid.d.test   600  A     192.0.2.46
    bare.d.test    3600 NS    ns.bare.d.test
";

const KID: &str = "
    kid.d.test     3600 NS    ns.kid.d.test
    ns.kid.d.test  60   A     192.0.2.54
";

const BARE: &str = "
    bare.d.test    3600 NS    ns.kid.d.test
";

const FAR: &str = "
    far.sub.d.test 3600 NS    ns1.example.net
";

fn table() -> Table {
    let mut draft = draft();
    for (apex, records) in [
        ("d.test", PARENT),
        ("kid.d.test", KID),
        ("bare.d.test", BARE),
        ("far.sub.d.test", FAR),
    ] {
        let (apex, zone) = zone(apex, records, 300);
        draft.zones.insert(apex, zone);
    }
    table_of(draft, &[])
}

#[test]
fn names_at_and_below_a_cut_get_a_referral() {
    const REFERRAL: &str = "
        authority sub.d.test. 3600 NS ns.sub.d.test.
        authority sub.d.test. 3600 NS ns.other.d.test.
        authority sub.d.test. 3600 NS ns.d.test.
        authority sub.d.test. 3600 NS ns1.example.net.
        additional ns.sub.d.test. 600 A 192.0.2.1
        additional ns.sub.d.test. 600 AAAA 2001:db8::1
        additional ns.other.d.test. 600 A 192.0.2.2
        additional ns.d.test. 300 A 192.0.2.53
    ";
    // RFC 1034 section 4.3.2 step 3b: if a match would take us out of the authoritative data, we
    // have a referral ... copy the NS RRs for the subzone into the authority section of the reply,
    // put whatever addresses are available into the additional section. RFC 4592 section 2.2.1: a
    // cut comes before any wildcard, and what stands below it is not ours to say.
    for name in [
        "sub.d.test",
        "www.sub.d.test",
        "ns.sub.d.test",
        "x.sub.d.test",
        "a.b.sub.d.test",
    ] {
        for rtype in ["A", "NS", "TXT", "ANY"] {
            let head = format!("? {name} {rtype}\nNOERROR rd {name}. {rtype}\n");
            play(&table(), &(head + REFERRAL));
        }
    }
    play(
        &table(),
        &("
        # Behind an alias the answer is ours, and AA speaks of its first name (RFC 1035 section
        # 4.1.1: the AA bit corresponds to the name which matches the query name, or the first owner
        # name in the answer section).
        ? tosub.d.test A
        NOERROR aa rd tosub.d.test. A
        tosub.d.test. 600 CNAME www.sub.d.test.
        "
        .to_owned()
            + REFERRAL),
    );
    play(
        &table(),
        "
        # A name server that is the cut itself.
        ? x.self.d.test A
        NOERROR rd x.self.d.test. A
        authority self.d.test. 3600 NS self.d.test.
        additional self.d.test. 600 A 192.0.2.3
        ? SELF.d.test A
        NOERROR rd SELF.d.test. A
        authority SELF.d.test. 3600 NS self.d.test.
        additional self.d.test. 600 A 192.0.2.3
        # RFC 4592 section 2.2.1: the wildcard covers what does not exist, and no cut is above.
        ? nothing.d.test TXT
        NOERROR aa rd nothing.d.test. TXT
        nothing.d.test. 60 TXT wild
        ",
    );
}

#[test]
fn ds_is_answered_from_the_upper_side_of_a_cut() {
    play(
        &table(),
        "
        # RFC 4035 section 3.1.4.1: the DS RRset is authoritative on the parental side of the cut.
        ? sub.d.test DS
        NOERROR aa rd sub.d.test. DS
        sub.d.test. 3600 DS 00010d020123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        ? other.d.test DS
        NOERROR aa rd other.d.test. DS
        authority d.test. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # Below the cut it is the child's business.
        ? x.other.d.test DS
        NOERROR rd x.other.d.test. DS
        authority other.d.test. 3600 NS ns.other.d.test.
        additional ns.other.d.test. 600 A 192.0.2.2
        # Both sides are ours: still the parent's DS, and its SOA where there is none.
        ? kid.d.test DS
        NOERROR aa rd kid.d.test. DS
        kid.d.test. 3600 DS 00010d020123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        ? bare.d.test DS
        NOERROR aa rd bare.d.test. DS
        authority d.test. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # The zone above is not the parent: it has delegated that.
        ? far.sub.d.test DS
        NOERROR rd far.sub.d.test. DS
        authority sub.d.test. 3600 NS ns.sub.d.test.
        authority sub.d.test. 3600 NS ns.other.d.test.
        authority sub.d.test. 3600 NS ns.d.test.
        authority sub.d.test. 3600 NS ns1.example.net.
        additional ns.sub.d.test. 600 A 192.0.2.1
        additional ns.sub.d.test. 600 AAAA 2001:db8::1
        additional ns.other.d.test. 600 A 192.0.2.2
        additional ns.d.test. 300 A 192.0.2.53
        # No zone above is ours.
        ? d.test DS
        NOERROR aa rd d.test. DS
        authority d.test. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ",
    );
}

#[test]
fn a_zone_of_ours_below_a_zone_of_ours_answers_for_itself() {
    play(
        &table(),
        "
        # RFC 1034 section 4.3.2 step 2: search the available zones for the zone which is the nearest
        # ancestor to QNAME. The parent's NS, glue and whatever else stands below are not seen.
        ? kid.d.test NS
        NOERROR aa rd kid.d.test. NS
        kid.d.test. 3600 NS ns.kid.d.test.
        ? ns.kid.d.test A
        NOERROR aa rd ns.kid.d.test. A
        ns.kid.d.test. 60 A 192.0.2.54
        ? x.kid.d.test A
        NXDOMAIN aa rd x.kid.d.test. A
        authority kid.d.test. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # Even below a cut of the zone above it.
        ? far.sub.d.test SOA
        NOERROR aa rd far.sub.d.test. SOA
        far.sub.d.test. 900 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ",
    );
}

#[test]
fn glue_that_must_be_there_and_does_not_fit_truncates() {
    let long = "x".repeat(40);
    let mut draft = draft();
    let mut records = "g.test 3600 NS ns1.example.net\n".to_owned();
    // Referrals close to 512 octets: the name servers fit, not all addresses do.
    for n in 0..6 {
        records += &format!("in.g.test 60 NS n{n}.{long}.in.g.test\n");
        records += &format!("n{n}.{long}.in.g.test 60 AAAA 2001:db8::{n}\n");
        records += &format!("out.g.test 60 NS n{n}.{long}.sibling.g.test\n");
        records += &format!("n{n}.{long}.sibling.g.test 60 AAAA 2001:db8::{n}\n");
    }
    records += "sibling.g.test 60 NS ns1.example.net\n";
    let (apex, zone) = zone("g.test", &records, 300);
    draft.zones.insert(apex, zone);
    let table = table_of(draft, &[]);
    // RFC 9471 section 3.1: the server MUST set TC=1 when not all glue of in-domain name servers
    // fits.
    let short = ask(&table, "x.in.g.test A");
    assert!(short.starts_with("NOERROR tc rd"), "{short}");
    // Section 3.2: for sibling name servers it is not obligated to.
    let short = ask(&table, "x.out.g.test A");
    assert!(short.starts_with("NOERROR rd"), "{short}");
    assert_eq!(short.matches("authority").count(), 6);
    for whole in ["in", "out"] {
        let long = ask(&table, &format!("x.{whole}.g.test A edns=1232"));
        assert!(long.starts_with("NOERROR rd"), "{long}");
        assert_eq!(long.matches("additional").count(), 6, "{long}");
    }
}
