//! The databases of `examples/geo-city.yaml` hold what is written here. `WINDROSE_BLESS=1` writes them
//! anew.

use std::path::Path;

use crate::support::mmdb::Writer;

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "one variable refreshes the files"
)]
fn the_databases_of_the_example_hold_what_they_should() {
    for (name, bytes) in [("cities.mmdb", cities()), ("asns.mmdb", asns())] {
        let path = Path::new("../examples/data").join(name);
        if std::env::var_os("WINDROSE_BLESS").is_some() {
            std::fs::write(&path, bytes).unwrap();
        } else {
            let there = std::fs::read(&path).unwrap();
            assert!(there == bytes, "{name}: WINDROSE_BLESS=1 writes it");
        }
    }
}

fn cities() -> Vec<u8> {
    let mut file = Writer::new(6, 24);
    file.database_type = "Windrose-Example-City";
    for (net, country, subdivision, city, at) in [
        ("192.0.2.0/26", "DE", "BE", "Berlin", (52.5, 13.4)),
        ("192.0.2.64/26", "US", "NH", "Berlin", (44.5, -71.2)),
        ("192.0.2.128/26", "US", "CA", "Fresno", (36.7, -119.8)),
        ("192.0.2.192/26", "NO", "03", "Oslo", (59.9, 10.7)),
        ("198.51.100.0/24", "US", "CA", "Fresno", (36.7, -119.8)),
        ("203.0.113.0/24", "US", "WA", "Seattle", (47.6, -122.3)),
        ("2001:db8:7000::/36", "DE", "BE", "Berlin", (52.5, 13.4)),
        ("2001:db8:8000::/36", "US", "WA", "Seattle", (47.6, -122.3)),
    ] {
        let record = file.city(country, &[subdivision], city, at);
        file.insert(net, record);
    }
    file.finish()
}

fn asns() -> Vec<u8> {
    let mut file = Writer::new(6, 24);
    file.database_type = "Windrose-Example-ASN";
    let (one, two) = (file.asn(64_496), file.asn(64_500));
    file.insert("203.0.113.128/25", one);
    file.insert("192.0.2.0/24", two);
    file.finish()
}
