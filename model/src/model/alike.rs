//! Apps that steer alike: equal steps among equal clusters are one steering to whoever checks and
//! compiles them. Found out once, when a Model is made: steerings are large, and most apps share one.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::Model;
use crate::{App, Name, Step};

/// By position of an app: that of the first one that steers as it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Alike(Arc<[u32]>);

impl Alike {
    /// `previous` spares work, and never changes what is found.
    pub(super) fn of(apps: &BTreeMap<Name, Arc<App>>, previous: Option<&Model>) -> Self {
        let mut firsts: HashMap<Steering<'_>, u32, BuildHasherDefault<Quick>> = HashMap::default();
        // What became of the first ones of the Model before.
        let mut moved: HashMap<u32, u32> = HashMap::new();
        let mut all = Vec::with_capacity(apps.len());
        for (at, (name, app)) in (0..).zip(apps) {
            let before = previous.and_then(|old| {
                let id = old.app_id(name.as_str())?;
                Arc::ptr_eq(&old.app(id).1, app).then(|| old.steers_like(id).0)
            });
            let known = before.and_then(|before| moved.get(&before).copied());
            let first = known.unwrap_or_else(|| *firsts.entry(Steering::of(app)).or_insert(at));
            moved.extend(before.map(|before| (before, first)));
            all.push(first);
        }
        Self(all.into())
    }

    /// The position of the first app that steers as the one at `at`.
    pub(super) fn first(&self, at: usize) -> u32 {
        self.0[at]
    }
}

#[derive(PartialEq, Eq, Hash)]
struct Steering<'a> {
    steps: &'a [Step],
    /// In order, each once.
    clusters: Vec<&'a Name>,
}

impl<'a> Steering<'a> {
    fn of(app: &'a App) -> Self {
        let versions = app.versions.values();
        let mut clusters: Vec<_> = versions.flat_map(|v| v.endpoints.keys()).collect();
        clusters.sort_unstable();
        clusters.dedup();
        Self {
            steps: &app.steering,
            clusters,
        }
    }
}

/// A multiplication for eight octets. Who writes a configuration to make it collide slows down
/// themselves only, and no more than by a comparison with each steering.
#[derive(Default)]
struct Quick(u64);

impl Quick {
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words
            .iter()
            .for_each(|word| self.word(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let last = rest
                .iter()
                .fold(0, |word, octet| word << 8 | u64::from(*octet));
            self.word(last);
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.word(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.word(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.word(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
