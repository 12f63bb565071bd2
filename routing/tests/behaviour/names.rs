//! From a name to what stands there: RFC 1034 section 4.3.2, RFC 4592.

use crate::support::{app, draft, host, name, no_geo, table, zone};
use windrose_model::{DnsName, RData, RecordType, RrSet, Ttl};
use windrose_routing::{Lookup, Table};

fn world() -> Table {
    let mut draft = draft();
    let set = |ip: [u8; 4]| RrSet::single(Ttl::new(60).unwrap(), &RData::a(ip.into()));
    let records = &mut draft.zones.get_mut(&host("example.com")).unwrap().records;
    records.insert(host("www.example.com"), set([192, 0, 2, 80]));
    records.insert(host("a.b.c.example.com"), set([192, 0, 2, 81]));
    records.insert(host("*.wild.example.com"), set([192, 0, 2, 82]));
    records.insert(host("real.wild.example.com"), set([192, 0, 2, 83]));
    records.insert(host("hidden.sub.example.com"), set([192, 0, 2, 84]));
    let mut sub = zone();
    let ns = sub.records.remove(&host("example.com"), RecordType::NS);
    sub.records.insert(host("sub.example.com"), ns.unwrap());
    draft.zones.insert(host("sub.example.com"), sub.clone());
    let ns = sub.records.remove(&host("sub.example.com"), RecordType::NS);
    sub.records
        .insert(host("far.away.example.com"), ns.unwrap());
    draft.zones.insert(host("far.away.example.com"), sub);
    draft
        .apps
        .insert(name("shop"), app("shop.example.com", vec![]));
    draft.apps.insert(name("apex"), app("example.com", vec![]));
    draft
        .apps
        .insert(name("any"), app("*.any.example.com", vec![]));
    table(draft, &no_geo()).1
}

#[test]
fn names_lead_where_the_rfcs_say() {
    let table = world();
    let look = |text: &str| look(&table, &host(text));
    for (name, want) in [
        ("example.com", "example.com: 2 app apex"),
        ("www.example.com", "example.com: 1"),
        ("shop.example.com", "example.com:  app shop"),
        ("nope.example.com", "nxdomain in example.com"),
        // An empty non-terminal exists (RFC 8020).
        ("b.c.example.com", "example.com: "),
        ("x.b.c.example.com", "nxdomain in example.com"),
        // RFC 4592 section 2.2: a wildcard covers what does not exist, at any depth below it.
        ("x.wild.example.com", "example.com: 1"),
        ("x.y.wild.example.com", "example.com: 1"),
        ("real.wild.example.com", "example.com: 1"),
        // ... but not below a name that exists (section 3.3.1, closest encloser).
        ("x.real.wild.example.com", "nxdomain in example.com"),
        ("wild.example.com", "example.com: "),
        ("eu.any.example.com", "example.com:  app any"),
        // A deeper zone of ours occludes what the parent says below it.
        ("sub.example.com", "sub.example.com: 2"),
        ("hidden.sub.example.com", "nxdomain in sub.example.com"),
        // ... and is itself a name below the parent, so what stands between is no NXDOMAIN
        // (RFC 8020 section 2).
        ("away.example.com", "example.com: "),
        ("near.away.example.com", "nxdomain in example.com"),
        ("example.org", "refused"),
        (".", "refused"),
    ] {
        assert_eq!(look(name), want, "{name}");
    }
}

/// Where a name leads, in words.
fn look(table: &Table, name: &DnsName) -> String {
    match table.lookup(name.wire()) {
        Lookup::Refused => "refused".to_owned(),
        Lookup::NxDomain { zone } => format!("nxdomain in {}", zone.apex),
        Lookup::Node { zone, node } => {
            let types: Vec<String> = node.sets().map(|s| s.rtype.to_string()).collect();
            let app = node.app.map_or(String::new(), |id| {
                format!(" app {}", table.app(id).plan.name)
            });
            format!("{}: {}{app}", zone.apex, types.join(","))
        }
        Lookup::Delegation { zone, cut, .. } => format!("{}: cut at {}", zone.apex, wire(cut)),
        Lookup::Dname { zone, owner, .. } => format!("{}: DNAME at {}", zone.apex, wire(owner)),
    }
}

fn wire(name: &[u8]) -> DnsName {
    DnsName::from_wire(name).unwrap()
}

#[test]
fn the_longest_names_are_found_missing_where_they_are() {
    let table = world();
    // As many labels as 255 octets hold (RFC 1035 section 3.1): deeper than any name there is.
    let deep = |below: &str| {
        let room = (253 - below.len()) / 2;
        look(&table, &host(&("x.".repeat(room) + below)))
    };
    assert_eq!(deep("example.com"), "nxdomain in example.com");
    assert_eq!(deep("real.wild.example.com"), "nxdomain in example.com");
    assert_eq!(deep("wild.example.com"), "example.com: 1");
    assert_eq!(
        deep("hidden.sub.example.com"),
        "nxdomain in sub.example.com"
    );
    assert_eq!(deep("example.org"), "refused");
    let wildcard = host("x.x.x.wild.example.com");
    let found = table.lookup(wildcard.wire());
    assert!(matches!(found, Lookup::Node { node, .. } if node.is_wildcard()));
    let real = host("real.wild.example.com");
    let found = table.lookup(real.wire());
    assert!(matches!(found, Lookup::Node { node, .. } if !node.is_wildcard()));
}

#[test]
fn hosts_match_exactly_then_by_the_longest_wildcard() {
    let table = world();
    let app = |host: &str| {
        table
            .host(host)
            .map(|id| table.app(id).plan.name.to_string())
    };
    assert_eq!(app("shop.example.com").as_deref(), Some("shop"));
    assert_eq!(app("x.any.example.com").as_deref(), Some("any"));
    assert_eq!(app("x.y.any.example.com").as_deref(), Some("any"));
    assert_eq!(app("any.example.com"), None);
    assert_eq!(app("shop.example.com.evil.org"), None);
    assert_eq!(app(""), None);
}
