//! From the bytes of a MaxMind DB file to ranges of localities.
//!
//! The `maxminddb` crate reads metadata and records. The walk over the search tree is ours, for
//! two reasons: the crate follows a shared node as often as it is reached, so that a hostile file
//! of 128 nodes keeps it busy for ever; and in a file without an IPv4 part it takes IPv6 networks
//! for aliases that are none. Format: the MaxMind DB File Format Specification, version 2.0.

use std::collections::HashMap;
use std::net::IpAddr;

use maxminddb::{MaxMindDbError, Metadata, Reader};
use windrose_model::GeoField;

use super::database::{GeoDb, Known, Locality};
use super::error::GeoError;
use super::fields::Fields;
use super::ranges::Ranges;

/// A tree of n nodes has 2n + 1 nodes and leaves. Writers may share subtrees a little; a file that
/// unfolds to more than this many times its size is damaged or hostile.
const UNFOLD_FACTOR: u64 = 4;

/// What is asked of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Countries, and whatever is known beyond them.
    Places,
    /// Autonomous systems only.
    Asns,
}

pub(super) fn read(bytes: &[u8], wanted: Wanted) -> Result<GeoDb, GeoError> {
    let reader = Reader::from_source(bytes)?;
    let metadata = reader.metadata();
    let mut walk = Walk::new(&reader, bytes, wanted);
    let (mut v4, mut v6) = (Ranges::v4(), Ranges::v6());
    if metadata.ip_version == 4 {
        walk.ipv4(0, &mut v4)?;
    } else {
        let ipv4_part = walk.ipv4_part()?;
        walk.ipv4(ipv4_part, &mut v4)?;
        walk.ipv6(ipv4_part, &mut v6)?;
    }
    let description = format!("{} {}", database_type(metadata), date(metadata.build_epoch));
    let database = GeoDb::new(description, walk.known, v4, v6);
    let database_type = database_type(metadata);
    match wanted {
        Wanted::Places if !database.has(GeoField::Country) => {
            Err(GeoError::FileWithoutCountries { database_type })
        }
        Wanted::Asns if !database.has(GeoField::Asn) => {
            Err(GeoError::FileWithoutAsns { database_type })
        }
        Wanted::Places | Wanted::Asns => Ok(database),
    }
}

struct Walk<'a> {
    reader: &'a Reader<&'a [u8]>,
    bytes: &'a [u8],
    nodes: u32,
    limit: u64,
    visits: u64,
    wanted: Wanted,
    known: Known,
    /// Locality by record number: many networks share a record.
    records: HashMap<u32, u32>,
}

impl<'a> Walk<'a> {
    fn new(reader: &'a Reader<&'a [u8]>, bytes: &'a [u8], wanted: Wanted) -> Self {
        let nodes = reader.metadata().node_count;
        let limit = UNFOLD_FACTOR * (2 * u64::from(nodes) + 1);
        Self {
            reader,
            bytes,
            nodes,
            limit,
            visits: 0,
            wanted,
            known: Known::default(),
            records: HashMap::new(),
        }
    }

    /// What stands at ::/96: a node, or the record or gap that covers it.
    fn ipv4_part(&self) -> Result<u32, GeoError> {
        let mut at = 0;
        for _ in 0..96 {
            if at >= self.nodes {
                break;
            }
            (at, _) = self.children(at)?;
        }
        Ok(at)
    }

    fn ipv4(&mut self, root: u32, ranges: &mut Ranges<u32>) -> Result<(), GeoError> {
        let ip = |address: u128| IpAddr::V4(((address >> 96) as u32).into());
        self.family(root, 32, None, ip, |address, number| {
            ranges.push((address >> 96) as u32, number);
        })
    }

    /// Leaves out the IPv4 part and its aliases, which lead to the same node.
    fn ipv6(&mut self, ipv4_part: u32, ranges: &mut Ranges<u128>) -> Result<(), GeoError> {
        let hole = (ipv4_part < self.nodes).then_some(ipv4_part);
        let ip = |address: u128| IpAddr::V6(address.into());
        self.family(0, 128, hole, ip, |address, number| {
            ranges.push(address, number)
        })
    }

