//! What a Model refuses, by code and place, and what it lets pass.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};
use windrose_model::{
    App, ClientSet, Cluster, Coordinates, DnsName, Draft, FenceRule, GeoRules, HttpProbe, Model,
    Name, Percent, Probe, RData, RecordType, Region, Revision, RrSet, Soa, Split, Step, Ttl,
    Version, Weight, Zone, budget,
};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn host(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn app(hostname: &str) -> App {
    let endpoints = BTreeMap::from([(name("eu"), vec![([10, 0, 0, 1], 80).into()])]);
    App::new(
        vec![host(hostname)],
        BTreeMap::from([(name("v1"), Version { endpoints })]),
        Split(BTreeMap::from([(name("v1"), Weight::ONE)])),
    )
}

fn set(data: &RData) -> RrSet {
    RrSet::single(Ttl::new(60).unwrap(), data)
}

fn zone(apex: &str) -> (DnsName, Zone) {
    let soa = Soa {
        mname: host("ns.example.net"),
        rname: host("root.example.net"),
        serial: 1,
        refresh: 1,
        retry: 1,
        expire: 1,
        minimum: 1,
        ttl: Ttl::new(60).unwrap(),
    };
    let servers = set(&RData::ns(&host("ns.example.net")));
    let records = [(host(apex), servers)].into_iter().collect();
    (host(apex), Zone { soa, records })
}

fn draft() -> Draft {
    let mut draft = Draft::default();
    let region = Region {
        location: Coordinates::new(50.0, 8.0).unwrap(),
        country: None,
    };
    draft.regions.insert(name("r"), region);
    let cluster = Cluster {
        region: name("r"),
        addresses: vec![[192, 0, 2, 1].into()],
        class: None,
        cost_thousandths: 0,
        dial: Percent::FULL,
        drain: false,
    };
    draft.clusters.insert(name("eu"), cluster);
    draft.apps.insert(name("shop"), app("shop.example.com"));
    draft.zones.extend([zone("example.com")]);
    draft
}

/// What is said about a draft with one change, a line each: the code, the place, the message.
fn said(change: impl FnOnce(&mut Draft)) -> Vec<String> {
    let mut draft = draft();
    change(&mut draft);
    match Model::build(draft, Revision(1), None) {
        Ok(_) => Vec::new(),
        Err(wrong) => wrong.iter().map(|w| format!("{} {w}", w.code)).collect(),
    }
}

/// One thing is said, and it begins so.
fn check(said: &[String], expected: &str) {
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with(expected), "{said:?}");
}

fn shop(draft: &mut Draft) -> &mut App {
    draft.apps.get_mut("shop").unwrap()
}

fn probe(path: &str, host: Option<&str>) -> Vec<String> {
    said(|draft| {
        shop(draft).health.probe = Probe::Http(HttpProbe {
            path: path.to_owned(),
            host: host.map(str::to_owned),
            status: Vec::new(),
        });
    })
}

#[test]
fn what_a_probe_could_not_send_is_refused() {
    assert_eq!(probe("/healthz?deep=1", Some("[::1]:80")), [""; 0]);
    for path in ["", "healthz", "/a b", "/a#b", "/<a>", "/a`"] {
        check(&probe(path, None), "path-form apps.shop.health.http.path");
    }
    for host in ["", "a b", "a\r\nX: y", "a/b", "ü"] {
        let said = probe("/", Some(host));
        check(&said, "host-form apps.shop.health.http.host");
    }
}

#[test]
fn a_steered_host_has_no_record_in_any_zone_above_it() {
    for apex in ["example.com", "shop.example.com", "."] {
        let said = said(|draft| {
            draft.zones.clear();
            let (apex, mut zone) = zone(apex);
            let address = set(&RData::a([192, 0, 2, 9].into()));
            zone.records.insert(host("shop.example.com"), address);
            draft.zones.insert(apex, zone);
        });
        check(&said, "host-has-record zones.");
    }
}

#[test]
fn an_soa_record_stands_in_its_own_place_only() {
    let said = said(|draft| {
        let zone = draft.zones.values_mut().next().unwrap();
        let soa = RData::from_wire(RecordType::SOA, &[0; 22]).unwrap();
        zone.records.insert(host("example.com"), set(&soa));
    });
    check(
        &said,
        "record-form zones.example.com.records.example.com.SOA",
    );
}

fn geo(cidrs: u32) -> Vec<Step> {
    let nth = |n: u32| IpNet::V4(Ipv4Net::new((n << 8).into(), 24).unwrap());
    let there = vec![vec![name("eu")]];
    vec![Step::Geo(GeoRules {
        cidrs: (0..cidrs).map(|n| (nth(n), there.clone())).collect(),
        ..GeoRules::default()
    })]
}

#[test]
fn a_sum_that_exceeds_its_budget_names_who_adds_most() {
    let said = said(|draft| {
        shop(draft).steering = geo(59_999);
        let mut other = app("other.example.com");
        other.steering = geo(2);
        draft.apps.insert(name("other"), other);
    });
    check(
        &said,
        "budget-exceeded apps: 60001 CIDRs in all steerings, at most 60000 are allowed; \
         `shop` has the most, 59999",
    );
}

#[test]
fn different_steerings_by_place_have_a_budget_and_equal_ones_count_once() {
    let with = |steering: &dyn Fn(u32) -> Vec<Step>| {
        said(|draft| {
            for n in 0..=u32::try_from(budget::PLACE_STEERINGS).unwrap() {
                let mut app = app(&format!("a{n}.example.com"));
                app.steering = steering(n);
                draft.apps.insert(name(&format!("a{n}")), app);
            }
        })
    };
    let weighted = |n| Step::Weighted([(name("eu"), Weight::new(n + 1).unwrap())].into());
    assert_eq!(with(&|_| vec![Step::Nearest(BTreeMap::new())]), [""; 0]);
    assert_eq!(with(&|n| vec![weighted(n)]), [""; 0], "they read no place");
    check(
        &with(&|n| vec![Step::Nearest(BTreeMap::new()), weighted(n)]),
        "budget-exceeded apps: 1025 different steerings by place, at most 1024 are allowed",
    );
}

#[test]
fn a_fence_has_a_budget_of_rules_and_no_rule_that_never_holds() {
    let fence = |net: &str, count: usize| {
        said(|draft| {
            let clients = ClientSet {
                cidrs: vec![net.parse().unwrap()],
                ..ClientSet::default()
            };
            let clusters = vec![name("eu")];
            let rule = FenceRule { clients, clusters };
            shop(draft).steering = vec![Step::Fence(vec![rule; count])];
        })
    };
    assert_eq!(fence("10.0.0.0/8", budget::FENCE_RULES), [""; 0]);
    check(
        &fence("10.0.0.0/8", budget::FENCE_RULES + 1),
        "budget-exceeded apps.shop.steering[0].fence: 1025 rules of one fence",
    );
    assert_eq!(fence("::/0", 1), [""; 0]);
    check(
        &fence("::ffff:10.0.0.0/104", 1),
        "cidr-mapped apps.shop.steering[0].fence[0].clients",
    );
}
