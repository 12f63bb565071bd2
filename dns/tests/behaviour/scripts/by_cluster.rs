//! Records that differ by cluster, and service records with the chosen cluster's addresses.

use std::collections::BTreeMap;

use windrose_model::{
    DnsName, Draft, RData, RecordType, RrSet, SteeredData, SteeredRecord, Step, Ttl,
};

use super::play::{ask, play};
use crate::world::{dns, draft, name, table_of};

fn set(data: &[RData]) -> RrSet {
    RrSet::new(Ttl::new(0).unwrap(), data).unwrap()
}

/// A record of each kind, steered by the app `shop` or `sticky`.
fn world() -> Draft {
    let mut draft = draft();
    let by_cluster = |data: fn(&str) -> Vec<RData>| {
        let sets = ["a", "b", "c"].map(|c| (name(c), set(&data(c))));
        SteeredData::ByCluster(BTreeMap::from(sets))
    };
    let host = |text: &str| DnsName::parse(text).unwrap();
    let mut add = |owner: &str, rtype, app: &str, steering, data| {
        let record = SteeredRecord {
            app: name(app),
            steering,
            data,
        };
        draft.steered.insert((host(owner), rtype), record);
    };
    let mail = by_cluster(|c| {
        let host = |n: u8| dns(&format!("mx{n}-{c}.example.com"));
        vec![RData::mx(10, &host(1)), RData::mx(20, &host(2))]
    });
    add("post.example.com", RecordType::MX, "shop", None, mail);
    let text = || by_cluster(|c| vec![RData::txt(&[c]).unwrap()]);
    add("where.example.com", RecordType::TXT, "shop", None, text());
    add(
        "*.stuck.example.com",
        RecordType::TXT,
        "sticky",
        None,
        text(),
    );
    let own = Some(vec![Step::Failover(vec![vec![name("b")]])]);
    add("own.example.com", RecordType::TXT, "shop", own, text());
    add("failing.example.com", RecordType::TXT, "silent", None, {
        let sets = [(name("a"), set(&[RData::txt(&["a"]).unwrap()]))];
        SteeredData::ByCluster(BTreeMap::from(sets))
    });
    let alias = by_cluster(|c| {
        vec![RData::cname(&dns(match c {
            "a" => "www.example.com",
            "b" => "shop.example.com",
            _ => "elsewhere.example.org",
        }))]
    });
    add("hop.example.com", RecordType::CNAME, "shop", None, alias);
    let addresses = by_cluster(|c| {
        let last = c.as_bytes()[0];
        vec![RData::a([198, 51, 100, last].into())]
    });
    add("at.example.com", RecordType::A, "shop", None, addresses);
    // 1 . alpn=h2 port=8443
    let service = [0, 1, 0, 0, 1, 0, 3, 2, b'h', b'2', 0, 3, 0, 2, 0x20, 0xfb];
    let service = RData::from_wire(RecordType::HTTPS, &service).unwrap();
    let hints = SteeredData::Hints(set(&[service]));
    add("shop.example.com", RecordType::HTTPS, "shop", None, hints);
    let records = &mut draft.zones.get_mut(&host("example.com")).unwrap().records;
    let mut alias = |owner: &str, target: &str| {
        let set = RrSet::single(Ttl::new(20).unwrap(), &RData::alias(&dns(target)));
        records.insert(host(owner), set);
    };
    alias("over.example.com", "hop.example.com");
    alias("onto.example.com", "at.example.com");
    draft
}

#[test]
fn an_alias_goes_on_from_what_differs_by_cluster() {
    play(
        &table_of(world(), &[]),
        "
        # The owner may be an apex: no CNAME is shown, and the TTL is the least on the way.
        ? over.example.com A from=10.9.9.9
        NOERROR aa rd over.example.com. A
        over.example.com. 20 A 192.0.2.80
        over.example.com. 20 A 192.0.2.81
        ? over.example.com A from=10.1.2.3
        NOERROR aa rd over.example.com. A
        over.example.com. 30 A 192.0.2.2
        over.example.com. 30 A 192.0.2.3
        # Foreign, and never resolved.
        ? over.example.com A from=172.16.0.1
        SERVFAIL rd over.example.com. A
        ? onto.example.com A edns=1232 subnet=10.1.2.0/24
        NOERROR aa rd onto.example.com. A
        onto.example.com. 20 A 198.51.100.98
        opt 1232 version 0 subnet 10.1.2.0/24 scope 24
        ? onto.example.com AAAA
        NOERROR aa rd onto.example.com. AAAA
        authority example.com. 20 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ",
    );
}

