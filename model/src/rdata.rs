//! The data of one record: one wire form for every type, valid by construction.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{DnsName, RecordType};

mod form;
mod layout;
mod present;
mod svcb;

pub use layout::{Field, layout};
pub use svcb::{SvcParams, key as svc_param};

/// The data of one record in uncompressed wire form, names in lower case.
///
/// Types whose form is known ([`layout`]) have it; others are opaque octets (RFC 3597).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RData {
    rtype: RecordType,
    wire: Box<[u8]>,
}

/// Why octets are no data of a type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RDataError {
    /// OPT and the question types.
    #[error("{0} is no type of data")]
    Meta(RecordType),
    /// Above 65,535 octets.
    #[error("the data has {0} octets, at most 65535 are allowed")]
    TooLong(usize),
    /// It ends inside a field, or a list is empty.
    #[error("the data ends inside a field")]
    Short,
    /// Octets after the last field.
    #[error("{0} octets follow the last field of the data")]
    Trailing(usize),
    /// A compressed, cut or too long name.
    #[error("a name in the data is malformed or compressed")]
    Name,
    /// A CAA tag that is empty or holds other characters.
    #[error("a property tag has letters and digits only, at least one")]
    Tag,
    /// A LOC record out of its ranges.
    #[error("the location is outside the ranges of RFC 1876, or its version is not 0")]
    Location,
    /// A digest of a known kind with another length.
    #[error("a digest of this kind has {expected} octets, this one has {found}")]
    Digest {
        /// Octets it has.
        found: usize,
        /// Octets it should have.
        expected: usize,
    },
    /// Service parameters not ascending, or one twice.
    #[error("service parameter key{0} stands twice or out of order")]
    ParameterOrder(u16),
    /// A service parameter without the form of its key.
    #[error("service parameter key{0} has a malformed value")]
    Parameter(u16),
    /// RFC 9460 section 7.1.1.
    #[error("no-default-alpn needs alpn beside it")]
    NoDefaultAlpn,
    /// RFC 9460 section 8.
    #[error("mandatory names key{0}, which is absent")]
    Mandatory(u16),
    /// A character string above 255 octets.
    #[error("a character string has {0} octets, at most 255 are allowed")]
    StringTooLong(usize),
}

impl RData {
    /// Checks wire form, names uncompressed, against its type.
    pub fn from_wire(rtype: RecordType, wire: &[u8]) -> Result<Self, RDataError> {
        let mut wire: Box<[u8]> = wire.into();
        form::check(rtype, &mut wire)?;
        Ok(Self { rtype, wire })
    }

    /// IPv4 address.
    pub fn a(address: Ipv4Addr) -> Self {
        Self::made(RecordType::A, &address.octets())
    }

    /// IPv6 address.
    pub fn aaaa(address: Ipv6Addr) -> Self {
        Self::made(RecordType::AAAA, &address.octets())
    }

    /// Alias.
    pub fn cname(target: &DnsName) -> Self {
        Self::made(RecordType::CNAME, target.wire())
    }

    /// Alias of a subtree.
    pub fn dname(target: &DnsName) -> Self {
        Self::made(RecordType::DNAME, target.wire())
    }

    /// Addresses of another name.
    pub fn alias(target: &DnsName) -> Self {
        Self::made(RecordType::ALIAS, target.wire())
    }

    /// Name server.
    pub fn ns(host: &DnsName) -> Self {
        Self::made(RecordType::NS, host.wire())
    }

    /// Pointer.
    pub fn ptr(target: &DnsName) -> Self {
        Self::made(RecordType::PTR, target.wire())
    }

    /// Mail exchange: preference, host.
    pub fn mx(preference: u16, host: &DnsName) -> Self {
        Self::made(
            RecordType::MX,
            &[&preference.to_be_bytes(), host.wire()].concat(),
        )
    }

    /// Service: priority, weight, port, host (RFC 2782).
    pub fn srv(priority: u16, weight: u16, port: u16, host: &DnsName) -> Self {
        let [priority, weight, port] = [priority, weight, port].map(u16::to_be_bytes);
        let wire = [&priority, &weight, &port, host.wire()].concat();
        Self::made(RecordType::SRV, &wire)
    }

    /// Character strings, at least one, each at most 255 octets.
    pub fn txt<S: AsRef<[u8]>>(strings: &[S]) -> Result<Self, RDataError> {
        let mut wire = Vec::new();
        for string in strings.iter().map(AsRef::as_ref) {
            let len = u8::try_from(string.len());
            wire.push(len.map_err(|_| RDataError::StringTooLong(string.len()))?);
            wire.extend_from_slice(string);
        }
        Self::from_wire(RecordType::TXT, &wire)
    }

    /// Of parts that are valid already.
    fn made(rtype: RecordType, wire: &[u8]) -> Self {
        let wire = wire.into();
        Self { rtype, wire }
    }

    /// A view of it.
    pub fn as_ref(&self) -> RDataRef<'_> {
        let Self { rtype, wire } = self;
        RDataRef {
            rtype: *rtype,
            wire,
        }
    }

    /// Its type.
    pub const fn record_type(&self) -> RecordType {
        self.rtype
    }

    /// Its wire form, names uncompressed.
    pub const fn wire(&self) -> &[u8] {
        &self.wire
    }
}

/// The data of one record where it lies: in an [`RData`] or an [`RrSet`](crate::RrSet).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RDataRef<'a> {
    pub(crate) rtype: RecordType,
    pub(crate) wire: &'a [u8],
}

