//! `compile: (Model, Status, Data) → Table`. Pure and total; a previous Table is a cache, never an
//! input: with or without it, the digest is the same.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use windrose_model::{
    ClientSet, ClusterId, LatencyMatrix, MeasuredRtts, Model, Route, Status, Step,
};

use crate::Data;
use crate::aliases::AliasIndex;
use crate::atlas::{Atlas, AtlasKey};
use crate::digest::Digester;
use crate::hosts::HostIndex;
use crate::latency::Latency;
use crate::names::NameIndex;
use crate::routes::ClientSets;
use crate::slabs::Slabs;
use crate::slots::Slots;
use crate::steered::SteeredSets;
use crate::steering::{CompiledSteering, Mappings, Reads, SteeringKey};
use crate::table::{Table, World};
use crate::tcp::TcpIndex;

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
    let same_steered = previous.is_some_and(|p| p.same_steered(model));
    let wanted = (!same_apps || !same_steered).then(|| Wanted::new(model));
    let reads = match (previous, &wanted) {
        (Some(p), None) => p.atlas.key().reads.clone(),
        (_, Some(wanted)) => wanted.reads(),
        (None, None) => Reads::default(),
    };
    let matrix = data.matrix(model);
    let key = AtlasKey::new(reads, data, &matrix);
    let atlas = atlas(key, data, &matrix, previous);
    let kept = previous.filter(|p| same_world && Arc::ptr_eq(&p.atlas, &atlas));
    // The atlas stands for the matrix as well.
    let latency = match kept {
        Some(kept) => kept.latency.clone(),
        None => Latency::new(&matrix, model, &atlas).map(Arc::new),
    };
    let compiling = Compiling {
        model,
        atlas: &atlas,
        latency: latency.as_deref(),
        measured: &status.latency,
    };
    let steerings = compiling.steerings(kept, wanted);
    let steered = match kept {
        Some(kept) if same_steered && steerings.are_kept() => Arc::clone(&kept.steered),
        _ => Arc::new(SteeredSets::build(model, |at| steerings.of_record(at))),
    };
    let names = NameIndex::build(model, slots, previous, same_apps);
    let hosts = match previous {
        Some(p) if same_apps => Arc::clone(&p.hosts),
        _ => Arc::new(HostIndex::build(model)),
    };
    let tcp = match previous {
        Some(p) if same_apps => Arc::clone(&p.tcp),
        _ => Arc::new(TcpIndex::build(model)),
    };
    let kept = kept.map(|kept| (kept, same_apps));
    let sets = ClientSets::new(&atlas);
    let slabs = Slabs::new(model, status, slots, &steerings, sets, kept).build();
    let world = match previous {
        Some(p) if same_world => Arc::clone(&p.world),
        _ => Arc::new(World {
            clusters: Arc::clone(model.clusters()),
            regions: Arc::clone(model.regions()),
        }),
    };
    let aliases = match previous {
        Some(p) if p.aliases.is_of(&status.aliases) => Arc::clone(&p.aliases),
        _ => Arc::new(AliasIndex::build(&status.aliases)),
    };
    let users = data.users(model);
    let mut digest = Digester::new().with(&names.digest());
    if !users.is_empty() {
        digest.add(&users.digests());
    }
    digest.add(&aliases.digest());
    digest.add(&steered.digest());
    for slab in &slabs {
        digest.add(&slab.digest);
    }
    Table {
        stamp: status.stamp,
        digest: digest.finish(),
        atlas,
        steerings: steerings.by_key,
        names,
        aliases,
        hosts,
        tcp,
        slabs,
        apps: Arc::clone(model.apps()),
        slots: Arc::clone(&slots.apps),
        world,
        latency,
        measured: Arc::clone(&status.latency),
        steered,
        users,
    }
}

fn atlas(
    key: AtlasKey,
    data: &Data,
    matrix: &LatencyMatrix,
    previous: Option<&Table>,
) -> Arc<Atlas> {
    match previous {
        Some(p) if *p.atlas.key() == key => Arc::clone(&p.atlas),
        _ => Arc::new(Atlas::build(key, data, matrix)),
    }
}

/// What a steering is made from, as the Model has it.
type Wish<'m> = (&'m [Step], &'m [ClusterId]);

/// The different steerings of a Model, and which of them each app and steered record has.
struct Wanted<'m> {
    wishes: Vec<Wish<'m>>,
    /// Whom routes tell apart.
    clients: HashSet<&'m ClientSet>,
    of_app: Vec<usize>,
    of_record: Vec<usize>,
}

