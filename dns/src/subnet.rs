//! HOT. The client subnet option (RFC 7871): what a query says about the client behind a resolver,
//! and the echo of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A client subnet as sent, already checked: no bit is set beyond the source prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    family: Family,
    source: u8,
    octets: [u8; 16],
}

/// The option breaks RFC 7871 section 6; the answer is FORMERR (section 7.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubnetError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// 0, sent by some tools together with source prefix 0.
    None = 0,
    V4 = 1,
    V6 = 2,
}

impl Family {
    const fn bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

impl Subnet {
    /// Reads the option's data.
    ///
    /// # Errors
    /// An unknown family, a source prefix longer than the family's addresses, a scope that is not
    /// zero in a query, an address of another length than the source prefix needs, or bits set
    /// beyond it.
    #[inline]
    pub fn read(data: &[u8]) -> Result<Self, SubnetError> {
        let Some(([f0, f1, source, scope], address)) = data.split_first_chunk::<4>() else {
            return Err(SubnetError);
        };
        let family = match u16::from_be_bytes([*f0, *f1]) {
            0 => Family::None,
            1 => Family::V4,
            2 => Family::V6,
            _ => return Err(SubnetError),
        };
        let source = *source;
        if *scope != 0 || source > family.bits() || address.len() != octets_of(source) {
            return Err(SubnetError);
        }
        let mut octets = [0; 16];
        for (to, from) in octets.iter_mut().zip(address) {
            *to = *from;
        }
        if let Some(last) = address.last()
            && source % 8 != 0
            && last << (source % 8) != 0
        {
            return Err(SubnetError);
        }
        Ok(Self {
            family,
            source,
            octets,
        })
    }

    /// A subnet by address and prefix length; bits beyond it are cleared. `None` if the prefix is
    /// longer than the address.
    pub fn new(address: IpAddr, source: u8) -> Option<Self> {
        let mut octets = [0; 16];
        let family = match address {
            IpAddr::V4(ip) => {
                octets[..4].copy_from_slice(&ip.octets());
                Family::V4
            }
            IpAddr::V6(ip) => {
                octets = ip.octets();
                Family::V6
            }
        };
        if source > family.bits() {
            return None;
        }
        let kept = u128::MAX
            .checked_shl(128 - u32::from(source))
            .unwrap_or_default();
        Some(Self {
            family,
            source,
            octets: (u128::from_be_bytes(octets) & kept).to_be_bytes(),
        })
    }

    /// Length of the prefix the resolver told, in bits.
    pub const fn source(&self) -> u8 {
        self.source
    }

    /// The address to steer by; `None` when the resolver told nothing (source prefix 0, RFC 7871
    /// section 7.1.2).
    #[inline]
    pub const fn address(&self) -> Option<IpAddr> {
        if self.source == 0 {
            return None;
        }
        match self.family {
            Family::None => None,
            Family::V4 => {
                let [a, b, c, d, ..] = self.octets;
                Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
            }
            Family::V6 => Some(IpAddr::V6(Ipv6Addr::from_octets(self.octets))),
        }
    }

    /// Octets of the whole option in a response, code and length included.
    #[inline]
    pub(crate) const fn wire_len(&self) -> usize {
        8 + octets_of(self.source)
    }

    /// The whole option for a response, of which the first [`wire_len`](Self::wire_len) octets
    /// count: family, source prefix and address as they came, with our scope (RFC 7871 section
    /// 7.2.1).
    #[inline]
    pub(crate) fn echo(&self, scope: u8) -> [u8; 24] {
        #[allow(clippy::cast_possible_truncation, reason = "at most 20")]
        let len = 4 + octets_of(self.source) as u8;
        let mut wire = [0; 24];
        wire[..8].copy_from_slice(&[0, 8, 0, len, 0, self.family as u8, self.source, scope]);
        wire[8..].copy_from_slice(&self.octets);
        wire
    }
}

const fn octets_of(prefix: u8) -> usize {
    (prefix as usize).div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_options_are_refused() {
        let ok = |data: &[u8]| Subnet::read(data).is_ok();
        assert!(ok(&[0, 1, 24, 0, 192, 0, 2]));
        assert!(ok(&[0, 1, 0, 0]));
        assert!(ok(&[0, 0, 0, 0]));
        assert!(ok(&[0, 2, 7, 0, 0x20]));
        assert!(!ok(&[0, 1, 24]), "cut");
        assert!(!ok(&[0, 1, 24, 0, 192, 0, 2, 0]), "address too long");
        assert!(!ok(&[0, 1, 24, 0, 192, 0]), "address too short");
        assert!(
            !ok(&[0, 1, 25, 0, 192, 0, 2, 0x40]),
            "bits beyond the source prefix"
        );
        assert!(ok(&[0, 1, 25, 0, 192, 0, 2, 0x80]));
        assert!(!ok(&[0, 3, 0, 0]), "unknown family");
        assert!(!ok(&[0, 0, 1, 0, 0]), "no family, but a prefix");
        assert!(
            !ok(&[0, 1, 33, 0, 1, 2, 3, 4, 0]),
            "longer than an IPv4 address"
        );
        assert!(!ok(&[0, 1, 24, 1, 192, 0, 2]), "a scope in a query");
    }

    #[test]
    fn the_echo_keeps_all_but_the_scope() {
        let data = [0, 1, 20, 0, 192, 0, 0x20];
        let subnet = Subnet::read(&data).unwrap();
        let wire = subnet.echo(17);
        assert_eq!(
            &wire[..subnet.wire_len()],
            &[0, 8, 0, 7, 0, 1, 20, 17, 192, 0, 0x20]
        );
        assert_eq!(Subnet::new("192.0.47.9".parse().unwrap(), 20), Some(subnet));
    }
}
