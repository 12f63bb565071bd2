//! A certificate with its key, and what is known about it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::SignatureAlgorithm;
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::error::Fault;

/// A chain, its key, and what the chain is good for.
pub(crate) struct Certificate {
    /// The file of the chain.
    pub(crate) file: PathBuf,
    /// Digest of the two files it came from.
    pub(crate) digest: u128,
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) facts: Facts,
    /// Served where no other fits.
    pub(crate) default: bool,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Lower-case host names of its subjectAltName, wildcards as `*.name`.
    pub(crate) names: Vec<Box<str>>,
    /// Addresses of its subjectAltName.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
}

/// When a certificate in force ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// The file of its chain.
    pub file: PathBuf,
    /// Its notAfter.
    pub at: SystemTime,
}

impl Facts {
    /// Reads a certificate in DER.
    pub(crate) fn read(der: &[u8]) -> Result<Self, Fault> {
        let (_, x509) = X509Certificate::from_der(der).map_err(|_| Fault::NotX509)?;
        let validity = x509.validity();
        let mut facts = Self {
            names: Vec::new(),
            addresses: Vec::new(),
            not_before: at(validity.not_before.timestamp()),
            not_after: at(validity.not_after.timestamp()),
        };
        let names = x509
            .subject_alternative_name()
            .map_err(|_| Fault::NotX509)?;
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => {
                    let name = name.strip_suffix('.').unwrap_or(name);
                    facts.names.push(name.to_ascii_lowercase().into());
                }
                GeneralName::IPAddress(octets) => facts.addresses.extend(address(octets)),
                _ => {}
            }
        }
        Ok(facts)
    }

    /// Whether clients can ask for it: they name hosts, never addresses, and a bare `*` is no name.
    pub(crate) fn names_a_host(&self) -> bool {
        self.names
            .iter()
            .any(|name| name.trim_start_matches("*.") != "*")
    }

    /// Whether it is good for a host: lower-case, without a final dot; an IPv6 address in brackets.
    /// A wildcard stands for one label (RFC 9525 section 6.3).
    pub(crate) fn covers(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(host).parse::<IpAddr>() {
            return self.addresses.contains(&address.to_canonical());
        }
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(suffix) => parent == Some(suffix),
            None => **name == *host,
        })
    }
}

impl Certificate {
    /// Smaller is better where several fit: elliptic curves are cheaper and shorter than RSA, and
    /// what is valid longer is newer.
    pub(crate) fn rank(&self) -> impl Ord + use<> {
        let rsa = self.key.key.algorithm() == SignatureAlgorithm::RSA;
        (rsa, std::cmp::Reverse(self.facts.not_after))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("file", &self.file)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// Seconds before or after 1970.
fn at(timestamp: i64) -> SystemTime {
    let distance = Duration::from_secs(timestamp.unsigned_abs());
    let moved = if timestamp < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    moved.unwrap_or(UNIX_EPOCH)
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let address = match octets.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(names: &[&str], host: &str) -> bool {
        let facts = Facts {
            names: names.iter().map(|n| (*n).into()).collect(),
            addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            not_before: UNIX_EPOCH,
            not_after: UNIX_EPOCH,
        };
        facts.covers(host)
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covers(&["*.example.com"], "a.example.com"));
        assert!(!covers(&["*.example.com"], "example.com"));
        assert!(!covers(&["*.example.com"], "a.b.example.com"));
        assert!(!covers(&["*.example.com"], "com"));
        assert!(covers(&["a.test", "b.test"], "b.test"));
        assert!(!covers(&["a.test"], "xa.test"));
    }

    #[test]
    fn an_address_is_covered_as_an_address_only() {
        assert!(covers(&[], "192.0.2.1"));
        assert!(covers(&[], "[2001:db8:0::1]"));
        assert!(!covers(&["192.0.2.2"], "192.0.2.2"));
        assert!(!covers(&["*.0.2.9"], "192.0.2.9"));
    }
}
