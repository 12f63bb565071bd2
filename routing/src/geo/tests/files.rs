//! MaxMind DB files that operators bring: sound, odd, cut off, hostile.

use std::net::IpAddr;

use maxminddb::{Reader, path};

use super::super::{GeoDb, GeoError};
use super::check;
use super::writer::{Slot, Writer};

const SIZES: [u8; 3] = [24, 28, 32];

/// Germany and France by both families.
fn sample(record_size: u8) -> Writer {
    let mut file = Writer::new(6, record_size);
    let (de, fr) = (file.nested("DE"), file.nested("FR"));
    file.insert("192.0.2.0/25", de);
    file.insert("192.0.2.128/26", fr);
    file.insert("192.0.2.192/26", fr);
    file.insert("2001:db8::/33", de);
    file.insert("2001:db8:8000::/35", fr);
    file
}

#[test]
fn a_nested_file_is_read_at_every_record_size() {
    for size in SIZES {
        let db = GeoDb::from_mmdb(&sample(size).finish()).unwrap();
        check(
            &db,
            &[
                ("192.0.1.255", "-"),
                ("192.0.2.0", "DE"),
                ("192.0.2.127", "DE"),
                ("192.0.2.128", "FR"),
                ("192.0.2.255", "FR"),
                ("192.0.3.0", "-"),
                ("2001:db8::1", "DE"),
                ("2001:db8:9fff::1", "FR"),
                ("2001:db8:a000::1", "-"),
                ("::192.0.2.1", "-"),
                ("::ffff:192.0.2.1", "DE"),
            ],
        );
        assert_eq!(
            (db.v4().count(), db.v6().count()),
            (2, 2),
            "equal neighbours are merged"
        );
        assert_eq!(db.description(), "Test 2026-01-31");
    }
}

#[test]
fn a_flat_file_is_read() {
    let mut file = Writer::new(4, 24);
    let (de, se) = (file.flat("DE"), file.flat("SE"));
    file.insert("0.0.0.0/1", de);
    file.insert("255.255.255.255/32", se);
    let db = GeoDb::from_mmdb(&file.finish()).unwrap();
    check(
        &db,
        &[
            ("0.0.0.0", "DE"),
            ("127.255.255.255", "DE"),
            ("128.0.0.0", "-"),
        ],
    );
    check(
        &db,
        &[
            ("255.255.255.254", "-"),
            ("255.255.255.255", "SE"),
            ("::1", "-"),
        ],
    );
}

#[test]
fn unknown_and_malformed_codes_are_no_country() {
    let mut file = Writer::new(4, 24);
    for (prefix, code) in [
        ("1.0.0.0/8", "ZZ"),
        ("2.0.0.0/8", ""),
        ("3.0.0.0/8", "DEU"),
        ("4.0.0.0/8", "EU"),
    ] {
        let record = file.flat(code);
        file.insert(prefix, record);
    }
    let db = GeoDb::from_mmdb(&file.finish()).unwrap();
    check(
        &db,
        &[
            ("1.0.0.1", "-"),
            ("2.0.0.1", "-"),
            ("3.0.0.1", "-"),
            ("4.0.0.1", "EU"),
        ],
    );
}

#[test]
fn aliases_of_the_ipv4_part_are_left_out() {
    let mut file = sample(28);
    let ipv4 = file.ipv4_part();
    for alias in ["::ffff:0:0/96", "2002::/16", "2001::/32"] {
        file.insert(alias, ipv4);
    }
    let db = GeoDb::from_mmdb(&file.finish()).unwrap();
    check(
        &db,
        &[
            ("192.0.2.1", "DE"),
            ("2002:c000:0201::1", "-"),
            ("2001:0:c000:201::", "-"),
        ],
    );
    assert_eq!(
        db.digest(),
        GeoDb::from_mmdb(&sample(24).finish()).unwrap().digest()
    );
}

#[test]
fn without_an_ipv4_part_no_network_is_taken_for_an_alias() {
    let mut file = Writer::new(6, 24);
    let de = file.flat("DE");
    file.insert("::/64", de);
    file.insert("2001:db8::/32", de);
    let db = GeoDb::from_mmdb(&file.finish()).unwrap();
    check(
        &db,
        &[("2001:db8::1", "DE"), ("::1", "DE"), ("192.0.2.1", "DE")],
    );
}

#[test]
fn equal_content_has_an_equal_digest_whatever_the_file() {
    let digest = |file: Writer| GeoDb::from_mmdb(&file.finish()).unwrap().digest();
    let mut other = sample(32);
    other.database_type = "Other";
    assert_eq!(digest(sample(24)), digest(other));
    let mut more = sample(24);
    let fr = more.nested("FR");
    more.insert("192.0.3.0/32", fr);
    assert_ne!(digest(sample(24)), digest(more));
}

