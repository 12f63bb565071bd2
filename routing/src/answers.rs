//! Answer sets: RRsets in wire form, made when the Table is compiled.

use std::net::IpAddr;

use windrose_model::{RData, Soa};

/// Octets of a record before its data: owner pointer, type, class, TTL, length.
const FIXED: usize = 12;

/// An RRset of one type, ready to copy.
///
/// `wire` holds `count` whole records. Each begins with the owner as the compression pointer 0xC00C
/// (the question's name), carries `ttl`, and has its data uncompressed. Whoever answers patches
/// owner pointers and TTLs where they differ.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct AnswerSet {
    /// Type on the wire.
    pub rtype: u16,
    /// Seconds.
    pub ttl: u32,
    /// Records.
    pub count: u16,
    /// The records.
    pub wire: Box<[u8]>,
}

/// An [`AnswerSet`] where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerRef<'t> {
    /// Type on the wire.
    pub rtype: u16,
    /// Seconds.
    pub ttl: u32,
    /// Records.
    pub count: u16,
    /// The records.
    pub wire: &'t [u8],
}

/// A TTL is below 2^31 (RFC 2181 section 8). From here on it is the number of a steered record.
const STEERED: u32 = 1 << 31;

/// What stands in the place of the TTL of an RRset that stands for a steered record.
pub(crate) fn steered_ttl(number: u16) -> u32 {
    STEERED | u32::from(number)
}

impl<'t> AnswerRef<'t> {
    /// The number of the steered record that it stands for: then it has no records of its own.
    #[inline]
    pub const fn steered(self) -> Option<u16> {
        #[allow(clippy::cast_possible_truncation, reason = "numbers are below 2^16")]
        if self.ttl < STEERED {
            None
        } else {
            Some(self.ttl as u16)
        }
    }

    /// The target of the first record, if this is a CNAME, DNAME or ALIAS set: its uncompressed wire name.
    #[inline]
    pub fn target(self) -> Option<&'t [u8]> {
        matches!(self.rtype, 5 | 39 | 65_401)
            .then(|| self.wire.get(FIXED..))
            .flatten()
            .filter(|name| !name.is_empty())
    }

    /// Where the data of each record lies in [`wire`](Self::wire).
    pub fn data(self) -> impl Iterator<Item = std::ops::Range<usize>> + use<'t> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let length = self.wire.get(at + FIXED - 2..at + FIXED)?;
            let begin = at + FIXED;
            at = begin + usize::from(u16::from_be_bytes([length[0], length[1]]));
            (at <= self.wire.len()).then_some(begin..at)
        })
    }
}

impl AnswerSet {
    /// A view of it.
    #[inline]
    pub fn view(&self) -> AnswerRef<'_> {
        AnswerRef {
            rtype: self.rtype,
            ttl: self.ttl,
            count: self.count,
            wire: &self.wire,
        }
    }

    #[cfg(test)]
    pub(crate) fn of(set: &windrose_model::RrSet, rtype: u16) -> Self {
        let mut wire = Vec::new();
        let ttl = set.ttl().seconds();
        for data in set.data() {
            record(&mut wire, rtype, ttl, |out| {
                out.extend_from_slice(data.wire())
            });
        }
        Self {
            rtype,
            ttl,
            count: count(set.len()),
            wire: wire.into(),
        }
    }

    pub(crate) fn soa(soa: &Soa) -> Self {
        let mut wire = Vec::new();
        record(&mut wire, 6, soa.ttl.seconds(), |out| {
            out.extend_from_slice(soa.mname.wire());
            out.extend_from_slice(soa.rname.wire());
            for number in [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum] {
                out.extend_from_slice(&number.to_be_bytes());
            }
        });
        Self {
            rtype: 6,
            ttl: soa.ttl.seconds(),
            count: 1,
            wire: wire.into(),
        }
    }

    /// Of these data; TTL 0, to be patched.
    pub(crate) fn made(rtype: u16, data: impl Iterator<Item = Vec<u8>>) -> Self {
        let (mut wire, mut n) = (Vec::new(), 0);
        for data in data {
            record(&mut wire, rtype, 0, |out| out.extend_from_slice(&data));
            n += 1;
        }
        Self {
            rtype,
            ttl: 0,
            count: count(n),
            wire: wire.into(),
        }
    }

    /// The addresses of one family.
    pub(crate) fn addresses(addresses: &[IpAddr], v6: bool) -> Self {
        let mut wire = Vec::new();
        let mut n = 0;
        let rtype = if v6 { 28 } else { 1 };
        for address in addresses {
            let data = match address {
                IpAddr::V4(ip) if !v6 => RData::a(*ip),
                IpAddr::V6(ip) if v6 => RData::aaaa(*ip),
                _ => continue,
            };
            record(&mut wire, rtype, 0, |out| {
                out.extend_from_slice(data.wire())
            });
            n += 1;
        }
        Self {
            rtype,
            ttl: 0,
            count: count(n),
            wire: wire.into(),
        }
    }
}

/// On the wire.
pub(crate) fn length(octets: usize) -> [u8; 2] {
    count(octets).to_be_bytes()
}

fn count(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

pub(crate) fn record(out: &mut Vec<u8>, rtype: u16, ttl: u32, data: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[0xc0, 0x0c]);
    out.extend_from_slice(&rtype.to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(&ttl.to_be_bytes());
    let at = out.len();
    out.extend_from_slice(&[0, 0]);
    data(out);
    let len = u16::try_from(out.len() - at - 2).unwrap_or(u16::MAX);
    out[at..at + 2].copy_from_slice(&len.to_be_bytes());
}

/// `*.` before a name, in a buffer; `None` when it would be too long to exist.
pub(crate) fn wildcard_of<'b>(name: &[u8], buffer: &'b mut [u8; 257]) -> Option<&'b [u8]> {
    let len = name.len() + 2;
    if len > 255 {
        return None;
    }
    buffer[0] = 1;
    buffer[1] = b'*';
    buffer[2..len].copy_from_slice(name);
    Some(&buffer[..len])
}

#[cfg(test)]
mod tests {
    use super::*;
    use windrose_model::{DnsName, RecordType, RrSet, Ttl};

    #[test]
    fn records_are_laid_out_for_patching() {
        let target = DnsName::parse("a.b").unwrap();
        let set = RrSet::single(Ttl::new(300).unwrap(), &RData::cname(&target));
        let answer = AnswerSet::of(&set, RecordType::CNAME.code());
        assert_eq!(
            &answer.wire[..],
            b"\xc0\x0c\0\x05\0\x01\0\0\x01\x2c\0\x05\x01a\x01b\0"
        );
        assert_eq!(answer.view().target(), Some(&b"\x01a\x01b\0"[..]));
    }
}
