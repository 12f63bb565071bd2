//! A name index kept up to date change by change is the index built at once: equal digest, equal
//! answers to every name there could be.

use std::sync::Arc;

use crate::support::{Dice, app, draft, host, model, name, no_geo, slots, status, zone};
use windrose_model::{
    DnsName, Draft, Model, RData, RecordEdit, RecordType, Revision, RrSet, Status, SteeredData,
    SteeredRecord, Ttl,
};
use windrose_routing::{Lookup, Node, SlotBook, Table, compile};

/// Names over three labels, up to four deep below the zones: few enough that everything meets
/// everything.
const LABELS: [&str; 4] = ["a", "b", "c", "*"];
const APEXES: [&str; 4] = ["z.test", "a.z.test", "b.a.z.test", "c.b.z.test"];

fn below(zone: &str, dice: &mut Dice) -> DnsName {
    let mut text = zone.to_owned();
    for _ in 0..dice.below(4) {
        text = format!("{}.{text}", LABELS[dice.below(4)]);
    }
    host(&text)
}

fn set(dice: &mut Dice) -> RrSet {
    let ttl = Ttl::new(60).unwrap();
    let target = below("z.test", dice);
    match dice.below(9) {
        0 | 1 => RrSet::single(ttl, &RData::ns(&target)),
        2 => RrSet::single(ttl, &RData::dname(&target)),
        3 => RrSet::single(ttl, &RData::cname(&target)),
        4 => RrSet::single(
            ttl,
            &RData::from_wire(RecordType::DS, &[0, 1, 13, 200, 1]).unwrap(),
        ),
        5 => RrSet::single(ttl, &RData::txt(&["t"]).unwrap()),
        _ => RrSet::single(
            ttl,
            &RData::a([192, 0, 2, u8::try_from(dice.below(9)).unwrap()].into()),
        ),
    }
}

/// One step: a record comes or goes, a zone does, or an app.
fn change(draft: &mut Draft, dice: &mut Dice) {
    let apex = APEXES[dice.below(4)];
    match dice.below(12) {
        0 => match draft.zones.remove(&host(apex)) {
            Some(_) => {}
            None => {
                let mut zone = zone();
                let ns = zone.records.remove(&host("example.com"), RecordType::NS);
                zone.records.insert(host(apex), ns.unwrap());
                draft.zones.insert(host(apex), zone);
            }
        },
        1 | 2 => {
            let key = name(&format!("app{}", dice.below(6)));
            if draft.apps.remove(&key).is_none() {
                let host = below(apex, dice).to_string();
                draft.apps.insert(key, app(&host, vec![]));
            }
        }
        3 => {
            let serial = dice.below(9);
            if let Some(zone) = draft.zones.get_mut(&host(apex)) {
                zone.soa.serial = u32::try_from(serial).unwrap();
            }
        }
        action => {
            let Some(zone) = draft.zones.get_mut(&host(apex)) else {
                return;
            };
            let owner = below(apex, dice);
            if action < 8 {
                zone.records.insert(owner, set(dice));
            } else {
                let rtypes: Vec<_> = zone.records.at(&owner).map(RrSet::record_type).collect();
                for rtype in rtypes {
                    if owner != host(apex) || rtype != RecordType::NS {
                        zone.records.remove(&owner, rtype);
                    }
                }
            }
        }
    }
}

fn node(table: &Table, node: &Node<'_>) -> String {
    let sets: Vec<String> = node.sets().map(|set| format!("{set:?}")).collect();
    let app = node.app.map(|id| table.app(id).plan.name.to_string());
    format!("{} {app:?}", sets.join(" "))
}

/// Everything a lookup says, and what the zone knows of the name as a name server.
fn look(table: &Table, name: &DnsName) -> String {
    let zone_of = |zone: &windrose_routing::ZoneEntry| format!("{} {:?}", zone.apex, zone.soa);
    let mut text = match table.lookup(name.wire()) {
        Lookup::Refused => return "refused".to_owned(),
        Lookup::NxDomain { zone } => format!("nxdomain {}", zone_of(zone)),
        Lookup::Node { zone, node: here } => {
            let above = match table.parent_side(zone) {
                Some(Lookup::Node { zone, .. }) => zone_of(zone),
                other => format!("{other:?}").chars().take(10).collect(),
            };
            format!("{} {} {above}", zone_of(zone), node(table, &here))
        }
        Lookup::Delegation {
            zone,
            cut,
            node: here,
        } => format!("cut {cut:?} {} {}", zone_of(zone), node(table, &here)),
        Lookup::Dname { zone, owner, set } => format!("dname {owner:?} {} {set:?}", zone_of(zone)),
    };
    for zone in table.zones() {
        if let Some(glue) = table.addresses(zone, name.wire()) {
            text += &format!(" known to {}: {}", zone.apex, node(table, &glue));
        }
    }
    text
}

