//! `compile: (Model, Status, Data) → Table`. Pure and total; a previous Table is a cache, never an
//! input: with or without it, the digest is the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use windrose_model::{AppId, Model, Status};

use crate::atlas::{Atlas, AtlasKey};
use crate::digest::Digester;
use crate::geo::GeoDb;
use crate::names::NameIndex;
use crate::paths::HostIndex;
use crate::slabs::Slabs;
use crate::slots::Slots;
use crate::steering::{self, CompiledSteering, SteeringKey};
use crate::table::{Table, World};

/// Large inputs, named by content.
#[derive(Clone)]
pub struct Data {
    /// Address → country.
    pub geo: Arc<GeoDb>,
}

impl Data {
    /// A geo database, and nothing else.
    pub fn of_geo(geo: impl Into<Arc<GeoDb>>) -> Self {
        Self { geo: geo.into() }
    }

    /// Nothing is known of any client.
    pub fn nothing() -> Self {
        Self::of_geo(GeoDb::empty())
    }
}

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
    let atlas = atlas(model, data, previous.filter(|_| same_apps), previous);
    let kept = previous.filter(|p| same_world && Arc::ptr_eq(&p.atlas, &atlas));
    let steerings = steerings(model, &atlas, kept, same_apps);
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
        steerings,
        names,
        hosts,
        slabs,
        world,
    }
}

fn atlas(
    model: &Model,
    data: &Data,
    unchanged: Option<&Table>,
    previous: Option<&Table>,
) -> Arc<Atlas> {
    let geo = |reads: bool| reads.then(|| data.geo.digest());
    let key = match unchanged {
        Some(p) => AtlasKey {
            geo: geo(p.atlas.key().geo.is_some()),
            cidrs: p.atlas.key().cidrs.clone(),
        },
        None => AtlasKey {
            geo: geo(model
                .apps()
                .iter()
                .any(|(_, app)| steering::reads_country(&app.steering))),
            cidrs: model
                .apps()
                .iter()
                .flat_map(|(_, app)| steering::cidrs(&app.steering))
                .collect(),
        },
    };
    match previous {
        Some(p) if *p.atlas.key() == key => Arc::clone(&p.atlas),
        _ => Arc::new(Atlas::build(key, &data.geo)),
    }
}

pub(crate) type Steerings = HashMap<SteeringKey, Arc<CompiledSteering>>;

fn steerings(
    model: &Model,
    atlas: &Atlas,
    kept: Option<&Table>,
    same_apps: bool,
) -> Arc<Steerings> {
    if let Some(kept) = kept
        && same_apps
    {
        return Arc::clone(&kept.steerings);
    }
    let mut steerings = Steerings::new();
    for (id, ..) in model.app_ids() {
        let key = key_of(model, id);
        if let Entry::Vacant(vacant) = steerings.entry(key) {
            let compiled = match kept.and_then(|k| k.steerings.get(vacant.key())) {
                Some(known) => Arc::clone(known),
                None => Arc::new(CompiledSteering::build(vacant.key(), model, atlas)),
            };
            vacant.insert(compiled);
        }
    }
    Arc::new(steerings)
}

pub(crate) fn key_of(model: &Model, id: AppId) -> SteeringKey {
    SteeringKey {
        steps: model.app(id).1.steering.clone(),
        clusters: model.clusters_of(id).to_vec(),
    }
}
