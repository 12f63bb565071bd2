//! How a new Model comes into force: compiled away from the control thread first, then switched to
//! in one step. Until then flips are published on the old one; after it, nothing known is lost.

use std::sync::Arc;

use windrose_model::{AppId, EndpointId, EndpointState, Model, Name, Now, Status};
use windrose_routing::Data;

use super::{Controller, Pending};
use crate::Reload;
use crate::event::{Effect, Inputs, JobId, Level};
use crate::fold::{Before, adopt};

impl Controller {
    pub(super) fn apply(
        &mut self,
        now: Now,
        model: Arc<Model>,
        data: Arc<Data>,
        out: &mut Vec<Effect>,
    ) {
        let newest = self.pending.as_ref().map_or(&self.model, |p| &p.model);
        if model.revision() <= newest.revision() {
            let (offered, newest) = (model.revision().0, newest.revision().0);
            let error = format!("revision {offered} is not above {newest}");
            return self.refuse(now.wall, error, out);
        }
        self.jobs += 1;
        let job = JobId(self.jobs);
        let status = self.outlook(&model, now);
        out.push(Effect::Compute(
            job,
            Inputs {
                model: Arc::clone(&model),
                status,
                data: Arc::clone(&data),
            },
        ));
        self.pending = Some(Pending {
            job,
            model,
            data,
            newest: true,
        });
    }

    /// A full compile is done. If a newer Model came in the meantime, its own compile is under way
    /// and this one counts for nothing. If health has moved, the publication that follows finds the
    /// few apps it has to touch by pointer.
    pub(super) fn computed(&mut self, now: Now, job: JobId, out: &mut Vec<Effect>) {
        let Some(pending) = self.pending.take_if(|p| p.job == job) else {
            return;
        };
        let Pending {
            model,
            data,
            newest,
            ..
        } = pending;
        self.prober.retarget(now.mono, &self.model, &model);
        self.data = data;
        self.adopt(now, model, out);
        if newest {
            self.reload = Reload {
                ok: true,
                at: now.wall,
                error: None,
            };
        }
        self.publish(now, out);
        out.push(Effect::Log(
            Level::Info,
            format!("revision {} is in force", self.model.revision().0),
        ));
        self.probe(now, out);
    }

    /// Switches to a Model that the prober already watches. Apps that are the same go on where they
    /// are; only those are concluded anew whose own part of the Model has changed.
    pub(super) fn adopt(&mut self, now: Now, model: Arc<Model>, out: &mut Vec<Effect>) {
        let mut unsettled = Vec::new();
        self.take_in_all(|_, app| unsettled.push(app));
        let old = std::mem::replace(&mut self.model, model);
        let unsettled = if Arc::ptr_eq(old.apps(), self.model.apps()) {
            unsettled
        } else {
            self.carry_over(now, &old)
        };
        let (targets, owners) = (self.model.alias_targets(), self.model.alias_owners());
        self.resolver
            .retarget(now.mono, targets.cloned(), owners.cloned());
        self.status.aliases = Arc::clone(self.resolver.known());
        self.ask(now, out);
        self.measure_anew();
        if Arc::ptr_eq(old.clusters(), self.model.clusters()) {
            for app in unsettled {
                self.settle(now, app);
            }
            return;
        }
        // A cluster's drain or dial is of concern to whichever app lives there.
        for app in (0..).map(AppId).take(self.ledgers.len()) {
            self.settle(now, app);
        }
    }

    /// Brings ledgers and Status to the apps of the new Model; those to be concluded anew.
    fn carry_over(&mut self, now: Now, old: &Model) -> Vec<AppId> {
        let mut ledgers: Vec<_> = std::mem::take(&mut self.ledgers)
            .into_iter()
            .map(Some)
            .collect();
        let before = std::mem::take(&mut self.status.apps);
        let deadline_of = std::mem::take(&mut self.deadline_of);
        self.deadlines.clear();
        let mut unsettled = Vec::new();
        for (app, name, wanted) in self.model.app_ids() {
            let known = app_in(old, app, name);
            let same = known.filter(|id| Arc::ptr_eq(&old.app(*id).1, wanted));
            let kept = same.and_then(|AppId(id)| Some((id as usize, ledgers[id as usize].take()?)));
            let (ledger, status, deadline) = if let Some((at, ledger)) = kept {
                (ledger, Arc::clone(&before[at]), deadline_of[at])
            } else {
                let known = known.and_then(|AppId(id)| {
                    Some(Before {
                        model: old,
                        app: AppId(id),
                        ledger: ledgers[id as usize].as_ref()?,
                        status: &before[id as usize],
                    })
                });
                let state = |index| self.prober.state(EndpointId { app, index });
                let (ledger, status) = adopt(&self.model, app, known, state, now);
                (ledger, status, None)
            };
            if same.is_none() || ledger.is_unsettled() {
                unsettled.push(app);
            }
            self.deadlines.extend(deadline.map(|due| (due, app)));
            self.deadline_of.push(deadline);
            self.ledgers.push(ledger);
            self.status.apps.push(status);
        }
        unsettled
    }

    /// The Status of a Model that is not in force yet: good enough to compile most of its Table.
    fn outlook(&self, model: &Model, now: Now) -> Status {
        let unknown = |_| {
            let nothing = windrose_model::ProbeFailure::Timeout;
            (EndpointState::Unknown, nothing)
        };
        let apps = if Arc::ptr_eq(self.model.apps(), model.apps()) {
            self.status.apps.clone()
        } else {
            let apps = model.app_ids().map(|(app, name, wanted)| {
                let known = app_in(&self.model, app, name);
                match known.filter(|id| Arc::ptr_eq(&self.model.app(*id).1, wanted)) {
                    Some(AppId(id)) => Arc::clone(&self.status.apps[id as usize]),
                    None => adopt(model, app, None, unknown, now).1,
                }
            });
            apps.collect()
        };
        Status {
            stamp: windrose_model::Stamp {
                revision: model.revision(),
                ..self.status.stamp
            },
            apps,
            latency: Arc::clone(&self.status.latency),
            aliases: Arc::clone(&self.status.aliases),
        }
    }
}

/// An app of another Model in this one; most are at the same place.
fn app_in(model: &Model, id: AppId, name: &Name) -> Option<AppId> {
    let there = model.apps().get(id.0 as usize);
    if there.is_some_and(|(known, _)| known == name) {
        return Some(id);
    }
    model.app_id(name.as_str())
}
