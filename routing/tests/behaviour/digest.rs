//! A previous Table is a cache, never an input: whatever the way, the digest is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::{self, Dice, app, draft, host, model, name, prefer, slots, status, zone};
use windrose_model::{
    AppStatus, Coordinates, Draft, EndpointState, GeoRules, Model, Percent, Status, Step, Ttl,
};
use windrose_routing::{Data, Publisher, SlotBook, Table, compile};

#[test]
fn incremental_and_from_scratch_give_the_same_digest() {
    for seed in 0..30 {
        let mut dice = Dice(seed);
        let data = Data::nothing();
        let mut draft = draft();
        for i in 0..150 {
            draft.apps.insert(
                name(&format!("app{i:03}")),
                app(&format!("app{i:03}.example.com"), vec![]),
            );
        }
        let mut book = SlotBook::new();
        let mut wanted = model(draft.clone(), 1, None);
        let mut numbers = book.assign(&wanted, 1);
        let mut seen = status(&wanted, 1);
        let mut table = compile(&wanted, &seen, &data, &numbers, None);
        for round in 2..40 {
            if dice.below(3) == 0 {
                change_model(&mut draft, &mut dice);
                wanted = model(draft.clone(), round, Some(&wanted));
                numbers = book.assign(&wanted, round);
                seen = carry_over(&wanted, round);
            } else {
                change_status(&mut seen, &mut dice);
            }
            seen.stamp.epoch = round;
            table = compile(&wanted, &seen, &data, &numbers, Some(&table));
            let scratch = compile(&wanted, &seen, &data, &slots(&wanted), None);
            assert_eq!(
                table.digest(),
                scratch.digest(),
                "seed {seed} round {round}"
            );
            assert_eq!(table.apps().count(), scratch.apps().count());
        }
    }
}

#[test]
fn what_differs_has_another_digest() {
    let digest = |change: &dyn Fn(&mut Draft)| {
        let mut wanted = draft();
        wanted
            .apps
            .insert(name("shop"), app("shop.example.com", vec![]));
        change(&mut wanted);
        let wanted = model(wanted, 1, None);
        compile(
            &wanted,
            &status(&wanted, 1),
            &support::no_geo(),
            &slots(&wanted),
            None,
        )
        .digest()
    };
    let base = digest(&|_| {});
    assert_eq!(base, digest(&|_| {}));
    assert_ne!(
        base,
        digest(&|d| d.clusters.get_mut("oregon").unwrap().dial = Percent::ZERO)
    );
    assert_ne!(
        base,
        digest(&|d| d.apps.get_mut("shop").unwrap().answers = 2)
    );
    assert_ne!(
        base,
        digest(&|d| d.apps.get_mut("shop").unwrap().steering = vec![Step::Nearest(BTreeMap::new())])
    );
    assert_ne!(
        base,
        digest(&|d| d.zones.get_mut(&host("example.com")).unwrap().soa.serial = 2)
    );
}

#[test]
fn a_flip_keeps_every_slab_it_does_not_touch() {
    let mut draft = draft();
    for i in 0..200 {
        draft.apps.insert(
            name(&format!("app{i:03}")),
            app(&format!("app{i:03}.example.com"), vec![]),
        );
    }
    let wanted = model(draft, 1, None);
    let numbers = slots(&wanted);
    let mut seen = status(&wanted, 1);
    let first = compile(&wanted, &seen, &support::no_geo(), &numbers, None);
    Arc::make_mut(&mut seen.apps[70]).clusters[0].usable = false;
    let second = compile(&wanted, &seen, &support::no_geo(), &numbers, Some(&first));
    let same = first
        .apps()
        .zip(second.apps())
        .filter(|((_, a), (_, b))| std::ptr::eq(*a, *b))
        .count();
    assert_eq!(same, 200 - 64);
    assert!(
        first
            .apps()
            .zip(second.apps())
            .all(|((_, a), (_, b))| Arc::ptr_eq(&a.plan, &b.plan))
    );
}

#[test]
fn an_older_table_is_refused_and_old_ones_are_freed() {
    let wanted = model(draft(), 1, None);
    let at = |epoch| {
        compile(
            &wanted,
            &status(&wanted, epoch),
            &support::no_geo(),
            &slots(&wanted),
            None,
        )
    };
    let (mut publisher, source) = Publisher::new(at(5));
    let mut reader = source.reader();
    let held = Arc::clone(reader.load());
    assert!(publisher.publish(at(4)).is_err());
    publisher.publish(at(6)).unwrap();
    assert_eq!((publisher.sweep(), publisher.oldest_alive()), (2, 5));
    assert_eq!(reader.load().stamp().epoch, 6);
    drop(held);
    assert_eq!((publisher.sweep(), publisher.oldest_alive()), (1, 6));
    assert_eq!(Table::empty().apps().count(), 0);
}

fn change_model(draft: &mut Draft, dice: &mut Dice) {
    let key = format!("app{:03}", dice.below(200));
    let steering = match dice.below(4) {
        0 => vec![],
        1 => vec![Step::Failover(prefer(&["oregon", "virginia"]))],
        2 => vec![Step::Nearest(BTreeMap::new())],
        _ => vec![Step::Geo(GeoRules {
            cidrs: [(
                format!("10.{}.0.0/16", dice.below(9)).parse().unwrap(),
                prefer(&["oregon"]),
            )]
            .into(),
            ..GeoRules::default()
        })],
    };
    match dice.below(8) {
        6 => {
            // A cluster that sorts before the others moves every id.
            let extra = name("aachen");
            if draft.clusters.remove(&extra).is_none() {
                let like = draft.clusters["oregon"].clone();
                draft.clusters.insert(extra, like);
            }
        }
        7 => {
            let there = Coordinates::new(dice.below(90) as f64, 0.0).unwrap();
            draft.regions.get_mut("oregon").unwrap().location = there;
        }
        0 => drop(draft.apps.remove(key.as_str())),
        1 => {
            draft.clusters.get_mut("oregon").unwrap().dial =
                Percent::new(dice.below(100) as f64 + 1.0).unwrap()
        }
        2 => {
            draft
                .zones
                .get_mut(&host("example.com"))
                .unwrap()
                .soa
                .serial += 1
        }
        3 => drop(draft.zones.insert(host("other.example"), {
            let mut other = zone();
            let ns = other
                .records
                .remove(&host("example.com"), windrose_model::RecordType::NS);
            other.records.insert(host("other.example"), ns.unwrap());
            other
        })),
        _ => drop(
            draft
                .apps
                .insert(name(&key), app(&format!("{key}.example.com"), steering)),
        ),
    }
}

fn carry_over(model: &Model, epoch: u64) -> Status {
    status(model, epoch)
}

fn change_status(status: &mut Status, dice: &mut Dice) {
    for _ in 0..=dice.below(5) {
        if status.apps.is_empty() {
            return;
        }
        let at = dice.below(status.apps.len());
        let app: &mut AppStatus = Arc::make_mut(&mut status.apps[at]);
        match dice.below(4) {
            0 => app.clusters[dice.below(4)].usable ^= true,
            1 => app.clusters[dice.below(4)].share = Percent::new(dice.below(101) as f64).unwrap(),
            2 => app.endpoints[dice.below(8)] = EndpointState::Down,
            _ => app.ttl = Ttl::new(u32::try_from(dice.below(60)).unwrap()).unwrap(),
        }
    }
}
