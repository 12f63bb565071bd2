//! Which cluster: steps compose, weights hold, dials and ramps are monotone, health never empties an
//! answer, and DNS and proxy choose alike.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::{self, Dice, app, draft, model, name, no_geo, prefer, slots, status};
use windrose_model::{
    App, ClientSet, EndpointState, FenceRule, GeoRules, Percent, Status, Step, Verdict, Weight,
    WhenAllDown,
};
use windrose_routing::geo::GeoDb;
use windrose_routing::{Data, DnsChoice, Standing, Table, compile, prefix_key};

/// The Table of one app whose clusters in `down` are down.
fn table(app: App, data: &Data, down: &[&str], change: impl Fn(&mut Status)) -> Table {
    let mut draft = draft();
    draft.apps.insert(name("shop"), app);
    let model = model(draft, 1, None);
    let mut status = status(&model, 1);
    let shop = Arc::make_mut(&mut status.apps[0]);
    for (id, cluster) in model
        .clusters_of(windrose_model::AppId(0))
        .iter()
        .zip(&mut shop.clusters)
    {
        cluster.verdict = Verdict::Up;
        if down.contains(&model.cluster(*id).0.as_str()) {
            cluster.verdict = Verdict::Down;
            cluster.usable = false;
        }
    }
    change(&mut status);
    compile(&model, &status, data, &slots(&model), None)
}

/// Names of the clusters that `client` is answered with, or the empty answer's kind.
fn answer(table: &Table, client: &str, key: u64) -> String {
    let entry = table.app(table.host("shop.example.com").unwrap());
    let view = entry.view(table, table.leaf(client.parse().unwrap()));
    match entry.choose_dns(view, key) {
        DnsChoice::Clusters(picked) => picked
            .iter()
            .map(|&c| entry.plan.clusters[usize::from(c)].name.as_str())
            .collect::<Vec<_>>()
            .join(" "),
        DnsChoice::Servfail => "SERVFAIL".to_owned(),
        DnsChoice::Nodata => "NODATA".to_owned(),
    }
}

fn shares(table: &Table, n: u64) -> BTreeMap<String, u64> {
    let mut dice = Dice(7);
    let mut shares = BTreeMap::new();
    for _ in 0..n {
        *shares
            .entry(answer(table, "192.0.2.1", dice.throw()))
            .or_default() += 1;
    }
    shares
}

fn weighted(weights: &[(&str, u32)]) -> Step {
    Step::Weighted(
        weights
            .iter()
            .map(|(n, w)| (name(n), Weight::new(*w).unwrap()))
            .collect(),
    )
}

#[test]
fn failover_takes_the_first_tier_that_is_up() {
    let shop = || {
        app(
            "shop.example.com",
            vec![Step::Failover(prefer(&["virginia", "oregon"]))],
        )
    };
    assert_eq!(
        answer(&table(shop(), &no_geo(), &[], |_| {}), "192.0.2.1", 1),
        "virginia"
    );
    assert_eq!(
        answer(
            &table(shop(), &no_geo(), &["virginia"], |_| {}),
            "192.0.2.1",
            1
        ),
        "oregon"
    );
    let rest = answer(
        &table(shop(), &no_geo(), &["virginia", "oregon"], |_| {}),
        "192.0.2.1",
        1,
    );
    assert!(
        ["frankfurt", "singapore"].contains(&rest.as_str()),
        "what is not named stands behind: {rest}"
    );
}

#[test]
fn weights_are_exact_over_draws() {
    let steps = vec![weighted(&[
        ("frankfurt", 50),
        ("oregon", 30),
        ("singapore", 20),
        ("virginia", 0),
    ])];
    let shares = shares(
        &table(
            app("shop.example.com", steps.clone()),
            &no_geo(),
            &[],
            |_| {},
        ),
        200_000,
    );
    let near = |cluster: &str, percent: f64| {
        let got = *shares.get(cluster).unwrap_or(&0) as f64 / 2_000.0;
        assert!(
            (got - percent).abs() < 0.5,
            "{cluster}: {got} % instead of {percent} %"
        );
    };
    near("frankfurt", 50.0);
    near("oregon", 30.0);
    near("singapore", 20.0);
    assert_eq!(
        shares.get("virginia"),
        None,
        "weight 0 is used only when every other is unusable"
    );
    let last = table(
        app("shop.example.com", steps),
        &no_geo(),
        &["frankfurt", "oregon", "singapore"],
        |_| {},
    );
    let entry = last.app(windrose_model::AppId(0));
    let view = entry.view(&last, last.leaf("192.0.2.1".parse().unwrap()));
    assert_eq!(entry.choose_http(view, 0, 1, 0), Some(3));
}

