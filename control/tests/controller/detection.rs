//! How soon failures are noticed, and which are.

use std::time::Duration;

use windrose_model::Verdict::{Degraded, Down, Up};
use windrose_model::{Cause, Model, ProbeFailure, Revision};

use crate::script::{Backend, World, address, draft, name, pattern, seconds};

/// Kills a cluster at every tenth of an interval; how long it takes until it is out of use.
fn check_kill(backend: &Backend, bound: f64) {
    for tenth in 0..10 {
        let mut world = World::settled(draft(&[("a", 2), ("b", 2)]));
        world.pass(0.5 * f64::from(tenth));
        let killed = world.now();
        world.cluster(0, backend);
        world.pass(bound);
        let entry = world.entry(0);
        assert!(!entry.usable, "killed at {killed}");
        assert_eq!(entry.verdict, Down);
        assert!(world.entry(1).usable);
        let (at, status) = world
            .publications
            .iter()
            .find(|(_, status)| !status.apps[0].clusters[0].usable)
            .unwrap();
        assert!(*at <= seconds(killed + bound));
        assert_eq!(status.apps[0].clusters[0].verdict, Down);
    }
}

#[test]
fn a_cluster_that_refuses_is_left_within_seven_seconds() {
    check_kill(&Backend::Refused, 5.0 + 1.0 + 1.0 + 0.1);
}

#[test]
fn a_cluster_that_is_a_black_hole_is_left_within_thirteen_seconds() {
    check_kill(&Backend::BlackHole, 5.0 + 2.0 + 1.0 + 2.0 + 1.0 + 2.0 + 0.1);
}

#[test]
fn detection_keeps_its_promise_for_other_intervals_and_counts() {
    for (interval, timeout, fall) in [(1, 1, 1), (1, 2, 5), (10, 1, 2), (2, 5, 4)] {
        for backend in [Backend::Refused, Backend::BlackHole] {
            let mut draft = draft(&[("a", 1), ("b", 1)]);
            let health = &mut draft.apps.get_mut("web").unwrap().health;
            health.interval = Duration::from_secs(interval);
            health.timeout = Duration::from_secs(timeout);
            health.fall = fall;
            let mut world = World::new(draft);
            world.run(60.0);
            world.cluster(0, &backend);
            let promise = (interval + timeout) * u64::from(fall) + 1;
            world.run(60.0 + promise as f64);
            assert_eq!(world.entry(0).verdict, Down, "{interval} {timeout} {fall}");
        }
    }
}

#[test]
fn the_verdict_names_its_cause() {
    let mut world = World::settled(draft(&[("a", 2), ("b", 1)]));
    world.cluster(0, &Backend::BlackHole);
    world.pass(20.0);
    let cause = Cause::EndpointsDown {
        of: 2,
        last: ProbeFailure::Timeout,
    };
    assert_eq!(world.entry(0).cause, cause);
    assert_eq!(world.decisions(), ["23.000 web/a up->down 0%"]);
}

#[test]
fn a_target_that_fails_now_and_then_goes_down_instead_of_bouncing() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &pattern("+-++-+-++-")); // 40 %
    world.pass(120.0);
    assert_eq!(world.entry(0).verdict, Down);
    let decisions = world.decisions();
    assert_eq!(decisions.len(), 1, "{decisions:?}");

    // 30 %, with three successes in a row now and then: each return takes longer to earn.
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &pattern("++-+-++-++"));
    world.run(300.0);
    assert_eq!(world.entry(0).verdict, Down);
    world.decisions();
    world.run(3_600.0);
    assert_eq!(world.decisions(), [""; 0]);
}

#[test]
fn a_single_failure_changes_nothing() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &pattern("-+++++++++++++++++++"));
    world.pass(60.0);
    assert_eq!(world.entry(0).verdict, Up);
    assert_eq!(world.decisions(), [""; 0]);
}

#[test]
fn after_a_failure_the_next_probes_follow_a_second_apart() {
    let mut world = World::settled(draft(&[("a", 1)]));
    world.cluster(0, &pattern("-+++++++++++++++++++"));
    let before = world.probes;
    world.run(15.9);
    assert_eq!(world.probes - before, 1, "at 15 s");
    world.run(17.9);
    assert_eq!(world.probes - before, 3, "at 16 and 17 s");
    world.run(21.9);
    assert_eq!(world.probes - before, 3, "the interval holds again");
    world.run(22.1);
    assert_eq!(world.probes - before, 4);
}

#[test]
fn half_a_cluster_is_degraded_and_in_use() {
    let mut world = World::settled(draft(&[("a", 2), ("b", 2)]));
    world.backend(address(0, 0), Backend::Refused);
    world.pass(20.0);
    let entry = world.entry(0);
    assert_eq!((entry.verdict, entry.usable), (Degraded, true));
    assert_eq!(entry.cause, Cause::EndpointsUp { up: 1, of: 2 });
}

#[test]
fn a_version_that_gets_no_traffic_does_not_count() {
    let mut draft = draft(&[("a", 1), ("b", 1)]);
    let app = draft.apps.get_mut("web").unwrap();
    let mut idle = app.versions["v1"].clone();
    idle.endpoints.values_mut().for_each(|list| {
        list[0].set_port(81);
    });
    let preview = idle.endpoints["a"][0];
    app.versions.insert(name("v2"), idle);
    let mut world = World::settled(draft);
    world.backend(preview, Backend::Refused);
    world.pass(20.0);
    assert_eq!(world.entry(0).verdict, Up);
}

#[test]
fn identical_targets_are_probed_once_for_all_who_want_them() {
    let mut draft = draft(&[("a", 1), ("b", 1)]);
    let mut second = draft.apps["web"].clone();
    second.hosts = vec![windrose_model::DnsName::parse("two.example.com").unwrap()];
    draft.apps.insert(name("two"), second);
    let model = Model::build(draft.clone(), Revision(1), None).unwrap();
    assert_eq!(model.apps().len(), 2);
    let mut world = World::settled(draft);
    let before = world.probes;
    world.pass(5.0);
    assert_eq!(world.probes - before, 2);
    world.cluster(0, &Backend::Refused);
    world.pass(10.0);
    let down = |app: usize| world.status().apps[app].clusters[0].verdict;
    assert_eq!((down(0), down(1)), (Down, Down));
}
