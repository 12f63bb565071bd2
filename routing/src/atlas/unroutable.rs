//! HOT. Addresses that say nothing about where their client is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Length of the block around an address that says nothing about where its clients are: private,
/// link-local, loopback, shared (RFC 6598), unspecified, multicast or reserved. `None` for any other.
#[inline]
pub(crate) const fn unroutable(address: IpAddr) -> Option<u8> {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            match (a, b) {
                (224.., _) => Some(3),
                (0 | 10 | 127, _) => Some(8),
                (100, 64..=127) => Some(10),
                (172, 16..=31) => Some(12),
                (169, 254) | (192, 168) => Some(16),
                _ => None,
            }
        }
        // Global unicast is 2000::/3, NAT64 and 6to4 being in use beside or inside it; what is
        // left over is unassigned, so only the well-known others are named.
        IpAddr::V6(ip) => {
            let [first, ..] = ip.segments();
            match first {
                0xfc00..=0xfdff => Some(7),
                0xfe80..=0xfeff => Some(9),
                0xff00.. => Some(8),
                _ if ip.is_loopback() || ip.is_unspecified() => Some(128),
                _ => None,
            }
        }
    }
}

/// An address of the same family that no rule can name.
pub(crate) const fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_unroutable() {
        for text in [
            "10.1.2.3",
            "172.31.0.1",
            "192.168.9.9",
            "100.64.0.1",
            "127.0.0.1",
            "fd00::1",
            "fe80::1",
            "::1",
            "::",
            "255.255.255.255",
        ] {
            assert!(unroutable(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.2.1",
            "2001:db8::1",
            "64:ff9b::808:808",
        ] {
            assert!(unroutable(text.parse().unwrap()).is_none(), "{text}");
        }
    }
}
