//! From probes to answers: what DNS says from the Table compiled of what the controller concluded,
//! while clusters fail, are drained, dialed, kept warm and come back.

use std::collections::BTreeMap;

use windrose_model::{AppId, Draft, Failback, Step};
use windrose_routing::{DnsChoice, SlotBook, Table, compile};

use crate::script::{Backend, World, draft, name, percent, seconds};

/// `a`, then `b` and `c` alike; two endpoints each.
fn tiers() -> Draft {
    let mut draft = draft(&[("a", 2), ("b", 2), ("c", 2)]);
    let web = draft.apps.get_mut("web").unwrap();
    web.steering = vec![Step::Failover(vec![
        vec![name("a")],
        vec![name("b"), name("c")],
    ])];
    web.failback = Failback {
        hold_down: seconds(60.0),
        ramp_step: percent(25.0),
        ramp_every: seconds(10.0),
    };
    draft
}

fn table(world: &World) -> Table {
    let inputs = world.controller.inputs();
    let slots = SlotBook::new().assign(&inputs.model, 1);
    compile(&inputs.model, &inputs.status, &inputs.data, &slots, None)
}

/// Percent of the answers that lead to each cluster, over many draws; DNS and proxy agree on each
/// where `alike`.
fn shares(world: &World, alike: bool) -> BTreeMap<&'static str, u32> {
    let table = table(world);
    let app = table.app(AppId(0));
    let view = app.view(&table, table.leaf([192, 0, 2, 1].into()));
    let mut shares = BTreeMap::new();
    for draw in 0..10_000u64 {
        let key = draw.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let DnsChoice::Clusters(picked) = app.choose_dns(view, key) else {
            panic!("an empty answer")
        };
        if alike {
            assert_eq!(app.choose_http(view, 0, key, 0), Some(picked[0]));
        }
        let cluster = ["a", "b", "c"][usize::from(picked[0])];
        *shares.entry(cluster).or_insert(0) += 1;
    }
    shares.values_mut().for_each(|n| *n = (*n + 50) / 100);
    shares.retain(|_, n| *n > 0);
    shares
}

fn check(world: &World, expected: &[(&'static str, u32)]) {
    let shares = shares(world, true);
    let names: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(shares.keys().copied().collect::<Vec<_>>(), names);
    for (name, wanted) in expected {
        assert!(
            shares[name].abs_diff(*wanted) <= 2,
            "{shares:?}, wanted {expected:?}"
        );
    }
}

#[test]
fn a_half_alive_tier_is_left_for_the_next_and_used_when_there_is_none() {
    let mut draft = tiers();
    // The standbys first, so that there is a tier behind.
    draft.apps.get_mut("web").unwrap().steering =
        vec![Step::Failover(vec![vec![name("a"), name("b"), name("c")]])];
    let mut world = World::settled(draft.clone());
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    check(&world, &[("b", 50), ("c", 50)]);
    // One of three is less than half, and there is no tier behind: DNS answers all of them, the
    // proxy goes on using what is up.
    world.cluster(1, &Backend::BlackHole);
    world.run(60.0);
    let all = shares(&world, false);
    assert_eq!(all.keys().copied().collect::<Vec<_>>(), ["a", "b", "c"]);
    let table = table(&world);
    let app = table.app(AppId(0));
    let view = app.view(&table, table.leaf([192, 0, 2, 1].into()));
    assert!((0..100).all(|key| app.choose_http(view, 0, key, 0) == Some(2)));
    // With a tier behind, that one is used.
    draft.apps.get_mut("web").unwrap().steering = vec![Step::Failover(vec![
        vec![name("a"), name("b")],
        vec![name("c")],
    ])];
    draft.apps.get_mut("web").unwrap().min_up_fraction = percent(60.0);
    let mut world = World::settled(draft);
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    let all = shares(&world, false);
    assert_eq!(all.into_iter().collect::<Vec<_>>(), [("c", 100)]);
}

#[test]
fn a_drained_cluster_leaves_the_answers_at_once_and_comes_back_at_once() {
    let mut world = World::settled(tiers());
    check(&world, &[("a", 100)]);
    world.apply(|d| d.clusters.get_mut("a").unwrap().drain = true);
    check(&world, &[("b", 50), ("c", 50)]);
    world.apply(|d| d.clusters.get_mut("a").unwrap().drain = false);
    check(&world, &[("a", 100)]);
}

#[test]
fn a_dial_sends_the_rest_on() {
    let mut world = World::settled(tiers());
    for dial in [40, 5, 100] {
        let share = percent(f64::from(dial));
        world.apply(|d| d.clusters.get_mut("a").unwrap().dial = share);
        let rest = (100 - dial) / 2;
        let mut expected = vec![("a", dial), ("b", rest), ("c", rest)];
        expected.retain(|(_, share)| *share > 0);
        check(&world, &expected);
    }
}

#[test]
fn a_failback_takes_its_ramp_and_no_more_than_what_is_ready() {
    let mut world = World::settled(tiers());
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    check(&world, &[("b", 50), ("c", 50)]);
    world.cluster(0, &Backend::Up);
    // One endpoint of two stays away.
    world.backend(crate::script::address(0, 1), Backend::Refused);
    world.run(60.0);
    assert_eq!(world.entry(0).verdict.as_str(), "degraded");
    check(&world, &[("b", 50), ("c", 50)]);
    let held = |world: &World| {
        let cause = world.entry(0).cause;
        matches!(cause, windrose_model::Cause::HoldDown { .. })
    };
    while held(&world) {
        world.pass(1.0);
    }
    check(&world, &[("a", 25), ("b", 37), ("c", 37)]);
    world.pass(10.0);
    check(&world, &[("a", 50), ("b", 25), ("c", 25)]);
    world.pass(100.0);
    check(&world, &[("a", 50), ("b", 25), ("c", 25)]);
    world.cluster(0, &Backend::Up);
    world.pass(200.0);
    check(&world, &[("a", 100)]);
}

#[test]
fn a_trickle_keeps_the_standbys_warm_but_none_that_is_down_or_drained() {
    let mut draft = tiers();
    draft.apps.get_mut("web").unwrap().trickle = percent(20.0);
    let mut world = World::settled(draft);
    check(&world, &[("a", 80), ("b", 10), ("c", 10)]);
    world.cluster(1, &Backend::Refused);
    world.run(30.0);
    check(&world, &[("a", 80), ("c", 20)]);
    world.apply(|d| d.clusters.get_mut("c").unwrap().drain = true);
    check(&world, &[("a", 100)]);
    world.apply(|d| d.clusters.get_mut("c").unwrap().drain = false);
    // It comes back through its hold-down and its ramp.
    world.cluster(1, &Backend::Up);
    world.run(70.0);
    check(&world, &[("a", 80), ("c", 20)]);
    world.run(400.0);
    check(&world, &[("a", 80), ("b", 10), ("c", 10)]);
    // All of it makes the switch, and the other way round when the standbys are gone.
    world.apply(|d| d.apps.get_mut("web").unwrap().trickle = percent(100.0));
    check(&world, &[("b", 50), ("c", 50)]);
    world.cluster(1, &Backend::Refused);
    world.cluster(2, &Backend::Refused);
    world.pass(60.0);
    check(&world, &[("a", 100)]);
}
