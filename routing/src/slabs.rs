//! The apps of a Table in slabs, so that a flip copies only the slabs it touches.

use std::sync::Arc;

use windrose_model::{AppId, AppStatus, Model, Status};

use crate::compile::Steerings;
use crate::digest::{self, Scratch};
use crate::plan::AppPlan;
use crate::routes::ClientSets;
use crate::slots::{AppSlots, Slots};
use crate::state::AppState;
use crate::table::{AppEntry, SLAB, Slab, Table};

/// What the apps of a Table are made from.
pub(crate) struct Slabs<'a> {
    model: &'a Model,
    status: &'a Status,
    slots: &'a Slots,
    steerings: &'a Steerings,
    /// A Table over the same clusters, regions and atlas, whose plans may be kept.
    kept: Option<&'a Table>,
    /// Nothing but the Status can differ from it.
    calm: bool,
    no_slots: Arc<AppSlots>,
    sets: ClientSets<'a>,
    scratch: Scratch,
}

impl<'a> Slabs<'a> {
    /// With `kept`, whether its apps are those of the Model.
    pub(crate) fn new(
        model: &'a Model,
        status: &'a Status,
        slots: &'a Slots,
        steerings: &'a Steerings,
        sets: ClientSets<'a>,
        kept: Option<(&'a Table, bool)>,
    ) -> Self {
        let no_slots = Arc::new(AppSlots::default());
        let calm = kept.is_some_and(|(table, same_apps)| {
            same_apps && steerings.are_kept() && Arc::ptr_eq(&table.slots, &slots.apps)
        });
        let kept = kept.map(|(table, _)| table);
        Self {
            calm,
            model,
            status,
            slots,
            steerings,
            kept,
            no_slots,
            sets,
            scratch: Scratch::default(),
        }
    }

    pub(crate) fn build(mut self) -> Vec<Arc<Slab>> {
        let count = self.model.apps().len();
        (0..count)
            .step_by(SLAB)
            .map(|first| self.slab(first, count.min(first + SLAB)))
            .collect()
    }

    fn slab(&mut self, first: usize, end: usize) -> Arc<Slab> {
        let old = self.kept.and_then(|k| k.slabs.get(first / SLAB));
        let ids = || (first..end).filter_map(|at| u32::try_from(at).ok().map(AppId));
        if let Some(old) = old
            && old.entries.len() == end - first
            && old
                .entries
                .iter()
                .zip(ids())
                .all(|(entry, id)| self.unchanged(entry, id))
        {
            return Arc::clone(old);
        }
        let entries: Box<[AppEntry]> = ids()
            .map(|id| {
                let aligned = old.and_then(|slab| slab.entries.get(id.0 as usize % SLAB));
                let old = self.old_entry(aligned, id);
                match old {
                    Some(entry) if self.unchanged(entry, id) => entry.clone(),
                    _ => self.entry(id, old),
                }
            })
            .collect();
        let digests: Vec<u128> = entries.iter().map(|entry| entry.digest).collect();
        let digest = digest::small(&digests, &mut self.scratch);
        Arc::new(Slab { entries, digest })
    }

    /// The entry of the same name: at the same place, or wherever apps moved to.
    fn old_entry(&self, aligned: Option<&'a AppEntry>, id: AppId) -> Option<&'a AppEntry> {
        let kept = self.kept?;
        if self.calm {
            return aligned;
        }
        let (name, app) = self.model.app(id);
        match aligned {
            Some(entry) if Arc::ptr_eq(&entry.plan.app, app) && entry.plan.name == *name => {
                Some(entry)
            }
            _ => kept.app_by_name(name.as_str()).map(|at| kept.app(at)),
        }
    }

    fn unchanged(&self, entry: &AppEntry, id: AppId) -> bool {
        let status = self.status.apps.get(id.0 as usize);
        status.is_some_and(|s| Arc::ptr_eq(s, &entry.status))
            && (self.calm || self.same_plan(entry, id))
            && (self.steerings.of_app(id.0 as usize))
                .is_none_or(|steering| Arc::ptr_eq(steering, &entry.steering))
    }

    /// A Model hands an app's `Arc` on only under the same name, so the pointer stands for both.
    fn same_plan(&self, entry: &AppEntry, id: AppId) -> bool {
        Arc::ptr_eq(&entry.plan.app, &self.model.app(id).1)
            && Arc::ptr_eq(&entry.plan.slots, self.slots_of(id))
    }

    fn slots_of(&self, id: AppId) -> &Arc<AppSlots> {
        self.slots.apps.get(id.0 as usize).unwrap_or(&self.no_slots)
    }

    fn entry(&mut self, id: AppId, old: Option<&AppEntry>) -> AppEntry {
        let plan = match old {
            Some(old) if self.calm || self.same_plan(old, id) => Arc::clone(&old.plan),
            _ => {
                let slots = Arc::clone(self.slots_of(id));
                Arc::new(AppPlan::build(self.model, id, slots, &mut self.sets))
            }
        };
        let steering = (self.steerings.of_app(id.0 as usize))
            .or_else(|| old.map(|old| &old.steering))
            .expect("where apps keep their steering, each has an old entry");
        let steering = Arc::clone(steering);
        let status = match self.status.apps.get(id.0 as usize) {
            Some(status) => Arc::clone(status),
            None => Arc::new(AppStatus::unknown(self.model, id)),
        };
        let state = AppState::build(&plan, &status);
        let content = (plan.digest, steering.digest(), &state);
        let digest = digest::small(&content, &mut self.scratch);
        AppEntry {
            plan,
            steering,
            state,
            status,
            digest,
        }
    }
}
