//! Explanations say what the data path does.

use std::sync::Arc;

use crate::support::{app, draft, host, model, name, no_geo, slots, status};
use windrose_model::{
    ClientSet, Draft, EndpointState, FenceRule, Policy, RData, RecordType, RrSet, Status, Step, Ttl,
};
use windrose_routing::{Table, compile, explain};

const CLIENT: [u8; 4] = [192, 0, 2, 7];

/// The Table of a draft with the app `shop`, under a changed Status.
fn table(change: impl Fn(&mut Draft), see: impl Fn(&mut Status)) -> Table {
    let mut draft = draft();
    draft
        .apps
        .insert(name("shop"), app("shop.example.com", vec![]));
    change(&mut draft);
    let model = model(draft, 1, None);
    let mut status = status(&model, 1);
    see(&mut status);
    compile(&model, &status, &no_geo(), &slots(&model), None)
}

fn dns(table: &Table, owner: &str, rtype: RecordType) -> explain::DnsTrace {
    explain::dns(table, &host(owner), rtype, CLIENT.into(), 1)
}

/// A GET of the shop.
fn http(table: &Table, path: &str, home: Option<&windrose_model::Name>) -> explain::HttpTrace {
    let request = explain::HttpRequest {
        host: "shop.example.com",
        path,
        query: None,
        method: &::http::Method::GET,
        headers: &::http::HeaderMap::new(),
        tls: false,
        port: 80,
    };
    explain::http(
        table,
        &request,
        CLIENT.into(),
        1,
        home,
        windrose_model::WallTime(0),
    )
}

fn said(steps: &[String], part: &str) {
    assert!(steps.iter().any(|s| s.contains(part)), "{part}: {steps:#?}");
}

#[test]
fn with_every_endpoint_down_those_that_are_tried_are_named() {
    let table = table(
        |_| {},
        |status| {
            let shop = Arc::make_mut(&mut status.apps[0]);
            shop.endpoints.fill(EndpointState::Down);
            shop.clusters.iter_mut().for_each(|c| c.usable = false);
        },
    );
    let trace = http(&table, "/", None);
    assert_eq!(trace.endpoints.len(), 2);
    said(&trace.steps, "none of its 2 endpoints is up");
    said(&trace.steps, "the proxy tries rather than refuses");
}

#[test]
fn a_cluster_passed_over_for_its_version_is_named() {
    let table = table(
        |draft| {
            let shop = draft.apps.get_mut("shop").unwrap();
            let v1 = shop.versions.get_mut("v1").unwrap();
            v1.endpoints.remove("oregon");
            let mut other = shop.versions["v1"].clone();
            let there = vec![([127, 0, 9, 9], 9_000).into()];
            other.endpoints = [(name("oregon"), there)].into();
            shop.versions.insert(name("v2"), other);
        },
        |status| {
            let shop = Arc::make_mut(&mut status.apps[0]);
            shop.endpoints[..2].fill(EndpointState::Down);
        },
    );
    let trace = http(&table, "/", None);
    said(&trace.steps, "version v1 does not run in oregon");
    said(&trace.steps, "version v1 is down in frankfurt");
}

#[test]
fn a_fence_names_what_it_keeps_away() {
    let fence = Step::Fence(vec![FenceRule {
        clients: ClientSet {
            cidrs: vec!["192.0.2.0/24".parse().unwrap()],
            ..ClientSet::default()
        },
        clusters: vec![name("frankfurt")],
    }]);
    let table = table(
        |draft| draft.apps.get_mut("shop").unwrap().steering = vec![fence.clone()],
        |_| {},
    );
    let trace = dns(&table, "shop.example.com", RecordType::A);
    said(
        &trace.steps,
        "keeps this client from oregon, singapore, virginia",
    );
}