    /// Depth first, left before right, so addresses ascend. They are left-aligned: the first bit
    /// of either family is bit 127.
    fn family(
        &mut self,
        root: u32,
        bits: u8,
        hole: Option<u32>,
        ip: impl Fn(u128) -> IpAddr,
        mut found: impl FnMut(u128, u32),
    ) -> Result<(), GeoError> {
        let mut stack = vec![(root, 0_u128, 0_u8)];
        while let Some((at, address, depth)) = stack.pop() {
            self.visits += 1;
            if self.visits > self.limit {
                return Err(GeoError::FileTreeUnfolds {
                    nodes: self.nodes,
                    limit: self.limit,
                });
            }
            if Some(at) == hole || at == self.nodes {
                found(address, 0);
            } else if at > self.nodes {
                found(address, self.locality(at, ip(address))?);
            } else if depth == bits {
                return Err(GeoError::FileTreeTooDeep { bits });
            } else {
                let (left, right) = self.children(at)?;
                stack.push((right, address | 1 << (127 - depth), depth + 1));
                stack.push((left, address, depth + 1));
            }
        }
        Ok(())
    }

    /// The number of the locality that the record at `ip` tells, to which `record` leads.
    fn locality(&mut self, record: u32, ip: IpAddr) -> Result<u32, GeoError> {
        if let Some(number) = self.records.get(&record) {
            return Ok(*number);
        }
        let fields = Fields(self.reader.lookup(ip)?);
        let number = match self.wanted {
            Wanted::Asns => {
                let asn = fields.asn()?;
                let locality = Locality {
                    asn,
                    ..Locality::default()
                };
                self.known.number(locality, None)
            }
            Wanted::Places => {
                let country = fields.country()?;
                let locality = Locality {
                    subdivisions: match country {
                        Some(country) => fields.subdivisions(country)?,
                        None => [None; 2],
                    },
                    point: fields.point()?,
                    asn: fields.asn()?,
                    ..Locality::of_country(country)
                };
                self.known.number(locality, fields.city()?)
            }
        };
        self.records.insert(record, number);
        Ok(number)
    }

    /// The two records of a node. [`Reader::from_source`] made sure that all nodes are in the
    /// file and that the record size is one of three.
    fn children(&self, node: u32) -> Result<(u32, u32), GeoError> {
        let size = self.reader.metadata().record_size;
        let width = usize::from(size / 4);
        let raw = self
            .bytes
            .get(node as usize * width..)
            .and_then(|rest| rest.get(..width));
        match (size, raw) {
            (24, Some(&[a, b, c, d, e, f])) => Ok((
                u32::from_be_bytes([0, a, b, c]),
                u32::from_be_bytes([0, d, e, f]),
            )),
            (28, Some(&[a, b, c, both, d, e, f])) => Ok((
                u32::from_be_bytes([both >> 4, a, b, c]),
                u32::from_be_bytes([both & 15, d, e, f]),
            )),
            (32, Some(&[a, b, c, d, e, f, g, h])) => Ok((
                u32::from_be_bytes([a, b, c, d]),
                u32::from_be_bytes([e, f, g, h]),
            )),
            _ => Err(
                MaxMindDbError::invalid_database(format!("node {node} is not in the file")).into(),
            ),
        }
    }
}

/// What the file calls itself, fit for a line of a log.
fn database_type(metadata: &Metadata) -> String {
    let printable = metadata.database_type.chars().filter(|c| !c.is_control());
    let text: String = printable.take(64).collect();
    if text.is_empty() {
        "unnamed".to_owned()
    } else {
        text
    }
}

/// Seconds since 1970 as a date: Howard Hinnant's `civil_from_days`, for days after 1970.
fn date(epoch_seconds: u64) -> String {
    let days = epoch_seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn build_times_are_shown_as_dates() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (1_709_251_200, "2024-03-01"),
            (1_781_725_910, "2026-06-17"),
            (4_107_542_399, "2100-02-28"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }
}
