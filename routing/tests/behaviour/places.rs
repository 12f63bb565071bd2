//! Rules by list, autonomous system, city and subdivision: which goes before which, and who is
//! meant.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::support::mmdb::Writer;
use crate::support::{self, app, draft, name, prefer, table};
use windrose_model::{Bias, ClientSet, FenceRule, GeoRules, PrefixList, RecordType, Step};
use windrose_routing::geo::GeoDb;
use windrose_routing::{Data, DnsChoice, Lists, Table, explain};

const BERLIN: &str = "192.0.2.1";
const MUNICH: &str = "192.0.2.65";
const BERLIN_NH: &str = "192.0.2.129";
const LONDON: &str = "192.0.2.193";
const NOWHERE: &str = "203.0.113.1";

/// A city database, one of autonomous systems, and two lists.
fn data() -> Data {
    let mut file = Writer::new(6, 24);
    let berlin = file.city("DE", &["BE"], "Berlin", (52.5, 13.4));
    let munich = file.city("DE", &["BY"], "Munich", (48.1, 11.6));
    let berlin_nh = file.city("US", &["NH"], "Berlin", (44.5, -71.2));
    let london = file.city("GB", &["ENG", "LND"], "London", (51.5, -0.1));
    file.insert("192.0.2.0/26", berlin);
    file.insert("192.0.2.64/26", munich);
    file.insert("192.0.2.128/26", berlin_nh);
    file.insert("192.0.2.192/26", london);
    file.insert("2001:db8::/32", munich);
    let mut asns = Writer::new(6, 24);
    let telecom = asns.asn(64_496);
    asns.insert("192.0.2.0/27", telecom);
    asns.insert("2001:db8::/33", telecom);
    let list = |nets: &[&str]| PrefixList::new(nets.iter().map(|net| net.parse().unwrap()));
    Data {
        asn: Some(Arc::new(GeoDb::asns_from_mmdb(&asns.finish()).unwrap())),
        lists: Lists::new(BTreeMap::from([
            (name("partners"), list(&["192.0.2.0/28", "192.0.2.64/27"])),
            (name("vip"), list(&["192.0.2.8/29", "192.0.2.64/27"])),
        ])),
        ..Data::of_geo(GeoDb::from_mmdb(&file.finish()).unwrap())
    }
}

fn compiled(steps: Vec<Step>) -> Table {
    let mut draft = draft();
    draft.lists = BTreeMap::from([(name("partners"), 2), (name("vip"), 2)]);
    draft
        .apps
        .insert(name("shop"), app("shop.example.com", steps));
    table(draft, &data()).1
}

/// The first cluster of a client.
fn first(table: &Table, client: &str) -> String {
    let client: IpAddr = client.parse().unwrap();
    let entry = table.app(table.host("shop.example.com").unwrap());
    match entry.choose_dns(entry.view(table, table.leaf(client)), 1) {
        DnsChoice::Clusters(picked) => entry.plan.clusters[usize::from(picked[0])].name.to_string(),
        DnsChoice::Nodata => "nodata".to_owned(),
        DnsChoice::Servfail => "servfail".to_owned(),
    }
}

fn check(rules: GeoRules, expected: &[(&str, &str)]) {
    let table = compiled(vec![Step::Geo(rules)]);
    for (client, cluster) in expected {
        assert_eq!(first(&table, client), *cluster, "{client}");
    }
}

fn rules<K: Ord + std::str::FromStr>(
    given: &[(&str, &str)],
) -> BTreeMap<K, windrose_model::Preference>
where
    K::Err: std::fmt::Debug,
{
    let rule = |(key, cluster): &(&str, &str)| (key.parse().unwrap(), prefer(&[cluster]));
    given.iter().map(rule).collect()
}

#[test]
fn a_city_goes_before_its_subdivision_and_that_before_its_country() {
    check(
        GeoRules {
            cities: rules(&[("DE/Berlin", "frankfurt"), ("US/BERLIN", "oregon")]),
            subdivisions: rules(&[("DE-BY", "singapore"), ("DE-BE", "virginia")]),
            countries: rules(&[("DE", "oregon"), ("US", "virginia")]),
            default: prefer(&["virginia"]),
            ..GeoRules::default()
        },
        &[
            (BERLIN, "frankfurt"),
            (BERLIN_NH, "oregon"),
            (MUNICH, "singapore"),
            ("2001:db8::1", "singapore"),
            (LONDON, "virginia"),
            (NOWHERE, "virginia"),
        ],
    );
}