#[test]
fn a_sticky_answer_has_the_scope_that_it_is_sent_with() {
    let table = table(
        |draft| draft.apps.get_mut("shop").unwrap().sticky = true,
        |_| {},
    );
    let trace = dns(&table, "shop.example.com", RecordType::A);
    assert_eq!(trace.scope, 24);
    let client = "2001:db8::1".parse().unwrap();
    let owner = host("shop.example.com");
    let trace = explain::dns(&table, &owner, RecordType::A, client, 1);
    assert_eq!(trace.scope, 56);
}

#[test]
fn records_are_shown_with_their_data() {
    let trace = dns(&table(|_| {}, |_| {}), "example.com", RecordType::NS);
    assert_eq!(trace.records, ["example.com 300 NS ns1.example.com"]);
    let trace = dns(&table(|_| {}, |_| {}), "example.com", RecordType::SOA);
    let soa = "example.com 300 SOA ns1.example.com hostmaster.example.com 1 3600 600 604800 60";
    assert_eq!(trace.records, [soa]);
}

/// A chain of so many aliases in front of the app.
fn chain(aliases: usize) -> explain::DnsTrace {
    let table = table(
        |draft| {
            let records = &mut draft.zones.get_mut(&host("example.com")).unwrap().records;
            for n in 0..aliases {
                let target = match n + 1 == aliases {
                    true => host("shop.example.com"),
                    false => host(&format!("a{}.example.com", n + 1)),
                };
                let set = RrSet::single(Ttl::new(60).unwrap(), &RData::cname(&target));
                records.insert(host(&format!("a{n}.example.com")), set);
            }
        },
        |_| {},
    );
    dns(&table, "a0.example.com", RecordType::A)
}

#[test]
fn aliases_are_followed_as_far_as_the_answer_follows_them() {
    let whole = chain(8);
    assert_eq!(whole.records[0], "a0.example.com 60 CNAME a1.example.com");
    assert_eq!(whole.records.len(), 9, "{:#?}", whole.steps);
    let cut = chain(9);
    assert_eq!((cut.records.len(), cut.rcode), (9, "NOERROR"));
    said(&cut.steps, "the answer ends here");
}

#[test]
fn a_cluster_without_the_family_makes_an_empty_answer() {
    let table = table(
        |draft| {
            let clusters = draft.clusters.values_mut();
            clusters.for_each(|c| c.addresses.retain(|a| a.is_ipv4()));
        },
        |_| {},
    );
    let trace = dns(&table, "shop.example.com", RecordType::AAAA);
    assert_eq!(trace.records, [""; 0]);
    said(&trace.steps, "an empty answer");
}

#[test]
fn a_home_that_keeps_the_request_is_said() {
    let table = table(|_| {}, |_| {});
    let home = name("singapore");
    let trace = http(&table, "/", Some(&home));
    assert_eq!(trace.cluster.as_deref(), Some("singapore"));
    assert!(
        trace.to_string().contains("this node stands in singapore"),
        "{trace}"
    );
}

/// A zone with a wildcard, a name between, a name of no data, a delegation and an alias.
fn zone_of_cases() -> Table {
    table(
        |draft| {
            let shop = draft.apps.get_mut("shop").unwrap();
            shop.steering = vec![Step::Failover(crate::support::prefer(&[
                "frankfurt",
                "oregon",
            ]))];
            let records = &mut draft.zones.get_mut(&host("example.com")).unwrap().records;
            let mut put = |owner: &str, data: &RData| {
                let set = RrSet::single(Ttl::new(60).unwrap(), data);
                records.insert(host(owner), set);
            };
            put("*.wild.example.com", &RData::txt(&["any"]).unwrap());
            put("deep.below.example.com", &RData::txt(&["here"]).unwrap());
            put("sub.example.com", &RData::ns(&host("ns.example.net")));
            put("old.example.com", &RData::dname(&host("wild.example.com")));
            put(
                "alias.example.com",
                &RData::alias(&host("shop.example.com")),
            );
            put("gone.example.com", &RData::alias(&host("no.example.com")));
        },
        |_| {},
    )
}