#[test]
fn only_keys_of_the_lost_cluster_move() {
    let shop = || app("shop.example.com", vec![]);
    let (before, after) = (
        table(shop(), &no_geo(), &[], |_| {}),
        table(shop(), &no_geo(), &["oregon"], |_| {}),
    );
    let mut dice = Dice(3);
    for _ in 0..10_000 {
        let key = dice.throw();
        let (a, b) = (
            answer(&before, "192.0.2.1", key),
            answer(&after, "192.0.2.1", key),
        );
        assert!(a == b || a == "oregon", "{key}: {a} moved to {b}");
    }
}

#[test]
fn a_dial_sends_its_share_on_and_is_monotone() {
    let at = |percent: f64| {
        table(
            app(
                "shop.example.com",
                vec![Step::Failover(prefer(&["virginia", "oregon"]))],
            ),
            &no_geo(),
            &[],
            move |s| {
                Arc::make_mut(&mut s.apps[0]).clusters[3].share = Percent::new(percent).unwrap();
            },
        )
    };
    let (quarter, half) = (at(25.0), at(50.0));
    let share = shares(&quarter, 100_000)["virginia"] as f64 / 1_000.0;
    assert!((share - 25.0).abs() < 0.5, "{share}");
    let mut dice = Dice(5);
    for _ in 0..10_000 {
        let key = dice.throw();
        if answer(&quarter, "192.0.2.1", key) == "virginia" {
            assert_eq!(
                answer(&half, "192.0.2.1", key),
                "virginia",
                "who has moved over stays"
            );
        }
    }
}

#[test]
fn half_alive_leaves_a_tier_or_answers_with_all_of_it() {
    let groups = |last: bool| {
        let mut preference = vec![vec![name("frankfurt"), name("oregon"), name("singapore")]];
        if !last {
            preference.push(vec![name("virginia")]);
        }
        let mut shop = app("shop.example.com", vec![Step::Failover(preference)]);
        if last {
            for version in shop.versions.values_mut() {
                version.endpoints.remove("virginia");
            }
        }
        shop
    };
    let down = &["frankfurt", "oregon"];
    assert_eq!(
        answer(
            &table(groups(false), &no_geo(), down, |_| {}),
            "192.0.2.1",
            1
        ),
        "virginia"
    );
    let all = shares(&table(groups(true), &no_geo(), down, |_| {}), 3_000);
    assert_eq!(
        all.len(),
        3,
        "one of three up, no next tier: all members are answered, {all:?}"
    );
    let one = shares(
        &table(groups(true), &no_geo(), &["frankfurt"], |_| {}),
        3_000,
    );
    assert_eq!(one.len(), 2, "two of three up is enough, {one:?}");
    let standing = |last, down: &[&str]| {
        let table = table(groups(last), &no_geo(), down, |_| {});
        let (_, entry) = table.apps().next().unwrap();
        entry.standing()
    };
    assert_eq!(standing(false, down), Standing::Steered);
    assert_eq!(standing(true, down), Standing::HalfAlive);
    assert_eq!(standing(true, &["frankfurt"]), Standing::Steered);
    let all = &["frankfurt", "oregon", "singapore"];
    assert_eq!(standing(true, all), Standing::AllDown);
}

#[test]
fn what_a_ramp_sends_on_goes_to_what_is_up_in_a_half_alive_tier() {
    let rest = vec![name("oregon"), name("singapore"), name("virginia")];
    let steps = vec![Step::Failover(vec![vec![name("frankfurt")], rest])];
    let shop = app("shop.example.com", steps);
    let table = table(shop, &no_geo(), &["singapore", "virginia"], |s| {
        let ramp = Percent::new(2.0).unwrap();
        Arc::make_mut(&mut s.apps[0]).clusters[0].share = ramp;
    });
    let shares = shares(&table, 10_000);
    assert_eq!(shares.keys().collect::<Vec<_>>(), ["frankfurt", "oregon"]);
    assert!(shares["frankfurt"] < 300, "{shares:?}");
    let entry = table.app(windrose_model::AppId(0));
    let view = entry.view(&table, table.leaf("192.0.2.1".parse().unwrap()));
    for key in 0..1_000 {
        let DnsChoice::Clusters(picked) = entry.choose_dns(view, key) else {
            panic!("no answer")
        };
        assert_eq!(entry.choose_http(view, 0, key, 0), Some(picked[0]));
    }
}