impl<'m> Wanted<'m> {
    fn new(model: &'m Model) -> Self {
        let mut wishes: Vec<Wish<'m>> = Vec::new();
        let mut of_app: Vec<usize> = Vec::with_capacity(model.apps().len());
        for (id, _, app) in model.app_ids() {
            let first = model.steers_like(id).0 as usize;
            of_app.push(of_app.get(first).copied().unwrap_or(wishes.len()));
            if first + 1 == of_app.len() {
                wishes.push((&app.steering, model.clusters_of(id)));
            }
        }
        let mut numbers: HashMap<Wish<'m>, usize> = HashMap::new();
        if model.steered().iter().any(|(_, r)| r.steering.is_some()) {
            numbers = wishes.iter().copied().zip(0..).collect();
        }
        let records = model.steered().iter().filter_map(|(_, record)| {
            let app = model.app_id(record.app.as_str())?;
            let Some(steps) = &record.steering else {
                return Some(of_app[app.0 as usize]);
            };
            let wish = (&**steps, &**model.clusters_of(app));
            Some(*numbers.entry(wish).or_insert_with(|| {
                wishes.push(wish);
                wishes.len() - 1
            }))
        });
        let routes = model.apps().iter().flat_map(|(_, app)| &app.routes);
        Self {
            of_record: records.collect(),
            clients: routes.flat_map(Route::client_sets).collect(),
            of_app,
            wishes,
        }
    }

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        for (steps, _) in &self.wishes {
            reads.add(steps);
        }
        for set in &self.clients {
            reads.clients(set);
        }
        reads
    }
}

type ByKey = HashMap<SteeringKey, Arc<CompiledSteering>>;

/// What steerings are compiled from.
struct Compiling<'a> {
    model: &'a Model,
    atlas: &'a Atlas,
    latency: Option<&'a Latency>,
    measured: &'a MeasuredRtts,
}

impl Compiling<'_> {
    /// `kept` is a Table over the same clusters, regions and atlas; nothing wanted: its apps too.
    fn steerings(&self, kept: Option<&Table>, wanted: Option<Wanted<'_>>) -> Steerings {
        let known = kept.map(|kept| self.remeasured(kept));
        if let (Some(kept), Some(known), None) = (kept, &known, &wanted)
            && Arc::ptr_eq(&kept.steerings, known)
        {
            return Steerings::kept(kept);
        }
        let wanted = wanted.unwrap_or_else(|| Wanted::new(self.model));
        let mut mappings = Mappings::default();
        let there = known.iter().flat_map(|known| known.values());
        there.for_each(|steering| steering.share(&mut mappings));
        let compiled: Vec<_> = (wanted.wishes.iter())
            .map(|(steps, clusters)| {
                let key = SteeringKey {
                    steps: steps.to_vec(),
                    clusters: clusters.to_vec(),
                };
                let compiled = match known.as_ref().and_then(|known| known.get(&key)) {
                    Some(known) => Arc::clone(known),
                    None => Arc::new(self.build(&key, &mut mappings)),
                };
                (key, compiled)
            })
            .collect();
        let of = |at: &usize| Arc::clone(&compiled[*at].1);
        Steerings {
            of_app: wanted.of_app.iter().map(of).collect(),
            of_record: wanted.of_record.iter().map(of).collect(),
            are_kept: false,
            by_key: Arc::new(compiled.into_iter().collect()),
        }
    }

    fn build(&self, key: &SteeringKey, mappings: &mut Mappings) -> CompiledSteering {
        CompiledSteering::build(
            key,
            self.model,
            self.atlas,
            self.latency,
            self.measured,
            mappings,
        )
    }

    /// The steerings of a Table under the round trips of now; the very same where no rank changes.
    fn remeasured(&self, table: &Table) -> Arc<ByKey> {
        if Arc::ptr_eq(&table.measured, self.measured) || table.measured == *self.measured {
            return Arc::clone(&table.steerings);
        }
        let moved: Vec<_> = (table.steerings.iter())
            .filter_map(|(key, steering)| {
                let moved = steering.remeasured(key, self.model, self.latency, self.measured)?;
                Some((key.clone(), Arc::new(moved)))
            })
            .collect();
        if moved.is_empty() {
            return Arc::clone(&table.steerings);
        }
        let mut all = ByKey::clone(&table.steerings);
        all.extend(moved);
        Arc::new(all)
    }
}

/// The compiled steerings of a Table.
pub(crate) struct Steerings {
    by_key: Arc<ByKey>,
    /// Empty when every app has kept its own.
    of_app: Vec<Arc<CompiledSteering>>,
    /// Likewise.
    of_record: Vec<Arc<CompiledSteering>>,
    are_kept: bool,
}

impl Steerings {
    fn kept(table: &Table) -> Self {
        Self {
            by_key: Arc::clone(&table.steerings),
            of_app: Vec::new(),
            of_record: Vec::new(),
            are_kept: true,
        }
    }

    /// That of a steered record, when they are compiled anew.
    fn of_record(&self, at: usize) -> Arc<CompiledSteering> {
        Arc::clone(&self.of_record[at])
    }

    /// Whether no app and no record has another.
    pub(crate) fn are_kept(&self) -> bool {
        self.are_kept
    }

    /// That of an app; `None` when it has kept its own.
    pub(crate) fn of_app(&self, app: usize) -> Option<&Arc<CompiledSteering>> {
        self.of_app.get(app)
    }
}
