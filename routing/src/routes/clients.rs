//! Sets of clients as bits over the places of the atlas: one test per request.

use std::collections::HashMap;
use std::sync::Arc;

use windrose_model::ClientSet;

use crate::atlas::Atlas;
use crate::steering::FenceMatcher;

/// A bit per place.
pub(crate) struct PlaceSet(Box<[u64]>);

impl PlaceSet {
    fn build(set: &ClientSet, atlas: &Atlas) -> Self {
        let matcher = FenceMatcher::new(set, atlas);
        let places = atlas.places();
        let mut words = vec![0u64; places.len().div_ceil(64)];
        for (number, place) in places.iter().enumerate() {
            if matcher.find(*place, atlas).is_some() {
                words[number / 64] |= 1 << (number % 64);
            }
        }
        Self(words.into())
    }

    #[inline]
    pub(super) fn contains(&self, place: u32) -> bool {
        let word = self.0.get(place as usize / 64);
        word.is_some_and(|word| word >> (place % 64) & 1 == 1)
    }
}

/// The sets of one Table; equal ones are made once.
pub(crate) struct ClientSets<'a> {
    atlas: &'a Atlas,
    known: HashMap<ClientSet, Arc<PlaceSet>>,
}

impl<'a> ClientSets<'a> {
    pub(crate) fn new(atlas: &'a Atlas) -> Self {
        Self {
            atlas,
            known: HashMap::new(),
        }
    }

    pub(super) fn get(&mut self, set: &ClientSet) -> Arc<PlaceSet> {
        if let Some(known) = self.known.get(set) {
            return Arc::clone(known);
        }
        let built = Arc::new(PlaceSet::build(set, self.atlas));
        self.known.insert(set.clone(), Arc::clone(&built));
        built
    }

    /// Of what places are known by.
    pub(crate) fn digest(&self) -> u128 {
        self.atlas.digest()
    }
}
