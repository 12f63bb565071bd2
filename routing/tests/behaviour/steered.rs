//! Records that differ by cluster: what changes them, and what does not.

use std::collections::BTreeMap;

use crate::support::{CLUSTERS, app, draft, host, model, name, prefer, slots, status};
use windrose_model::{
    Draft, Model, RData, RecordType, RrSet, SteeredData, SteeredRecord, Step, Ttl,
};
use windrose_routing::{Data, Table, compile, explain};

fn by_cluster(suffix: &str) -> SteeredData {
    let ttl = Ttl::new(0).unwrap();
    let set = |c: &str| RrSet::single(ttl, &RData::txt(&[format!("{c}{suffix}")]).unwrap());
    let sets = CLUSTERS.iter().map(|(c, ..)| (name(c), set(c)));
    SteeredData::ByCluster(sets.collect())
}

fn world() -> Draft {
    let mut draft = draft();
    draft
        .apps
        .insert(name("shop"), app("shop.example.com", vec![]));
    let record = SteeredRecord {
        app: name("shop"),
        steering: Some(vec![Step::Failover(prefer(&["oregon"]))]),
        data: by_cluster(""),
    };
    let key = (host("where.example.com"), RecordType::TXT);
    draft.steered.insert(key, record);
    // 1 .
    let service = RData::from_wire(RecordType::HTTPS, &[0, 1, 0]).unwrap();
    let hints = SteeredRecord {
        app: name("shop"),
        steering: None,
        data: SteeredData::Hints(RrSet::single(Ttl::new(0).unwrap(), &service)),
    };
    let key = (host("shop.example.com"), RecordType::HTTPS);
    draft.steered.insert(key, hints);
    draft
}

/// Compiled on top of a Table of another Model, and from scratch: both are the same.
fn recompiled(from: &(Model, Table), draft: Draft, revision: u64) -> (Model, Table) {
    let model = model(draft, revision, Some(&from.0));
    let (status, slots, data) = (status(&model, revision), slots(&model), Data::nothing());
    let table = compile(&model, &status, &data, &slots, Some(&from.1));
    let scratch = compile(&model, &status, &data, &slots, None);
    assert_eq!(table.digest(), scratch.digest());
    (model, table)
}

#[test]
fn a_change_of_a_record_a_cluster_or_its_steering_is_seen_incrementally() {
    let model_1 = model(world(), 1, None);
    let table = compile(
        &model_1,
        &status(&model_1, 1),
        &Data::nothing(),
        &slots(&model_1),
        None,
    );
    let first = (model_1, table);
    let unchanged = recompiled(&first, world(), 2);
    assert_eq!(first.1.digest(), unchanged.1.digest());
    let key = (host("where.example.com"), RecordType::TXT);
    let mut digests = BTreeMap::from([(first.1.digest(), "as it was")]);
    type Edit<'a> = (&'a str, &'a dyn Fn(&mut Draft));
    let changes: [Edit<'_>; 5] = [
        ("other data", &|d| {
            d.steered.get_mut(&key).unwrap().data = by_cluster("!")
        }),
        ("other steps", &|d| {
            d.steered.get_mut(&key).unwrap().steering = None
        }),
        ("no record", &|d| drop(d.steered.remove(&key))),
        ("other address", &|d| {
            d.clusters.get_mut("oregon").unwrap().addresses[0] = [198, 51, 100, 1].into();
        }),
        ("other app steering", &|d| {
            d.apps.get_mut("shop").unwrap().steering = vec![Step::Failover(prefer(&["virginia"]))];
        }),
    ];
    for (what, change) in changes {
        let mut draft = world();
        change(&mut draft);
        let changed = recompiled(&first, draft, 2);
        assert!(digests.insert(changed.1.digest(), what).is_none(), "{what}");
        // And back.
        let back = recompiled(&changed, world(), 3);
        assert_eq!(back.1.digest(), first.1.digest(), "{what}");
    }
}