impl<'a> RDataRef<'a> {
    /// Its type.
    pub const fn record_type(self) -> RecordType {
        self.rtype
    }

    /// Its wire form, names uncompressed.
    pub const fn wire(self) -> &'a [u8] {
        self.wire
    }

    /// A copy that stands alone.
    pub fn to_owned(self) -> RData {
        RData::made(self.rtype, self.wire)
    }

    /// The name that additional sections and aliases follow, in wire form: of NS, CNAME, DNAME, PTR,
    /// MX, SRV, NAPTR, SVCB and HTTPS. A `.` is returned as it stands.
    pub fn target(self) -> Option<&'a [u8]> {
        target(self.rtype, self.wire)
    }

    /// The same as a [`DnsName`].
    pub fn target_name(self) -> Option<DnsName> {
        DnsName::from_wire(self.target()?)
    }

    /// The effective target name of an SVCB or HTTPS record of this owner: `.` is the owner itself
    /// (RFC 9460 section 2.5.2). `None` for other types.
    pub fn service_target(self, owner: &DnsName) -> Option<DnsName> {
        self.svc_params()?;
        match self.target()? {
            [0] => Some(owner.clone()),
            target => DnsName::from_wire(target),
        }
    }

    /// The parameters of an SVCB or HTTPS record.
    pub fn svc_params(self) -> Option<SvcParams<'a>> {
        if !matches!(self.rtype, RecordType::SVCB | RecordType::HTTPS) {
            return None;
        }
        let after = 2 + self.target()?.len();
        self.wire.get(after..).map(SvcParams::new)
    }

    /// The first two octets as a number: preference of MX, priority of SRV, SVCB and HTTPS.
    pub fn preference(self) -> Option<u16> {
        let known = matches!(
            self.rtype,
            RecordType::MX | RecordType::SRV | RecordType::SVCB | RecordType::HTTPS
        );
        let first = self.wire.first_chunk().filter(|_| known)?;
        Some(u16::from_be_bytes(*first))
    }
}

/// The target name in data of a type; see [`RDataRef::target`]. For those who hold only octets, such
/// as a compiled answer set. `None` also when the octets are no data of that type.
pub fn target(rtype: RecordType, wire: &[u8]) -> Option<&[u8]> {
    let mut at = match rtype {
        RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => 0,
        RecordType::MX | RecordType::SVCB | RecordType::HTTPS => 2,
        RecordType::SRV => 6,
        RecordType::NAPTR => 4,
        _ => return None,
    };
    if rtype == RecordType::NAPTR {
        for _ in 0..3 {
            at += usize::from(*wire.get(at)?) + 1;
        }
    }
    let name = wire.get(at..)?;
    name.get(..form::name_len(name)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    #[test]
    fn data_knows_the_name_it_leads_to() {
        let host = name("mail.a.b");
        let naptr = b"\0\x01\0\x02\x01s\0\0\x04mail\x01a\x01b\0";
        for data in [
            RData::mx(10, &host),
            RData::srv(1, 2, 3, &host),
            RData::ns(&host),
            RData::from_wire(RecordType::HTTPS, b"\0\x01\x04MAIL\x01a\x01b\0").unwrap(),
            RData::from_wire(RecordType::NAPTR, naptr).unwrap(),
        ] {
            assert_eq!(data.as_ref().target_name(), Some(host.clone()), "{data:?}");
        }
        assert_eq!(RData::a([1, 2, 3, 4].into()).as_ref().target(), None);
    }

    #[test]
    fn octets_that_are_no_data_of_their_type_are_refused() {
        let check = |rtype, wire: &[u8], expected| {
            assert_eq!(
                RData::from_wire(rtype, wire).map(drop),
                Err(expected),
                "{rtype} {wire:?}"
            );
        };
        check(RecordType::A, &[1, 2, 3], RDataError::Short);
        check(RecordType::A, &[1, 2, 3, 4, 5], RDataError::Trailing(1));
        check(RecordType::OPT, &[], RDataError::Meta(RecordType::OPT));
        check(RecordType::CNAME, &[0xc0, 12], RDataError::Name);
        check(RecordType::TXT, &[], RDataError::Short);
        check(RecordType::TXT, &[2, b'a'], RDataError::Short);
        check(RecordType::CAA, b"\0\0x", RDataError::Tag);
        let ds = RDataError::Digest {
            found: 1,
            expected: 32,
        };
        check(RecordType::DS, &[0, 1, 8, 2, 9], ds);
        let https = |params: &[u8]| [b"\0\x01\0", params].concat();
        let port_twice = https(&[0, 3, 0, 2, 0, 80, 0, 3, 0, 2, 0, 80]);
        check(
            RecordType::HTTPS,
            &port_twice,
            RDataError::ParameterOrder(3),
        );
        check(
            RecordType::HTTPS,
            &https(&[0, 3, 0, 1, 80]),
            RDataError::Parameter(3),
        );
        check(
            RecordType::HTTPS,
            &https(&[0, 2, 0, 0]),
            RDataError::NoDefaultAlpn,
        );
        check(
            RecordType::HTTPS,
            &https(&[0, 0, 0, 2, 0, 4]),
            RDataError::Mandatory(4),
        );
        check(RecordType::LOC, &[0; 16], RDataError::Location);
    }

    #[test]
    fn a_type_of_unknown_form_is_opaque_octets() {
        let data = RData::from_wire(RecordType::new(65_280), &[0xc0, 12]).unwrap();
        assert_eq!(data.wire(), [0xc0, 12]);
    }
}
