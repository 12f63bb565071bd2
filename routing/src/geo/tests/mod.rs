//! Facts about the built-in database, and conversations with files of all kinds.

mod cities;
mod files;
#[path = "../../../tests/behaviour/support/mmdb.rs"]
pub(crate) mod writer;

use std::net::IpAddr;

use windrose_model::{Continent, Coordinates, Country};

use super::builtin::{COUNTRIES, decode};
use super::{GeoDb, Locality, centroid, continent};

/// `-` stands for none.
fn check(db: &GeoDb, facts: &[(&str, &str)]) {
    for (ip, expected) in facts {
        let country = db.country(ip.parse().unwrap());
        let country = country.map_or_else(|| "-".to_owned(), |country| country.to_string());
        assert_eq!(country, *expected, "{ip}");
    }
}

fn country(code: &str) -> Country {
    code.parse().unwrap()
}

#[test]
fn the_builtin_database_knows_where_the_registries_and_old_networks_are() {
    check(
        &GeoDb::builtin(),
        &[
            ("193.0.6.139", "NL"), // RIPE NCC
            ("2001:67c:2e8:25::c100:b21", "NL"),
            ("202.12.29.230", "AU"),  // APNIC
            ("200.3.14.184", "UY"),   // LACNIC
            ("192.149.252.75", "US"), // ARIN
            ("41.206.96.1", "MU"),
            ("130.149.7.1", "DE"), // Technische Universität Berlin
            ("133.11.0.1", "JP"),  // University of Tokyo
            ("129.132.1.1", "CH"), // ETH Zürich
            ("2003::1", "DE"),     // Deutsche Telekom
            ("240e::1", "CN"),     // China Telecom
            ("2804::1", "BR"),
        ],
    );
}

#[test]
fn the_builtin_database_says_nothing_of_addresses_that_are_nowhere() {
    check(
        &GeoDb::builtin(),
        &[
            ("0.0.0.0", "-"),
            ("10.1.2.3", "-"),
            ("127.0.0.1", "-"),
            ("172.16.0.0", "-"),
            ("172.31.255.255", "-"),
            ("192.0.2.1", "-"),
            ("192.168.0.1", "-"),
            ("198.51.100.1", "-"),
            ("203.0.113.1", "-"),
            ("224.0.0.1", "-"),
            ("255.255.255.255", "-"),
            ("::", "-"),
            ("::1", "-"),
            ("2001:db8::1", "-"),
            ("2002:c000:201::1", "-"),
            ("fe80::1", "-"),
            ("ff02::1", "-"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "-"),
        ],
    );
}

#[test]
fn a_mapped_address_counts_as_ipv4() {
    check(
        &GeoDb::builtin(),
        &[("::ffff:193.0.6.139", "NL"), ("::ffff:10.0.0.1", "-")],
    );
}

#[test]
fn ranges_ascend_are_disjoint_and_merged() {
    fn sound<'a, A: Copy + Ord + Into<u128>>(
        ranges: impl Iterator<Item = (A, A, &'a Locality)>,
    ) -> usize {
        let ranges: Vec<_> = ranges.map(|(a, b, l)| (a.into(), b.into(), l)).collect();
        assert!(ranges.iter().all(|(first, last, _)| first <= last));
        for pair in ranges.windows(2) {
            let ((_, end, left), (start, _, right)) = (pair[0], pair[1]);
            assert!(end < start && (left != right || end + 1 < start));
        }
        ranges.len()
    }
    let db = GeoDb::builtin();
    let (v4, v6) = (sound(db.v4()), sound(db.v6()));
    assert!(
        v4 > 200_000 && v6 > 100_000,
        "{v4} IPv4 and {v6} IPv6 ranges"
    );
}

#[test]
fn ranges_and_lookups_agree_at_every_border() {
    let db = GeoDb::builtin();
    for (first, last, locality) in db.v4() {
        assert_eq!(db.locality(IpAddr::V4(first.into())), locality);
        assert_eq!(db.locality(IpAddr::V4(last.into())), locality);
    }
    for (first, last, locality) in db.v6() {
        assert_eq!(db.locality(IpAddr::V6(first.into())), locality);
        assert_eq!(db.locality(IpAddr::V6(last.into())), locality);
    }
}

#[test]
fn an_empty_database_knows_nothing() {
    let db = GeoDb::empty();
    check(&db, &[("193.0.6.139", "-"), ("2003::1", "-")]);
    assert_eq!((db.v4().count(), db.v6().count()), (0, 0));
    assert_ne!(db.digest(), GeoDb::builtin().digest());
}