#[test]
fn why_a_name_is_there_is_told() {
    let table = zone_of_cases();
    let text = |owner: &str, rtype| {
        let trace = dns(&table, owner, rtype);
        (trace.steps.join("\n"), trace)
    };
    let (said, wild) = text("a.b.wild.example.com", RecordType::TXT);
    assert!(said.contains("*.wild.example.com stands for it"), "{said}");
    assert!(wild.made_up);
    let (said, between) = text("below.example.com", RecordType::TXT);
    assert!(said.contains("names below it exist"), "{said}");
    assert!(said.contains("remembered for 60 s"), "{said}");
    assert_eq!((between.rcode, between.made_up), ("NOERROR", false));
    let (said, missing) = text("no.example.com", RecordType::TXT);
    assert!(
        said.contains("no wildcard covers it; remembered for 60 s"),
        "{said}"
    );
    assert_eq!(missing.rcode, "NXDOMAIN");
    let (said, referral) = text("x.sub.example.com", RecordType::TXT);
    assert!(said.contains("delegates sub.example.com"), "{said}");
    assert!(referral.referral);
    let (said, renamed) = text("a.old.example.com", RecordType::TXT);
    assert!(said.contains("DNAME of old.example.com"), "{said}");
    assert!(renamed.made_up);
    let (said, _) = text("gone.example.com", RecordType::A);
    assert!(said.contains("does not exist: an empty answer"), "{said}");
    // What an app has nothing of is remembered no longer than what it has.
    let (said, _) = text("shop.example.com", RecordType::TXT);
    assert!(said.contains("no TXT there: an empty answer"), "{said}");
}

#[test]
fn a_client_subnet_that_says_nothing_is_told() {
    let geo = Step::Geo(windrose_model::GeoRules {
        cidrs: [(
            "198.51.100.0/24".parse().unwrap(),
            crate::support::prefer(&["oregon"]),
        )]
        .into(),
        default: crate::support::prefer(&["frankfurt"]),
        ..windrose_model::GeoRules::default()
    });
    let table = table(
        |draft| draft.apps.get_mut("shop").unwrap().steering = vec![geo.clone()],
        |_| {},
    );
    let owner = host("shop.example.com");
    let steps =
        |client: [u8; 4]| explain::dns(&table, &owner, RecordType::A, client.into(), 1).steps;
    said(&steps([10, 1, 2, 3]), "its resolver's address counts");
    assert!(!steps(CLIENT).join(" ").contains("its resolver's address"));
}

/// What steering does out of the ordinary, each in its own words.
#[test]
fn every_turn_of_steering_is_told() {
    let with = |change: &dyn Fn(&mut windrose_model::App), see: &dyn Fn(&mut Status)| {
        let table = table(
            |draft| {
                let shop = draft.apps.get_mut("shop").unwrap();
                let tiers = vec![
                    vec![name("frankfurt"), name("oregon")],
                    vec![name("singapore"), name("virginia")],
                ];
                shop.steering = vec![Step::Failover(tiers)];
                change(shop);
            },
            see,
        );
        dns(&table, "shop.example.com", RecordType::A).steps
    };
    let down = |locals: &'static [usize]| {
        move |status: &mut Status| {
            let shop = Arc::make_mut(&mut status.apps[0]);
            for at in locals {
                shop.clusters[*at].usable = false;
                shop.clusters[*at].cause = windrose_model::Cause::Drained;
            }
        }
    };
    let eighty = |shop: &mut windrose_model::App| {
        shop.min_up_fraction = windrose_model::Percent::new(80.0).unwrap();
    };
    said(
        &with(&|_| {}, &down(&[0, 1])),
        "tier 1 rejected: no usable member",
    );
    said(
        &with(&eighty, &down(&[0])),
        "half alive, less than 80 % of its weight",
    );
    said(
        &with(&|_| {}, &down(&[0, 1, 2, 3])),
        "when_all_down is last_known",
    );
    said(&with(&|_| {}, &down(&[0])), "not usable: unknown, drained");
    let warm = |shop: &mut windrose_model::App| shop.trickle = windrose_model::Percent::FULL;
    said(&with(&warm, &|_| {}), "keep the next usable tier warm");
    let dialed = |status: &mut Status| {
        let shop = Arc::make_mut(&mut status.apps[0]);
        for cluster in &mut shop.clusters[..2] {
            cluster.share = windrose_model::Percent::from_hundredths(1).unwrap();
        }
    };
    said(
        &with(&|_| {}, &dialed),
        "sends this key on, its share is below 100 %",
    );
    said(&with(&|_| {}, &|_| {}), "TTL ");
}

