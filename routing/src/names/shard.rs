//! A shard of the name index. HOT: [`Shard::find`].
//!
//! Two runs of numbers and octets, no pointers inside: a directory of open addressing leads from the
//! hash of a name to its entry, and an entry is its head, its name and its RRsets in wire form, back
//! to back. A name that is found costs one line of the directory and the one or two lines of its
//! entry, however many names there are; boxed nodes would cost a line for each box.

use std::sync::Arc;

use windrose_model::{App, AppId, Name};
use xxhash_rust::xxh3::xxh3_64;

use crate::digest::{self, Scratch};

use super::node::{self, Flags};

/// Octets of an entry before its name.
const HEAD: usize = 12;

/// No app steers a name.
pub(super) const NO_APP: u32 = u32::MAX;

/// About 1,024 names. Immutable; a change makes a new one.
#[derive(Clone)]
pub(super) struct Shard {
    /// Upper half of the hash in the upper half, offset of the entry plus one in the lower; 0 is
    /// free. A power of two, never full.
    directory: Arc<[u64]>,
    heap: Arc<[u8]>,
}

/// What is known of a shard besides its content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Entries.
    pub(super) len: usize,
    /// Sum of the digests of its entries: it does not depend on order, nor on how entries are
    /// divided among shards.
    pub(super) digest: u128,
    /// Labels of its longest name, by labels, without the root.
    pub(super) labels: u8,
}

/// A name with what stands there.
#[derive(Clone, Copy)]
pub(super) struct Entry<'t> {
    pub(super) name: &'t [u8],
    pub(super) flags: Flags,
    /// Numbers of the index, not of the Model.
    pub(super) zone: u32,
    pub(super) app: u32,
    pub(super) count: u16,
    /// Its sets; what follows them in the heap may be there too.
    pub(super) sets: &'t [u8],
}

impl Shard {
    /// Whether `hash` is the name's is the caller's word.
    #[inline]
    pub(super) fn find(&self, hash: u64, name: &[u8]) -> Option<Entry<'_>> {
        let mask = self.directory.len().wrapping_sub(1);
        #[allow(clippy::cast_possible_truncation, reason = "masked")]
        let mut at = hash as usize & mask;
        loop {
            let word = *self.directory.get(at)?;
            if word == 0 {
                return None;
            }
            if (word ^ hash) >> 32 == 0 {
                #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
                let offset = (word as u32 - 1) as usize;
                let entry = Entry::read(self.heap.get(offset..)?)?;
                if entry.name == name {
                    return Some(entry);
                }
            }
            at = (at + 1) & mask;
        }
    }

    /// Whether both are one in memory.
    pub(super) fn is_one_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.heap, &other.heap)
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut rest = &self.heap[..];
        std::iter::from_fn(move || {
            let entry = Entry::read(rest)?;
            rest = rest.get(entry.len()..)?;
            Some(entry)
        })
    }
}

impl<'t> Entry<'t> {
    #[inline]
    pub(super) fn read(octets: &'t [u8]) -> Option<Self> {
        let (head, rest) = octets.split_first_chunk::<HEAD>()?;
        let (name, sets) = rest.split_at_checked(usize::from(head[0]))?;
        Some(Self {
            name,
            flags: Flags(head[1]),
            count: u16::from_le_bytes([head[2], head[3]]),
            zone: u32::from_le_bytes([head[4], head[5], head[6], head[7]]),
            app: u32::from_le_bytes([head[8], head[9], head[10], head[11]]),
            sets,
        })
    }

    /// The octets of its sets alone.
    pub(super) fn own_sets(&self) -> &'t [u8] {
        &self.sets[..node::octets(self.sets, self.count)]
    }

    fn len(&self) -> usize {
        HEAD + self.name.len() + self.own_sets().len()
    }

    /// Appends it to a heap.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // A name has at most 255 octets.
        out.push(u8::try_from(self.name.len()).unwrap_or(u8::MAX));
        out.push(self.flags.0);
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.zone.to_le_bytes());
        out.extend_from_slice(&self.app.to_le_bytes());
        out.extend_from_slice(self.name);
        out.extend_from_slice(self.own_sets());
    }

    /// Whether both say the same of the same name.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.name == other.name
            && (self.flags, self.zone, self.app, self.count)
                == (other.flags, other.zone, other.app, other.count)
            && self.own_sets() == other.own_sets()
    }
}

/// A shard being made.
#[derive(Default)]
pub(super) struct Builder {
    heap: Vec<u8>,
    /// Hash and offset of each entry.
    places: Vec<(u64, u32)>,
}

/// Content digests by number, so that a digest never depends on numbers.
pub(super) struct Contents<'a> {
    pub(super) zones: Vec<u128>,
    pub(super) apps: &'a [AppId],
    pub(super) names: &'a [(Name, Arc<App>)],
}

impl Contents<'_> {
    fn app(&self, number: u32) -> Option<u64> {
        let AppId(id) = self.apps.get(number as usize)?;
        let (name, _) = self.names.get(*id as usize)?;
        Some(digest::text(name.as_str()))
    }
}

impl Builder {
    pub(super) fn with_capacity(names: usize, octets: usize) -> Self {
        Self {
            heap: Vec::with_capacity(octets),
            places: Vec::with_capacity(names),
        }
    }

    pub(super) fn push(&mut self, hash: u64, entry: &Entry<'_>) {
        // 2^32 octets would need more records than a Model may have (budget::RECORDS,
        // budget::RRSET_OCTETS) in one of its shards.
        let offset = u32::try_from(self.heap.len()).unwrap_or(u32::MAX - 1);
        self.places.push((hash, offset));
        entry.write(&mut self.heap);
    }

    pub(super) fn finish(self, contents: &Contents<'_>, scratch: &mut Scratch) -> (Shard, Tally) {
        let slots = (self.places.len() * 4 / 3 + 1).next_power_of_two();
        let mut directory = vec![0; slots];
        for &(hash, offset) in &self.places {
            #[allow(clippy::cast_possible_truncation, reason = "masked")]
            let mut at = hash as usize & (slots - 1);
            while directory[at] != 0 {
                at = (at + 1) & (slots - 1);
            }
            directory[at] = hash >> 32 << 32 | (u64::from(offset) + 1);
        }
        let shard = Shard {
            directory: directory.into(),
            heap: self.heap.into(),
        };
        let mut tally = Tally {
            len: self.places.len(),
            ..Tally::default()
        };
        for entry in shard.entries() {
            tally.labels = tally.labels.max(labels(entry.name));
            let zone = contents.zones.get(entry.zone as usize);
            let app = contents.app(entry.app);
            let content = (entry.name, entry.flags.0, zone, app, entry.own_sets());
            let digest = digest::small(&content, scratch);
            tally.digest = tally.digest.wrapping_add(digest);
        }
        (shard, tally)
    }
}

/// Labels of a name in wire form, the root not counted; at most 127.
#[inline]
pub(super) fn labels(name: &[u8]) -> u8 {
    let (mut at, mut labels) = (0, 0);
    while let Some(&len) = name.get(at)
        && len > 0
    {
        at += usize::from(len) + 1;
        labels += 1;
    }
    labels
}

#[inline]
pub(super) fn hash(name: &[u8]) -> u64 {
    xxh3_64(name)
}

/// The directory of a shard goes by the low bits of a hash, the shard by bits above them.
#[inline]
pub(super) fn shard_of(hash: u64, shards: usize) -> usize {
    #[allow(clippy::cast_possible_truncation, reason = "masked")]
    let bits = (hash >> 32) as usize;
    bits & (shards.wrapping_sub(1))
}
