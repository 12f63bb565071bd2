//! The operator's word: drain, dial, reload.

use windrose_control::event::Event;
use windrose_model::Verdict::{Down, Draining, Unknown, Up};
use windrose_model::{Cause, EndpointState, Percent};

use crate::script::{Backend, World, address, draft, name, percent};

#[test]
fn a_drain_takes_new_traffic_away_at_once_and_gives_it_back_at_once() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.apply(|d| d.clusters.get_mut("a").unwrap().drain = true);
    let entry = world.entry(0);
    assert_eq!(
        (entry.verdict, entry.usable, entry.cause),
        (Draining, false, Cause::Drained)
    );
    assert_eq!(world.app().last_known, 0b10);
    assert_eq!(world.publications.last().unwrap().1.stamp.revision.0, 2);
    world.apply(|d| d.clusters.get_mut("a").unwrap().drain = false);
    assert_eq!((world.entry(0).verdict, world.entry(0).usable), (Up, true));
    assert_eq!(
        world.decisions(),
        [
            "10.000 web/a up->draining 0%",
            "10.000 web/a draining->up 100%"
        ]
    );
}

#[test]
fn a_dial_limits_the_share() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.apply(|d| d.clusters.get_mut("a").unwrap().dial = percent(30.0));
    assert_eq!(
        (world.entry(0).usable, world.entry(0).share),
        (true, percent(30.0))
    );
    world.apply(|d| d.clusters.get_mut("a").unwrap().dial = Percent::ZERO);
    let entry = world.entry(0);
    assert_eq!(
        (entry.verdict, entry.usable, entry.cause),
        (Up, false, Cause::DialedOff)
    );
    assert_eq!(
        world.decisions(),
        ["10.000 web/a up->up 30%", "10.000 web/a up->up 0%"]
    );
}

#[test]
fn a_drained_cluster_does_not_count_as_a_refuge() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(30.0);
    world.apply(|d| d.clusters.get_mut("b").unwrap().dial = Percent::ZERO);
    world.cluster(0, &Backend::Up);
    world.run(60.0);
    assert!(
        world.entry(0).usable,
        "not held down: nothing else is usable"
    );
}

#[test]
fn a_reload_keeps_what_is_known_and_probes_what_is_new_at_once() {
    let mut world = World::settled(draft(&[("a", 2), ("b", 1)]));
    world.backend(address(0, 1), Backend::Refused);
    world.run(20.0);
    world.backend(address(0, 7), Backend::BlackHole);
    let before = world.probes;
    world.apply(|d| {
        let app = d.apps.get_mut("web").unwrap();
        let version = app.versions.get_mut("v1").unwrap();
        version
            .endpoints
            .get_mut("a")
            .unwrap()
            .insert(0, address(0, 7));
    });
    assert_eq!(
        world.app().endpoints,
        [
            EndpointState::Unknown,
            EndpointState::Up,
            EndpointState::Down,
            EndpointState::Up
        ]
    );
    assert_eq!(world.probes - before, 1);
    world.run(40.0);
    assert_eq!(world.app().endpoints[0], EndpointState::Down);
    assert_eq!(world.app().endpoints[1], EndpointState::Up);
}

#[test]
fn a_changed_check_keeps_what_is_known() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(20.0);
    world.decisions();
    world.apply(|d| d.apps.get_mut("web").unwrap().health.timeout *= 2);
    assert_eq!(world.entry(0).verdict, Down);
    assert_eq!(world.entry(1).verdict, Up);
    world.run(30.0);
    assert_eq!(world.decisions(), [""; 0]);
}

#[test]
fn an_app_that_moves_in_the_list_takes_its_state_along() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::Refused);
    world.run(20.0);
    world.apply(|d| {
        let mut first = d.apps["web"].clone();
        first.hosts = vec![windrose_model::DnsName::parse("aaa.example.com").unwrap()];
        let version = first.versions.get_mut("v1").unwrap();
        version
            .endpoints
            .values_mut()
            .for_each(|list| list[0].set_port(99));
        d.apps.insert(name("aaa"), first);
    });
    let status = world.status();
    assert_eq!(status.apps[0].clusters[0].verdict, Unknown);
    assert_eq!(status.apps[1].clusters[0].verdict, Down);
    world.cluster(0, &Backend::Up);
    world.run(60.0);
    assert_eq!(world.status().apps[0].clusters[0].verdict, Up);
    assert_eq!(world.status().apps[1].clusters[0].verdict, Up);
}

#[test]
fn a_late_result_for_an_endpoint_that_is_gone_counts_for_nothing() {
    let mut world = World::settled(draft(&[("a", 2), ("b", 1)]));
    world.backend(address(0, 1), Backend::BlackHole);
    world.run(15.5); // a probe is under way
    world.apply(|d| {
        let app = d.apps.get_mut("web").unwrap();
        let version = app.versions.get_mut("v1").unwrap();
        version.endpoints.get_mut("a").unwrap()[1] = address(0, 2);
    });
    world.run(100.0);
    assert_eq!(world.entry(0).verdict, Up);
}

#[test]
fn flips_go_on_while_a_new_model_is_compiled() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.hold_jobs = true;
    world.apply(|d| d.clusters.get_mut("b").unwrap().dial = percent(50.0));
    world.cluster(0, &Backend::Refused);
    world.run(20.0);
    let (_, status) = world.publications.last().unwrap();
    assert_eq!(status.stamp.revision.0, 1);
    assert_eq!(status.apps[0].clusters[0].verdict, Down);
    let (job, _) = world.jobs.pop().unwrap();
    world.event(Event::Computed(job));
    let (_, status) = world.publications.last().unwrap();
    assert_eq!(status.stamp.revision.0, 2);
    assert_eq!(status.apps[0].clusters[0].verdict, Down);
    assert_eq!(status.apps[0].clusters[1].share, percent(50.0));
}

#[test]
fn of_several_models_in_a_row_the_last_wins() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.hold_jobs = true;
    world.apply(|d| d.clusters.get_mut("a").unwrap().dial = percent(50.0));
    world.apply(|d| d.clusters.get_mut("a").unwrap().dial = percent(20.0));
    let published = world.publications.len();
    for (job, _) in std::mem::take(&mut world.jobs) {
        world.event(Event::Computed(job));
    }
    assert_eq!(world.publications.len(), published + 1);
    assert_eq!(world.entry(0).share, percent(20.0));
    assert_eq!(world.status().stamp.revision.0, 3);
}

#[test]
fn a_refused_reload_is_remembered_and_the_next_one_heals_it() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.event(Event::ReloadFailed("windrose.yaml:3:1".to_owned()));
    assert!(!world.controller.reload().ok);
    assert_eq!(world.status().stamp.revision.0, 1);
    assert_eq!(
        world.controller.reload().error.as_deref(),
        Some("windrose.yaml:3:1")
    );
    world.apply(|_| {});
    assert!(world.controller.reload().ok);
}

#[test]
fn a_file_refused_while_an_earlier_one_is_compiled_stays_refused() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.hold_jobs = true;
    world.apply(|d| d.clusters.get_mut("a").unwrap().dial = percent(50.0));
    world.event(Event::ReloadFailed("windrose.yaml:3:1".to_owned()));
    let (job, _) = world.jobs.pop().unwrap();
    world.event(Event::Computed(job));
    assert_eq!(world.status().stamp.revision.0, 2);
    assert!(!world.controller.reload().ok, "the newest file is refused");
}