#[test]
fn the_route_is_told_and_why_the_others_were_not_taken() {
    use windrose_model::{
        Action, Conditions, Filters, Match, PathMatch, Respond, Route, TextMatch,
    };
    let table = table(
        |draft| {
            let shop = draft.apps.get_mut("shop").unwrap();
            let canary = Conditions {
                headers: vec![("x-canary".parse().unwrap(), TextMatch::Exact("yes".into()))],
                ..Conditions::default()
            };
            let respond = Respond {
                status: ::http::StatusCode::FORBIDDEN,
                headers: Vec::new(),
                body: "no".into(),
            };
            let filters = Filters {
                action: Action::Respond(respond),
                ..Filters::default()
            };
            let prefix = |path: &str| Some(PathMatch::Prefix(path.into()));
            shop.routes = vec![
                Route {
                    name: Some(name("closed")),
                    matches: vec![Match::path(PathMatch::Prefix("/admin".into()))],
                    filters: Some(Box::new(filters)),
                    ..Route::default()
                },
                Route {
                    matches: vec![Match {
                        path: prefix("/api"),
                        conditions: Some(Box::new(canary)),
                    }],
                    ..Route::default()
                },
                Route {
                    matches: vec![Match::path(PathMatch::Prefix("/api".into()))],
                    ..Route::default()
                },
            ];
        },
        |_| {},
    );
    let trace = http(&table, "/api/x", None);
    assert_eq!(trace.route.as_deref(), Some("3"));
    said(
        &trace.steps,
        "route closed (prefix /admin): no, the path is /api/x",
    );
    said(
        &trace.steps,
        "route 2 (prefix /api, header x-canary \"yes\"): no, there is no header x-canary",
    );
    said(&trace.steps, "route 3 (prefix /api): yes");
    let trace = http(&table, "/x/%2e%2e/admin/y", None);
    assert_eq!(trace.route.as_deref(), Some("closed"));
    said(&trace.steps, "is /admin/y in its normal form");
    said(&trace.steps, "answered here, 2 octets: 403");
    assert_eq!(trace.cluster, None);
    let trace = http(&table, "/other", None);
    assert_eq!(trace.route, None);
    said(&trace.steps, "no route fits, so the app's own split holds");
    said(&http(&table, "/a%2fb", None).steps, "400");
}

/// A request of the shop, which serves HTTPS only where `secure` says so.
fn own(
    secure: windrose_model::Secure,
    tls: bool,
    method: &str,
    path: &str,
) -> (Option<u16>, String) {
    let table = table(
        |draft| draft.apps.get_mut(&name("shop")).unwrap().tls = secure,
        |_| {},
    );
    let request = explain::HttpRequest {
        host: "shop.example.com",
        path,
        query: Some("a=b"),
        method: &method.parse().unwrap(),
        headers: &::http::HeaderMap::new(),
        tls,
        port: if tls { 443 } else { 80 },
    };
    let trace = explain::http(
        &table,
        &request,
        CLIENT.into(),
        1,
        None,
        windrose_model::WallTime(0),
    );
    assert_eq!(trace.status.is_some(), trace.cluster.is_none(), "{trace}");
    (trace.status, trace.to_string())
}

