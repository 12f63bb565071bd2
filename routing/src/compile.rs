//! `compile: (Model, Status, Data) → Table`. Pure and total; a previous Table is a cache, never an
//! input: with or without it, the digest is the same.

use std::collections::HashMap;
use std::sync::Arc;

use windrose_model::{ClusterId, Model, Status, Step};

use crate::Data;
use crate::atlas::{Atlas, AtlasKey};
use crate::digest::Digester;
use crate::names::NameIndex;
use crate::paths::HostIndex;
use crate::slabs::Slabs;
use crate::slots::Slots;
use crate::steering::{CompiledSteering, Reads, SteeringKey};
use crate::table::{Table, World};

/// Compiles a Table. `status` should be parallel to the apps of `model`; an app without an entry is
/// taken as unknown, which is never down. A flip of one app among 10,000 costs pointer comparisons
/// and one slab.
pub fn compile(
    model: &Model,
    status: &Status,
    data: &Data,
    slots: &Slots,
    previous: Option<&Table>,
) -> Table {
    let same_apps = previous.is_some_and(|p| p.same_apps(model));
    let same_world = previous.is_some_and(|p| p.same_world(model));
    let wanted = (!same_apps).then(|| Wanted::new(model));
    let reads = match (previous, &wanted) {
        (Some(p), None) => p.atlas.key().reads.clone(),
        (_, Some(wanted)) => wanted.reads(),
        (None, None) => Reads::default(),
    };
    let atlas = atlas(AtlasKey::new(reads, data), data, previous);
    let kept = previous.filter(|p| same_world && Arc::ptr_eq(&p.atlas, &atlas));
    let steerings = match (kept, &wanted) {
        (Some(kept), None) => Steerings::kept(kept),
        _ => (wanted.unwrap_or_else(|| Wanted::new(model))).compile(model, &atlas, kept),
    };
    let same_names = same_apps && previous.is_some_and(|p| p.names.same_zones(model, slots));
    let names = match previous {
        Some(p) if same_names => Arc::clone(&p.names),
        _ => Arc::new(NameIndex::build(model, slots)),
    };
    let hosts = match previous {
        Some(p) if same_apps => Arc::clone(&p.hosts),
        _ => Arc::new(HostIndex::build(model)),
    };
    let slabs = Slabs::new(model, status, slots, &steerings, kept).build();
    let world = match previous {
        Some(p) if same_world => Arc::clone(&p.world),
        _ => Arc::new(World {
            clusters: model.clusters().to_vec(),
            regions: model.regions().clone(),
        }),
    };
    let mut digest = Digester::new().with(&names.digest());
    for slab in &slabs {
        digest.add(&slab.digest);
    }
    Table {
        stamp: status.stamp,
        digest: digest.finish(),
        atlas,
        steerings: steerings.by_key,
        names,
        hosts,
        slabs,
        world,
    }
}

fn atlas(key: AtlasKey, data: &Data, previous: Option<&Table>) -> Arc<Atlas> {
    match previous {
        Some(p) if *p.atlas.key() == key => Arc::clone(&p.atlas),
        _ => Arc::new(Atlas::build(key, data)),
    }
}

/// What a steering is made from, as the Model has it.
type Wish<'m> = (&'m [Step], &'m [ClusterId]);

/// The different steerings of a Model, and which of them each app has.
struct Wanted<'m> {
    wishes: Vec<Wish<'m>>,
    of_app: Vec<usize>,
}

impl<'m> Wanted<'m> {
    fn new(model: &'m Model) -> Self {
        let mut numbers: HashMap<Wish<'m>, usize> = HashMap::new();
        let mut wishes = Vec::new();
        let of_app = model.app_ids().map(|(id, _, app)| {
            let wish = (&*app.steering, &**model.clusters_of(id));
            *numbers.entry(wish).or_insert_with(|| {
                wishes.push(wish);
                wishes.len() - 1
            })
        });
        Self {
            of_app: of_app.collect(),
            wishes,
        }
    }

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        for (steps, _) in &self.wishes {
            reads.add(steps);
        }
        reads
    }

    fn compile(self, model: &Model, atlas: &Atlas, kept: Option<&Table>) -> Steerings {
        let compiled: Vec<_> = (self.wishes.iter())
            .map(|(steps, clusters)| {
                let key = SteeringKey {
                    steps: steps.to_vec(),
                    clusters: clusters.to_vec(),
                };
                let compiled = match kept.and_then(|kept| kept.steerings.get(&key)) {
                    Some(known) => Arc::clone(known),
                    None => Arc::new(CompiledSteering::build(&key, model, atlas)),
                };
                (key, compiled)
            })
            .collect();
        let of = |at: &usize| Arc::clone(&compiled[*at].1);
        Steerings {
            of_app: self.of_app.iter().map(of).collect(),
            by_key: Arc::new(compiled.into_iter().collect()),
        }
    }
}

/// The compiled steerings of a Table.
pub(crate) struct Steerings {
    by_key: Arc<HashMap<SteeringKey, Arc<CompiledSteering>>>,
    /// Empty when every app has kept its own.
    of_app: Vec<Arc<CompiledSteering>>,
}

impl Steerings {
    fn kept(table: &Table) -> Self {
        Self {
            by_key: Arc::clone(&table.steerings),
            of_app: Vec::new(),
        }
    }

    /// That of an app; `None` when it has kept its own.
    pub(crate) fn of_app(&self, app: usize) -> Option<&Arc<CompiledSteering>> {
        self.of_app.get(app)
    }
}
