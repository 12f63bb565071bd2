//! Steering, compiled: each distinct (steps, clusters) pair becomes place → view and leaf → scope.
//! A view is one distinct row, so places that are treated alike share it.

use std::collections::HashMap;

use windrose_model::{ClusterId, Model, Step};

use self::rules::{Class, Rules};
use crate::atlas::{Atlas, Leaf};
use crate::digest::Digester;

mod reads;
mod rules;

pub(crate) use self::reads::Reads;

/// A class of places that one steering treats alike: the number of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View(pub(crate) u32);

/// Ordered tiers of clusters, the most wanted first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Row {
    /// Never an empty tier; no tier at all when a fence leaves nothing.
    pub tiers: Box<[Tier]>,
    /// Every cluster of the row, as a bit by local number.
    pub members: u16,
}

/// Equals, by weight.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tier {
    /// Local cluster number and weight.
    pub members: Box<[(u8, u32)]>,
    /// The same as bits.
    pub mask: u16,
}

/// What a compiled steering depends on, besides the atlas and the clusters' regions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SteeringKey {
    pub(crate) steps: Vec<Step>,
    pub(crate) clusters: Vec<ClusterId>,
}

pub(crate) struct CompiledSteering {
    /// Empty when there is one view, so that steering by weight or order costs nothing per place.
    view_of_place: Box<[u32]>,
    /// Empty when there is one view: the scope is 0 everywhere.
    scope_of_leaf: Box<[u8]>,
    rows: Box<[Row]>,
    digest: u128,
}

impl CompiledSteering {
    pub(crate) fn build(key: &SteeringKey, model: &Model, atlas: &Atlas) -> Self {
        let rules = Rules::new(key, model, atlas);
        let mut rows: Vec<Row> = Vec::new();
        let mut known: HashMap<Row, u32> = HashMap::new();
        let mut seen: HashMap<Class, u32> = HashMap::new();
        // Where no step reads the place, the first one stands for all.
        let places = match (rules.reads_place(), atlas.places()) {
            (false, [first, ..]) => std::slice::from_ref(first),
            (_, places) => places,
        };
        let mut view_of_place: Box<[u32]> = (0u32..)
            .zip(places)
            .map(|(number, &place)| {
                if number == atlas.mount_place() {
                    return 0; // Of no client; the first place has made view 0.
                }
                let class = rules.class(place, atlas);
                *seen.entry(class).or_insert_with(|| {
                    let row = rules.row(place, atlas);
                    *known.entry(row).or_insert_with_key(|row| {
                        rows.push(row.clone());
                        u32::try_from(rows.len()).unwrap_or(u32::MAX) - 1
                    })
                })
            })
            .collect();
        if rows.len() == 1 {
            view_of_place = Box::default();
        }
        let scope_of_leaf = if rows.len() > 1 {
            atlas.scopes(|place| view_of_place[place as usize])
        } else {
            Box::default()
        };
        // The content: which rows there are and, by place, which one holds. Places are numbered by
        // the atlas in address order, so equal atlases number alike.
        let mut digest = Digester::new().with(&rows);
        if rows.len() > 1 {
            digest.add(&view_of_place);
            digest.add(&atlas.digest());
        }
        Self {
            view_of_place,
            scope_of_leaf,
            rows: rows.into(),
            digest: digest.finish(),
        }
    }

    #[inline]
    pub(crate) fn view(&self, atlas: &Atlas, leaf: Leaf) -> View {
        if self.rows.len() == 1 {
            return View(0);
        }
        View(self.view_of_place[atlas.place_of(leaf) as usize])
    }

    #[inline]
    pub(crate) fn scope(&self, leaf: Leaf) -> u8 {
        let of = |leaf: u32| self.scope_of_leaf.get(leaf as usize).copied().unwrap_or(0);
        match (of(leaf.number), leaf.inside) {
            (scope, None) => scope,
            // All of IPv4 is of one view, and so the prefix that holds it.
            (0, Some((mount, _))) => of(mount),
            (scope, Some((_, offset))) => offset + scope,
        }
    }

    #[inline]
    pub(crate) fn row(&self, view: View) -> &Row {
        &self.rows[view.0 as usize]
    }

    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }
}
