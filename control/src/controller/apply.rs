//! How a new Model comes into force: compiled away from the control thread first, then switched to
//! in one step. Until then flips are published on the old one; after it, nothing known is lost.

use std::sync::Arc;

use windrose_model::{AppId, EndpointId, EndpointState, Model, Now, Status};
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

    /// Switches to a Model that the prober already watches.
    pub(super) fn adopt(&mut self, now: Now, model: Arc<Model>, out: &mut Vec<Effect>) {
        let old = std::mem::replace(&mut self.model, model);
        let ledgers = std::mem::take(&mut self.ledgers);
        let before = std::mem::take(&mut self.status.apps);
        self.deadlines.clear();
        self.unsettled.clear();
        self.deadline_of = vec![None; self.model.apps().len()];
        for (app, name, wanted) in self.model.app_ids() {
            let known = old.app_id(name.as_str());
            let kept = known.filter(|id| Arc::ptr_eq(&old.app(*id).1, wanted));
            let (ledger, status) = if let Some(AppId(id)) = kept {
                let at = id as usize;
                (ledgers[at].clone(), Arc::clone(&before[at]))
            } else {
                let known = known.map(|id| Before {
                    model: &old,
                    app: id,
                    ledger: &ledgers[id.0 as usize],
                    status: &before[id.0 as usize],
                });
                let state = |index| self.prober.state(EndpointId { app, index });
                adopt(&self.model, app, known, state, now)
            };
            self.ledgers.push(ledger);
            self.status.apps.push(status);
        }
        drop(before);
        let (targets, owners) = (self.model.alias_targets(), self.model.alias_owners());
        self.resolver
            .retarget(now.mono, targets.cloned(), owners.cloned());
        self.status.aliases = Arc::clone(self.resolver.known());
        self.ask(now, out);
        self.measure_anew();
        for (app, _) in (0..).map(AppId).zip(Arc::clone(&self.model).apps()) {
            self.settle(now, app, out);
        }
    }

    /// The Status of a Model that is not in force yet: good enough to compile most of its Table.
    fn outlook(&self, model: &Model, now: Now) -> Status {
        let unknown = |_| {
            let nothing = windrose_model::ProbeFailure::Timeout;
            (EndpointState::Unknown, nothing)
        };
        let apps = model
            .app_ids()
            .map(|(app, name, wanted)| {
                let known = self.model.app_id(name.as_str());
                match known.filter(|id| Arc::ptr_eq(&self.model.app(*id).1, wanted)) {
                    Some(AppId(id)) => Arc::clone(&self.status.apps[id as usize]),
                    None => adopt(model, app, None, unknown, now).1,
                }
            })
            .collect();
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
