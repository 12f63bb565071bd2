//! What a Model refuses, by code and place, and what it lets pass.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};
use windrose_model::{
    App, ClientSet, Cluster, Coordinates, DnsName, Draft, FenceRule, GeoRules, HttpProbe, Model,
    Name, Percent, Probe, RData, RecordType, Region, Revision, RrSet, Soa, Split, SteeredData,
    SteeredRecord, Step, Ttl, Version, Weight, Zone, budget,
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
        BTreeMap::from([(name("v1"), Version::at(endpoints))]),
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
fn what_is_wrong_with_a_steering_is_told_of_every_app_that_has_it() {
    let said = said(|draft| {
        shop(draft).steering = vec![Step::Failover(vec![vec![name("mars")]])];
        let mut other = app("other.example.com");
        other.steering.clone_from(&shop(draft).steering);
        draft.apps.insert(name("other"), other);
    });
    let begin = |line: &String| line.split(": ").next().unwrap().to_owned();
    assert_eq!(
        said.iter().map(begin).collect::<Vec<_>>(),
        [
            "cluster-not-in-app apps.other.steering[0].failover[0][0]",
            "cluster-not-in-app apps.shop.steering[0].failover[0][0]",
        ]
    );
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
        "budget-exceeded apps: 60001 CIDRs in all steerings and routes, at most 60000 are allowed; \
         `shop` has the most, 59999",
    );
}

/// A record of `shop` that differs by cluster.
fn steered(draft: &mut Draft, owner: &str, steering: Option<Vec<Step>>, data: SteeredData) {
    let rtype = match &data {
        SteeredData::ByCluster(_) => RecordType::TXT,
        SteeredData::Hints(_) => RecordType::HTTPS,
    };
    let record = SteeredRecord {
        app: name("shop"),
        steering,
        data,
    };
    draft.steered.insert((host(owner), rtype), record);
}

#[test]
fn the_steering_of_a_record_counts_among_all() {
    let text = |text: &str| {
        let sets = [(name("eu"), set(&RData::txt(&[text]).unwrap()))];
        SteeredData::ByCluster(sets.into())
    };
    let with = |of_app: u32| {
        said(|draft| {
            shop(draft).steering = geo(of_app);
            steered(draft, "a.example.com", Some(geo(40_000)), text("a"));
            steered(draft, "b.example.com", Some(geo(40_000)), text("b"));
        })
    };
    assert_eq!(with(20_000), [""; 0], "equal ones count once");
    check(
        &with(20_001),
        "budget-exceeded apps: 60001 CIDRs in all steerings and routes, at most 60000 are allowed; \
         `a.example.com` has the most, 40000",
    );
}

#[test]
fn clusters_of_one_answer_share_no_address() {
    let with = |answers: u8, address: u8| {
        said(|draft| {
            let mut cluster = draft.clusters["eu"].clone();
            cluster.addresses = vec![[192, 0, 2, 7].into(), [192, 0, 2, address].into()];
            draft.clusters.insert(name("us"), cluster);
            let endpoints = &mut shop(draft).versions.get_mut("v1").unwrap().endpoints;
            endpoints.insert(name("us"), vec![([10, 0, 0, 2], 80).into()]);
            shop(draft).answers = answers;
        })
    };
    assert_eq!(with(1, 1), [""; 0], "one answers at a time");
    assert_eq!(with(2, 2), [""; 0]);
    check(
        &with(2, 1),
        "shared-address apps.shop.answers: an answer of several clusters would hold 192.0.2.1 \
         twice: it is an address of both `eu` and `us`",
    );
}

#[test]
fn steered_hints_are_those_of_a_host_of_the_app() {
    let service = |target: &str| {
        let target = match target {
            "." => vec![0],
            target => host(target).wire().to_vec(),
        };
        RData::from_wire(RecordType::HTTPS, &[&[0, 1], &target[..]].concat()).unwrap()
    };
    let with = |owner: &str, targets: &[&str]| {
        let data: Vec<_> = targets.iter().map(|target| service(target)).collect();
        let set = RrSet::new(Ttl::new(60).unwrap(), &data).unwrap();
        said(|draft| {
            shop(draft).hosts.push(host("*.shop.example.com"));
            steered(draft, owner, None, SteeredData::Hints(set));
        })
    };
    for (owner, target) in [
        ("shop.example.com", "."),
        ("_8443._https.example.com", "shop.example.com"),
        ("edge.example.com", "a.shop.example.com"),
        ("a.shop.example.com", "."),
    ] {
        assert_eq!(with(owner, &[target]), [""; 0], "{owner} {target}");
    }
    check(
        &with("edge.example.com", &["cdn.example.net"]),
        "hints-of-other-host zones.example.com.records.edge.example.com.HTTPS: edge.example.com \
         HTTPS leads to cdn.example.net, which is no host of app `shop`",
    );
    check(
        &with("edge.example.com", &["."]),
        "hints-of-other-host zones.example.com.records.edge.example.com.HTTPS: edge.example.com \
         HTTPS leads to edge.example.com",
    );
    check(
        &with("shop.example.com", &[".", "a.shop.example.com"]),
        "hints-of-several-hosts",
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

#[test]
fn a_cluster_needs_an_address_where_a_zone_answers_with_it_and_only_there() {
    let bare = |draft: &mut Draft| {
        draft
            .clusters
            .values_mut()
            .for_each(|c| c.addresses.clear())
    };
    check(
        &said(bare),
        "cluster-without-address apps.shop.versions.v1.endpoints.eu",
    );
    let without = |draft: &mut Draft| {
        bare(draft);
        draft.zones.clear();
    };
    assert_eq!(said(without), [""; 0]);
    // A zone that comes later finds what was right until then.
    let mut first = draft();
    without(&mut first);
    let model = Model::build(first, Revision(1), None).unwrap();
    let mut later = draft();
    bare(&mut later);
    let wrong = Model::build(later, Revision(2), Some(&model)).unwrap_err();
    assert_eq!(wrong[0].code, "cluster-without-address");
}
