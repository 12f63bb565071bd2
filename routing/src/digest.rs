//! Digests: 128-bit xxh3 over names and content in sorted order. They show that two Tables are
//! equal; they prove nothing against an attacker.

use std::hash::{Hash, Hasher};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Collects content.
pub(crate) struct Digester(Xxh3);

impl Digester {
    pub(crate) fn new() -> Self {
        Self(Xxh3::new())
    }

    pub(crate) fn with(mut self, content: &(impl Hash + ?Sized)) -> Self {
        content.hash(&mut self.0);
        self
    }

    pub(crate) fn add(&mut self, content: &(impl Hash + ?Sized)) {
        content.hash(&mut self.0);
    }

    pub(crate) fn finish(&self) -> u128 {
        self.0.digest128()
    }
}

/// The digest of something small: gathered first, hashed in one go, which spares the streaming
/// state of half a kilobyte. `scratch` is only memory to reuse.
pub(crate) fn small(content: &(impl Hash + ?Sized), scratch: &mut Scratch) -> u128 {
    scratch.0.clear();
    content.hash(scratch);
    xxh3_128(&scratch.0)
}

/// Octets of what is hashed.
#[derive(Default)]
pub(crate) struct Scratch(Vec<u8>);

impl Hasher for Scratch {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.0)
    }
}

/// A well mixed 64-bit value from another (the finaliser of splitmix64; Steele, Lea and Flood,
/// "Fast Splittable Pseudorandom Number Generators", 2014).
pub(crate) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A 64-bit hash of a text, equal on all machines.
pub(crate) fn text(text: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}