#[test]
fn damaged_shipped_bytes_are_noticed() {
    for cut in [0, 3, 7, 8, 100, COUNTRIES.len() / 2, COUNTRIES.len() - 1] {
        assert!(decode(&COUNTRIES[..cut]).is_none(), "cut at {cut}");
    }
    let pack = |body: &[u8]| {
        [
            b"WRGEO1\n",
            &miniz_oxide::deflate::compress_to_vec(body, 6)[..],
        ]
        .concat()
    };
    let none = [1, 0]; // one run without country
    let body = |v4: &[u8]| [&[1, b'x', 1, b'D', b'E'], v4, &none[..]].concat();
    assert_eq!(decode(&pack(&body(&none))).unwrap().description(), "x");
    assert_eq!(
        decode(&pack(&body(&[2, 31, 1, 0, 1])))
            .unwrap()
            .v4()
            .count(),
        1
    );
    for (wrong, why) in [
        (&[0][..], "no run"),
        (&[1, 2], "no such code"),
        (&[2, 32, 1, 0, 1], "starts behind the last address"),
        (&[2, 200, 1, 0, 1], "more zero bits than there are"),
        (&[2, 0, 0, 0, 1], "no step"),
        (&[1, 0, 0], "something is left over"),
        (
            &[255, 255, 255, 255, 255, 255, 255, 255, 127],
            "more runs than bytes",
        ),
    ] {
        assert!(decode(&pack(&body(wrong))).is_none(), "{why}");
    }
}

#[test]
fn every_country_of_the_builtin_database_has_a_continent_and_a_centroid() {
    let db = GeoDb::builtin();
    let withdrawn = country("AN"); // Netherlands Antilles, until 2010; one IPv6 range still says so
    let all = db.v4().map(|(.., l)| l).chain(db.v6().map(|(.., l)| l));
    for country in all
        .filter_map(|l| l.country)
        .filter(|country| *country != withdrawn)
    {
        assert!(
            continent(country).is_some() && centroid(country).is_some(),
            "{country}"
        );
    }
}

#[test]
fn countries_lie_where_people_expect() {
    for (code, expected, lat, lon) in [
        ("DE", Continent::Europe, 51.0, 9.8),
        ("US", Continent::NorthAmerica, 39.0, -92.7),
        ("BR", Continent::SouthAmerica, -17.5, -45.8),
        ("JP", Continent::Asia, 35.6, 137.6),
        ("ZA", Continent::Africa, -28.0, 27.8),
        ("AU", Continent::Oceania, -33.6, 144.8),
        ("FJ", Continent::Oceania, -17.8, 178.2),
        ("RU", Continent::Europe, 56.8, 51.6),
        ("CY", Continent::Europe, 34.9, 33.2),
        ("TR", Continent::Asia, 39.2, 32.5),
        ("XK", Continent::Europe, 42.6, 20.9),
        ("AQ", Continent::Antarctica, -79.8, 35.9),
    ] {
        assert_eq!(continent(country(code)), Some(expected), "{code}");
        let (is, should) = (
            centroid(country(code)).unwrap(),
            Coordinates::new(lat, lon).unwrap(),
        );
        let near = |a: i16, b: i16| a.abs_diff(b) < 150;
        assert!(
            near(is.lat_hundredths, should.lat_hundredths),
            "{code} {is:?}"
        );
        assert!(
            near(is.lon_hundredths, should.lon_hundredths),
            "{code} {is:?}"
        );
    }
}

#[test]
fn codes_that_are_no_country_lie_nowhere() {
    for code in ["EU", "AP", "ZZ", "AN", "CS", "UK", "A1"] {
        let Ok(country) = code.parse() else { continue };
        assert_eq!(
            (continent(country), centroid(country)),
            (None, None),
            "{code}"
        );
    }
}

#[test]
fn the_table_of_countries_is_sorted_and_within_range() {
    use super::centroids::CENTROIDS;
    assert!(CENTROIDS.is_sorted_by(|a, b| a.0 < b.0));
    for (code, _, lat, lon) in CENTROIDS {
        assert!(lat.abs() <= 9_000 && lon.abs() <= 18_000, "{code:?}");
        assert!(
            Country::new(code).is_some_and(|country| country.octets() == code),
            "{code:?}"
        );
    }
}
