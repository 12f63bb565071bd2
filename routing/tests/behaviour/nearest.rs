//! Steering by distance.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::support::{app, draft, name, table};
use windrose_model::{Bias, Step};
use windrose_routing::geo::GeoDb;
use windrose_routing::{Data, DnsChoice};

const GERMAN: &str = "88.198.0.1";
const AMERICAN: &str = "8.8.8.8";

/// Where clients go under a bias, the first choice of each.
fn first(bias: &[(&str, i8)]) -> impl Fn(&str) -> String {
    let bias = bias
        .iter()
        .map(|(cluster, points)| (name(cluster), Bias::new(*points).unwrap()))
        .collect::<BTreeMap<_, _>>();
    let mut draft = draft();
    let shop = app("shop.example.com", vec![Step::Nearest(bias)]);
    draft.apps.insert(name("shop"), shop);
    let (_, table) = table(draft, &Data::of_geo(GeoDb::builtin()));
    move |client| {
        let client: IpAddr = client.parse().unwrap();
        let entry = table.app(table.host("shop.example.com").unwrap());
        let DnsChoice::Clusters(picked) =
            entry.choose_dns(entry.view(&table, table.leaf(client)), 1)
        else {
            panic!("no answer")
        };
        entry.plan.clusters[usize::from(picked[0])].name.to_string()
    }
}

#[test]
fn without_bias_the_nearest_cluster_is_first() {
    let go = first(&[]);
    assert_eq!(
        (go(GERMAN), go(AMERICAN)),
        ("frankfurt".to_owned(), "virginia".to_owned())
    );
}

/// From the middle of the USA's people it is 1,319 km to Virginia and 2,334 km to Oregon:
/// Oregon is nearer from a bias of 44 on.
#[test]
fn a_positive_bias_draws_clients_from_farther_away() {
    assert_eq!(first(&[("oregon", 43)])(AMERICAN), "virginia");
    assert_eq!(first(&[("oregon", 44)])(AMERICAN), "oregon");
    assert_eq!(first(&[("oregon", 44)])(GERMAN), "frankfurt");
}

/// The same by pushing Virginia away: its distance is divided by 1 - 44/100.
#[test]
fn a_negative_bias_pushes_clients_away() {
    assert_eq!(first(&[("virginia", -43)])(AMERICAN), "virginia");
    assert_eq!(first(&[("virginia", -44)])(AMERICAN), "oregon");
    assert_eq!(first(&[("frankfurt", -99)])(GERMAN), "virginia");
}