#[test]
fn when_all_are_down_the_operators_rule_holds() {
    let everything = &["frankfurt", "oregon", "singapore", "virginia"];
    let with = |rule: WhenAllDown, known: u16| {
        let mut shop = app(
            "shop.example.com",
            vec![Step::Failover(prefer(&["oregon", "virginia"]))],
        );
        shop.when_all_down = rule;
        answer(
            &table(shop, &no_geo(), everything, |s| {
                Arc::make_mut(&mut s.apps[0]).last_known = known
            }),
            "192.0.2.1",
            1,
        )
    };
    assert_eq!(with(WhenAllDown::LastKnown, 1 << 3), "virginia");
    assert_eq!(
        with(WhenAllDown::LastKnown, 0),
        "oregon",
        "with none known, all"
    );
    assert_eq!(with(WhenAllDown::All, 1 << 3), "oregon");
    assert_eq!(
        with(WhenAllDown::Fallback(name("singapore")), 0),
        "singapore"
    );
    assert_eq!(with(WhenAllDown::Servfail, 0), "SERVFAIL");
    assert_eq!(with(WhenAllDown::Nodata, 0), "NODATA");
}

#[test]
fn a_fence_fails_closed_and_health_does_not_break_it() {
    let fence = |clusters: &[&str]| {
        Step::Fence(vec![FenceRule {
            clients: ClientSet {
                cidrs: vec!["203.0.113.0/24".parse().unwrap()],
                ..ClientSet::default()
            },
            clusters: clusters.iter().map(|c| name(c)).collect(),
        }])
    };
    let shop = |steps| app("shop.example.com", steps);
    let fenced = table(
        shop(vec![fence(&["frankfurt"])]),
        &no_geo(),
        &["frankfurt"],
        |_| {},
    );
    assert_eq!(
        answer(&fenced, "203.0.113.9", 1),
        "frankfurt",
        "down, but the only one allowed"
    );
    assert_ne!(
        answer(&fenced, "198.51.100.1", 1),
        "frankfurt",
        "others are free"
    );
    let nothing = table(
        shop(vec![fence(&["frankfurt"]), fence(&["virginia"])]),
        &no_geo(),
        &[],
        |_| {},
    );
    assert_eq!(
        answer(&nothing, "203.0.113.9", 1),
        "NODATA",
        "two fences that exclude each other"
    );
    let entry = nothing.app(windrose_model::AppId(0));
    let view = entry.view(&nothing, nothing.leaf("203.0.113.9".parse().unwrap()));
    assert_eq!(entry.choose_http(view, 0, 1, 0), None);
}

#[test]
fn geo_nearest_and_weights_compose() {
    let geo = Data::of_geo(GeoDb::builtin());
    let german = "88.198.0.1";
    let american = "8.8.8.8";
    let nearest = table(
        app("shop.example.com", vec![Step::Nearest(BTreeMap::new())]),
        &geo,
        &[],
        |_| {},
    );
    assert_eq!(answer(&nearest, german, 1), "frankfurt");
    let down = table(
        app("shop.example.com", vec![Step::Nearest(BTreeMap::new())]),
        &geo,
        &["frankfurt"],
        |_| {},
    );
    assert_eq!(answer(&down, german, 1), "virginia");
    let rules = GeoRules {
        cidrs: BTreeMap::from([("88.198.0.0/16".parse().unwrap(), prefer(&["singapore"]))]),
        countries: BTreeMap::from([("US".parse().unwrap(), prefer(&["oregon"]))]),
        continents: BTreeMap::from([(windrose_model::Continent::Europe, prefer(&["frankfurt"]))]),
        default: prefer(&["virginia"]),
        ..GeoRules::default()
    };
    let steps = vec![Step::Geo(rules), Step::Nearest(BTreeMap::new())];
    let geo_table = table(app("shop.example.com", steps), &geo, &[], |_| {});
    assert_eq!(
        answer(&geo_table, german, 1),
        "singapore",
        "a CIDR stands over the continent"
    );
    assert_eq!(answer(&geo_table, american, 1), "oregon");
    assert_eq!(
        answer(&geo_table, "192.0.2.1", 1),
        "virginia",
        "no country: the default"
    );
}