#[test]
fn a_city_inside_a_subdivision_goes_before_one_inside_a_country() {
    check(
        GeoRules {
            cities: rules(&[
                ("US/Berlin", "oregon"),
                ("US-NH/Berlin", "virginia"),
                ("US-CA/Berlin", "singapore"),
            ]),
            default: prefer(&["frankfurt"]),
            ..GeoRules::default()
        },
        &[(BERLIN_NH, "virginia"), (BERLIN, "frankfurt")],
    );
}

#[test]
fn an_inner_subdivision_goes_before_the_one_around_it() {
    for (given, expected) in [
        (
            &[("GB-ENG", "oregon"), ("GB-LND", "singapore")][..],
            "singapore",
        ),
        (&[("GB-ENG", "oregon")], "oregon"),
    ] {
        let rules = GeoRules {
            subdivisions: rules(given),
            default: prefer(&["frankfurt"]),
            ..GeoRules::default()
        };
        check(rules, &[(LONDON, expected), (BERLIN, "frankfurt")]);
    }
}

#[test]
fn an_autonomous_system_goes_before_places_and_behind_prefixes() {
    check(
        GeoRules {
            cidrs: rules(&[("192.0.2.16/28", "singapore")]),
            asns: rules(&[("AS64496", "oregon")]),
            cities: rules(&[("DE/Berlin", "frankfurt")]),
            default: prefer(&["virginia"]),
            ..GeoRules::default()
        },
        &[
            ("192.0.2.17", "singapore"),
            ("192.0.2.1", "oregon"),
            ("192.0.2.33", "frankfurt"),
            ("2001:db8::1", "oregon"),
            ("2001:db8:8000::1", "virginia"),
        ],
    );
}

#[test]
fn of_nested_prefixes_the_innermost_counts_whatever_list_it_is_in() {
    check(
        GeoRules {
            cidrs: rules(&[("192.0.2.4/30", "virginia")]),
            lists: rules(&[("partners", "frankfurt"), ("vip", "oregon")]),
            default: prefer(&["singapore"]),
            ..GeoRules::default()
        },
        &[
            ("192.0.2.1", "frankfurt"),
            ("192.0.2.5", "virginia"),
            ("192.0.2.9", "oregon"),
            ("192.0.2.16", "singapore"),
            // In both: the list whose name comes first.
            ("192.0.2.65", "frankfurt"),
        ],
    );
}

#[test]
fn a_written_prefix_counts_before_the_same_one_in_a_list() {
    check(
        GeoRules {
            cidrs: rules(&[("192.0.2.64/27", "virginia")]),
            lists: rules(&[("partners", "frankfurt")]),
            ..GeoRules::default()
        },
        &[("192.0.2.65", "virginia"), ("192.0.2.1", "frankfurt")],
    );
}

#[test]
fn a_fence_binds_by_list_system_city_and_subdivision() {
    let sets = [
        ClientSet {
            lists: vec![name("vip")],
            ..ClientSet::default()
        },
        ClientSet {
            asns: vec!["AS64496".parse().unwrap()],
            ..ClientSet::default()
        },
        ClientSet {
            cities: vec!["DE/Berlin".parse().unwrap()],
            ..ClientSet::default()
        },
        ClientSet {
            subdivisions: vec!["DE-BY".parse().unwrap(), "GB-ENG".parse().unwrap()],
            ..ClientSet::default()
        },
    ];
    let bound = [
        &["192.0.2.9", "192.0.2.65"][..],
        &["192.0.2.1", "192.0.2.31", "2001:db8::1"],
        &["192.0.2.1", "192.0.2.63"],
        &[MUNICH, LONDON, "2001:db8:ffff::1"],
    ];
    let free = [
        &["192.0.2.7", "192.0.2.96"][..],
        &["192.0.2.32", "2001:db8:8000::1"],
        &[MUNICH, BERLIN_NH, NOWHERE],
        &[BERLIN, BERLIN_NH],
    ];
    for ((clients, bound), free) in sets.into_iter().zip(bound).zip(free) {
        let rule = FenceRule {
            clients,
            clusters: vec![name("frankfurt")],
        };
        let order = Step::Failover(prefer(&["virginia"]));
        let table = compiled(vec![Step::Fence(vec![rule]), order]);
        for client in bound {
            assert_eq!(first(&table, client), "frankfurt", "{client}");
        }
        for client in free {
            assert_eq!(first(&table, client), "virginia", "{client}");
        }
    }
}

