//! Which view each place is of, and how wide each view reaches. Most of what a steering holds; those
//! that tell the same places apart share it, whatever they do with them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::atlas::Atlas;
use crate::digest::Digester;

/// From places to views, over one atlas.
#[derive(Default)]
pub(super) struct Mapping {
    /// Empty when there is one view, so that steering by weight or order costs nothing per place.
    pub(super) view_of_place: Box<[u32]>,
    /// Empty when there is one view: the scope is 0 everywhere.
    pub(super) scope_of_leaf: Box<[u8]>,
    /// None where there is one view.
    pub(super) digest: Option<u128>,
}

/// The mappings over one atlas, by digest.
#[derive(Default)]
pub(crate) struct Mappings(HashMap<u128, Arc<Mapping>>);

impl Mappings {
    /// Those that are there already.
    pub(super) fn keep(&mut self, mapping: &Arc<Mapping>) {
        if let Some(digest) = mapping.digest {
            self.0.entry(digest).or_insert_with(|| Arc::clone(mapping));
        }
    }

    /// The mapping with these views; equal ones are one. Views are numbered by their first place, so
    /// that equal divisions of the places have equal numbers.
    pub(super) fn of(&mut self, view_of_place: Vec<u32>, atlas: &Atlas) -> Arc<Mapping> {
        // Places are numbered by the atlas in address order, so equal atlases number alike.
        let digest = Digester::new().with(&view_of_place);
        let digest = digest.with(&atlas.digest()).finish();
        let known = self.0.get(&digest);
        if let Some(known) = known.filter(|known| *known.view_of_place == *view_of_place) {
            return Arc::clone(known);
        }
        let mapping = Arc::new(Mapping {
            scope_of_leaf: atlas.scopes(&view_of_place),
            view_of_place: view_of_place.into(),
            digest: Some(digest),
        });
        self.keep(&mapping);
        mapping
    }
}