#[test]
fn several_answers_stay_inside_the_tier() {
    let mut shop = app(
        "shop.example.com",
        vec![Step::Failover(vec![
            vec![name("frankfurt"), name("oregon")],
            vec![name("virginia")],
        ])],
    );
    shop.answers = 3;
    let table = table(shop, &no_geo(), &[], |_| {});
    let mut dice = Dice(1);
    for _ in 0..100 {
        let got = answer(&table, "192.0.2.1", dice.throw());
        assert!(
            got == "frankfurt oregon" || got == "oregon frankfurt",
            "{got}"
        );
    }
}

#[test]
fn as_many_clusters_answer_as_are_wanted_and_usable_each_once() {
    let everywhere: Vec<Vec<&str>> = vec![
        vec![],
        vec!["oregon"],
        vec!["frankfurt", "virginia"],
        vec!["frankfurt", "oregon", "virginia"],
    ];
    for answers in 1..=8 {
        for down in &everywhere {
            let mut shop = app("shop.example.com", vec![]);
            shop.answers = answers;
            shop.min_up_fraction = Percent::ZERO;
            let table = table(shop, &no_geo(), down, |_| {});
            let mut dice = Dice(u64::from(answers));
            let mut leads = BTreeMap::<String, usize>::new();
            for _ in 0..300 {
                let got = answer(&table, "192.0.2.1", dice.throw());
                let names: Vec<_> = got.split(' ').collect();
                let usable = 4 - down.len();
                assert_eq!(names.len(), usize::from(answers).min(usable), "{got}");
                let distinct: std::collections::BTreeSet<_> = names.iter().collect();
                assert_eq!(distinct.len(), names.len(), "{got}");
                assert!(names.iter().all(|name| !down.contains(name)), "{got}");
                *leads.entry(names[0].to_owned()).or_default() += 1;
            }
            // Every usable cluster leads, about equally often.
            assert_eq!(leads.len(), 4 - down.len());
            let fewest = leads.values().min().unwrap();
            assert!(fewest * (4 - down.len()) > 150, "{leads:?}");
        }
    }
}

#[test]
fn dns_and_proxy_choose_alike_for_equal_keys() {
    let geo = Data::of_geo(GeoDb::builtin());
    let mut shop = app(
        "shop.example.com",
        vec![weighted(&[("frankfurt", 3), ("oregon", 2)])],
    );
    shop.sticky = true;
    let table = table(shop, &geo, &["singapore"], |s| {
        Arc::make_mut(&mut s.apps[0]).clusters[1].share = Percent::new(40.0).unwrap();
    });
    let entry = table.app(windrose_model::AppId(0));
    let mut dice = Dice(9);
    for _ in 0..20_000 {
        let client =
            std::net::IpAddr::from(u32::try_from(dice.throw() >> 32).unwrap().to_be_bytes());
        let key = prefix_key(entry.plan.salt, client);
        let view = entry.view(&table, table.leaf(client));
        let DnsChoice::Clusters(picked) = entry.choose_dns(view, key) else {
            panic!("no answer for {client}")
        };
        assert_eq!(entry.choose_http(view, 0, key, 0), Some(picked[0]));
    }
}

#[test]
fn a_version_without_live_endpoints_in_a_cluster_goes_elsewhere() {
    let shop = app(
        "shop.example.com",
        vec![Step::Failover(prefer(&["frankfurt", "virginia"]))],
    );
    let table = table(shop, &no_geo(), &[], |s| {
        let endpoints = &mut Arc::make_mut(&mut s.apps[0]).endpoints;
        endpoints[0] = EndpointState::Down;
        endpoints[1] = EndpointState::Down;
    });
    let entry = table.app(windrose_model::AppId(0));
    let view = entry.view(&table, table.leaf("192.0.2.1".parse().unwrap()));
    assert!(!entry.endpoint_up(0) && entry.endpoint_up(2));
    assert_eq!(entry.choose_http(view, 0, 1, 0), Some(3));
    assert_eq!(
        entry.choose_http(view, 0, 1, 0b1110),
        Some(0),
        "as the last resort, even what is down"
    );
    assert_eq!(entry.choose_http(view, 0, 1, 0b1111), None);
}