/// What the explanation says of a step for a client.
fn told(table: &Table, client: &str, step: &str) -> String {
    let (owner, client) = (support::host("shop.example.com"), client.parse().unwrap());
    let trace = explain::dns(table, &owner, RecordType::A, client, 1);
    let lines = trace.steps.iter().filter(|line| line.starts_with(step));
    lines.cloned().collect::<Vec<_>>().join("\n")
}

#[test]
fn the_rule_of_geo_that_decided_is_named() {
    let everything = GeoRules {
        cidrs: rules(&[("192.0.2.4/30", "oregon")]),
        lists: rules(&[("partners", "virginia"), ("vip", "oregon")]),
        asns: rules(&[("AS64496", "singapore")]),
        cities: rules(&[("DE/berlin", "frankfurt")]),
        subdivisions: rules(&[("US-NH", "virginia")]),
        countries: rules(&[("GB", "oregon")]),
        continents: rules(&[("EU", "virginia")]),
        default: vec![
            vec![name("oregon"), name("virginia")],
            vec![name("frankfurt")],
        ],
    };
    let without_default = GeoRules {
        default: vec![],
        ..everything.clone()
    };
    let table = compiled(vec![Step::Geo(everything)]);
    for (client, expected) in [
        ("192.0.2.5", "geo: the rule of prefix 192.0.2.4/30: oregon"),
        (
            "192.0.2.1",
            "geo: the rule of list partners (its prefix 192.0.2.0/28): virginia",
        ),
        (
            "192.0.2.9",
            "geo: the rule of list vip (its prefix 192.0.2.8/29): oregon",
        ),
        // In both lists: the one whose name comes first.
        (
            MUNICH,
            "geo: the rule of list partners (its prefix 192.0.2.64/27): virginia",
        ),
        (
            "192.0.2.20",
            "geo: the rule of autonomous system AS64496: singapore",
        ),
        ("192.0.2.40", "geo: the rule of city DE/berlin: frankfurt"),
        (BERLIN_NH, "geo: the rule of subdivision US-NH: virginia"),
        (LONDON, "geo: the rule of country GB: oregon"),
        ("192.0.2.100", "geo: the rule of continent EU: virginia"),
        (
            NOWHERE,
            "geo: no rule is about this client, so the default: oregon or virginia, then frankfurt",
        ),
    ] {
        assert_eq!(told(&table, client, "geo:"), expected, "{client}");
    }
    let table = compiled(vec![Step::Geo(without_default)]);
    assert_eq!(
        told(&table, NOWHERE, "geo:"),
        "geo: no rule is about this client, and there is no default: tiers stay"
    );
}

#[test]
fn the_rule_of_a_fence_that_binds_is_named_with_what_it_is_about() {
    let rule = |clients, cluster| FenceRule {
        clients,
        clusters: vec![name(cluster), name("oregon")],
    };
    let by_address = ClientSet {
        cidrs: vec!["203.0.113.0/24".parse().unwrap()],
        lists: vec![name("vip")],
        ..ClientSet::default()
    };
    let by_system = ClientSet {
        asns: vec!["AS64496".parse().unwrap()],
        cities: vec!["US-NH/Berlin".parse().unwrap()],
        ..ClientSet::default()
    };
    let by_place = ClientSet {
        subdivisions: vec!["GB-LND".parse().unwrap()],
        continents: vec!["EU".parse().unwrap()],
        ..ClientSet::default()
    };
    let table = compiled(vec![
        Step::Fence(vec![
            rule(by_address, "frankfurt"),
            rule(by_system, "virginia"),
            rule(by_place, "singapore"),
        ]),
        Step::Failover(prefer(&["oregon"])),
    ]);
    for (client, expected) in [
        (
            NOWHERE,
            "rule 1 of 3 is about prefix 203.0.113.0/24: only frankfurt or oregon",
        ),
        (
            "192.0.2.9",
            "rule 1 of 3 is about list vip (its prefix 192.0.2.8/29): only frankfurt or oregon",
        ),
        (
            BERLIN,
            "rule 2 of 3 is about autonomous system AS64496: only virginia or oregon",
        ),
        (
            BERLIN_NH,
            "rule 2 of 3 is about city US-NH/Berlin: only virginia or oregon",
        ),
        (
            "192.0.2.100",
            "rule 3 of 3 is about continent EU: only singapore or oregon",
        ),
        ("198.51.100.1", "no rule is about this client"),
    ] {
        assert_eq!(told(&table, client, "fence:"), format!("fence: {expected}"));
    }
    assert_eq!(told(&table, NOWHERE, "failover:"), "failover: oregon");
}