fn all_names() -> Vec<DnsName> {
    let mut names = vec![host("test"), host("z.test")];
    let mut at = 1;
    while at < names.len() {
        let parent = names[at].to_string();
        if parent.split('.').count() < 7 {
            names.extend(LABELS.map(|label| host(&format!("{label}.{parent}"))));
        }
        at += 1;
    }
    names
}

#[test]
fn an_index_kept_up_to_date_is_the_index_built_at_once() {
    let names = all_names();
    let (mut accepted, mut kinds) = (0, [0; 5]);
    for seed in 0..16 {
        let mut dice = Dice(seed);
        let mut wanted = draft();
        let mut before: Option<(Model, Table)> = None;
        let mut book = SlotBook::new();
        for epoch in 1..60 {
            let mut next = wanted.clone();
            for _ in 0..=dice.below(3) {
                change(&mut next, &mut dice);
            }
            let old = before.as_ref().map(|(model, _)| model);
            // What a Model refuses, such as a host below a cut, is no step.
            let Ok(now) = Model::build(next.clone(), Revision(epoch), old) else {
                continue;
            };
            wanted = next;
            accepted += 1;
            let seen = status(&now, epoch);
            let numbers = book.assign(&now, epoch);
            let kept = before.as_ref().map(|(_, table)| table);
            let table = compile(&now, &seen, &no_geo(), &numbers, kept);
            let anew = model(wanted.clone(), 1, None);
            let anew = compile(&anew, &status(&anew, 1), &no_geo(), &slots(&anew), None);
            assert_eq!(table.digest(), anew.digest(), "seed {seed} epoch {epoch}");
            // Every name at times, some always.
            let part = if epoch % 16 == 0 { 1 } else { 97 };
            for name in names.iter().skip(dice.below(part)).step_by(part) {
                let (got, want) = (look(&table, name), look(&anew, name));
                assert_eq!(got, want, "seed {seed} epoch {epoch} {name}");
                kinds[match table.lookup(name.wire()) {
                    Lookup::Refused => 0,
                    Lookup::NxDomain { .. } => 1,
                    Lookup::Node { .. } => 2,
                    Lookup::Delegation { .. } => 3,
                    Lookup::Dname { .. } => 4,
                }] += 1;
            }
            before = Some((now, table));
        }
    }
    assert!(accepted > 300, "{accepted} steps");
    assert!(kinds.iter().all(|count| *count > 20), "{kinds:?}");
}

#[test]
fn one_record_among_many_makes_one_shard_anew_and_no_app() {
    let mut wanted = draft();
    let apex = host("example.com");
    let ttl = Ttl::new(60).unwrap();
    let zone = wanted.zones.get_mut(&apex).unwrap();
    for n in 0..20_000_u32 {
        let owner = host(&format!("h{n:05}.example.com"));
        let set = RrSet::single(ttl, &RData::a(n.into()));
        zone.records.insert(owner, set);
    }
    for n in 0..300 {
        let app = app(&format!("app{n}.example.com"), vec![]);
        wanted.apps.insert(name(&format!("app{n}")), app);
    }
    let first = model(wanted, 1, None);
    let mut book = SlotBook::new();
    let numbers = book.assign(&first, 1);
    let seen = status(&first, 1);
    let before = compile(&first, &seen, &no_geo(), &numbers, None);

    let owner = host("h04711.example.com");
    let set = RrSet::single(ttl, &RData::a([192, 0, 2, 1].into()));
    let edits = [RecordEdit::Put(owner.clone(), set)];
    let second = first.with_records(Revision(2), &apex, edits).unwrap();
    let again = book.assign(&second, 2);
    assert!(Arc::ptr_eq(&again.apps, &numbers.apps), "no slot is new");
    let later = Status {
        stamp: status(&second, 2).stamp,
        ..seen
    };
    let after = compile(&second, &later, &no_geo(), &again, Some(&before));
    let shared = after.shared_with(&before);
    assert_eq!((shared.new_shards, shared.new_slabs), (1, 0), "{shared:?}");
    assert_eq!((shared.shards, shared.slabs), (31, 5), "{shared:?}");
    assert!(after.shares_apps_with(&before));
    assert_ne!(look(&after, &owner), look(&before, &owner));
    let anew = compile(&second, &later, &no_geo(), &again, None);
    assert_eq!(after.digest(), anew.digest());

    // A verdict about one app: its slab.
    let mut apps = status(&second, 3);
    apps.apps.clone_from(&later.apps);
    Arc::make_mut(&mut apps.apps[70]).ttl = ttl;
    let flipped = compile(&second, &apps, &no_geo(), &again, Some(&after));
    let shared = flipped.shared_with(&after);
    assert_eq!((shared.new_shards, shared.new_slabs), (0, 1), "{shared:?}");
}

