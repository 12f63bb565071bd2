//! What an atlas holds, and what it leaves out.

use windrose_model::{GeoRules, Step};

use super::*;
use crate::geo::GeoDb;
use crate::geo::tests::writer;

/// 64 cities in two subdivisions of one country, side by side.
fn data() -> Data {
    let mut file = writer::Writer::new(6, 24);
    for i in 0..64_u8 {
        let subdivision = ["CA", "NY"][usize::from(i / 32)];
        let record = file.city(
            "US",
            &[subdivision],
            &format!("City {i}"),
            (40.0, f64::from(i)),
        );
        file.insert(&format!("10.0.{i}.0/24"), record);
    }
    Data::of_geo(GeoDb::from_mmdb(&file.finish()).unwrap())
}

fn leaves(rules: GeoRules) -> usize {
    let reads = Reads::of(&[Step::Geo(rules)]);
    let data = data();
    let none = LatencyMatrix::empty();
    Atlas::build(AtlasKey::new(reads, &data, &none), &data, &none)
        .v4
        .starts
        .len()
}

fn keyed<K: std::str::FromStr + Ord>(key: &str) -> BTreeMap<K, windrose_model::Preference> {
    key.parse()
        .into_iter()
        .map(|key| (key, Vec::new()))
        .collect()
}

#[test]
fn what_no_steering_reads_has_no_leaves() {
    let none = GeoRules::default();
    assert_eq!(leaves(none), 1);
    // 10.0.0.0/18, and the prefixes that fill up the rest.
    let country = GeoRules {
        countries: keyed("DE"),
        ..GeoRules::default()
    };
    assert_eq!(leaves(country), 1 + 18);
    let subdivision = GeoRules {
        subdivisions: keyed("US-CA"),
        ..GeoRules::default()
    };
    assert_eq!(leaves(subdivision), 1 + 19);
    let city = GeoRules {
        cities: keyed("US/City 7"),
        ..GeoRules::default()
    };
    assert_eq!(leaves(city), 1 + 24);
}

#[test]
fn an_unknown_city_costs_nothing() {
    let rules = GeoRules {
        cities: keyed("US/City 99"),
        asns: keyed("AS1"),
        ..GeoRules::default()
    };
    assert_eq!(leaves(rules), 1);
}
