//! Small Models for tests of the Table.
#![allow(unreachable_pub, reason = "shared by the modules of a binary")]

pub mod mmdb;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use windrose_model::{
    App, AppStatus, Cluster, Coordinates, DnsName, Draft, Model, Name, Percent, Preference, Region,
    Revision, Soa, Split, Stamp, Status, Step, Ttl, Version, Weight, Zone,
};
use windrose_routing::{Data, SlotBook, Slots, Table, compile};

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn host(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

/// splitmix64: seeded dice.
pub struct Dice(pub u64);

impl Dice {
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.throw() % bound as u64).unwrap()
    }
}

pub const CLUSTERS: [(&str, f64, f64); 4] = [
    ("frankfurt", 50.1, 8.7),
    ("oregon", 45.8, -119.7),
    ("singapore", 1.3, 103.8),
    ("virginia", 38.9, -77.4),
];

/// Four clusters in four regions, zone example.com.
pub fn draft() -> Draft {
    let mut draft = Draft::default();
    for (i, (cluster, lat, lon)) in (1u8..).zip(CLUSTERS) {
        draft.regions.insert(
            name(cluster),
            Region {
                location: Coordinates::new(lat, lon).unwrap(),
                country: None,
            },
        );
        draft.clusters.insert(
            name(cluster),
            Cluster {
                region: name(cluster),
                addresses: vec![
                    IpAddr::from([192, 0, 2, i]),
                    format!("2001:db8::{i}").parse().unwrap(),
                ],
                class: None,
                cost_thousandths: 1_000,
                dial: Percent::FULL,
                drain: false,
            },
        );
    }
    draft.zones.insert(host("example.com"), zone());
    draft
}

pub fn zone() -> Zone {
    let ttl = Ttl::new(300).unwrap();
    let soa = Soa {
        mname: host("ns1.example.com"),
        rname: host("hostmaster.example.com"),
        serial: 1,
        refresh: 3_600,
        retry: 600,
        expire: 604_800,
        minimum: 60,
        ttl,
    };
    let ns = windrose_model::RData::ns(&host("ns1.example.com"));
    let ns = windrose_model::RrSet::single(ttl, &ns);
    Zone {
        soa,
        records: [(host("example.com"), ns)].into_iter().collect(),
    }
}

/// One version with one endpoint in each of the four clusters.
pub fn app(hostname: &str, steering: Vec<Step>) -> App {
    let endpoints = CLUSTERS
        .iter()
        .zip(1u8..)
        .map(|((cluster, ..), i)| {
            (
                name(cluster),
                vec![
                    ([127, 0, 1, i], 9_000).into(),
                    ([127, 0, 2, i], 9_000).into(),
                ],
            )
        })
        .collect();
    let versions = BTreeMap::from([(name("v1"), Version::at(endpoints))]);
    let mut app = App::new(
        vec![host(hostname)],
        versions,
        Split(BTreeMap::from([(name("v1"), Weight::ONE)])),
    );
    app.steering = steering;
    app
}

pub fn prefer(clusters: &[&str]) -> Preference {
    clusters.iter().map(|c| vec![name(c)]).collect()
}

pub fn model(draft: Draft, revision: u64, previous: Option<&Model>) -> Model {
    Model::build(draft, Revision(revision), previous).unwrap_or_else(|wrong| panic!("{}", wrong[0]))
}

/// Everything unknown, which is never down.
pub fn status(model: &Model, epoch: u64) -> Status {
    let apps = model
        .app_ids()
        .map(|(id, ..)| Arc::new(AppStatus::unknown(model, id)))
        .collect();
    Status {
        stamp: Stamp {
            term: 1,
            epoch,
            revision: model.revision(),
        },
        apps,
        ..Status::default()
    }
}

pub fn no_geo() -> Data {
    Data::nothing()
}

pub fn slots(model: &Model) -> Slots {
    SlotBook::new().assign(model, 1)
}

pub fn table(draft: Draft, data: &Data) -> (Model, Table) {
    let model = model(draft, 1, None);
    let table = compile(&model, &status(&model, 1), data, &slots(&model), None);
    (model, table)
}