#[test]
fn explain_tells_how_such_a_record_is_chosen() {
    let model = model(world(), 1, None);
    let table = compile(
        &model,
        &status(&model, 1),
        &Data::nothing(),
        &slots(&model),
        None,
    );
    let client = "192.0.2.77".parse().unwrap();
    let trace = explain::dns(
        &table,
        &host("where.example.com"),
        RecordType::TXT,
        client,
        7,
    );
    assert_eq!(trace.clusters, ["oregon"]);
    assert!(trace.records[0].ends_with("TXT \"oregon\""), "{trace}");
    let told = "TXT differs by cluster: the one that app shop chooses";
    assert!(trace.steps.iter().any(|step| step == told), "{trace}");
    let trace = explain::dns(
        &table,
        &host("shop.example.com"),
        RecordType::HTTPS,
        client,
        7,
    );
    let addresses = explain::dns(&table, &host("shop.example.com"), RecordType::A, client, 7);
    assert_eq!(trace.clusters, addresses.clusters);
}

#[test]
fn explain_tells_distances_by_the_steps_that_count_for_the_record() {
    let nearest = || Step::Nearest(BTreeMap::new());
    let distances = |of_app: bool, of_record: bool| {
        let mut draft = world();
        if of_app {
            draft.apps.get_mut("shop").unwrap().steering = vec![nearest()];
        }
        let key = (host("where.example.com"), RecordType::TXT);
        if of_record {
            draft.steered.get_mut(&key).unwrap().steering = Some(vec![nearest()]);
        }
        let (_, table) = crate::support::table(draft, &Data::nothing());
        let client = "192.0.2.77".parse().unwrap();
        let trace = explain::dns(&table, &key.0, RecordType::TXT, client, 7);
        trace.steps.iter().any(|step| step.starts_with("nearest"))
    };
    assert!(distances(false, true));
    assert!(!distances(true, false), "the app's steps are not walked");
}

#[test]
fn what_such_a_record_lacks_is_refused() {
    let refused = |change: &dyn Fn(&mut Draft)| {
        let mut draft = world();
        change(&mut draft);
        let wrong = Model::build(draft, windrose_model::Revision(1), None).unwrap_err();
        wrong.iter().map(|w| w.code).collect::<Vec<_>>()
    };
    let key = || (host("where.example.com"), RecordType::TXT);
    let change = |change: &dyn Fn(&mut SteeredRecord)| {
        refused(&|d: &mut Draft| change(d.steered.get_mut(&key()).unwrap()))
    };
    assert_eq!(change(&|r| r.app = name("shops")), ["unknown-app"]);
    assert_eq!(
        change(&|r| match &mut r.data {
            SteeredData::ByCluster(sets) => drop(sets.remove("oregon")),
            SteeredData::Hints(_) => {}
        }),
        ["missing-cluster"]
    );
    let elsewhere = |d: &mut Draft| {
        let record = d.steered.remove(&key()).unwrap();
        d.steered
            .insert((host("where.example.org"), RecordType::TXT), record);
    };
    assert_eq!(refused(&elsewhere), ["record-outside-zone"]);
    let twice = |d: &mut Draft| {
        let set = RrSet::single(Ttl::new(0).unwrap(), &RData::txt(&["x"]).unwrap());
        let zone = d.zones.get_mut(&host("example.com")).unwrap();
        zone.records.insert(host("where.example.com"), set);
    };
    assert_eq!(refused(&twice), ["duplicate-record"]);
    let hints = |d: &mut Draft| {
        let key = (host("shop.example.com"), RecordType::HTTPS);
        let service = [0, 1, 0, 0, 4, 0, 4, 192, 0, 2, 1];
        let service = RData::from_wire(RecordType::HTTPS, &service).unwrap();
        d.steered.get_mut(&key).unwrap().data =
            SteeredData::Hints(RrSet::single(Ttl::new(0).unwrap(), &service));
    };
    assert_eq!(refused(&hints), ["hints-twice"]);
}
