//! From nothing known to ready.

use windrose_control::{Budget, Options};
use windrose_model::Verdict::{Degraded, Down, Unknown, Up};
use windrose_model::{Cause, EndpointState};

use crate::script::{Backend, World, address, draft, options, seconds};

#[test]
fn what_is_unknown_is_in_use() {
    let world = World::new(draft(&[("a", 1), ("b", 1)]));
    let entry = world.entry(0);
    assert_eq!(
        (entry.verdict, entry.usable, entry.cause),
        (Unknown, true, Cause::Starting)
    );
    assert_eq!(world.app().last_known, 0b11);
}

#[test]
fn a_node_is_ready_after_the_first_result_of_every_target() {
    let mut world = World::new(draft(&[("a", 2), ("b", 2)]));
    world.run(0.0);
    assert_eq!(world.ready, None);
    assert_eq!(world.controller.readiness().missing, ["web/a", "web/b"]);
    world.run(0.001);
    assert_eq!(world.ready, Some(seconds(0.001)));
    assert!(world.controller.readiness().missing.is_empty());
    let last = &world.publications.last().unwrap().1;
    assert_eq!(last.apps[0].clusters[0].verdict, Up, "published before");
}

#[test]
fn a_black_hole_delays_the_first_round_by_its_timeout_only() {
    let mut world = World::new(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::BlackHole);
    world.run(1.0);
    assert_eq!(world.controller.readiness().missing, ["web/a"]);
    world.run(60.0);
    assert_eq!(world.ready, Some(seconds(2.0)));
    assert_eq!(world.entry(0).verdict, Down);
}

#[test]
fn the_grace_ends_a_first_round_that_takes_too_long() {
    let mut draft = draft(&[("a", 1), ("b", 1)]);
    draft.apps.get_mut("web").unwrap().health.timeout = seconds(60.0);
    let mut world = World::new(draft);
    world.cluster(0, &Backend::BlackHole);
    world.run(9.9);
    assert_eq!(world.ready, None);
    world.run(11.0);
    assert_eq!(world.ready, Some(seconds(10.0)));
    assert_eq!(world.controller.readiness().missing, ["web/a"]);
    assert_eq!(world.entry(0).verdict, Unknown, "unknown is never down");
    assert!(world.entry(0).usable);
}

#[test]
fn a_first_success_needs_no_hold_down() {
    let mut world = World::new(draft(&[("a", 1), ("b", 1)]));
    world.run(1.0);
    assert_eq!(
        world.decisions(),
        [
            "0.001 web/a unknown->up 100%",
            "0.001 web/b unknown->up 100%"
        ]
    );
}

#[test]
fn a_cluster_that_was_never_up_starts_without_hold_down() {
    let mut world = World::new(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(20.0);
    assert_eq!(world.entry(0).verdict, Down);
    world.cluster(0, &Backend::Up);
    world.run(60.0);
    assert_eq!((world.entry(0).verdict, world.entry(0).usable), (Up, true));
}

#[test]
fn a_start_with_half_of_everything_down_serves_from_the_rest() {
    let mut world = World::new(draft(&[("a", 2), ("b", 2), ("c", 2)]));
    world.cluster(0, &Backend::Refused);
    world.backend(address(1, 0), Backend::Refused);
    world.run(10.0);
    let verdicts: Vec<_> = (0..3).map(|c| world.entry(c).verdict).collect();
    assert_eq!(verdicts, [Down, Degraded, Up]);
    let usable: Vec<_> = (0..3).map(|c| world.entry(c).usable).collect();
    assert_eq!(usable, [false, true, true]);
    assert_eq!(world.app().endpoints[0], EndpointState::Down);
}

#[test]
fn first_probes_are_spread_over_a_second_and_later_ones_over_the_interval() {
    let options = Options {
        jitter: true,
        seed: 7,
        ..options()
    };
    let mut world = World::with(draft(&[("a", 100), ("b", 100)]), options);
    world.run(0.0);
    assert_eq!(world.probes, 1);
    world.run(0.5);
    assert!((95..=115).contains(&world.probes), "{}", world.probes);
    world.run(1.0);
    let first = world.probes;
    assert!(first >= 200);
    world.run(30.0);
    for second in 31..=35 {
        let before = world.probes;
        world.run(f64::from(second));
        let begun = world.probes - before;
        assert!((20..=60).contains(&begun), "{begun} in second {second}");
    }
}

#[test]
fn the_budget_holds_and_everyone_gets_a_turn() {
    let options = Options {
        budget: Budget {
            in_flight: 10,
            per_second: 100_000,
        },
        ..options()
    };
    let mut world = World::with(draft(&[("a", 100), ("b", 100)]), options);
    world.cluster(0, &Backend::BlackHole);
    world.run(0.0);
    assert_eq!(world.probes, 10);
    world.run(60.0);
    assert!(world.ready.is_some());
    world.run(200.0);
    assert_eq!(world.entry(0).verdict, Down);
    assert_eq!(world.entry(1).verdict, Up);
    assert!(world.logs[0].contains("late"), "{:?}", world.logs);
}

#[test]
fn what_was_not_probed_says_nothing_about_a_target() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::NotMade);
    let before = world.probes;
    world.run(40.0);
    assert_eq!(world.entry(0).verdict, Up);
    assert!(world.probes - before >= 25, "tried again each second");
    assert_eq!(world.logs.len(), 1, "{:?}", world.logs);
}

#[test]
fn a_cluster_drained_from_the_start_is_written_down() {
    let mut draft = draft(&[("a", 1), ("b", 1)]);
    draft.clusters.get_mut("a").unwrap().drain = true;
    let mut world = World::new(draft);
    world.run(0.0);
    assert_eq!(world.decisions(), ["0.000 web/a unknown->draining 0%"]);
    assert_eq!(world.app().last_known, 0b10);
}
