//! The RRsets of a zone in an ordered map that shares what did not change.
//!
//! A spine of chunks, each behind an `Arc`: a clone copies the spine, a change copies one chunk, and
//! two maps with common origin are compared by pointer where they share. No hash, no tree: order and
//! ranges come from the sorted chunks, and a chunk is nearly full after a bulk load.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::{DnsName, RecordType, RrSet};

/// Entries of a chunk at most: what one change copies.
const LARGEST: usize = 256;
/// Entries of a chunk after a bulk load: room for changes without a split.
const LOADED: usize = 224;

/// RRsets by owner (order of [`DnsName`]) and type.
///
/// A clone costs a pointer per 224 RRsets; a change costs one more chunk.
#[derive(Clone, Default)]
pub struct Records {
    /// Sorted, none of them empty.
    chunks: Vec<Arc<Vec<Entry>>>,
    len: usize,
    /// In all RRsets together.
    records: usize,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    owner: DnsName,
    set: RrSet,
}

impl Entry {
    fn order(&self, owner: &DnsName, rtype: RecordType) -> Ordering {
        let by_owner = self.owner.cmp(owner);
        by_owner.then_with(|| self.set.record_type().cmp(&rtype))
    }

    fn order_of(&self, other: &Self) -> Ordering {
        self.order(&other.owner, other.set.record_type())
    }
}

/// An RRset that differs between two maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordChange<'a> {
    /// Whose.
    pub owner: &'a DnsName,
    /// Of which type.
    pub rtype: RecordType,
    /// What the older map has.
    pub old: Option<&'a RrSet>,
    /// What the newer map has.
    pub new: Option<&'a RrSet>,
}

impl Records {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many RRsets.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// How many records all RRsets have together.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The RRset of an owner and type.
    pub fn get(&self, owner: &DnsName, rtype: RecordType) -> Option<&RrSet> {
        let (chunk, at) = self.find(owner, rtype);
        Some(&self.chunks.get(chunk)?.get(at.ok()?)?.set)
    }

    /// All RRsets of an owner, by type.
    pub fn at<'a>(&'a self, owner: &'a DnsName) -> impl Iterator<Item = &'a RrSet> {
        let (chunk, at) = self.find(owner, RecordType::new(0));
        let at = at.unwrap_or_else(|at| at);
        let mut from = Cursor { chunk, at };
        std::iter::from_fn(move || {
            let entry = from.next(self).filter(|entry| entry.owner == *owner)?;
            Some(&entry.set)
        })
    }

