//! Measured round trips: when they count, when they change, when they are forgotten.

use windrose_control::Options;
use windrose_model::{MeasuredRtt, Percent, RttCause};

use crate::script::{Backend, World, draft, name, options, percent};

/// A node in region `r`, with clusters `a` and `b` at these round trips.
fn world(rtt: impl Fn(usize, f64, usize) -> f64 + 'static) -> World {
    let options = Options {
        region: Some(name("r")),
        ..options()
    };
    let mut world = World::with(draft(&[("a", 2), ("b", 1)]), options);
    world.rtt = Box::new(rtt);
    world
}

fn entry(world: &World, cluster: &str) -> Option<MeasuredRtt> {
    let status = world.status();
    status.latency.get("r")?.get(cluster).copied()
}

/// What is in force from `r` to `a`, in milliseconds.
fn in_force(world: &World) -> Option<f64> {
    entry(world, "a").map(|entry| f64::from(entry.rtt.micros()) / 1e3)
}

/// Publications by second since `from`, with what is in force in them.
fn published(world: &World, from: u64) -> Vec<(u64, f64)> {
    let of = world.publications.iter().filter_map(|(at, status)| {
        let entry = status.latency.get("r")?.get("a")?;
        Some((at.as_secs(), f64::from(entry.rtt.micros()) / 1e3))
    });
    of.filter(|(at, _)| *at >= from).collect()
}

#[test]
fn a_round_trip_counts_after_the_warm_up_and_says_since_when() {
    let mut world = world(|cluster, _, _| [50.0, 7.0][cluster]);
    world.run(599.0);
    assert_eq!(world.status().latency.len(), 0);
    let shown = world.controller.round_trips();
    assert_eq!(shown.len(), 2, "it is shown while it warms up");
    assert!(shown.iter().all(|trip| trip.in_force.is_none()));
    world.run(721.0);
    let a = entry(&world, "a").unwrap();
    assert_eq!(in_force(&world), Some(50.0));
    assert!(
        matches!(a.cause, RttCause::WarmedUp { seconds: 600.. }),
        "{}",
        a.cause
    );
    assert_eq!(a.cause.to_string(), "measured for 600 s");
    assert!(a.since.0 > 1_800_000_000_000_000);
    assert_eq!(entry(&world, "b").unwrap().rtt.to_string(), "7 ms");
    assert_eq!(published(&world, 0), [(660, 50.0)], "one publication");
}

#[test]
fn jitter_changes_nothing() {
    // Up to twice as long, and every hundredth probe by a lost packet.
    let jitter = |nth: usize| (nth * 7_919 % 1_000) as f64 / 20.0;
    let mut world = world(move |_, _, nth| match nth % 100 {
        0 => 1_050.0,
        _ => 50.0 + jitter(nth),
    });
    world.run(3.0 * 3_600.0);
    assert_eq!(published(&world, 0).len(), 1, "{:?}", published(&world, 0));
    let rtt = in_force(&world).unwrap();
    assert!((50.0..55.0).contains(&rtt), "{rtt}");
}

#[test]
fn a_gain_of_20_percent_counts_after_the_period() {
    let mut world = world(|_, at, _| if at < 1_000.0 { 50.0 } else { 40.0 });
    world.run(1_019.0);
    assert_eq!(in_force(&world), Some(50.0));
    world.run(1_200.0);
    assert_eq!(published(&world, 700), [(1_020, 40.0)]);
    let cause = entry(&world, "a").unwrap().cause;
    assert_eq!(cause.to_string(), "measured, moved from 50 ms");
    assert!(
        world.logs.iter().any(|line| line
            == "round trip from region r to cluster a is 40 ms: measured, moved from 50 ms")
    );
}

#[test]
fn a_way_that_got_longer_counts_when_it_stays_so_for_five_periods() {
    let mut world = world(|_, at, _| if at < 1_000.0 { 40.0 } else { 50.0 });
    world.run(1_260.0);
    assert_eq!(in_force(&world), Some(40.0));
    world.run(1_400.0);
    assert_eq!(published(&world, 700), [(1_320, 50.0)]);
}

#[test]
fn a_busy_minute_changes_nothing() {
    let mut world = world(|_, at, _| match at {
        1_000.0..1_060.0 => 400.0,
        _ => 40.0,
    });
    world.run(4_000.0);
    assert_eq!(published(&world, 0).len(), 1);
}

#[test]
fn less_than_5_ms_or_10_percent_is_held() {
    for (before, after) in [(50.0, 45.5), (200.0, 182.0), (10.0, 5.5)] {
        let mut world = world(move |_, at, _| if at < 1_000.0 { before } else { after });
        world.run(4_000.0);
        assert_eq!(in_force(&world), Some(before));
        let shown = world.controller.round_trips();
        assert!(shown[0].is_held(), "{before} {after}");
        assert_eq!(f64::from(shown[0].latest.micros()) / 1e3, after);
    }
}

