//! IPv4 addresses inside IPv6 ones. HOT.
//!
//! Databases and rules know such clients by their IPv4 address, and so do we: mapped addresses
//! (RFC 4291 section 2.5.5.2), NAT64 by the well-known prefix (RFC 6052 section 2.1), 6to4 (RFC 3056
//! section 2) and Teredo, which keeps the client's address inverted at its end (RFC 4380 section 4).

use std::net::{Ipv4Addr, Ipv6Addr};

/// A prefix of IPv6 that holds all of IPv4.
pub(super) struct Mount {
    pub(super) start: u128,
    pub(super) len: u8,
    /// Bits in front of the IPv4 address: what a scope of IPv4 grows by.
    pub(super) offset: u8,
    inverted: bool,
}

/// In the order of their addresses.
pub(super) const MOUNTS: [Mount; 4] = [
    Mount::new(0xffff << 32, 96, 96, false),
    Mount::new(0x64_ff9b << 96, 96, 96, false),
    Mount::new(0x2001_0000 << 96, 32, 96, true),
    Mount::new(0x2002 << 112, 16, 16, false),
];

impl Mount {
    const fn new(start: u128, len: u8, offset: u8, inverted: bool) -> Self {
        Self {
            start,
            len,
            offset,
            inverted,
        }
    }

    /// The last address.
    pub(super) const fn end(&self) -> u128 {
        self.start | (u128::MAX >> self.len)
    }
}

/// The mount an IPv6 address lies in, and the IPv4 address in it.
#[inline]
pub(super) fn embedded(bits: u128) -> Option<(usize, u32)> {
    #[allow(clippy::cast_possible_truncation, reason = "the top 16 bits are meant")]
    let mount = match (bits >> 112) as u16 {
        0 => 0,
        0x64 => 1,
        0x2001 => 2,
        0x2002 => 3,
        _ => return None,
    };
    let Mount {
        start,
        len,
        offset,
        inverted,
    } = MOUNTS[mount];
    if (bits ^ start) >> (128 - len) != 0 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "32 bits are meant")]
    let ip = (bits >> (96 - offset)) as u32;
    Some((mount, if inverted { !ip } else { ip }))
}

/// The IPv4 address inside an IPv6 one by which its client is known, and the bits in front of it:
/// mapped (RFC 4291 section 2.5.5.2), NAT64 (RFC 6052 section 2.1), 6to4 (RFC 3056 section 2), Teredo
/// (RFC 4380 section 4).
#[inline]
pub fn embedded_ipv4(ip: Ipv6Addr) -> Option<(Ipv4Addr, u8)> {
    let (mount, ip) = embedded(ip.into())?;
    Some((ip.into(), MOUNTS[mount].offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_gives_its_ipv4_address() {
        for (ip, expected) in [
            ("::ffff:192.0.2.1", Some(("192.0.2.1", 96))),
            ("64:ff9b::192.0.2.1", Some(("192.0.2.1", 96))),
            ("2002:c000:201:5::1", Some(("192.0.2.1", 16))),
            // RFC 4380 section 5.3's example form: server, flags, port, client inverted.
            (
                "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                Some(("192.0.2.45", 96)),
            ),
            ("::192.0.2.1", None),
            ("64:ff9b:1::192.0.2.1", None),
            ("2001:db8::1", None),
            ("2003::1", None),
        ] {
            let found = embedded_ipv4(ip.parse().unwrap());
            let expected = expected.map(|(ip, offset)| (ip.parse().unwrap(), offset));
            assert_eq!(found, expected, "{ip}");
        }
    }
}
