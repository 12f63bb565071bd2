//! Evidence from live traffic.

use windrose_model::Verdict::{Down, Up};
use windrose_model::{EndpointId, Fact, PassiveKind, Report, Revision, Stamp};

use crate::script::{Backend, World, draft, endpoint, seconds};

#[test]
fn passive_evidence_speeds_up_a_verdict() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.run(10.5);
    world.cluster(0, &Backend::Refused);
    world.passive(0);
    world.run(11.6);
    assert_eq!(world.entry(0).verdict, Down);
    let left = world
        .publications
        .iter()
        .find(|(_, s)| !s.apps[0].clusters[0].usable);
    assert_eq!(left.unwrap().0, seconds(11.502), "one report, two probes");
}

#[test]
fn passive_evidence_counts_once_per_probe() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.run(10.5);
    let before = world.probes;
    for _ in 0..100 {
        world.passive(0);
    }
    assert_eq!(world.probes - before, 1);
    world.run(10.9);
    assert_eq!(world.probes - before, 1);
    assert_eq!(world.entry(0).verdict, Up);
}

#[test]
fn evidence_during_a_probe_makes_the_next_one_follow_at_once() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    world.cluster(0, &Backend::BlackHole);
    world.run(15.5); // a probe has been under way since 15 s
    let before = world.probes;
    world.passive(0);
    world.run(17.5);
    assert_eq!(world.probes - before, 1, "at 17 s");
    world.run(19.5);
    assert_eq!(world.entry(0).verdict, Down);
}

#[test]
fn a_report_of_another_revision_is_ignored() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    let before = world.probes;
    for revision in [0, 2] {
        world.report(Report {
            stamp: Stamp {
                revision: Revision(revision),
                ..world.status().stamp
            },
            fact: Fact::Passive(endpoint(0), PassiveKind::Reset),
        });
    }
    assert_eq!(world.probes, before);
}

#[test]
fn a_report_about_nobody_or_a_verdict_of_the_data_path_is_ignored() {
    let mut world = World::settled(draft(&[("a", 1), ("b", 1)]));
    let stamp = world.status().stamp;
    let nobody = EndpointId {
        app: windrose_model::AppId(9),
        index: 0,
    };
    let down = windrose_model::ProbeFailure::Refused;
    for fact in [
        Fact::Passive(nobody, PassiveKind::Reset),
        Fact::Passive(endpoint(99), PassiveKind::Reset),
        Fact::EndpointDown(endpoint(0), down),
    ] {
        world.report(Report { stamp, fact });
    }
    assert_eq!(world.entry(0).verdict, Up);
}
