//! `compile: (Model, Status, Data) → Table`. Pure and total; a previous Table is a cache, never an
//! input: with or without it, the digest is the same.

use std::collections::HashMap;
use std::sync::Arc;

use windrose_model::{AppId, AppStatus, Model, Status};

use crate::atlas::{Atlas, AtlasKey};
use crate::digest::Digester;
use crate::geo::GeoDb;
use crate::names::NameIndex;
use crate::paths::HostIndex;
use crate::plan::AppPlan;
use crate::slots::{AppSlots, Slots};
use crate::state::AppState;
use crate::steering::{self, CompiledSteering, SteeringKey};
use crate::table::{AppEntry, SLAB, Slab, Table, World};

/// Large inputs, named by content.
#[derive(Clone)]
pub struct Data {
    /// Address → country.
    pub geo: Arc<GeoDb>,
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
    let slabs = slabs(model, status, slots, &steerings, kept);
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

type Steerings = HashMap<SteeringKey, Arc<CompiledSteering>>;

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
        if !steerings.contains_key(&key) {
            let compiled = match kept.and_then(|k| k.steerings.get(&key)) {
                Some(known) => Arc::clone(known),
                None => Arc::new(CompiledSteering::build(&key, model, atlas)),
            };
            steerings.insert(key, compiled);
        }
    }
    Arc::new(steerings)
}

fn key_of(model: &Model, id: AppId) -> SteeringKey {
    SteeringKey {
        steps: model.app(id).1.steering.clone(),
        clusters: model.clusters_of(id).to_vec(),
    }
}

fn slabs(
    model: &Model,
    status: &Status,
    slots: &Slots,
    steerings: &Steerings,
    kept: Option<&Table>,
) -> Vec<Arc<Slab>> {
    let count = model.apps().len();
    let no_slots = Arc::new(AppSlots::default());
    (0..count)
        .step_by(SLAB)
        .map(|first| {
            let old = kept.and_then(|k| k.slabs.get(first / SLAB));
            let ids = || {
                (first..count.min(first + SLAB)).filter_map(|at| u32::try_from(at).ok().map(AppId))
            };
            let slots_of = |id: AppId| slots.apps.get(id.0 as usize).unwrap_or(&no_slots);
            let unchanged = |entry: &AppEntry, id: AppId| {
                let (name, app) = model.app(id);
                entry.plan.name == *name
                    && Arc::ptr_eq(&entry.plan.app, app)
                    && Arc::ptr_eq(&entry.plan.slots, slots_of(id))
                    && status
                        .apps
                        .get(id.0 as usize)
                        .is_some_and(|s| Arc::ptr_eq(s, &entry.status))
            };
            if let Some(old) = old
                && old.entries.len() == ids().count()
                && old
                    .entries
                    .iter()
                    .zip(ids())
                    .all(|(entry, id)| unchanged(entry, id))
            {
                return Arc::clone(old);
            }
            let entries: Box<[AppEntry]> = ids()
                .map(|id| {
                    let old = kept.and_then(|k| {
                        let aligned = old.and_then(|slab| slab.entries.get(id.0 as usize % SLAB));
                        let name = &model.app(id).0;
                        match aligned {
                            Some(entry) if entry.plan.name == *name => Some(entry),
                            _ => k.app_by_name(name.as_str()).map(|at| k.app(at)),
                        }
                    });
                    match old {
                        Some(entry) if unchanged(entry, id) => entry.clone(),
                        _ => entry(model, status, id, slots_of(id), steerings, old),
                    }
                })
                .collect();
            let mut digest = Digester::new();
            for entry in &entries {
                digest.add(&entry.digest);
            }
            Arc::new(Slab {
                entries,
                digest: digest.finish(),
            })
        })
        .collect()
}

fn entry(
    model: &Model,
    status: &Status,
    id: AppId,
    slots: &Arc<AppSlots>,
    steerings: &Steerings,
    old: Option<&AppEntry>,
) -> AppEntry {
    let plan = match old {
        Some(old)
            if Arc::ptr_eq(&old.plan.app, &model.app(id).1)
                && Arc::ptr_eq(&old.plan.slots, slots) =>
        {
            Arc::clone(&old.plan)
        }
        _ => {
            let key = key_of(model, id);
            let steering = steerings
                .get(&key)
                .expect("every app's steering was compiled just before");
            Arc::new(AppPlan::build(model, id, slots, Arc::clone(steering)))
        }
    };
    let status = status
        .apps
        .get(id.0 as usize)
        .cloned()
        .unwrap_or_else(|| Arc::new(AppStatus::unknown(model, id)));
    let state = Arc::new(AppState::build(&plan, &status));
    let digest = Digester::new().with(&plan.digest).with(&*state).finish();
    AppEntry {
        plan,
        state,
        status,
        digest,
    }
}