#[test]
fn a_record_that_differs_by_cluster_renumbers_none_of_the_others() {
    let mut wanted = draft();
    wanted
        .apps
        .insert(name("shop"), app("shop.example.com", vec![]));
    let put = |wanted: &mut Draft, owner: String| {
        let set = RrSet::single(
            Ttl::new(0).unwrap(),
            &RData::txt(&[owner.as_bytes()]).unwrap(),
        );
        let sets = crate::support::CLUSTERS.map(|(cluster, ..)| (name(cluster), set.clone()));
        let record = SteeredRecord {
            app: name("shop"),
            steering: None,
            data: SteeredData::ByCluster(sets.into()),
        };
        let key = (host(&owner), RecordType::TXT);
        wanted.steered.insert(key, record);
    };
    for n in 0..20_000_u32 {
        put(&mut wanted, format!("h{n:05}.example.com"));
    }
    let first = model(wanted.clone(), 1, None);
    let before = compile(&first, &status(&first, 1), &no_geo(), &slots(&first), None);
    put(&mut wanted, "a.example.com".to_owned());
    let second = model(wanted, 2, Some(&first));
    let (seen, numbers) = (status(&second, 2), slots(&second));
    let after = compile(&second, &seen, &no_geo(), &numbers, Some(&before));
    let shared = after.shared_with(&before);
    assert!(shared.new_shards <= 4, "{shared:?}");
    let anew = compile(&second, &seen, &no_geo(), &numbers, None);
    assert_eq!(after.digest(), anew.digest());
}

#[test]
fn apps_that_stay_keep_their_slots_and_those_of_what_went_are_given_out_again() {
    let mut wanted = draft();
    for n in 0..3 {
        let app = app(&format!("app{n}.example.com"), vec![]);
        wanted.apps.insert(name(&format!("app{n}")), app);
    }
    let first = model(wanted.clone(), 1, None);
    let mut book = SlotBook::new();
    let before = book.assign(&first, 1);

    // One app leaves a cluster, one goes, one comes.
    let changed = wanted.apps.get_mut("app1").unwrap();
    let version = changed.versions.values_mut().next().unwrap();
    version.endpoints.remove("oregon");
    wanted.apps.remove("app0");
    wanted
        .apps
        .insert(name("fresh"), app("fresh.example.com", vec![]));
    let second = model(wanted, 2, Some(&first));
    let after = book.assign(&second, 2);
    let of = |slots: &windrose_routing::Slots, model: &Model, app: &str| {
        Arc::clone(&slots.apps[model.app_id(app).unwrap().0 as usize])
    };
    let (old, new) = (of(&before, &first, "app1"), of(&after, &second, "app1"));
    assert_eq!(
        *new.steered,
        [old.steered[0], old.steered[2], old.steered[3]]
    );
    assert_eq!(new.endpoints[..2], old.endpoints[..2]);
    assert_eq!(new.endpoints[2..], old.endpoints[4..]);
    let same = |app| Arc::ptr_eq(&of(&before, &first, app), &of(&after, &second, app));
    assert!(same("app2") && !same("app1"));

    let released = book.release(2);
    let gone = of(&before, &first, "app0");
    let mut expected = [&gone.steered[..], &[old.steered[1]]].concat();
    expected.sort_unstable();
    let mut steered = released.steered;
    steered.sort_unstable();
    assert_eq!(steered, expected);
    assert_eq!(released.endpoints.len(), gone.endpoints.len() + 2);
    assert_eq!(book.release(2), windrose_routing::Released::default());
}
