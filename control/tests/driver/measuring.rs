//! Round trips that probes measure over real connections, and what steering makes of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use windrose_control::{Options, SteeringPace};
use windrose_model::{AppId, Coordinates, Draft, LatencyBand, Region, RttCause, Step};
use windrose_routing::geo::GeoDb;
use windrose_routing::{Data, DnsChoice, Table};

use crate::backend::{OK, answers};
use crate::node::{Node, draft, http, model, name};

/// An address in Germany, by the database that is built in.
const CLIENT: [u8; 4] = [88, 198, 0, 1];

/// Cluster `c0` stands in Sydney and `c1` in Frankfurt, by what is written; both are on loopback.
fn antipodes() -> Draft {
    let backends = [answers(OK), answers(OK)];
    let mut draft = draft(&[("web", http(), &backends)]);
    let region = |lat, lon, country: &str| Region {
        location: Coordinates::new(lat, lon).unwrap(),
        country: Some(country.parse().unwrap()),
    };
    draft.regions.insert(name("r"), region(50.1, 8.7, "DE"));
    draft
        .regions
        .insert(name("far"), region(-33.9, 151.2, "AU"));
    draft.clusters.get_mut("c0").unwrap().region = name("far");
    let web = draft.apps.get_mut("web").unwrap();
    web.steering = vec![Step::Latency(LatencyBand::default())];
    draft
}

fn start(draft: Draft, dir: &Path, warm_up: Duration) -> Node {
    let options = Options {
        data_dir: Some(dir.to_owned()),
        region: Some(name("r")),
        steering: SteeringPace {
            every: Duration::from_millis(100),
            warm_up,
            ..SteeringPace::default()
        },
        ..Options::default()
    };
    let data = Arc::new(Data::of_geo(GeoDb::builtin()));
    Node::with(model(draft, 1, None), data, options)
}

/// The clusters that lead answers to the client.
fn leads(table: &Table) -> BTreeSet<u8> {
    let app = table.app(AppId(0));
    let view = app.view(table, table.leaf(CLIENT.into()));
    let keys = (0..64u64).map(|key| key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    keys.map(|key| match app.choose_dns(view, key) {
        DnsChoice::Clusters(picked) => picked[0],
        other => panic!("{other:?}"),
    })
    .collect()
}

#[tokio::test]
async fn what_probes_measure_steers_and_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let draft = antipodes();
    let node = start(draft.clone(), dir.path(), Duration::from_millis(300));
    assert_eq!(leads(&node.source.load()), [1].into(), "by distance");
    let both =
        |s: &windrose_control::Snapshot| s.status.latency.get("r").is_some_and(|to| to.len() == 2);
    let snapshot = node.until(both).await;
    for entry in snapshot.status.latency["r"].values() {
        assert!(entry.rtt.micros() < 100_000, "{}", entry.rtt);
        assert!(matches!(entry.cause, RttCause::WarmedUp { .. }));
    }
    // Both are as near as loopback is.
    assert_eq!(leads(&snapshot.table), [0, 1].into());
    drop(node);

    // Another warm-up would take an hour.
    let again = start(draft, dir.path(), Duration::from_secs(3_600));
    assert_eq!(leads(&again.source.load()), [0, 1].into(), "remembered");
    let latency = &again.handle.snapshot().status.latency["r"];
    assert!(
        latency
            .values()
            .all(|entry| entry.cause == RttCause::Remembered)
    );
}
