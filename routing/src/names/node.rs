//! Views of what stands at a name. HOT.

use windrose_model::{AppId, RrSet};

use crate::answers::{self, AnswerRef};

/// Octets of a set before its records: type, count, TTL, length.
const HEAD: usize = 10;

/// What stands at a name, where it lies in the Table.
#[derive(Debug, Clone, Copy)]
pub struct Node<'t> {
    sets: &'t [u8],
    count: u16,
    flags: Flags,
    /// The app that steers A and AAAA here.
    pub app: Option<AppId>,
}

/// What kind of name it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags(pub(super) u8);

impl Flags {
    pub(super) const NONE: Self = Self(0);
    /// A delegation: NS below the apex.
    pub(super) const CUT: Self = Self(1);
    /// Addresses below a cut: not ours to answer, but to give as glue.
    pub(super) const GLUE: Self = Self(2);
    /// An alias of everything below it.
    pub(super) const DNAME: Self = Self(4);
    /// The apex of a zone.
    pub(super) const APEX: Self = Self(8);
    /// A wildcard that answers for another name; never stored.
    pub(super) const WILDCARD: Self = Self(16);

    #[inline]
    pub(super) const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    #[inline]
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl<'t> Node<'t> {
    #[inline]
    pub(super) const fn new(sets: &'t [u8], count: u16, flags: Flags, app: Option<AppId>) -> Self {
        Self {
            sets,
            count,
            flags,
            app,
        }
    }

    /// The RRset of a type. The SOA record is its zone's, not a set here.
    #[inline]
    pub fn set(&self, rtype: u16) -> Option<AnswerRef<'t>> {
        self.sets().find(|set| set.rtype == rtype)
    }

    /// All RRsets, by type.
    #[inline]
    pub fn sets(&self) -> impl Iterator<Item = AnswerRef<'t>> + use<'t> {
        let (mut rest, mut left) = (self.sets, self.count);
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let (set, after) = read(rest)?;
            rest = after;
            Some(set)
        })
    }

    /// Whether a wildcard stands here for a name that is not there (RFC 4592).
    #[inline]
    pub const fn is_wildcard(&self) -> bool {
        self.flags.has(Flags::WILDCARD)
    }

    /// Whether it is the apex of its zone.
    #[inline]
    pub const fn is_apex(&self) -> bool {
        self.flags.has(Flags::APEX)
    }
}

#[inline]
fn read(octets: &[u8]) -> Option<(AnswerRef<'_>, &[u8])> {
    let (head, rest) = octets.split_first_chunk::<HEAD>()?;
    let (wire, rest) =
        rest.split_at_checked(usize::from(u16::from_le_bytes([head[8], head[9]])))?;
    let set = AnswerRef {
        rtype: u16::from_le_bytes([head[0], head[1]]),
        count: u16::from_le_bytes([head[2], head[3]]),
        ttl: u32::from_le_bytes([head[4], head[5], head[6], head[7]]),
        wire,
    };
    Some((set, rest))
}

/// Octets of the first `count` sets.
pub(super) fn octets(sets: &[u8], count: u16) -> usize {
    let mut rest = sets;
    for _ in 0..count {
        rest = read(rest).map_or(&[][..], |(_, rest)| rest);
    }
    sets.len() - rest.len()
}

/// Appends a set as [`read`] takes it.
pub(super) fn write(out: &mut Vec<u8>, set: &RrSet) {
    let rtype = set.record_type().code();
    let ttl = set
        .steered()
        .map_or_else(|| set.ttl().seconds(), answers::steered_ttl);
    out.extend_from_slice(&rtype.to_le_bytes());
    let count_at = out.len();
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&ttl.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    let begin = out.len();
    let mut count: u16 = 0;
    // What it stands for is answered in its place.
    let own = set.data().filter(|_| set.steered().is_none());
    for data in own {
        answers::record(out, rtype, ttl, |out| out.extend_from_slice(data.wire()));
        count = count.saturating_add(1);
    }
    // A set has at most budget::RRSET_OCTETS.
    let len = u16::try_from(out.len() - begin).unwrap_or(u16::MAX);
    out[count_at..count_at + 2].copy_from_slice(&count.to_le_bytes());
    out[begin - 2..begin].copy_from_slice(&len.to_le_bytes());
}
