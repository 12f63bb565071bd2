//! Steered names.

use super::play::{ask, play};
use crate::world::{app, draft, name, table, table_of};

#[test]
fn a_steered_name_follows_the_client() {
    play(
        &table(),
        "
        # design: steering by the source where the resolver tells no client subnet.
        ? shop.example.com A from=10.9.9.9
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        ? Shop.Example.com A from=10.1.2.200
        NOERROR aa rd Shop.Example.com. A
        Shop.Example.com. 30 A 192.0.2.2
        Shop.Example.com. 30 A 192.0.2.3
        ? shop.example.com AAAA from=10.9.9.9
        NOERROR aa rd shop.example.com. AAAA
        shop.example.com. 30 AAAA 2001:db8::a
        # RFC 4291 section 2.5.5.2: an IPv4-mapped address represents the IPv4 node.
        ? shop.example.com A from=::ffff:10.9.9.9
        NOERROR aa rd shop.example.com. A
        shop.example.com. 30 A 192.0.2.1
        # A cluster without addresses of the family: NODATA, never another cluster's.
        ? shop.example.com AAAA from=10.1.2.200
        NOERROR aa rd shop.example.com. AAAA
        authority example.com. 30 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # Other types stand beside the steered ones.
        ? shop.example.com TXT
        NOERROR aa rd shop.example.com. TXT
        shop.example.com. 300 TXT beside the steered addresses
        # Wildcard hosts.
        ? eu.shop.example.com A from=10.9.9.9
        NOERROR aa rd eu.shop.example.com. A
        eu.shop.example.com. 30 A 192.0.2.1
        # An alias into a steered name: each record with its own owner and TTL.
        ? toapp.example.com A from=10.9.9.9
        NOERROR aa rd toapp.example.com. A
        toapp.example.com. 600 CNAME shop.example.com.
        shop.example.com. 30 A 192.0.2.1
        ",
    );
}

#[test]
fn the_apex_may_be_steered() {
    let table = table();
    let text = ask(&table, "second.test A");
    assert!(
        text.starts_with("NOERROR aa rd second.test. A\nsecond.test. 30 A 192.0.2."),
        "{text}"
    );
    assert_eq!(
        text.lines().count(),
        1 + 4,
        "three clusters, one of them with two addresses"
    );
    play(
        &table,
        "
        ? second.test NS
        NOERROR aa rd second.test. NS
        second.test. 3600 NS ns1.example.net.
        ",
    );
}

#[test]
fn addresses_of_several_clusters_are_one_rrset_whole_or_not_at_all() {
    let mut draft = draft();
    let mut both = app(&["both.example.com"], &["a", "crowd"]);
    both.answers = 8;
    draft.apps.insert(name("both"), both);
    let table = table_of(draft, &[]);
    // RFC 2181 section 9: TC when a required RRset could not be included in its entirety.
    for (how, octets_fit) in [
        ("", false),
        (" edns=512", false),
        (" edns=1232", true),
        (" tcp", true),
    ] {
        let text = ask(&table, &format!("both.example.com A{how}"));
        let records = text.lines().filter(|line| line.contains(" A ")).count();
        let head = text.lines().next().unwrap();
        let truncated = head.contains(" tc");
        assert_eq!(
            (records, truncated),
            if octets_fit { (33, false) } else { (0, true) },
            "{how}: {text}"
        );
    }
}

#[test]
fn when_all_is_down_the_operator_chose_what_happens() {
    play(
        &table(),
        "
        ? silent.example.com A edns=1232 subnet=192.0.2.0/24
        SERVFAIL rd silent.example.com. A
        opt 1232 version 0 subnet 192.0.2.0/24 scope 0
        ? quiet.example.com A
        NOERROR aa rd quiet.example.com. A
        authority example.com. 30 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # design section 4, 13: never NXDOMAIN or NODATA because of health.
        ? last.example.com A
        NOERROR aa rd last.example.com. A
        last.example.com. 30 A 192.0.2.1
        ",
    );
}