#[test]
fn distances_are_measured_from_the_city_when_the_database_knows_it() {
    // The middle of the USA is nearer to Oregon, New Hampshire to Virginia.
    let table = compiled(vec![Step::Nearest(BTreeMap::<_, Bias>::new())]);
    assert_eq!(first(&table, BERLIN_NH), "virginia");
    assert_eq!(first(&table, BERLIN), "frankfurt");
}

#[test]
fn an_ipv4_address_inside_an_ipv6_one_counts_as_itself() {
    let rules = GeoRules {
        cidrs: rules(&[("192.0.2.0/28", "singapore"), ("::/0", "virginia")]),
        default: prefer(&["frankfurt"]),
        ..GeoRules::default()
    };
    let table = compiled(vec![Step::Geo(rules)]);
    let entry = table.app(table.host("shop.example.com").unwrap());
    for (client, cluster, scope) in [
        ("192.0.2.1", "singapore", 28),
        ("::ffff:192.0.2.1", "singapore", 124),
        ("64:ff9b::192.0.2.1", "singapore", 124),
        ("2002:c000:201:9::1", "singapore", 44),
        ("2001:0:102:304:8000:ffff:3fff:fdfe", "singapore", 124),
        ("2002:c000:211::1", "frankfurt", 44),
        ("2001:db8::1", "virginia", 21),
        ("fd00::1", "virginia", 1),
    ] {
        assert_eq!(first(&table, client), cluster, "{client}");
        let leaf = table.leaf(client.parse().unwrap());
        assert_eq!(entry.scope(leaf), scope, "{client}");
    }
}

#[test]
fn a_mount_does_not_narrow_scopes_while_ipv4_is_of_one_view() {
    let rules = GeoRules {
        cidrs: rules(&[("2001:db8::/32", "singapore")]),
        default: prefer(&["frankfurt"]),
        ..GeoRules::default()
    };
    let table = compiled(vec![Step::Geo(rules)]);
    let entry = table.app(table.host("shop.example.com").unwrap());
    let scope = |ip: &str| entry.scope(table.leaf(ip.parse().unwrap()));
    assert_eq!(scope("192.0.2.1"), 0);
    assert_eq!(scope("2002:c000:201::1"), 15, "2001::/16 is another one");
    assert_eq!(scope("64:ff9b::c000:201"), 3);
    assert_eq!(scope("2001:0:1::1"), 21, "2001:db8 is another one");
}

#[test]
fn explain_tells_what_steering_reads_of_a_client() {
    let rules = GeoRules {
        lists: rules(&[("partners", "frankfurt")]),
        asns: rules(&[("AS64496", "oregon")]),
        cities: rules(&[("DE/Berlin", "frankfurt")]),
        countries: rules(&[("DE", "oregon")]),
        ..GeoRules::default()
    };
    let table = compiled(vec![Step::Geo(rules)]);
    let trace = explain::dns(
        &table,
        &support::host("shop.example.com"),
        RecordType::A,
        BERLIN.parse().unwrap(),
        1,
    );
    let told =
        "client 192.0.2.1: country DE, city DE/Berlin, in AS64496, inside 192.0.2.0/28 of partners";
    assert!(trace.steps.iter().any(|s| s == told), "{:?}", trace.steps);
}

#[test]
fn a_changed_list_gives_another_table_and_an_unread_one_does_not() {
    let digest = |steps: Vec<Step>, extra: &str| {
        let mut draft = draft();
        draft.lists = BTreeMap::from([(name("partners"), 1)]);
        draft
            .apps
            .insert(name("shop"), app("shop.example.com", steps));
        let list = PrefixList::new([extra.parse().unwrap()]);
        let data = Data {
            lists: Lists::new(BTreeMap::from([(name("partners"), list)])),
            ..Data::nothing()
        };
        table(draft, &data).1.digest()
    };
    let reading = || {
        vec![Step::Geo(GeoRules {
            lists: rules(&[("partners", "singapore")]),
            ..GeoRules::default()
        })]
    };
    let (one, other) = ("192.0.2.0/24", "198.51.100.0/24");
    assert_ne!(digest(reading(), one), digest(reading(), other));
    assert_eq!(digest(vec![], one), digest(vec![], other));
}
