//! The fields of each type's data, in their order: the one table by which data is validated,
//! written as text and read from text.

use crate::RecordType;

/// One field of a record's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// One octet, in decimal.
    U8,
    /// Two octets, in decimal.
    U16,
    /// Four octets, in decimal.
    U32,
    /// Four octets of seconds; a text may use units.
    Seconds,
    /// Four octets.
    Ipv4,
    /// Sixteen octets.
    Ipv6,
    /// An uncompressed name.
    Name,
    /// A character string: a length octet and at most 255 octets (RFC 1035 section 3.3).
    String,
    /// Character strings to the end, at least one.
    Strings,
    /// A property tag with its length octet: letters and digits only, at least one (RFC 8659
    /// section 4.1).
    Tag,
    /// Octets to the end, written as one string that may exceed 255 octets.
    Text,
    /// Octets to the end, in hexadecimal; at least one.
    Hex,
    /// Octets to the end, in base 64; at least one.
    Base64,
    /// Service parameters to the end (RFC 9460 section 2.2).
    SvcParams,
    /// The whole of a LOC record (RFC 1876 section 2).
    Location,
}

/// The fields of a type; `None` for one whose form is not known here, which is opaque octets (RFC
/// 3597).
pub const fn layout(rtype: RecordType) -> Option<&'static [Field]> {
    use Field::*;
    Some(match rtype {
        RecordType::A => &[Ipv4],
        RecordType::AAAA => &[Ipv6],
        RecordType::NS
        | RecordType::CNAME
        | RecordType::PTR
        | RecordType::DNAME
        | RecordType::ALIAS => &[Name],
        RecordType::SOA => &[Name, Name, U32, Seconds, Seconds, Seconds, Seconds],
        RecordType::HINFO => &[String, String],
        RecordType::MX | RecordType::AFSDB | RecordType::KX => &[U16, Name],
        RecordType::TXT | RecordType::SPF => &[Strings],
        RecordType::RP => &[Name, Name],
        RecordType::LOC => &[Location],
        RecordType::SRV => &[U16, U16, U16, Name],
        RecordType::NAPTR => &[U16, U16, String, String, String, Name],
        RecordType::CERT => &[U16, U16, U8, Base64],
        RecordType::DS | RecordType::CDS => &[U16, U8, U8, Hex],
        RecordType::SSHFP => &[U8, U8, Hex],
        RecordType::DNSKEY | RecordType::CDNSKEY => &[U16, U8, U8, Base64],
        RecordType::TLSA | RecordType::SMIMEA => &[U8, U8, U8, Hex],
        RecordType::OPENPGPKEY => &[Base64],
        RecordType::ZONEMD => &[U32, U8, U8, Hex],
        RecordType::SVCB | RecordType::HTTPS => &[U16, Name, SvcParams],
        RecordType::URI => &[U16, U16, Text],
        RecordType::CAA => &[U8, Tag, Text],
        _ => return None,
    })
}
