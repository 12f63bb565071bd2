//! All down, and the way back.

use windrose_model::Verdict::{Down, Up};
use windrose_model::{Cause, Failback, Percent};

use crate::script::{Backend, World, address, draft, percent, seconds};

/// Hold-down 60 s, then 25 % per 10 s.
fn quick(clusters: &[(&str, usize)]) -> windrose_model::Draft {
    let mut draft = draft(clusters);
    draft.apps.get_mut("web").unwrap().failback = Failback {
        hold_down: seconds(60.0),
        ramp_step: percent(25.0),
        ramp_every: seconds(10.0),
    };
    draft
}

#[test]
fn a_cluster_that_recovers_is_held_down_and_comes_back_by_steps() {
    let mut world = World::settled(quick(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    world.cluster(0, &Backend::Up);
    world.run(200.0);
    // Probed at 15, 16, 17 s, then each 5 s; the third success in a row at 42.
    assert_eq!(
        world.decisions(),
        [
            "17.003 web/a up->down 0%",
            "42.003 web/a down->up 0%",
            "102.003 web/a up->up 25%",
            "132.003 web/a up->up 100%",
        ]
    );
    let steps: Vec<_> = world
        .publications
        .iter()
        .map(|(at, s)| (at.as_secs(), s.apps[0].clusters[0].share))
        .filter(|(at, _)| *at > 42)
        .collect();
    let expected = [(102, 25.0), (112, 50.0), (122, 75.0), (132, 100.0)];
    assert_eq!(steps, expected.map(|(at, p)| (at, percent(p))));
    assert_eq!(world.entry(0).cause, Cause::EndpointsUp { up: 1, of: 1 });
}

#[test]
fn while_held_down_it_says_until_when() {
    let mut world = World::settled(quick(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    world.cluster(0, &Backend::Up);
    world.run(50.0);
    let entry = world.entry(0);
    assert_eq!((entry.verdict, entry.usable), (Up, false));
    let Cause::HoldDown { until } = entry.cause else {
        panic!("{}", entry.cause);
    };
    assert_eq!(until.0 - entry.since.0, 60_000_000);
}

#[test]
fn a_ramp_goes_no_further_than_what_is_ready() {
    let mut world = World::settled(quick(&[("a", 2), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    world.backend(address(0, 0), Backend::Up);
    world.run(300.0);
    assert_eq!(world.entry(0).share, percent(50.0));
    assert!(world.entry(0).usable);
    let waiting = world.publications.len();
    world.run(900.0);
    assert_eq!(world.publications.len(), waiting, "nothing has changed");
    world.backend(address(0, 1), Backend::Up);
    world.run(1_000.0);
    assert_eq!(world.entry(0).share, Percent::FULL);
}

#[test]
fn hold_down_doubles_with_each_flap() {
    let mut world = World::settled(quick(&[("a", 1), ("b", 1)]));
    let mut held = Vec::new();
    for flap in 0..5 {
        world.cluster(0, &Backend::Refused);
        world.pass(20.0);
        assert_eq!(world.entry(0).verdict, Down);
        world.cluster(0, &Backend::Up);
        world.pass(20.0 * f64::from(1 << flap.min(3)));
        let entry = world.entry(0);
        let Cause::HoldDown { until } = entry.cause else {
            panic!("{}", entry.cause);
        };
        held.push((until.0 - entry.since.0) / 1_000_000);
    }
    assert_eq!(held, [60, 120, 240, 480, 480]);
}

#[test]
fn with_everything_down_the_last_known_are_remembered() {
    let mut world = World::settled(quick(&[("a", 1), ("b", 1), ("c", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    assert_eq!(world.app().last_known, 0b110);
    world.cluster(1, &Backend::Refused);
    world.cluster(2, &Backend::Refused);
    world.run(30.5);
    world.run(60.0);
    assert!((0..3).all(|c| !world.entry(c).usable));
    assert_ne!(world.app().last_known, 0);
    let decisions = world.decisions();
    assert!(
        decisions
            .last()
            .unwrap()
            .contains("web/* degraded->down 0%"),
        "{decisions:?}"
    );
}

#[test]
fn when_everything_was_down_the_first_to_recover_is_used_at_once() {
    let mut world = World::settled(quick(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.cluster(1, &Backend::Refused);
    world.run(30.0);
    world.decisions();
    world.cluster(1, &Backend::Up);
    world.run(50.0);
    let entry = world.entry(1);
    assert_eq!(
        (entry.verdict, entry.usable, entry.share),
        (Up, true, Percent::FULL)
    );
    assert_eq!(
        world.decisions(),
        [
            "42.003 web/b down->up 100%",
            "42.003 web/* down->degraded 100%"
        ]
    );
    world.cluster(0, &Backend::Up);
    world.run(80.0);
    assert!(!world.entry(0).usable, "the second is held down");
}

#[test]
fn clusters_that_go_down_together_are_known_together() {
    let three = [("a", 1), ("b", 1), ("c", 1)];
    let all_down = |world: &mut World| {
        for cluster in 0..3 {
            world.cluster(cluster, &Backend::Refused);
        }
        world.run(60.0);
        assert!((0..3).all(|cluster| world.entry(cluster).verdict == Down));
        world.app().last_known
    };
    // One after the other, as their probes come round: the last one found is no better known.
    assert_eq!(all_down(&mut World::settled(quick(&three))), 0b111);
    // The same before anything was seen up.
    assert_eq!(all_down(&mut World::new(quick(&three))), 0b111);
    // One that was down long before is not among them.
    let mut world = World::settled(quick(&three));
    world.cluster(1, &Backend::Refused);
    world.run(40.0);
    assert_eq!(all_down(&mut world), 0b101);
}

#[test]
fn a_cluster_held_down_is_used_at_once_when_the_last_other_goes_down() {
    let mut world = World::settled(quick(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    world.cluster(0, &Backend::Up);
    world.run(50.0);
    assert!(!world.entry(0).usable);
    world.cluster(1, &Backend::Refused);
    world.run(60.0);
    assert_eq!(world.entry(1).verdict, Down);
    let entry = world.entry(0);
    assert_eq!((entry.usable, entry.share), (true, Percent::FULL));
    let last = world.app();
    assert_eq!(last.last_known, 0b01);
}

#[test]
fn the_only_cluster_of_an_app_is_never_held_down() {
    let mut world = World::settled(quick(&[("a", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    world.cluster(0, &Backend::Up);
    world.run(50.0);
    assert!(world.entry(0).usable);
}
