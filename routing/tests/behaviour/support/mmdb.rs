//! Writes MaxMind DB files, sound and hostile ones; shared by tests inside and outside the crate.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::cast_possible_truncation,
    reason = "each user takes a part"
)]

use std::net::IpAddr;

/// What a side of a node leads to.
#[derive(Clone, Copy, PartialEq)]
pub enum Slot {
    Empty,
    Node(usize),
    /// Offset in the data section.
    Record(usize),
}

pub struct Writer {
    pub nodes: Vec<[Slot; 2]>,
    pub database_type: &'static str,
    ip_version: u8,
    record_size: u8,
    data: Vec<u8>,
}

impl Writer {
    pub fn new(ip_version: u8, record_size: u8) -> Self {
        let nodes = vec![[Slot::Empty; 2]];
        Self {
            nodes,
            database_type: "Test",
            ip_version,
            record_size,
            data: Vec::new(),
        }
    }

    /// `{"country_code": code}`
    pub fn flat(&mut self, code: &str) -> Slot {
        let record = [&[0xe1][..], &text("country_code"), &text(code)].concat();
        self.record(&record)
    }

    /// As in GeoLite2: a continent, a country, and a registered country that must not count.
    pub fn nested(&mut self, code: &str) -> Slot {
        let country = [
            &text("country")[..],
            &[0xe1],
            &text("iso_code"),
            &text(code),
        ]
        .concat();
        let other = [
            &text("registered_country")[..],
            &[0xe1],
            &text("iso_code"),
            &text("XX"),
        ];
        let continent = [&text("continent")[..], &[0xe1], &text("code"), &text("EU")];
        let record = [&[0xe3][..], &continent.concat(), &country, &other.concat()].concat();
        self.record(&record)
    }

    /// `{"autonomous_system_number": number}`
    pub fn asn(&mut self, number: u32) -> Slot {
        let record = map(&[("autonomous_system_number", uint(number))]);
        self.record(&record)
    }

    /// As in GeoLite2-City, the subdivisions from the outermost; an empty name is left out.
    pub fn city(
        &mut self,
        country: &str,
        subdivisions: &[&str],
        name: &str,
        at: (f64, f64),
    ) -> Slot {
        let code = |code: &&str| map(&[("iso_code", text(code))]);
        let mut fields = vec![
            ("country", map(&[("iso_code", text(country))])),
            (
                "location",
                map(&[("latitude", double(at.0)), ("longitude", double(at.1))]),
            ),
        ];
        if !subdivisions.is_empty() {
            fields.push(("subdivisions", array(subdivisions.iter().map(code))));
        }
        if !name.is_empty() {
            let names = map(&[("de", text("-")), ("en", text(name))]);
            fields.push(("city", map(&[("names", names)])));
        }
        self.record(&map(&fields))
    }

    /// A record of these octets.
    pub fn record(&mut self, bytes: &[u8]) -> Slot {
        let offset = self.data.len();
        self.data.extend_from_slice(bytes);
        Slot::Record(offset)
    }

    /// Prefixes must not overlap. IPv4 ones go below ::/96 in an IPv6 file.
    pub fn insert(&mut self, prefix: &str, to: Slot) {
        let (ip, length) = prefix.split_once('/').unwrap();
        let length: u32 = length.parse().unwrap();
        let (address, length) = match (ip.parse().unwrap(), self.ip_version) {
            (IpAddr::V4(ip), 4) => (u128::from(u32::from(ip)) << 96, length),
            (IpAddr::V4(ip), _) => (u128::from(u32::from(ip)), 96 + length),
            (IpAddr::V6(ip), _) => (ip.into(), length),
        };
        self.insert_bits(address, length, to);
    }

    /// The same of a left-aligned address.
    pub fn insert_bits(&mut self, address: u128, length: u32, to: Slot) {
        let prefix = format_args!("{address:032x}/{length}");
        let mut at = 0;
        for depth in 0..length {
            let side = usize::from(address >> (127 - depth) & 1 == 1);
            if depth + 1 == length {
                assert!(self.nodes[at][side] == Slot::Empty, "{prefix} overlaps");
                self.nodes[at][side] = to;
                return;
            }
            at = match self.nodes[at][side] {
                Slot::Node(next) => next,
                Slot::Record(_) => panic!("{prefix} overlaps"),
                Slot::Empty => {
                    self.nodes.push([Slot::Empty; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[at][side] = Slot::Node(next);
                    next
                }
            };
        }
    }

    /// The node at ::/96.
    pub fn ipv4_part(&self) -> Slot {
        (0..96).fold(Slot::Node(0), |at, _| match at {
            Slot::Node(node) => self.nodes[node][0],
            end => end,
        })
    }

    pub fn finish(&self) -> Vec<u8> {
        let number = |slot: Slot| match slot {
            Slot::Empty => self.nodes.len(),
            Slot::Node(node) => node,
            Slot::Record(offset) => self.nodes.len() + 16 + offset,
        };
        let mut file = Vec::new();
        for node in &self.nodes {
            let [left, right] = node.map(|slot| (number(slot) as u32).to_be_bytes());
            match self.record_size {
                24 => file.extend([&left[1..], &right[1..]].concat()),
                28 => file.extend([&left[1..], &[left[0] << 4 | right[0]], &right[1..]].concat()),
                _ => file.extend([left, right].concat()),
            }
        }
        file.extend([0; 16]);
        file.extend(&self.data);
        file.extend(b"\xab\xcd\xefMaxMind.com\xe9");
        let nodes = (self.nodes.len() as u32).to_be_bytes();
        for (name, value) in [
            ("binary_format_major_version", &[0xa1, 2][..]),
            ("binary_format_minor_version", &[0xa0]),
            ("build_epoch", &[0x04, 2, 0x69, 0x7d, 0x4a, 0x80]), // 2026-01-31
            ("database_type", &text(self.database_type)),
            ("description", &[0xe0]),
            ("ip_version", &[0xa1, self.ip_version]),
            ("languages", &[0x00, 4]),
            ("node_count", &[&[0xc4], &nodes[..]].concat()),
            ("record_size", &[0xa1, self.record_size]),
        ] {
            file.extend(text(name));
            file.extend(value);
        }
        file
    }
}

pub fn text(text: &str) -> Vec<u8> {
    let octets = text.as_bytes();
    match octets.len() {
        short @ ..29 => [&[0x40 | short as u8], octets].concat(),
        long => [&[0x40 | 29, u8::try_from(long - 29).unwrap()], octets].concat(),
    }
}

pub fn map(fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0xe0 | fields.len() as u8];
    for (key, value) in fields {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}

pub fn array(values: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = vec![values.len() as u8, 4];
    bytes.extend(values.flatten());
    bytes
}

pub fn double(value: f64) -> Vec<u8> {
    [&[0x68][..], &value.to_be_bytes()].concat()
}

pub fn uint(value: u32) -> Vec<u8> {
    [&[0xc4][..], &value.to_be_bytes()].concat()
}