#[test]
fn a_file_without_countries_is_refused_by_its_type() {
    let mut file = Writer::new(4, 24);
    file.database_type = "GeoLite2-ASN";
    let record = file.asn(64_496);
    file.insert("1.0.0.0/8", record);
    let error = GeoDb::from_mmdb(&file.finish()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("geo database of type GeoLite2-ASN names no country")
    );
    let empty = GeoDb::from_mmdb(&Writer::new(6, 24).finish());
    assert!(matches!(empty, Err(GeoError::FileWithoutCountries { .. })));
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    for size in SIZES {
        let file = sample(size).finish();
        for cut in 0..file.len() {
            assert!(
                GeoDb::from_mmdb(&file[..cut]).is_err(),
                "cut at {cut} of {}",
                file.len()
            );
        }
    }
}

#[test]
fn a_damaged_file_is_refused_or_read_but_never_ends_the_program() {
    let file = sample(24).finish();
    for at in 0..file.len() {
        for damage in [0x00, 0x01, 0x20, 0x7f, 0x80, 0xff] {
            let mut damaged = file.clone();
            damaged[at] ^= damage;
            let _ = GeoDb::from_mmdb(&damaged);
        }
        let without = [&file[..at], &file[(at + 7).min(file.len())..]].concat();
        let _ = GeoDb::from_mmdb(&without);
    }
    let mut random = Random(7);
    for length in 0..2_000 {
        let garbage: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        assert!(GeoDb::from_mmdb(&garbage).is_err());
    }
}

#[test]
fn a_tree_that_unfolds_without_end_is_refused() {
    for end in [Slot::Empty, Slot::Record(0)] {
        let mut file = Writer::new(6, 24);
        file.flat("DE");
        file.nodes = (1..128).map(|next| [Slot::Node(next); 2]).collect();
        file.nodes.push([end; 2]);
        let error = GeoDb::from_mmdb(&file.finish()).unwrap_err();
        assert!(
            matches!(error, GeoError::FileTreeUnfolds { nodes: 128, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_tree_that_leads_back_to_itself_is_refused() {
    for version in [4, 6] {
        let mut file = Writer::new(version, 24);
        file.nodes = vec![[Slot::Empty, Slot::Node(1)], [Slot::Empty, Slot::Node(1)]];
        assert!(GeoDb::from_mmdb(&file.finish()).is_err());
        file.nodes = vec![[Slot::Node(0), Slot::Node(0)]];
        assert!(GeoDb::from_mmdb(&file.finish()).is_err());
    }
    let mut deep = Writer::new(4, 24);
    deep.nodes = (1..100)
        .map(|next| [Slot::Node(next), Slot::Empty])
        .collect();
    deep.nodes.push([Slot::Empty; 2]);
    let error = GeoDb::from_mmdb(&deep.finish()).unwrap_err();
    assert!(
        matches!(error, GeoError::FileTreeTooDeep { bits: 32 }),
        "{error}"
    );
}

#[test]
fn our_walk_and_the_readers_lookup_agree_everywhere() {
    for seed in 1..=30 {
        let mut random = Random(seed);
        let mut file = Writer::new(6, SIZES[seed as usize % 3]);
        let records = ["DE", "FR", "JP", "ZZ"].map(|code| file.flat(code));
        for net in 0..64_u32 {
            let (record, bits) = (records[random.next() as usize % 4], random.next() % 20);
            file.insert(
                &format!("{}.{}.0.0/{}", net * 4, random.next() % 256, 8 + bits),
                record,
            );
            file.insert(&format!("20{:02x}::/{}", net + 1, 16 + 5 * bits), record);
        }
        let file = file.finish();
        let (db, reader) = (
            GeoDb::from_mmdb(&file).unwrap(),
            Reader::from_source(&file).unwrap(),
        );
        for _ in 0..2_000 {
            let (draw, low) = (random.next(), random.next() % 4);
            let net = 0x2000 + u128::from(draw as u8 % 70);
            for ip in [
                IpAddr::V4((draw as u32).into()),
                IpAddr::V6((net << 112 | u128::from(low) << ((draw as u32 >> 8) % 112)).into()),
            ] {
                let code: Option<&str> = reader
                    .lookup(ip)
                    .unwrap()
                    .decode_path(&path!["country_code"])
                    .unwrap();
                let code = code.filter(|code| *code != "ZZ").unwrap_or("-");
                check(&db, &[(&ip.to_string(), code)]);
            }
        }
    }
}

/// SplitMix64: the same on all machines.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