#[test]
fn what_is_answered_before_any_route_is_told() {
    let open = windrose_model::Secure::default();
    assert_eq!(own(open, false, "CONNECT", "/").0, Some(405));
    assert_eq!(own(open, false, "TRACE", "/").0, Some(405));
    assert_eq!(
        own(open, false, "GET", &format!("/{}", "x".repeat(17_000))).0,
        Some(414)
    );
    for raw in ["/a`b", "/a<b", "/a b", "/a?b=\""] {
        assert_eq!(own(open, false, "GET", raw).0, Some(400), "{raw}");
    }
    assert_eq!(own(open, false, "GET", "/a'b(c)|d").0, None);
}

#[test]
fn the_scheme_decides_who_is_sent_to_https_and_who_needs_a_certificate() {
    let redirects = windrose_model::Secure {
        redirect_http: Some(8443),
        ..Default::default()
    };
    let (status, told) = own(redirects, false, "GET", "/x");
    assert_eq!(status, Some(308));
    assert!(
        told.contains("Location: https://shop.example.com:8443/x?a=b: 308"),
        "{told}"
    );
    assert_eq!(own(redirects, true, "GET", "/x").0, None);
    let wants = windrose_model::Secure {
        client_auth: Some(windrose_model::ClientAuth {
            policy: 1,
            required: true,
        }),
        ..Default::default()
    };
    assert_eq!(own(wants, false, "GET", "/").0, Some(403));
    let (status, told) = own(wants, true, "GET", "/");
    assert!(
        status.is_none() && told.contains("wants a certificate of the client"),
        "{told}"
    );
}

#[test]
fn the_policy_and_what_is_drained_are_told() {
    let address = |port| std::net::SocketAddr::from(([10, 0, 0, 1], port));
    let told = |policy, traits: &[(u16, u32, bool)]| {
        let table = table(
            |draft| {
                let shop = draft.apps.get_mut("shop").unwrap();
                shop.balance.policy = policy;
                let v1 = shop.versions.get_mut("v1").unwrap();
                let all = [1, 2, 3].map(address).to_vec();
                v1.endpoints
                    .values_mut()
                    .for_each(|list| *list = all.clone());
                let clusters: Vec<_> = v1.endpoints.keys().cloned().collect();
                for cluster in clusters {
                    for &(port, weight, drain) in traits {
                        let weight = windrose_model::Weight::new(weight).unwrap();
                        let it = windrose_model::EndpointTraits { weight, drain };
                        v1.traits.insert((cluster.clone(), address(port)), it);
                    }
                }
            },
            |_| {},
        );
        http(&table, "/", None)
    };
    let plain = told(Policy::TwoChoices, &[]);
    said(
        &plain.steps,
        "one of 3 endpoints, by power of two choices on requests in flight",
    );
    let turns = told(Policy::RoundRobin, &[(2, 3, false), (3, 5, true)]);
    said(
        &turns.steps,
        "drained, or of weight 0, so nothing new goes to 10.0.0.1:3",
    );
    said(
        &turns.steps,
        "one of 2 endpoints, in turn, by each thread for itself, by weight: 1 for 10.0.0.1:1, 3 for 10.0.0.1:2",
    );
    assert_eq!(turns.endpoints, ["10.0.0.1:1", "10.0.0.1:2"]);
    let ewma = told(Policy::PeakEwma, &[]);
    said(
        &ewma.steps,
        "power of two choices on latency times requests in flight",
    );
    let ring = told(Policy::RingHash, &[]);
    said(&ring.steps, "by client /32 or /64 on a ring of 768 points");
    said(&ring.steps, "the key is that of 10.0.0.1:");
    said(&ring.steps, "; while a node avoids it, 10.0.0.1:");
    let table = told(Policy::Maglev, &[]);
    said(&table.steps, "in a Maglev table of 16381 entries");
    let idle = told(
        Policy::TwoChoices,
        &[(1, 0, false), (2, 0, false), (3, 1, true)],
    );
    said(&idle.steps, "none of its 3 endpoints is up");
}