#[test]
fn a_drift_changes_ranks_in_few_steps() {
    // From 100 to 40 ms in 100 minutes, one step per minute.
    let mut world =
        world(|_, at, _| 100.0 - 0.6 * ((at - 1_000.0) / 60.0).clamp(0.0, 100.0).floor());
    world.run(9_000.0);
    let steps = published(&world, 700);
    assert!((6..=9).contains(&steps.len()), "{steps:?}");
    assert!(in_force(&world).unwrap() < 45.0);
}

#[test]
fn what_is_not_seen_any_more_is_kept_for_an_hour_and_then_left_to_the_matrix() {
    let mut world = world(|_, _, _| 50.0);
    world.run(1_000.0);
    world.cluster(0, &Backend::BlackHole);
    world.run(1_000.0 + 3_500.0);
    assert_eq!(in_force(&world), Some(50.0));
    world.run(1_000.0 + 3_700.0);
    assert_eq!(in_force(&world), None);
    assert!(entry(&world, "b").is_some(), "the other is still seen");
    let last = world.publications.last().unwrap();
    assert!(
        last.1.latency.get("r").unwrap().get("a").is_none(),
        "published"
    );
    world.cluster(0, &Backend::Up);
    world.pass(500.0);
    assert_eq!(in_force(&world), None, "it warms up anew");
    world.pass(300.0);
    assert_eq!(in_force(&world), Some(50.0));
}

#[test]
fn a_node_that_starts_again_measures_anew_and_leaves_it_to_the_matrix_until_then() {
    let mut before = world(|_, _, _| 50.0);
    before.run(1_000.0);
    assert_eq!(in_force(&before), Some(50.0));
    let mut after = world(|_, _, _| 50.0);
    after.run(500.0);
    assert_eq!(after.status().latency.len(), 0);
}

#[test]
fn what_is_remembered_counts_at_once_is_measured_on_and_forgotten_when_not_seen() {
    let remembered = |rtt: f64| {
        let entry = MeasuredRtt {
            rtt: windrose_model::Rtt::from_millis(rtt).unwrap(),
            cause: RttCause::Remembered,
            since: windrose_model::WallTime(3),
        };
        let to = [(name("a"), entry), (name("gone"), entry)].into();
        let options = Options {
            region: Some(name("r")),
            remembered: windrose_control::Remembered {
                latency: std::sync::Arc::new([(name("r"), to)].into()),
                ..windrose_control::Remembered::default()
            },
            ..options()
        };
        let mut world = World::with(draft(&[("a", 1)]), options);
        world.rtt = Box::new(|_, _, _| 50.0);
        world
    };
    let world = remembered(48.0);
    let latency = &world.status().latency["r"];
    assert_eq!(latency.len(), 1, "clusters that are gone are forgotten");
    assert_eq!(latency["a"].cause, RttCause::Remembered);
    assert_eq!(latency["a"].since, windrose_model::WallTime(3));
    // Still good: nothing is published for it. Wrong: it moves without another warm-up.
    for (rtt, expected) in [(48.0, 48.0), (20.0, 50.0)] {
        let mut world = remembered(rtt);
        world.run(500.0);
        assert_eq!(in_force(&world), Some(expected));
    }
    let mut unseen = remembered(48.0);
    unseen.cluster(0, &Backend::BlackHole);
    unseen.run(3_000.0);
    assert_eq!(in_force(&unseen), Some(48.0));
    unseen.run(4_000.0);
    assert_eq!(in_force(&unseen), None);
}

#[test]
fn a_new_configuration_keeps_what_is_measured() {
    let mut world = world(|cluster, _, _| [50.0, 7.0][cluster]);
    world.run(1_000.0);
    world.apply(|draft| draft.clusters.get_mut("a").unwrap().dial = percent(50.0));
    world.run(1_001.0);
    assert_eq!(in_force(&world), Some(50.0));
    // Cluster numbers move; names do not.
    world.apply(|draft| {
        let like = draft.clusters["a"].clone();
        draft.clusters.insert(name("0"), like);
    });
    world.run(1_300.0);
    assert_eq!(
        (in_force(&world), entry(&world, "b").unwrap().rtt.micros()),
        (Some(50.0), 7_000)
    );
    world.apply(|draft| {
        let web = draft.apps.get_mut("web").unwrap();
        web.versions.get_mut("v1").unwrap().endpoints.remove("a");
        draft.clusters.remove("a");
    });
    world.run(1_301.0);
    assert_eq!(in_force(&world), None);
    assert_eq!(world.entry(0).share, Percent::FULL);
}

#[test]
fn a_node_without_a_region_measures_nothing() {
    let mut world = World::settled(draft(&[("a", 1)]));
    let published = world.publications.len();
    world.run(3_600.0);
    assert_eq!(world.controller.round_trips(), []);
    assert_eq!(world.publications.len(), published);
}
