//! How long answers live: the first change that could come, in its band, and why it is said to be so.

use windrose_model::{Draft, Failback, NextChange, Ttl, TtlBand, TtlBound};

use crate::script::{Backend, World, draft, percent, seconds};

/// Probes every 30 s, hold-down 90 s, then 50 % per 20 s; TTLs of 5 to 60 s.
fn slow(clusters: &[(&str, usize)]) -> Draft {
    let mut draft = draft(clusters);
    let web = draft.apps.get_mut("web").unwrap();
    web.health.interval = seconds(30.0);
    web.ttl = band(5, 60);
    web.failback = Failback {
        hold_down: seconds(90.0),
        ramp_step: percent(50.0),
        ramp_every: seconds(20.0),
    };
    draft
}

fn band(min: u32, max: u32) -> TtlBand {
    TtlBand {
        min: Ttl::new(min).unwrap(),
        max: Ttl::new(max).unwrap(),
    }
}

fn ttl(world: &World) -> u32 {
    world.app().ttl.seconds()
}

fn change(world: &World) -> NextChange {
    world.app().ttl_cause.change
}

fn fall(cluster: u8, after: f64) -> NextChange {
    NextChange::Fall {
        cluster,
        after: seconds(after),
    }
}

/// The TTLs that were published since, with when.
fn published(world: &World, since: f64) -> Vec<(f64, u32)> {
    let mut list: Vec<(f64, u32)> = world
        .publications
        .iter()
        .map(|(at, status)| (at.as_secs_f64(), status.apps[0].ttl.seconds()))
        .filter(|(at, _)| *at >= since)
        .collect();
    list.dedup_by_key(|(_, ttl)| *ttl);
    list
}

#[test]
fn while_all_is_well_it_is_the_time_in_which_a_cluster_could_fall() {
    // 30 s until the next probe, then two more a second apart.
    let mut world = World::new(slow(&[("a", 1), ("b", 2)]));
    world.run(200.0);
    assert_eq!((ttl(&world), change(&world)), (30, fall(0, 32.0)));
    // By the defaults a fall takes 7 s, which the band raises.
    let world = World::settled(draft(&[("a", 1), ("b", 1)]));
    assert_eq!((ttl(&world), change(&world)), (30, fall(0, 7.0)));
    assert_eq!(world.app().ttl_cause.bound, Some(TtlBound::Lower));
}

#[test]
fn after_a_first_failure_it_is_as_short_as_the_checks_that_are_left() {
    let mut world = World::new(slow(&[("a", 1), ("b", 1)]));
    world.run(149.0);
    assert_eq!(ttl(&world), 30);
    world.cluster(0, &crate::script::pattern("-+++++++++"));
    world.run(150.5);
    assert_eq!((ttl(&world), change(&world)), (5, fall(0, 2.0)));
    // Two good ones, then the quick probes are over; the failure counts until the third.
    world.run(153.0);
    assert_eq!(ttl(&world), 5);
    assert_eq!(change(&world), fall(0, 31.0), "one failure is remembered");
    // Longer again only when it could have been so for the upper bound.
    world.run(211.0);
    assert_eq!(ttl(&world), 5);
    assert!(world.app().ttl_cause.waits);
    world.run(214.0);
    assert_eq!((ttl(&world), change(&world)), (30, fall(0, 32.0)));
}

#[test]
fn a_cluster_with_an_endpoint_left_is_as_far_from_its_fall_as_that_is() {
    let mut world = World::new(slow(&[("a", 2), ("b", 1)]));
    world.run(149.0);
    world.backend(crate::script::address(0, 0), Backend::Refused);
    world.run(400.0);
    assert_eq!(world.entry(0).verdict.as_str(), "degraded");
    assert_eq!((ttl(&world), change(&world)), (30, fall(0, 32.0)));
    assert!(!world.app().ttl_cause.halved, "the cluster is in use");
}

