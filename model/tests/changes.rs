//! A Model made from the one before it is the Model made at once: the same content, or the same
//! refusals; and what did not change was not looked at.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use windrose_model::{
    App, Cluster, Coordinates, DnsName, Draft, Invalid, Model, Name, Percent, RData, RecordEdit,
    RecordType, Region, Revision, RrSet, Soa, Split, SteeredData, SteeredRecord, Step, Ttl,
    Version, Weight, Zone,
};

/// Few names, so that everything meets everything.
const LABELS: [&str; 4] = ["a", "b", "c", "*"];
const APEXES: [&str; 3] = ["z.test", "a.z.test", "b.a.z.test"];
const CLUSTERS: [&str; 3] = ["eu", "us", "asia"];

/// Steele, Lea and Flood's splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((x ^ (x >> 31)) % bound as u64).unwrap()
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn name_below(&mut self, apex: &str) -> DnsName {
        let mut text = apex.to_owned();
        for _ in 0..self.below(4) {
            text = format!("{}.{text}", self.one_of(&LABELS));
        }
        host(&text)
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn host(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn single(data: &RData) -> RrSet {
    RrSet::single(Ttl::new(60).unwrap(), data)
}

fn zone(apex: &str) -> Zone {
    let soa = Soa {
        mname: host("ns.test"),
        rname: host("root.test"),
        serial: 1,
        refresh: 1,
        retry: 1,
        expire: 1,
        minimum: 1,
        ttl: Ttl::new(60).unwrap(),
    };
    let records = [(host(apex), single(&RData::ns(&host("ns.test"))))];
    Zone {
        soa,
        records: records.into_iter().collect(),
    }
}

fn app(hostname: DnsName, clusters: &[&str]) -> App {
    let endpoints = clusters
        .iter()
        .map(|cluster| (name(cluster), vec![([10, 0, 0, 1], 80).into()]));
    App::new(
        vec![hostname],
        BTreeMap::from([(name("v1"), Version::at(endpoints.collect()))]),
        Split(BTreeMap::from([(name("v1"), Weight::ONE)])),
    )
}

fn draft() -> Draft {
    let mut draft = Draft::default();
    let region = Region {
        location: Coordinates::new(50.0, 8.0).unwrap(),
        country: None,
    };
    draft.regions.insert(name("r"), region);
    for (last, cluster) in (1..).zip(CLUSTERS) {
        let cluster = (
            name(cluster),
            Cluster {
                region: name("r"),
                addresses: vec![[192, 0, 2, last].into()],
                class: None,
                cost_thousandths: 0,
                dial: Percent::FULL,
                drain: false,
            },
        );
        draft.clusters.extend([cluster]);
    }
    draft.zones.insert(host("z.test"), zone("z.test"));
    draft
}

fn set(dice: &mut Dice) -> RrSet {
    let target = dice.name_below("z.test");
    match dice.below(9) {
        0 => single(&RData::ns(&target)),
        1 => single(&RData::dname(&target)),
        2 => single(&RData::cname(&target)),
        3 => single(&RData::alias(&target)),
        4 => single(&RData::txt(&["t"]).unwrap()),
        n => single(&RData::a([192, 0, 2, u8::try_from(n).unwrap()].into())),
    }
}

/// One step: records come and go, and now and then a zone, an app, a cluster's word, a steered record.
fn change(draft: &mut Draft, dice: &mut Dice) {
    let apex = dice.one_of(&APEXES);
    match dice.below(24) {
        0 => match draft.zones.remove(&host(apex)) {
            Some(_) => {}
            None => drop(draft.zones.insert(host(apex), zone(apex))),
        },
        1..=4 => {
            let key = name(&format!("app{}", dice.below(4)));
            let hostname = dice.name_below(apex);
            match draft.apps.remove(&key) {
                Some(_) if dice.below(2) == 0 => {}
                _ => {
                    let mut app = app(hostname, &CLUSTERS[..=dice.below(3)]);
                    // `us` is wrong where the app is in `eu` only.
                    app.steering = match dice.below(6) {
                        0 | 1 => vec![Step::Failover(vec![vec![name("eu")]])],
                        2 => vec![Step::Failover(vec![vec![name("us")]])],
                        _ => Vec::new(),
                    };
                    draft.apps.insert(key, app);
                }
            }
        }
        5 => {
            let cluster = draft.clusters.get_mut(dice.one_of(&CLUSTERS)).unwrap();
            cluster.drain = !cluster.drain;
        }
        6 => draft.safety.min_clusters_on = u8::try_from(dice.below(2)).unwrap(),
        7 => {
            let key = (dice.name_below(apex), RecordType::TXT);
            if draft.steered.remove(&key).is_none() {
                let text = |cluster: &&str| {
                    let text = RData::txt(&[*cluster]).unwrap();
                    (name(cluster), single(&text))
                };
                let sets = CLUSTERS[..=dice.below(3)].iter().map(text).collect();
                let record = SteeredRecord {
                    app: name(&format!("app{}", dice.below(4))),
                    steering: None,
                    data: SteeredData::ByCluster(sets),
                };
                draft.steered.insert(key, record);
            }
        }
        action => {
            let Some(zone) = draft.zones.get_mut(&host(apex)) else {
                return;
            };
            let owner = dice.name_below(apex);
            let set = set(dice);
            match action {
                8..=16 => drop(zone.records.insert(owner, set)),
                _ => drop(zone.records.remove(&owner, set.record_type())),
            }
        }
    }
}

/// The content of a Model, or what is wrong.
fn told(model: &Result<Model, Vec<Invalid>>) -> Result<String, &Vec<Invalid>> {
    let model = model.as_ref()?;
    let targets: Vec<_> = model.alias_targets().collect();
    let alike = (model.app_ids()).map(|(id, ..)| model.steers_like(id));
    let alike: Vec<_> = alike.collect();
    Ok(format!(
        "{:?} {:?} {:?} {:?} {:?} {targets:?} {alike:?}",
        model.clusters(),
        model.apps(),
        model.zones(),
        model.steered(),
        model.safety(),
    ))
}

#[test]
fn apps_with_equal_steps_among_equal_clusters_steer_alike() {
    let steered = |to: &str, clusters: &[&str]| {
        let mut app = app(host("a.z.test"), clusters);
        app.steering = vec![Step::Failover(vec![vec![name(to)]])];
        app
    };
    let mut draft = draft();
    draft.apps = [
        ("a", steered("eu", &["eu", "us"])),
        ("b", steered("us", &["eu", "us"])),
        ("c", steered("eu", &["eu", "us", "asia"])),
        ("d", steered("us", &["us", "eu"])),
        ("e", steered("eu", &["us", "eu"])),
    ]
    .into_iter()
    .map(|(key, mut app)| {
        app.hosts = vec![host(&format!("{key}.z.test"))];
        (name(key), app)
    })
    .collect();
    let model = Model::build(draft, Revision(1), None).unwrap();
    let alike: Vec<_> = (model.app_ids())
        .map(|(id, ..)| model.steers_like(id).0)
        .collect();
    assert_eq!(alike, [0, 1, 2, 1, 0]);
}

#[test]
fn a_model_made_from_the_one_before_is_the_model_made_at_once() {
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut good = draft();
        let mut model = Model::build(good.clone(), Revision(1), None).unwrap();
        for step in 2..100 {
            let mut next = good.clone();
            for _ in 0..=dice.below(3) {
                change(&mut next, &mut dice);
            }
            let at_once = Model::build(next.clone(), Revision(step), None);
            let by_change = Model::build(next.clone(), Revision(step), Some(&model));
            assert_eq!(told(&by_change), told(&at_once), "seed {seed}, step {step}");
            match by_change {
                Ok(made) => (good, model, taken) = (next, made, taken + 1),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(taken > 1_000 && refused > 1_000, "{taken} {refused}");
}

#[test]
fn edited_records_make_the_model_that_a_whole_draft_would() {
    let (mut taken, mut refused) = (0, 0);
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let mut good = draft();
        let mut model = Model::build(good.clone(), Revision(1), None).unwrap();
        for step in 2..100 {
            let mut next = good.clone();
            if dice.below(4) == 0 {
                change(&mut next, &mut dice);
                if let Ok(made) = Model::build(next.clone(), Revision(step), Some(&model)) {
                    (good, model) = (next, made);
                }
                continue;
            }
            let apex = host(dice.one_of(&APEXES));
            let Some(zone) = next.zones.get_mut(&apex) else {
                let edited = model.with_records(Revision(step), &apex, []);
                assert_eq!(edited.unwrap_err()[0].code, "unknown-zone");
                continue;
            };
            let edits: Vec<_> = (0..=dice.below(3))
                .map(|_| {
                    let (owner, set) = (dice.name_below(&apex.to_string()), set(&mut dice));
                    if dice.below(3) > 0 {
                        zone.records.insert(owner.clone(), set.clone());
                        RecordEdit::Put(owner, set)
                    } else {
                        let rtype = set.record_type();
                        zone.records.remove(&owner, rtype);
                        RecordEdit::Remove(owner, rtype)
                    }
                })
                .collect();
            let at_once = Model::build(next.clone(), Revision(step), None);
            let edited = model.with_records(Revision(step), &apex, edits);
            assert_eq!(told(&edited), told(&at_once), "seed {seed}, step {step}");
            match edited {
                Ok(made) => (good, model, taken) = (next, made, taken + 1),
                Err(_) => refused += 1,
            }
        }
    }
    assert!(taken > 1_000 && refused > 300, "{taken} {refused}");
}

/// A zone of 10,000 names and 500 apps.
fn large() -> Draft {
    let mut draft = draft();
    let zone = draft.zones.get_mut(&host("z.test")).unwrap();
    for n in 0..10_000_u32 {
        let owner = host(&format!("h{n:05}.z.test"));
        zone.records.insert(owner, single(&RData::a(n.into())));
    }
    for n in 0..500 {
        let hostname = host(&format!("app{n}.z.test"));
        draft
            .apps
            .insert(name(&format!("app{n}")), app(hostname, &CLUSTERS));
    }
    draft
}

#[test]
fn only_what_changed_is_looked_at() {
    let first = Model::build(large(), Revision(1), None).unwrap();
    let checked = |model: &Model| (model.checked().apps, model.checked().sets);
    assert_eq!(checked(&first), (500, 10_001));

    let same = Model::build(large(), Revision(2), Some(&first)).unwrap();
    assert_eq!(checked(&same), (0, 0));
    assert!(Arc::ptr_eq(same.apps(), first.apps()));
    assert!(Arc::ptr_eq(same.clusters(), first.clusters()));
    assert!(Arc::ptr_eq(&same.zones()[0].1, &first.zones()[0].1));

    let owner = host("h04711.z.test");
    let put = RecordEdit::Put(owner, single(&RData::a([192, 0, 2, 1].into())));
    let apex = host("z.test");
    let edited = first.with_records(Revision(2), &apex, [put]).unwrap();
    assert_eq!(checked(&edited), (0, 1));
    assert!(Arc::ptr_eq(edited.apps(), first.apps()));
    let changes = (first.zones()[0].1.records).diff(&edited.zones()[0].1.records);
    assert_eq!(changes.count(), 1);

    let mut one_app = large();
    one_app.apps.get_mut("app7").unwrap().answers = 2;
    let changed = Model::build(one_app, Revision(3), Some(&edited)).unwrap();
    assert_eq!(checked(&changed), (1, 1), "the record went back too");

    // What an app may say depends on clusters, what a zone may say does not.
    let mut drained = large();
    drained.clusters.get_mut("eu").unwrap().drain = true;
    let drained = Model::build(drained, Revision(4), Some(&changed)).unwrap();
    assert_eq!(checked(&drained), (500, 0));
}

#[test]
fn a_record_that_differs_by_cluster_is_not_edited_away() {
    let mut draft = draft();
    draft
        .apps
        .insert(name("shop"), app(host("shop.z.test"), &["eu"]));
    let text = single(&RData::txt(&["eu"]).unwrap());
    let key = (host("t.z.test"), RecordType::TXT);
    let record = SteeredRecord {
        app: name("shop"),
        steering: None,
        data: SteeredData::ByCluster(BTreeMap::from([(name("eu"), text.clone())])),
    };
    draft.steered.insert(key.clone(), record);
    let model = Model::build(draft, Revision(1), None).unwrap();
    let edit = |edit| model.with_records(Revision(2), &host("z.test"), [edit]);
    let wrong = edit(RecordEdit::Put(key.0.clone(), text)).unwrap_err();
    assert_eq!(wrong[0].code, "duplicate-record");
    let same = edit(RecordEdit::Remove(key.0, key.1)).unwrap();
    assert_eq!(same.zones(), model.zones());
}
