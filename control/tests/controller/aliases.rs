//! ALIAS targets: asked about in the background, published when they change, kept when they fail.

use std::net::Ipv4Addr;
use std::time::Duration;

use windrose_control::event::Event;
use windrose_control::resolve::{Addresses, Found};
use windrose_model::{AliasCause, AliasFailure, DnsName, RData, Records, RrSet, Soa, Ttl, Zone};

use crate::script::{World, draft};

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn zone(targets: &[(&str, &str)]) -> Zone {
    let ttl = Ttl::new(300).unwrap();
    let mut records = Records::new();
    let ns = RData::ns(&name("ns1.example.net"));
    records.insert(name("example.com"), RrSet::single(ttl, &ns));
    for (owner, target) in targets {
        let alias = RData::alias(&name(target));
        records.insert(name(owner), RrSet::single(ttl, &alias));
    }
    let soa = Soa {
        mname: name("ns1.example.net"),
        rname: name("hostmaster.example.net"),
        serial: 1,
        refresh: 3_600,
        retry: 600,
        expire: 604_800,
        minimum: 60,
        ttl,
    };
    Zone { soa, records }
}

fn world(targets: &[(&str, &str)]) -> World {
    let mut draft = draft(&[("a", 1)]);
    draft.zones.insert(name("example.com"), zone(targets));
    let mut world = World::new(draft);
    world.run(1.0);
    world
}

/// Answers the question that is open.
fn answer(world: &mut World, last: u8) {
    let question = world.questions.remove(0);
    let ttl = Duration::from_secs(60);
    let found = Found {
        v4: Ok(Addresses {
            list: vec![Ipv4Addr::new(192, 0, 2, last)],
            ttl,
            through: Vec::new(),
        }),
        v6: Ok(Addresses {
            list: Vec::new(),
            ttl,
            through: Vec::new(),
        }),
    };
    world.event(Event::Resolved(question.id, found));
    world.wake();
}

fn known(world: &World) -> Vec<Ipv4Addr> {
    let aliases = &world.publications.last().unwrap().1.aliases;
    aliases.values().flat_map(|a| a.v4.clone()).collect()
}

#[test]
fn a_target_is_asked_about_once_for_all_and_published_when_it_changes() {
    // Two owners, one target; a third leads there through the second.
    let mut world = world(&[
        ("example.com", "cdn.test"),
        ("www.example.com", "cdn.test"),
        ("shop.example.com", "www.example.com"),
    ]);
    assert_eq!(world.questions.len(), 1);
    assert_eq!(world.questions[0].target, name("cdn.test"));
    answer(&mut world, 1);
    world.run(2.0);
    assert_eq!(known(&world), [Ipv4Addr::new(192, 0, 2, 1)]);
    let before = world.publications.len();
    // The same again publishes nothing; something new does.
    world.run(62.0);
    answer(&mut world, 1);
    world.run(63.0);
    assert_eq!(world.publications.len(), before);
    world.run(130.0);
    answer(&mut world, 2);
    world.run(131.0);
    assert_eq!(known(&world), [Ipv4Addr::new(192, 0, 2, 2)]);
    assert_eq!(world.publications.len(), before + 1);
}

#[test]
fn a_failure_keeps_what_was_good_and_says_so() {
    let mut world = world(&[("example.com", "cdn.test")]);
    answer(&mut world, 1);
    world.run(62.0);
    let question = world.questions.remove(0);
    let failure = AliasFailure::Refused(2);
    let found = Found {
        v4: Err(failure),
        v6: Err(failure),
    };
    world.event(Event::Resolved(question.id, found));
    world.run(62.5);
    assert_eq!(known(&world), [Ipv4Addr::new(192, 0, 2, 1)]);
    let now = world.controller.aliases();
    let alias = &now[&name("cdn.test")];
    assert_eq!(alias.cause, AliasCause::Failing(failure));
    assert_eq!(alias.ttl.seconds(), 30);
    // Asked again a second after the failure.
    world.run(64.0);
    assert_eq!(world.questions.len(), 1);
}

#[test]
fn a_new_model_brings_its_targets_and_keeps_what_is_known() {
    let mut world = world(&[("example.com", "cdn.test")]);
    answer(&mut world, 1);
    world.run(2.0);
    world.apply(|draft| {
        let targets = [
            ("example.com", "cdn.test"),
            ("www.example.com", "other.test"),
        ];
        draft.zones.insert(name("example.com"), zone(&targets));
    });
    assert_eq!(known(&world), [Ipv4Addr::new(192, 0, 2, 1)]);
    assert_eq!(world.questions.len(), 1);
    assert_eq!(world.questions[0].target, name("other.test"));
    world.apply(|draft| {
        draft.zones.insert(name("example.com"), zone(&[]));
    });
    assert!(world.publications.last().unwrap().1.aliases.is_empty());
}