#[test]
fn while_a_member_is_down_it_is_halved_and_says_when_that_could_be_back() {
    let mut world = World::new(slow(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(100.0);
    assert_eq!(
        ttl(&world),
        15,
        "half of 30, the time in which b could fall"
    );
    assert_eq!(change(&world), fall(1, 32.0));
    assert!(world.app().ttl_cause.halved);
    // Where a fall is farther than a return, that comes first: three probes, and no hold-down as
    // it was never up.
    let mut draft = slow(&[("a", 1), ("b", 1)]);
    let web = draft.apps.get_mut("web").unwrap();
    (web.health.fall, web.health.rise) = (100, 1);
    let mut world = World::new(draft);
    world.cluster(0, &Backend::Refused);
    world.run(400.0);
    let back = NextChange::Return {
        cluster: 0,
        after: seconds(30.0),
    };
    assert_eq!((ttl(&world), change(&world)), (13, back));
}

#[test]
fn a_drained_member_that_is_down_shortens_nothing() {
    let mut world = World::new(slow(&[("a", 1), ("b", 1)]));
    world.apply(|d| d.clusters.get_mut("a").unwrap().drain = true);
    world.cluster(0, &Backend::Refused);
    world.run(200.0);
    assert_eq!((ttl(&world), change(&world)), (30, fall(1, 32.0)));
    assert!(!world.app().ttl_cause.halved);
}

#[test]
fn a_hold_down_is_counted_down_in_steps_and_so_is_a_ramp() {
    let mut draft = slow(&[("a", 1), ("b", 1)]);
    // Too many failures for a fall to come first.
    draft.apps.get_mut("web").unwrap().health.fall = 100;
    let mut world = World::new(draft);
    world.run(100.0);
    assert_eq!(ttl(&world), 60, "129 s until a fall");
    world.cluster(0, &Backend::Refused);
    world.run(300.0);
    assert_eq!(world.entry(0).verdict.as_str(), "down");
    world.cluster(0, &Backend::Up);
    world.run(400.0);
    let NextChange::HoldDownEnds { cluster: 0, at } = change(&world) else {
        panic!("{:?}", change(&world))
    };
    assert!(world.entry(0).cause.to_string().ends_with(&at.to_string()));
    let back = world.publications.iter();
    let back = back.filter(|(at, s)| *at > seconds(390.0) && s.apps[0].clusters[0].usable);
    assert_eq!(back.count(), 0);
    let from = world.now();
    world.run(600.0);
    let used = |s: &windrose_model::Status| s.apps[0].clusters[0].usable;
    let steps: Vec<f64> = (world.publications.iter())
        .filter(|(at, s)| at.as_secs_f64() > from && used(s))
        .map(|(at, _)| at.as_secs_f64())
        .collect();
    let end = steps[0];
    // From half of 60 s, as long as it was down, by rungs while the end comes nearer.
    let rungs: Vec<(i64, u32)> = published(&world, end - 80.0)
        .iter()
        .filter(|(at, _)| *at < end + 19.0)
        .map(|(at, ttl)| ((at - end).round() as i64, *ttl))
        .collect();
    let expected = [
        (-30, 25),
        (-25, 20),
        (-20, 15),
        (-15, 12),
        (-12, 10),
        (-10, 8),
        (-8, 6),
        (-6, 5),
    ];
    assert!(rungs.ends_with(&expected), "{rungs:?}");
}

#[test]
fn a_target_that_wavers_makes_two_publications_in_a_minute_at_most() {
    let mut world = World::new(slow(&[("a", 1), ("b", 1)]));
    world.run(200.0);
    // A failure in four: never three before three in a row, which clear them.
    world.cluster(0, &crate::script::pattern("-++++"));
    let before = world.publications.len();
    world.run(3_800.0);
    let published = world.publications.len() - before;
    assert!((2..=120).contains(&published), "{published} in an hour");
    assert_eq!(world.entry(0).verdict.as_str(), "up");
}

#[test]
fn a_cause_that_changes_alone_publishes_nothing() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    let before = world.publications.len();
    world.cluster(0, &crate::script::pattern("-++++++++++"));
    world.run(20.0);
    assert_eq!(world.publications.len(), before, "30 s either way");
}

/// Whatever happens: every answer's TTL is within its bounds, and one that is above the lower
/// bound has ended before a return that was known in advance, and lasts no longer than a fall by
/// probes takes.
#[test]
fn no_answer_outlives_a_change_that_could_be_foreseen() {
    for seed in 0..24u64 {
        let mut die = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut below = move |bound: u64| {
            die ^= die << 13;
            die ^= die >> 7;
            die ^= die << 17;
            die % bound
        };
        let mut draft = slow(&[("a", 1), ("b", 2), ("c", 1)]);
        let web = draft.apps.get_mut("web").unwrap();
        let min = u32::try_from(1 + below(40)).unwrap();
        web.ttl = band(min, min + u32::try_from(below(120)).unwrap());
        web.health.interval = seconds([2.0, 10.0, 45.0][usize::try_from(below(3)).unwrap()]);
        web.health.fall = u8::try_from(1 + below(4)).unwrap();
        web.failback.hold_down = seconds([20.0, 75.0, 300.0][usize::try_from(below(3)).unwrap()]);
        let band = web.ttl;
        let mut world = World::new(draft);
        for _ in 0..60 {
            let cluster = usize::try_from(below(3)).unwrap();
            let backend = match below(4) {
                0 => Backend::Refused,
                1 => Backend::BlackHole,
                _ => Backend::Up,
            };
            world.cluster(cluster, &backend);
            let pause = [1.0, 20.0, 90.0, 400.0][usize::try_from(below(4)).unwrap()];
            world.pass(pause);
        }
        check_publications(&world, band, seed);
    }
}

fn check_publications(world: &World, band: TtlBand, seed: u64) {
    let (min, max) = (band.min.seconds(), band.max.seconds());
    let lower = min.div_ceil(2).max(min.min(5));
    let list = &world.publications;
    for (at, (time, status)) in list.iter().enumerate() {
        let app = &status.apps[0];
        let ttl = app.ttl.seconds();
        let about = format!("seed {seed}, {} s: {:?}", time.as_secs_f64(), app.ttl_cause);
        assert!((lower..=max).contains(&ttl), "{ttl} s; {about}");
        assert!(
            app.ttl_cause.halved || ttl >= min || app.ttl_cause.waits,
            "{ttl} s; {about}"
        );
        if ttl <= min {
            continue;
        }
        // The last answer of this publication is given just before the next.
        let Some((until, _)) = list.get(at + 1) else {
            continue;
        };
        let ends = until.as_secs_f64() + f64::from(ttl);
        for (local, cluster) in app.clusters.iter().enumerate() {
            let is_held = matches!(cluster.cause, windrose_model::Cause::HoldDown { .. });
            if !is_held {
                continue;
            }
            // Back by its hold-down's end, not because the others fell.
            let back = list[at + 1..].iter().find(|(_, s)| {
                let after = &s.apps[0].clusters[local];
                after.usable || after.verdict != cluster.verdict
            });
            if let Some((back, status)) = back
                && matches!(
                    status.apps[0].clusters[local].cause,
                    windrose_model::Cause::Ramp { .. }
                )
            {
                let back = back.as_secs_f64();
                assert!(ends <= back + 0.1, "ends {ends}, back {back}; {about}");
            }
        }
    }
}