    /// All RRsets of owners strictly below a name, by owner and type.
    pub fn below<'a>(
        &'a self,
        name: &'a DnsName,
    ) -> impl Iterator<Item = (&'a DnsName, &'a RrSet)> {
        // No type has a higher number, so this is the place behind the last set of the name itself.
        let (chunk, at) = self.find(name, RecordType::new(u16::MAX));
        let at = at.map_or_else(|at| at, |at| at + 1);
        let mut from = Cursor { chunk, at };
        std::iter::from_fn(move || {
            let entry = from.next(self).filter(|e| e.owner.is_within(name))?;
            Some((&entry.owner, &entry.set))
        })
    }

    /// All, by owner and type.
    pub fn iter(&self) -> impl Iterator<Item = (&DnsName, &RrSet)> {
        let entries = self.chunks.iter().flat_map(|chunk| chunk.iter());
        entries.map(|entry| (&entry.owner, &entry.set))
    }

    /// Puts an RRset in its place; returns the one that stood there.
    pub fn insert(&mut self, owner: DnsName, set: RrSet) -> Option<RrSet> {
        let (chunk, at) = self.find(&owner, set.record_type());
        self.records += set.len();
        let Some(shared) = self.chunks.get_mut(chunk) else {
            self.chunks.push(Arc::new(vec![Entry { owner, set }]));
            self.len = 1;
            return None;
        };
        let entries = Arc::make_mut(shared);
        let at = match at {
            Ok(at) => {
                let before = std::mem::replace(&mut entries[at].set, set);
                self.records -= before.len();
                return Some(before);
            }
            Err(at) => at,
        };
        entries.insert(at, Entry { owner, set });
        self.len += 1;
        if entries.len() > LARGEST {
            // At the end of the map one goes on filling; else both halves get room.
            let last = chunk + 1 == self.chunks.len() && at == LARGEST;
            let entries = Arc::make_mut(&mut self.chunks[chunk]);
            let upper = entries.split_off(if last { LOADED } else { LARGEST / 2 });
            self.chunks.insert(chunk + 1, Arc::new(upper));
        }
        None
    }

    /// Takes an RRset out.
    pub fn remove(&mut self, owner: &DnsName, rtype: RecordType) -> Option<RrSet> {
        let (chunk, at) = self.find(owner, rtype);
        let at = at.ok()?;
        let entries = Arc::make_mut(self.chunks.get_mut(chunk)?);
        let gone = entries.remove(at);
        if entries.is_empty() {
            self.chunks.remove(chunk);
        }
        self.len -= 1;
        self.records -= gone.set.len();
        Some(gone.set)
    }

    /// What is different in `newer`, by owner and type. Chunks that both share cost one comparison.
    pub fn diff<'a>(&'a self, newer: &'a Self) -> impl Iterator<Item = RecordChange<'a>> {
        let (mut old, mut new) = (Cursor::default(), Cursor::default());
        std::iter::from_fn(move || {
            loop {
                while old.at == 0 && new.at == 0 && self.shares(old.chunk, newer, new.chunk) {
                    old.chunk += 1;
                    new.chunk += 1;
                }
                let (before, after) = (old.peek(self), new.peek(newer));
                let order = match (before, after) {
                    (None, None) => return None,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some(before), Some(after)) => before.order_of(after),
                };
                let (before, after) = (
                    before.filter(|_| order.is_le()),
                    after.filter(|_| order.is_ge()),
                );
                if before.is_some() {
                    old.step(self);
                }
                if after.is_some() {
                    new.step(newer);
                }
                if before.map(|entry| &entry.set) == after.map(|entry| &entry.set) {
                    continue;
                }
                let named = before.or(after)?;
                return Some(RecordChange {
                    owner: &named.owner,
                    rtype: named.set.record_type(),
                    old: before.map(|entry| &entry.set),
                    new: after.map(|entry| &entry.set),
                });
            }
        })
    }

    /// The same content, sharing with `previous` whatever both have; costs a walk over both. When
    /// most of it differs, `self` as it is.
    pub fn sharing(self, previous: &Self) -> Self {
        let limit = self.len / 8;
        let changes: Vec<_> = previous.diff(&self).take(limit + 1).collect();
        if changes.len() > limit {
            return self;
        }
        let mut shared = previous.clone();
        for change in changes {
            match change.new {
                Some(set) => drop(shared.insert(change.owner.clone(), set.clone())),
                None => drop(shared.remove(change.owner, change.rtype)),
            }
        }
        shared
    }

    fn shares(&self, chunk: usize, other: &Self, of_other: usize) -> bool {
        match (self.chunks.get(chunk), other.chunks.get(of_other)) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The chunk where a key stands or belongs, and its place in it.
    fn find(&self, owner: &DnsName, rtype: RecordType) -> (usize, Result<usize, usize>) {
        let after = self
            .chunks
            .partition_point(|chunk| chunk[0].order(owner, rtype).is_le());
        let chunk = after.saturating_sub(1);
        let entries = self.chunks.get(chunk).map_or(&[][..], |chunk| &chunk[..]);
        let at = entries.binary_search_by(|entry| entry.order(owner, rtype));
        (chunk, at)
    }
}

/// A place in a map.
#[derive(Default)]
struct Cursor {
    chunk: usize,
    at: usize,
}

impl Cursor {
    fn peek<'a>(&self, records: &'a Records) -> Option<&'a Entry> {
        records.chunks.get(self.chunk)?.get(self.at)
    }

    fn step(&mut self, records: &Records) {
        self.at += 1;
        if records
            .chunks
            .get(self.chunk)
            .is_some_and(|c| self.at >= c.len())
        {
            *self = Self {
                chunk: self.chunk + 1,
                at: 0,
            };
        }
    }

    fn next<'a>(&mut self, records: &'a Records) -> Option<&'a Entry> {
        // A search may have ended behind the last entry of a chunk.
        if records
            .chunks
            .get(self.chunk)
            .is_some_and(|c| self.at >= c.len())
        {
            *self = Self {
                chunk: self.chunk + 1,
                at: 0,
            };
        }
        let entry = self.peek(records)?;
        self.step(records);
        Some(entry)
    }
}

impl FromIterator<(DnsName, RrSet)> for Records {
    /// In any order; of two with the same owner and type the later counts.
    fn from_iter<I: IntoIterator<Item = (DnsName, RrSet)>>(iter: I) -> Self {
        let mut entries: Vec<_> = iter
            .into_iter()
            .map(|(owner, set)| Entry { owner, set })
            .collect();
        if !entries.is_sorted_by(|a, b| a.order_of(b).is_lt()) {
            entries.reverse();
            entries.sort_by(Entry::order_of);
            entries.dedup_by(|later, first| later.order_of(first).is_eq());
        }
        let len = entries.len();
        let records = entries.iter().map(|entry| entry.set.len()).sum();
        let mut chunks = Vec::with_capacity(len.div_ceil(LOADED));
        let mut entries = entries.into_iter();
        loop {
            let chunk: Vec<_> = entries.by_ref().take(LOADED).collect();
            if chunk.is_empty() {
                return Self {
                    chunks,
                    len,
                    records,
                };
            }
            chunks.push(Arc::new(chunk));
        }
    }
}

impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.diff(other).next().is_none()
    }
}

impl Eq for Records {}

