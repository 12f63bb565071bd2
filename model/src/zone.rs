//! Zones and their records.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::{DnsName, Ttl};

/// A DNS name space we answer for, by apex. Hosts of apps inside it are steered; its own records
/// may not stand at the same name and type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Zone {
    /// Start of authority.
    pub soa: Soa,
    /// RRsets by owner and type; the apex NS set is here too.
    pub records: BTreeMap<(DnsName, RecordType), RrSet>,
}

/// SOA fields (RFC 1035 section 3.3.13).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Soa {
    /// Primary server.
    pub mname: DnsName,
    /// Mailbox of the person in charge.
    pub rname: DnsName,
    /// Version of the zone.
    pub serial: u32,
    /// Seconds.
    pub refresh: u32,
    /// Seconds.
    pub retry: u32,
    /// Seconds.
    pub expire: u32,
    /// Negative TTL (RFC 2308), seconds.
    pub minimum: u32,
    /// TTL of the SOA record itself.
    pub ttl: Ttl,
}

/// Records of one owner and type: one TTL, distinct data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RrSet {
    /// For all of them.
    pub ttl: Ttl,
    /// At least one.
    pub data: Vec<RData>,
}

/// Types that a zone may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum RecordType {
    A,
    Ns,
    Cname,
    Soa,
    Mx,
    Txt,
    Aaaa,
}

impl RecordType {
    /// Those that may be written in a zone; SOA has keys of its own.
    pub const WRITABLE: [Self; 6] = [
        Self::A,
        Self::Aaaa,
        Self::Cname,
        Self::Mx,
        Self::Ns,
        Self::Txt,
    ];

    /// The type's number on the wire.
    pub const fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Ns => 2,
            Self::Cname => 5,
            Self::Soa => 6,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Aaaa => 28,
        }
    }

    /// The type of a number, if a zone may hold it.
    pub const fn from_code(code: u16) -> Option<Self> {
        Some(match code {
            1 => Self::A,
            2 => Self::Ns,
            5 => Self::Cname,
            6 => Self::Soa,
            15 => Self::Mx,
            16 => Self::Txt,
            28 => Self::Aaaa,
            _ => return None,
        })
    }

    /// Its mnemonic.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Ns => "NS",
            Self::Cname => "CNAME",
            Self::Soa => "SOA",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Aaaa => "AAAA",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RecordType {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Soa]
            .into_iter()
            .chain(Self::WRITABLE)
            .find(|t| t.as_str().eq_ignore_ascii_case(text))
            .ok_or(())
    }
}

/// The data of one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RData {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Alias.
    Cname(DnsName),
    /// Name server.
    Ns(DnsName),
    /// Mail exchange: preference, host.
    Mx(u16, DnsName),
    /// Character strings, each at most 255 octets, at least one.
    Txt(Vec<Vec<u8>>),
}

impl RData {
    /// Its type.
    pub const fn record_type(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Cname(_) => RecordType::Cname,
            Self::Ns(_) => RecordType::Ns,
            Self::Mx(..) => RecordType::Mx,
            Self::Txt(_) => RecordType::Txt,
        }
    }

    /// Appends its wire form, names uncompressed.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::A(ip) => out.extend_from_slice(&ip.octets()),
            Self::Aaaa(ip) => out.extend_from_slice(&ip.octets()),
            Self::Cname(name) | Self::Ns(name) => out.extend_from_slice(name.wire()),
            Self::Mx(preference, name) => {
                out.extend_from_slice(&preference.to_be_bytes());
                out.extend_from_slice(name.wire());
            }
            Self::Txt(strings) => {
                for string in strings {
                    out.push(u8::try_from(string.len()).unwrap_or(u8::MAX));
                    out.extend_from_slice(&string[..string.len().min(255)]);
                }
            }
        }
    }
}
