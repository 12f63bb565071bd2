//! City files and files of autonomous systems.

use windrose_model::GeoField;

use super::super::{GeoDb, GeoError};
use super::writer::{Writer, map, text};

fn at(db: &GeoDb, ip: &str) -> String {
    let locality = db.locality(ip.parse().unwrap());
    let country = locality.country.map(|c| c.to_string());
    let subdivisions = locality.subdivisions.iter().flatten();
    let point = locality.point.map(|p| p.to_string());
    let known = country
        .into_iter()
        .chain(subdivisions.map(ToString::to_string))
        .chain(db.city(locality).map(str::to_owned))
        .chain(point)
        .chain(locality.asn.map(|asn| asn.to_string()));
    known.collect::<Vec<_>>().join(" ")
}

fn cities() -> Writer {
    let mut file = Writer::new(6, 28);
    let berlin = file.city("DE", &["BE"], "Berlin", (52.5, 13.4));
    let london = file.city("GB", &["ENG", "LND"], "London", (51.5, -0.1));
    let nowhere = file.city("US", &[], "", (37.751, -97.822));
    file.insert("192.0.2.0/25", berlin);
    file.insert("192.0.2.128/25", london);
    file.insert("198.51.100.0/24", nowhere);
    file.insert("2001:db8::/33", london);
    file
}

#[test]
fn a_city_file_tells_subdivisions_cities_and_points_on_the_grid() {
    let db = GeoDb::from_mmdb(&cities().finish()).unwrap();
    for (ip, expected) in [
        ("192.0.2.1", "DE DE-BE Berlin 52.75 13.25"),
        ("192.0.2.200", "GB GB-ENG GB-LND London 51.75 -0.25"),
        ("198.51.100.1", "US 37.75 -97.75"),
        ("2001:db8::1", "GB GB-ENG GB-LND London 51.75 -0.25"),
        ("203.0.113.1", ""),
    ] {
        assert_eq!(at(&db, ip), expected, "{ip}");
    }
    let has = [
        GeoField::Country,
        GeoField::Subdivision,
        GeoField::City,
        GeoField::Asn,
    ];
    assert_eq!(has.map(|field| db.has(field)), [true, true, true, false]);
    assert!(GeoDb::builtin().has(GeoField::Country) && !GeoDb::builtin().has(GeoField::City));
}

#[test]
fn a_city_is_known_by_country_subdivision_and_name() {
    let db = GeoDb::from_mmdb(&cities().finish()).unwrap();
    let known = db.cities();
    for (city, expected) in [
        ("DE/Berlin", true),
        ("DE-BE/BERLIN", true),
        ("GB-ENG/London", true),
        ("GB-LND/London", true),
        ("GB-SCT/London", false),
        ("US/Berlin", false),
    ] {
        assert_eq!(known.has(&city.parse().unwrap()), expected, "{city}");
    }
}

#[test]
fn flat_files_are_read_as_far_as_they_go() {
    let mut file = Writer::new(4, 24);
    let record = map(&[
        ("asn", text("AS64500")),
        ("city", text("Oslo")),
        ("country", text("Norway")),
        ("country_code", text("NO")),
    ]);
    let record = file.record(&record);
    file.insert("192.0.2.0/24", record);
    let bytes = file.finish();
    let db = GeoDb::from_mmdb(&bytes).unwrap();
    assert_eq!(at(&db, "192.0.2.1"), "NO Oslo AS64500");
    let asns = GeoDb::asns_from_mmdb(&bytes).unwrap();
    assert_eq!(at(&asns, "192.0.2.1"), "AS64500");
}

#[test]
fn a_file_of_autonomous_systems_is_told_from_one_of_countries() {
    let mut file = Writer::new(6, 24);
    let (one, two) = (file.asn(64_496), file.asn(4_200_000_000));
    file.insert("192.0.2.0/24", one);
    file.insert("2001:db8::/32", two);
    let db = GeoDb::asns_from_mmdb(&file.finish()).unwrap();
    assert_eq!(at(&db, "192.0.2.1"), "AS64496");
    assert_eq!(at(&db, "2001:db8::1"), "AS4200000000");
    assert_eq!(at(&db, "192.0.3.1"), "");
    let error = GeoDb::asns_from_mmdb(&cities().finish()).unwrap_err();
    assert!(matches!(error, GeoError::FileWithoutAsns { .. }), "{error}");
}

/// City files of today have several million networks; `WINDROSE_CITY_NETWORKS` asks for as many.
#[test]
#[allow(clippy::disallowed_methods, reason = "a test asks its caller how much")]
fn a_file_of_city_size_is_read_whole() {
    let networks: u32 = match std::env::var("WINDROSE_CITY_NETWORKS") {
        Ok(asked) => asked.parse().expect("WINDROSE_CITY_NETWORKS is a number"),
        Err(_) => 100_000,
    };
    let mut file = Writer::new(6, 28);
    let records: Vec<_> = (0..networks / 8)
        .map(|i| {
            let at = (f64::from(i % 170) - 85.0, f64::from(i % 350) - 175.0);
            let (country, subdivision) = (
                ["DE", "US", "FR", "JP"][i as usize % 4],
                format!("{}", i % 60),
            );
            file.city(
                country,
                &[&subdivision],
                &format!("City {}", i % 60_000),
                at,
            )
        })
        .collect();
    for i in 0..networks {
        // Neighbours lie in different cities.
        let record = records[i.wrapping_mul(2_654_435_761) as usize % records.len()];
        file.insert_bits(u128::from(i << 8), 96 + 24, record);
    }
    let bytes = file.finish();
    drop(file);
    let db = GeoDb::from_mmdb(&bytes).unwrap();
    assert!(db.v4().count() > networks as usize / 2);
    assert_ne!(at(&db, "0.0.1.1"), "");
}