#[test]
fn a_standby_of_weight_0_takes_over_when_the_weighted_are_down() {
    let steps = || {
        vec![weighted(&[
            ("frankfurt", 100),
            ("oregon", 0),
            ("singapore", 0),
            ("virginia", 100),
        ])]
    };
    let answers = |down: &[&str]| {
        let shop = app("shop.example.com", steps());
        shares(&table(shop, &no_geo(), down, |_| {}), 1_000)
    };
    let names = |down: &[&str]| answers(down).into_keys().collect::<Vec<_>>();
    assert_eq!(names(&["frankfurt", "virginia"]), ["oregon", "singapore"]);
    assert_eq!(
        names(&["frankfurt", "virginia", "oregon"]),
        ["singapore"],
        "one standby of two is enough"
    );
    assert_eq!(
        names(&["oregon", "singapore"]),
        ["frankfurt", "virginia"],
        "standbys that are down do not make a tier half alive"
    );
}

#[test]
fn where_everything_is_drained_the_proxy_tries_what_dns_answers() {
    let fence = Step::Fence(vec![FenceRule {
        clients: ClientSet {
            cidrs: vec!["192.0.2.0/24".parse().unwrap()],
            ..ClientSet::default()
        },
        clusters: vec![name("frankfurt")],
    }]);
    let mut draft = draft();
    draft.clusters.get_mut("frankfurt").unwrap().drain = true;
    let shop = app("shop.example.com", vec![fence]);
    draft.apps.insert(name("shop"), shop);
    let (_, table) = support::table(draft, &no_geo());
    let entry = table.app(windrose_model::AppId(0));
    assert_eq!(answer(&table, "192.0.2.1", 1), "frankfurt");
    let view = entry.view(&table, table.leaf("192.0.2.1".parse().unwrap()));
    assert_eq!(entry.choose_http(view, 0, 1, 0), Some(0));
    assert_eq!(entry.choose_http(view, 0, 1, 1), None, "fenced in");
}

#[test]
fn a_cluster_of_weight_0_is_no_further_answer_beside_one_with_a_weight() {
    let steps = || {
        let weights = [
            ("frankfurt", 1),
            ("oregon", 0),
            ("singapore", 0),
            ("virginia", 0),
        ];
        vec![weighted(&weights)]
    };
    let answers = |down: &[&str]| {
        let mut shop = app("shop.example.com", steps());
        shop.answers = 2;
        shares(&table(shop, &no_geo(), down, |_| {}), 1_000)
    };
    assert_eq!(answers(&[]).into_keys().collect::<Vec<_>>(), ["frankfurt"]);
    assert_eq!(
        answers(&["frankfurt", "singapore"])
            .into_keys()
            .collect::<Vec<_>>(),
        ["oregon virginia", "virginia oregon"],
        "where all that are left stand by, it is the turn of all"
    );
}

#[test]
fn a_dial_or_a_ramp_bounds_a_cluster_among_several_answers_too() {
    for (percent, answers) in [(2.0, 2), (2.0, 4), (25.0, 4), (50.0, 3)] {
        let mut shop = app("shop.example.com", vec![]);
        shop.answers = answers;
        let table = table(shop, &no_geo(), &[], |s| {
            let share = Percent::new(percent).unwrap();
            Arc::make_mut(&mut s.apps[0]).clusters[1].share = share;
        });
        let shares = shares(&table, 20_000);
        let with = |cluster: &str| {
            let holds = |(names, _): &(&String, &u64)| names.contains(cluster);
            let times: u64 = shares.iter().filter(holds).map(|(_, times)| times).sum();
            times as f64 / 200.0
        };
        assert!(
            with("oregon") < percent + 1.0,
            "{answers} answers, {percent} %: {} % have it",
            with("oregon")
        );
        if answers == 4 {
            assert!(with("oregon") > percent - 1.0 && with("virginia") > 99.9);
        }
    }
}

#[test]
fn health_before_shares_where_a_tier_is_answered_whatever_its_health() {
    let mut shop = app("shop.example.com", vec![]);
    shop.answers = 4;
    let table = table(
        shop,
        &no_geo(),
        &["frankfurt", "oregon", "singapore"],
        |s| {
            for cluster in &mut Arc::make_mut(&mut s.apps[0]).clusters[..3] {
                cluster.share = Percent::ZERO;
            }
        },
    );
    let four = answer(&table, "192.0.2.1", 1);
    assert_eq!(four.split(' ').count(), 4, "half alive: {four}");
}
