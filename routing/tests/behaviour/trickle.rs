//! A share of the traffic that keeps a standby warm: exact, kept together by prefix where sticky,
//! and never for a cluster that should have none.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::{CLUSTERS, Dice, app, draft, model, name, no_geo, prefer, slots, status};
use windrose_model::{App, AppId, ClientSet, FenceRule, Percent, Status, Step};
use windrose_routing::{DnsChoice, Table, compile, prefix_key};

/// `frankfurt`, then `oregon`, then the rest, with so much trickling down.
fn shop(trickle: f64) -> App {
    let steps = vec![Step::Failover(prefer(&["frankfurt", "oregon"]))];
    let mut shop = app("shop.example.com", steps);
    shop.trickle = Percent::new(trickle).unwrap();
    shop
}

fn table(shop: App, change: impl Fn(&mut Status)) -> Table {
    let mut draft = draft();
    draft.apps.insert(name("shop"), shop);
    let model = model(draft, 1, None);
    let mut status = status(&model, 1);
    change(&mut status);
    compile(&model, &status, &no_geo(), &slots(&model), None)
}

fn down(status: &mut Status, clusters: &[usize]) {
    for &at in clusters {
        Arc::make_mut(&mut status.apps[0]).clusters[at].usable = false;
    }
}

/// How often each cluster leads among so many draws, DNS and proxy agreeing on each.
fn shares(table: &Table, client: &str, draws: u64) -> BTreeMap<&'static str, u64> {
    let entry = table.app(AppId(0));
    let view = entry.view(table, table.leaf(client.parse().unwrap()));
    let (mut dice, mut shares) = (Dice(11), BTreeMap::new());
    for _ in 0..draws {
        let key = dice.throw();
        let DnsChoice::Clusters(picked) = entry.choose_dns(view, key) else {
            panic!("no answer")
        };
        assert_eq!(entry.choose_http(view, 0, key, 0), Some(picked[0]));
        let cluster = CLUSTERS[usize::from(picked[0])].0;
        *shares.entry(cluster).or_default() += 1;
    }
    shares
}

fn check(table: &Table, expected: &[(&str, f64)]) {
    let draws = 200_000;
    let shares = shares(table, "192.0.2.1", draws);
    let named: Vec<_> = expected.iter().map(|(cluster, _)| *cluster).collect();
    assert_eq!(shares.keys().copied().collect::<Vec<_>>(), named);
    for (cluster, percent) in expected {
        let share = shares[cluster] as f64 / draws as f64;
        let wanted = percent / 100.0;
        let error = 5.0 * (wanted * (1.0 - wanted) / draws as f64).sqrt();
        let off = (share - wanted).abs();
        assert!(off <= error, "{cluster}: {share}, wanted {wanted}");
    }
}

#[test]
fn the_tier_behind_the_one_in_use_gets_its_share_and_no_further_tier_does() {
    check(
        &table(shop(1.0), |_| {}),
        &[("frankfurt", 99.0), ("oregon", 1.0)],
    );
    check(
        &table(shop(0.25), |_| {}),
        &[("frankfurt", 99.75), ("oregon", 0.25)],
    );
    check(&table(shop(0.0), |_| {}), &[("frankfurt", 100.0)]);
}

#[test]
fn all_of_it_makes_the_switch_while_the_standby_is_up() {
    check(&table(shop(100.0), |_| {}), &[("oregon", 100.0)]);
    let rest = table(shop(100.0), |s| down(s, &[1, 2, 3]));
    check(&rest, &[("frankfurt", 100.0)]);
}

#[test]
fn a_standby_that_is_down_or_drained_gets_nothing_and_the_next_one_is_kept_warm() {
    let table = table(shop(10.0), |s| down(s, &[1]));
    check(
        &table,
        &[("frankfurt", 90.0), ("singapore", 5.0), ("virginia", 5.0)],
    );
}

#[test]
fn a_standby_that_is_half_alive_is_left_in_peace() {
    // Of singapore and virginia, the last tier, one is up: half, which is enough; two of three not.
    let rest = vec![name("oregon"), name("singapore"), name("virginia")];
    let mut shop = shop(10.0);
    shop.steering = vec![Step::Failover(vec![vec![name("frankfurt")], rest])];
    let table = table(shop, |s| down(s, &[2, 3]));
    check(&table, &[("frankfurt", 100.0)]);
}

#[test]
fn a_fence_holds_for_what_trickles_too() {
    let mut shop = shop(50.0);
    let fence = FenceRule {
        clients: ClientSet {
            cidrs: vec!["203.0.113.0/24".parse().unwrap()],
            ..ClientSet::default()
        },
        clusters: vec![name("frankfurt")],
    };
    shop.steering.insert(0, Step::Fence(vec![fence]));
    let table = table(shop, |_| {});
    let fenced = shares(&table, "203.0.113.9", 1_000);
    assert_eq!(fenced.keys().copied().collect::<Vec<_>>(), ["frankfurt"]);
    assert_eq!(shares(&table, "198.51.100.1", 1_000).len(), 2);
}

#[test]
fn a_standby_that_ramps_up_takes_no_more_than_its_share_of_the_trickle() {
    let table = table(shop(50.0), |s| {
        let half = Percent::new(50.0).unwrap();
        Arc::make_mut(&mut s.apps[0]).clusters[1].share = half;
    });
    check(&table, &[("frankfurt", 75.0), ("oregon", 25.0)]);
}

#[test]
fn when_the_first_tier_falls_its_standby_serves_and_keeps_the_next_one_warm() {
    let table = table(shop(2.0), |s| down(s, &[0]));
    check(
        &table,
        &[("oregon", 98.0), ("singapore", 1.0), ("virginia", 1.0)],
    );
}

#[test]
fn a_sticky_client_stays_where_it_is_and_a_larger_share_only_adds_clients() {
    let led_to = |trickle: f64| -> Vec<usize> {
        let table = table(shop(trickle), |_| {});
        let entry = table.app(AppId(0));
        let view = entry.view(&table, table.leaf("192.0.2.1".parse().unwrap()));
        let standby = |client: &usize| {
            let [_, a, b, _] = u32::try_from(*client << 8).unwrap().to_be_bytes();
            let key = prefix_key(entry.plan.salt, [10, a, b, 7].into());
            let DnsChoice::Clusters(picked) = entry.choose_dns(view, key) else {
                panic!("no answer")
            };
            picked[0] == 1
        };
        (0..20_000).filter(standby).collect()
    };
    let (few, more) = (led_to(1.0), led_to(5.0));
    assert!((100..300).contains(&few.len()), "{}", few.len());
    assert!((800..1_200).contains(&more.len()), "{}", more.len());
    assert!(few.iter().all(|client| more.contains(client)));
}
