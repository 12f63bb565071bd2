//! Lists of prefixes that a file holds under a name.

use ipnet::{IpNet, Ipv4Net};

/// Prefixes of a named list: sorted, each once, without a bit beyond a prefix. They may lie inside
/// each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct PrefixList(Box<[IpNet]>);

impl PrefixList {
    /// Of these prefixes, in any order.
    pub fn new(prefixes: impl IntoIterator<Item = IpNet>) -> Self {
        let mut list: Vec<IpNet> = prefixes.into_iter().map(|net| net.trunc()).collect();
        list.sort_unstable();
        list.dedup();
        Self(list.into())
    }

    /// The prefixes.
    pub fn prefixes(&self) -> &[IpNet] {
        &self.0
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none: a list without prefixes holds no client.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether all addresses of a prefix are IPv4 addresses inside IPv6 ones: mapped (RFC 4291 section
/// 2.5.5.2), NAT64 (RFC 6052 section 2.1), 6to4 (RFC 3056 section 2) or Teredo (RFC 4380 section 4).
/// Their clients are known by the IPv4 address, so a rule for such a prefix would never hold. Inside
/// is the IPv4 prefix that is meant, if there is one.
pub fn inner_ipv4(net: &IpNet) -> Option<Option<Ipv4Net>> {
    let IpNet::V6(net) = net else { return None };
    let (bits, len) = (u128::from(net.network()), net.prefix_len());
    let inside = |start: u128, within: u8| len >= within && (bits ^ start) >> (128 - within) == 0;
    #[allow(clippy::cast_possible_truncation, reason = "32 bits are meant")]
    let meant = |offset: u8| {
        let ip = (bits >> (96 - offset)) as u32;
        Ipv4Net::new(ip.into(), len.checked_sub(offset)?).ok()
    };
    if inside(0xffff << 32, 96) || inside(0x64_ff9b << 96, 96) {
        Some(meant(96))
    } else if inside(0x2002 << 112, 16) {
        Some(meant(16))
    } else if inside(0x2001_0000 << 96, 32) {
        Some(None)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_sorted_and_holds_each_prefix_once() {
        let nets = ["10.1.0.0/16", "2001:db8::/32", "10.0.0.0/8", "10.1.2.3/16"];
        let list = PrefixList::new(nets.map(|net| net.parse().unwrap()));
        let shown: Vec<_> = list.prefixes().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"]);
        assert_eq!((list.len(), list.is_empty()), (3, false));
    }

    #[test]
    fn ipv4_inside_ipv6_is_found_out() {
        for (net, expected) in [
            ("::ffff:10.0.0.0/104", Some("10.0.0.0/8")),
            ("64:ff9b::c000:200/120", Some("192.0.2.0/24")),
            ("2002:c000:200::/40", Some("192.0.2.0/24")),
            ("2002::/16", Some("0.0.0.0/0")),
            ("2002:c000:201:5::/64", None),
            ("2001:0:1::/48", None),
        ] {
            let inner = inner_ipv4(&net.parse().unwrap()).expect(net);
            assert_eq!(
                inner.map(|net| net.to_string()).as_deref(),
                expected,
                "{net}"
            );
        }
        for net in [
            "10.0.0.0/8",
            "2000::/3",
            "2001:db8::/32",
            "::/0",
            "2001::/16",
        ] {
            assert_eq!(inner_ipv4(&net.parse().unwrap()), None, "{net}");
        }
    }
}
