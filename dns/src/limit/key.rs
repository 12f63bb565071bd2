//! HOT. What an answer is charged to: a hash of client prefix, class of answer, and zone or question.
//!
//! A keyed multiply-and-fold as in wyhash. It is no cryptography; the secret keeps outsiders from
//! choosing keys that meet in one bucket, because they never see which buckets met.

use std::net::IpAddr;

/// Marks IPv4 prefixes: no IPv6 unicast prefix begins so.
const IPV4: u64 = 0xffff_ffff << 32;
/// Blinds the hash to the case of letters, and to the difference of a few characters no host name
/// has.
const CASE: u64 = 0x2020_2020_2020_2020;

/// Fractions of the golden ratio and of the square root of 3: any odd numbers with as many ones as
/// zeros would do.
const SPREAD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbb67_ae85_84ca_a73b];

/// How keys are made in one process.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    secret: [u64; 2],
    ipv4_shift: u32,
    ipv6_shift: u32,
}

impl Keys {
    /// Prefix lengths: IPv4 1 to 32, IPv6 1 to 64 (clamped).
    pub(super) fn new(secret: [u64; 2], ipv4_prefix: u8, ipv6_prefix: u8) -> Self {
        Self {
            // However little chance there is in a secret, its factors have many bits, and are odd:
            // others would lose bits.
            secret: [
                fold(secret[0] ^ SPREAD[0], SPREAD[1]) | 1,
                fold(secret[1] ^ SPREAD[1], SPREAD[0]) | 1,
            ],
            ipv4_shift: 32 - u32::from(ipv4_prefix.clamp(1, 32)),
            ipv6_shift: 64 - u32::from(ipv6_prefix.clamp(1, 64)),
        }
    }

    /// The key of everything a client prefix asks.
    #[inline]
    pub(super) fn client(&self, source: IpAddr) -> u64 {
        let prefix = match source {
            IpAddr::V4(ip) => IPV4 | u64::from(ip.to_bits() >> self.ipv4_shift),
            IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                Some(ip) => IPV4 | u64::from(ip.to_bits() >> self.ipv4_shift),
                None => (ip.to_bits() >> 64) as u64 >> self.ipv6_shift,
            },
        };
        fold(prefix ^ self.secret[0], self.secret[1])
    }

    /// The key of answers of one kind in it.
    #[inline]
    pub(super) fn kind(&self, client: u64, kind: u64) -> u64 {
        fold(client ^ kind, self.secret[0])
    }

    /// The key of answers to one question of that kind in it. Letters count whatever their case.
    #[inline]
    pub(super) fn question(&self, kind: u64, question: &[u8]) -> u64 {
        let mut hash = kind;
        let mut words = question.chunks_exact(8);
        for word in words.by_ref() {
            let word = word
                .first_chunk()
                .map_or(0, |word| u64::from_le_bytes(*word));
            hash = fold(hash ^ (word | CASE), self.secret[1]);
        }
        let mut rest = [0; 8];
        for (to, from) in rest.iter_mut().zip(words.remainder()) {
            *to = *from;
        }
        fold(hash ^ (u64::from_le_bytes(rest) | CASE), self.secret[0])
    }
}

/// Both halves of a product, so that every bit depends on all bits of both.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the halves of a product")]
const fn fold(a: u64, b: u64) -> u64 {
    let wide = a as u128 * b as u128;
    wide as u64 ^ (wide >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn keys() -> Keys {
        Keys::new([0x1234_5678_9abc_def0, 0xfedc_ba98_7654_3210], 24, 56)
    }

    fn client(text: &str) -> u64 {
        keys().client(text.parse().unwrap())
    }

    #[test]
    fn a_prefix_is_one_client() {
        assert_eq!(client("192.0.2.1"), client("192.0.2.254"));
        assert_ne!(client("192.0.2.1"), client("192.0.3.1"));
        assert_eq!(client("2001:db8:0:1::1"), client("2001:db8:0:ff:9::"));
        assert_ne!(client("2001:db8:0:1::1"), client("2001:db8:0:100::1"));
        assert_eq!(client("192.0.2.9"), client("::ffff:192.0.2.1"));
    }

    #[test]
    fn a_question_is_one_whatever_its_case() {
        let keys = keys();
        let hash = |question: &[u8]| keys.question(7, question);
        assert_eq!(
            hash(b"\x03wWw\x07ExAmPle\x03com\0\0\x01\0\x01"),
            hash(b"\x03www\x07example\x03COM\0\0\x01\0\x01")
        );
        assert_ne!(
            hash(b"\x03www\x07example\x03com\0\0\x01\0\x01"),
            hash(b"\x03www\x07example\x03com\0\0\x1c\0\x01")
        );
        assert_ne!(hash(b"\0\0\x02\0\x01"), hash(b"\0\0\x01\0\x01"));
    }

    #[test]
    fn keys_spread_over_sets_and_tags() {
        let keys = keys();
        let mut whole = HashSet::new();
        let mut sets = [0u32; 256];
        let mut tags = [0u32; 256];
        for a in 0..64u64 {
            for b in 0..256u32 {
                let client = keys.client(IpAddr::V4((0xc000_0000 + (b << 8)).into()));
                let hash = keys.kind(client, a);
                whole.insert(hash);
                sets[(hash & 255) as usize] += 1;
                tags[(hash >> 56) as usize] += 1;
            }
        }
        assert_eq!(whole.len(), 64 * 256);
        for count in sets.iter().chain(&tags) {
            assert!((20..120).contains(count), "64 are expected, not {count}");
        }
    }
}
