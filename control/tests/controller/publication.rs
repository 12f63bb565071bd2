//! When a Status is published, and under which stamp.

use std::time::Duration;

use crate::script::{Backend, World, draft, seconds};

#[test]
fn a_thousand_transitions_at_once_are_one_publication() {
    let mut world = World::settled(draft(&[("a", 1000), ("b", 1000)]));
    let before = world.publications.len();
    world.cluster(0, &Backend::Refused);
    for endpoint in 256..1000 {
        world.backend(crate::script::address(0, endpoint), Backend::Refused);
    }
    world.pass(10.0);
    assert_eq!(world.publications.len(), before + 1);
}

#[test]
fn publications_keep_their_distance() {
    let mut world = World::settled(draft(&[("a", 20), ("b", 1)]));
    let before = world.publications.len();
    for endpoint in 0..20 {
        let at = 10.5 + 0.003 * f64::from(endpoint);
        world.run(at);
        world.backend(
            crate::script::address(0, usize::try_from(endpoint).unwrap()),
            Backend::Refused,
        );
        world.passive(u16::try_from(endpoint).unwrap());
    }
    world.run(30.0);
    let times: Vec<_> = world.publications[before..]
        .iter()
        .map(|(at, _)| *at)
        .collect();
    assert!((2..=8).contains(&times.len()), "{times:?}");
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_millis(20), "{times:?}");
    }
    assert!(times[0] >= seconds(11.5));
}

#[test]
fn epochs_count_publications_and_decisions_carry_theirs() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.pass(10.0);
    let epochs: Vec<_> = world
        .publications
        .iter()
        .map(|(_, s)| s.stamp.epoch)
        .collect();
    assert_eq!(epochs, [2, 3]);
    let decision = world.controller.decisions().last().unwrap();
    assert_eq!(decision.stamp, world.status().stamp);
}

#[test]
fn nothing_is_published_while_nothing_changes() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    let before = world.publications.len();
    world.run(600.0);
    assert_eq!(world.publications.len(), before);
}