impl Hash for Records {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len);
        for entry in self.iter() {
            entry.hash(state);
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RData, Ttl};

    fn owner(n: u32) -> DnsName {
        DnsName::parse(&format!("h{n:07}.example")).unwrap()
    }

    fn set(n: u32) -> RrSet {
        RrSet::single(Ttl::new(60).unwrap(), &RData::a(n.into()))
    }

    fn many(count: u32) -> Records {
        (0..count).map(|n| (owner(n), set(n))).collect()
    }

    /// Names what is different, as `-old +new`.
    fn said(old: &Records, new: &Records) -> Vec<String> {
        old.diff(new)
            .map(|c| {
                format!(
                    "{}{}{}",
                    c.owner,
                    ["", " -"][usize::from(c.old.is_some())],
                    ["", " +"][usize::from(c.new.is_some())]
                )
            })
            .collect()
    }

    #[test]
    fn what_was_inserted_is_found_in_order_and_what_was_removed_is_not() {
        let mut records = Records::new();
        // A permutation, so that chunks split everywhere.
        for n in (0..5_000).map(|n| n * 2_729 % 5_000) {
            assert_eq!(records.insert(owner(n), set(n)), None);
        }
        assert_eq!(records, many(5_000));
        assert_eq!(records.insert(owner(7), set(8)), Some(set(7)));
        assert_eq!(records.get(&owner(7), RecordType::A), Some(&set(8)));
        assert_eq!(records.get(&owner(7), RecordType::AAAA), None);
        for n in 0..5_000 {
            assert!(records.remove(&owner(n), RecordType::A).is_some(), "{n}");
        }
        assert!(records.is_empty());
        assert_eq!((records.iter().count(), records.records()), (0, 0));
    }

    #[test]
    fn all_sets_of_an_owner_are_found_wherever_its_chunk_ends() {
        let text = |n| RrSet::single(Ttl::new(60).unwrap(), &RData::txt(&[n]).unwrap());
        let mut records = many(1_000);
        for n in 0..1_000 {
            records.insert(owner(n), text("x"));
        }
        for n in 0..1_000 {
            let at: Vec<_> = records.at(&owner(n)).cloned().collect();
            assert_eq!(at, [set(n), text("x")]);
        }
        assert_eq!(records.at(&owner(1_000)).count(), 0);
    }

    #[test]
    fn what_is_below_a_name_is_found_wherever_its_chunk_ends() {
        let mut records = many(1_000);
        let below = |n, label| DnsName::parse(&format!("{label}.h{n:07}.example")).unwrap();
        for n in 0..1_000 {
            records.insert(below(n, "x"), set(n));
            records.insert(below(n, "b.y"), set(n));
        }
        for n in 0..1_000 {
            let found: Vec<_> = records.below(&owner(n)).map(|(o, _)| o.clone()).collect();
            assert_eq!(found, [below(n, "x"), below(n, "b.y")]);
        }
        assert_eq!(records.below(&below(5, "y")).count(), 1);
        assert_eq!(records.below(&below(5, "x")).count(), 0);
        assert_eq!(
            records.below(&DnsName::parse("example").unwrap()).count(),
            3_000
        );
    }

    #[test]
    fn a_diff_names_exactly_what_changed() {
        let old = many(3_000);
        let mut new = old.clone();
        assert_eq!(said(&old, &new), [""; 0]);
        new.remove(&owner(0), RecordType::A);
        new.insert(owner(1_500), set(0));
        new.insert(owner(3_000), set(0));
        let expected = [
            "h0000000.example -",
            "h0001500.example - +",
            "h0003000.example +",
        ];
        assert_eq!(said(&old, &new), expected);
        assert_eq!(said(&Records::new(), &many(2)).len(), 2);
        assert_eq!(said(&many(2), &Records::new()).len(), 2);
    }

    #[test]
    fn a_map_built_anew_shares_with_the_one_before() {
        let old = many(3_000);
        let mut wanted = many(3_000);
        wanted.insert(owner(1_500), set(0));
        let shared = wanted.clone().sharing(&old);
        assert_eq!(shared, wanted);
        let common = shared.chunks.iter().zip(&old.chunks);
        assert_eq!(common.filter(|(a, b)| !Arc::ptr_eq(a, b)).count(), 1);
    }

    #[test]
    fn records_are_counted_whatever_way_they_come_and_go() {
        let data = [1, 2, 3].map(|n: u32| RData::a(n.into()));
        let three = RrSet::new(Ttl::new(60).unwrap(), &data).unwrap();
        let mut records: Records = [(owner(1), set(1)), (owner(2), three.clone())]
            .into_iter()
            .collect();
        assert_eq!((records.len(), records.records()), (2, 4));
        records.insert(owner(1), three);
        assert_eq!((records.len(), records.records()), (2, 6));
        records.remove(&owner(2), RecordType::A);
        assert_eq!((records.len(), records.records()), (1, 3));
        records.insert(owner(1), set(1));
        assert_eq!((records.len(), records.records()), (1, 1));
    }

    #[test]
    fn of_two_sets_with_one_key_the_later_counts() {
        let records: Records = [(owner(1), set(1)), (owner(0), set(0)), (owner(1), set(2))]
            .into_iter()
            .collect();
        assert_eq!(records.get(&owner(1), RecordType::A), Some(&set(2)));
        assert_eq!(records.len(), 2);
    }
}