#[test]
fn a_record_of_any_type_goes_with_the_cluster_that_the_addresses_go_to() {
    play(
        &table_of(world(), &[]),
        "
        ? post.example.com MX subnet=10.9.9.0/24
        NOERROR aa rd post.example.com. MX
        post.example.com. 30 MX 10 mx1-a.example.com.
        post.example.com. 30 MX 20 mx2-a.example.com.
        opt 1232 version 0 subnet 10.9.9.0/24 scope 13
        ? post.example.com MX subnet=10.1.2.0/24
        NOERROR aa rd post.example.com. MX
        post.example.com. 30 MX 10 mx1-b.example.com.
        post.example.com. 30 MX 20 mx2-b.example.com.
        opt 1232 version 0 subnet 10.1.2.0/24 scope 24
        ? where.example.com TXT from=9.9.9.9
        NOERROR aa rd where.example.com. TXT
        where.example.com. 30 TXT c
        # RFC 2308 section 2.2: the name exists, the type does not.
        ? post.example.com A
        NOERROR aa rd post.example.com. A
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # Steps of its own: everyone to b, so the scope is 0.
        ? own.example.com TXT subnet=10.9.9.0/24
        NOERROR aa rd own.example.com. TXT
        own.example.com. 30 TXT b
        opt 1232 version 0 subnet 10.9.9.0/24 scope 0
        # RFC 8482 section 4.1: one RRset is enough.
        ? where.example.com ANY
        NOERROR aa rd where.example.com. ANY
        where.example.com. 30 TXT c
        ",
    );
}

#[test]
fn a_service_record_has_the_addresses_of_the_cluster_as_hints() {
    play(
        &table_of(world(), &[]),
        "
        # RFC 9460 section 7.3: ipv4hint and ipv6hint, the addresses A and AAAA have.
        ? shop.example.com HTTPS subnet=10.9.9.0/24
        NOERROR aa rd shop.example.com. HTTPS
        shop.example.com. 30 HTTPS 1 . alpn=h2, port=8443 ipv4hint=192.0.2.1, ipv6hint=2001:db8::a,
        opt 1232 version 0 subnet 10.9.9.0/24 scope 13
        # A family that the cluster lacks has no hint.
        ? shop.example.com HTTPS subnet=10.1.2.0/24
        NOERROR aa rd shop.example.com. HTTPS
        shop.example.com. 30 HTTPS 1 . alpn=h2, port=8443 ipv4hint=192.0.2.2,192.0.2.3,
        opt 1232 version 0 subnet 10.1.2.0/24 scope 24
        ",
    );
}

#[test]
fn a_steered_alias_is_followed_and_has_one_scope_for_all_of_it() {
    play(
        &table_of(world(), &[]),
        "
        ? hop.example.com A subnet=10.9.9.0/24
        NOERROR aa rd hop.example.com. A
        hop.example.com. 30 CNAME www.example.com.
        www.example.com. 300 A 192.0.2.80
        www.example.com. 300 A 192.0.2.81
        opt 1232 version 0 subnet 10.9.9.0/24 scope 13
        # Both links are steered: the narrower prefix holds for both.
        ? hop.example.com A subnet=10.1.2.0/24
        NOERROR aa rd hop.example.com. A
        hop.example.com. 30 CNAME shop.example.com.
        shop.example.com. 30 A 192.0.2.2
        shop.example.com. 30 A 192.0.2.3
        opt 1232 version 0 subnet 10.1.2.0/24 scope 24
        # The rest of the chain is somebody else's.
        ? hop.example.com A from=9.9.9.9
        NOERROR aa rd hop.example.com. A
        hop.example.com. 30 CNAME elsewhere.example.org.
        ? hop.example.com CNAME from=10.9.9.9
        NOERROR aa rd hop.example.com. CNAME
        hop.example.com. 30 CNAME www.example.com.
        ",
    );
}

#[test]
fn stickiness_and_the_rule_for_all_down_are_those_of_the_app() {
    let table = table_of(world(), &["silent"]);
    let of = |subnet: &str, rtype: &str, draw: u64| {
        let host = if rtype == "A" { "sticky" } else { "x.stuck" };
        ask(
            &table,
            &format!("{host}.example.com {rtype} subnet={subnet} draw={draw}"),
        )
    };
    let mut seen = std::collections::BTreeSet::new();
    for third in 0..32 {
        let subnet = format!("203.0.{third}.0/24");
        let (text, address) = (of(&subnet, "TXT", third), of(&subnet, "A", 7));
        assert!(text.contains("scope 24"), "{text}");
        let cluster = match address.lines().nth(1).unwrap().rsplit('.').next() {
            Some("1") => "TXT a",
            Some("2" | "3") => "TXT b",
            _ => "TXT c",
        };
        assert!(text.contains(cluster), "{text}{address}");
        seen.insert(cluster);
    }
    assert_eq!(seen.len(), 3);
    play(
        &table,
        "
        ? failing.example.com TXT
        SERVFAIL rd failing.example.com. TXT
        ",
    );
}
