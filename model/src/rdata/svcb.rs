//! Parameters of SVCB and HTTPS records (RFC 9460): their wire form.

use super::RDataError;

/// Numbers of the parameters that are known here (RFC 9460 section 14.3.2).
pub mod key {
    /// Keys that a client must understand.
    pub const MANDATORY: u16 = 0;
    /// Protocols.
    pub const ALPN: u16 = 1;
    /// The default protocol is not spoken.
    pub const NO_DEFAULT_ALPN: u16 = 2;
    /// Port.
    pub const PORT: u16 = 3;
    /// IPv4 addresses.
    pub const IPV4HINT: u16 = 4;
    /// Encrypted ClientHello.
    pub const ECH: u16 = 5;
    /// IPv6 addresses.
    pub const IPV6HINT: u16 = 6;
    /// Path template of DNS over HTTPS (RFC 9461).
    pub const DOHPATH: u16 = 7;
    /// Oblivious HTTP (RFC 9540).
    pub const OHTTP: u16 = 8;

    /// Their names; every other is written `key` and its number.
    pub const NAMES: [(&str, u16); 9] = [
        ("mandatory", MANDATORY),
        ("alpn", ALPN),
        ("no-default-alpn", NO_DEFAULT_ALPN),
        ("port", PORT),
        ("ipv4hint", IPV4HINT),
        ("ech", ECH),
        ("ipv6hint", IPV6HINT),
        ("dohpath", DOHPATH),
        ("ohttp", OHTTP),
    ];
}

/// The parameters of an SVCB or HTTPS record, by ascending key, with their values.
#[derive(Debug, Clone)]
pub struct SvcParams<'a>(&'a [u8]);

impl<'a> SvcParams<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }
}

impl<'a> Iterator for SvcParams<'a> {
    type Item = (u16, &'a [u8]);
    fn next(&mut self) -> Option<Self::Item> {
        let (key, rest) = self.0.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        self.0 = rest;
        Some((u16::from_be_bytes(*key), value))
    }
}

/// Parameters stand in strictly ascending order and each has the form of its key.
pub(super) fn check(octets: &[u8]) -> Result<(), RDataError> {
    let mut params = SvcParams(octets);
    let mut last = None;
    for (key, value) in params.by_ref() {
        if last >= Some(key) {
            return Err(RDataError::ParameterOrder(key));
        }
        last = Some(key);
        if !has_form(key, value) {
            return Err(RDataError::Parameter(key));
        }
    }
    if !params.0.is_empty() {
        return Err(RDataError::Short);
    }
    let has = |wanted: u16| SvcParams(octets).any(|(key, _)| wanted == key);
    if has(key::NO_DEFAULT_ALPN) && !has(key::ALPN) {
        return Err(RDataError::NoDefaultAlpn);
    }
    let mandatory = SvcParams(octets).find(|(key, _)| *key == key::MANDATORY);
    let missing = mandatory.and_then(|(_, list)| u16s(list).find(|key| !has(*key)));
    missing.map_or(Ok(()), |key| Err(RDataError::Mandatory(key)))
}

fn has_form(key: u16, value: &[u8]) -> bool {
    match key {
        // Ascending, none twice, not itself (RFC 9460 section 8).
        key::MANDATORY => {
            !value.is_empty()
                && value.len().is_multiple_of(2)
                && u16s(value).all(|k| k != key::MANDATORY)
                && u16s(value).is_sorted_by(|a, b| a < b)
        }
        key::ALPN => is_alpn(value),
        key::NO_DEFAULT_ALPN | key::OHTTP => value.is_empty(),
        key::PORT => value.len() == 2,
        key::IPV4HINT => !value.is_empty() && value.len().is_multiple_of(4),
        key::IPV6HINT => !value.is_empty() && value.len().is_multiple_of(16),
        key::ECH => !value.is_empty(),
        // A URI template with the variable `dns`, relative (RFC 9461 section 5).
        key::DOHPATH => {
            value.starts_with(b"/")
                && std::str::from_utf8(value).is_ok_and(|text| text.contains("dns"))
        }
        // Reserved (RFC 9460 section 14.3.2).
        u16::MAX => false,
        _ => true,
    }
}

/// At least one protocol, none of them empty.
fn is_alpn(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some((len, after)) = rest.split_first() {
        match after.split_at_checked(usize::from(*len)) {
            Some((_, after)) if *len > 0 => rest = after,
            _ => return false,
        }
    }
    !value.is_empty()
}

fn u16s(octets: &[u8]) -> impl Iterator<Item = u16> {
    octets
        .as_chunks()
        .0
        .iter()
        .map(|pair| u16::from_be_bytes(*pair))
}
