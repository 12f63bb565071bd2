//! What a new Model changes for the prober: targets that stay go on as if nothing had happened,
//! probes under way included.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windrose_model::{App, AppId, EndpointId, Model, Name};

use super::check::Check;
use super::counter::Counter;
use super::queue::Micros;
use super::target::{Flag, Target};
use super::{Prober, micros};

/// An endpoint across Models, within its app.
type Place<'m> = (&'m Name, &'m Name, SocketAddr);

impl Prober {
    /// Takes over a new Model. What is known about endpoints of (app, version, cluster, address) is
    /// kept, even if their check changed; new targets are unknown and probed within a second.
    pub fn retarget(&mut self, now: Instant, old: &Model, new: &Model) {
        if Arc::ptr_eq(old.apps(), new.apps()) {
            return;
        }
        let known = std::mem::take(&mut self.targets_of);
        let mut fresh = Vec::new();
        self.targets_of = new
            .app_ids()
            .map(|(_, name, app)| {
                let before = old
                    .app_id(name.as_str())
                    .and_then(|id| Some((&old.app(id).1, known.get(id.0 as usize)?)));
                match before {
                    Some((same, targets)) if Arc::ptr_eq(same, app) => Arc::clone(targets),
                    _ => self.targets_for(app, before, &mut fresh),
                }
            })
            .collect();
        self.watch();
        self.vacate();
        let now = self.micros(now);
        self.spread(now, &fresh);
        let live = self.targets.iter().zip(0..);
        self.queue.refill(
            live.filter(|(t, _)| t.is(Flag::Live) && !t.is(Flag::InFlight))
                .map(|(t, id)| (t.due, id)),
        );
    }

    fn targets_for(
        &mut self,
        app: &App,
        before: Option<(&Arc<App>, &Arc<[u32]>)>,
        fresh: &mut Vec<u32>,
    ) -> Arc<[u32]> {
        let known: HashMap<Place<'_>, u32> = before
            .map(|(app, targets)| places(app).zip(targets.iter().copied()).collect())
            .unwrap_or_default();
        let check = self.intern(Check::of(app));
        places(app)
            .map(|place| {
                let address = place.2;
                if let Some(&id) = self.places.get(&(address, Arc::clone(&check))) {
                    return id;
                }
                let before = known.get(&place).copied();
                let id = self.admit(address, &check, before);
                fresh.push(id);
                id
            })
            .collect()
    }

    fn intern(&mut self, check: Arc<Check>) -> Arc<Check> {
        if let Some(known) = self.checks.get(&check) {
            return Arc::clone(known);
        }
        self.checks.insert(Arc::clone(&check));
        check
    }

    fn admit(&mut self, address: SocketAddr, check: &Arc<Check>, before: Option<u32>) -> u32 {
        let mut target = Target::new(Arc::clone(check));
        target.set(Flag::Live, true);
        target.set(Flag::Unspread, true);
        if let Some(before) = before.map(|id| &self.targets[id as usize]) {
            target.counter = Counter::in_state(before.counter.state());
            target.last = before.last;
        }
        self.unseen += 1;
        let id = match self.vacant.pop() {
            Some(id) => {
                target.generation = self.targets[id as usize].generation;
                self.targets[id as usize] = target;
                self.addresses[id as usize] = address;
                id
            }
            None => {
                let id = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
                self.targets.push(target);
                self.addresses.push(address);
                id
            }
        };
        self.places.insert((address, Arc::clone(check)), id);
        id
    }

    /// Lists who watches which target: one counting pass, one placing pass.
    fn watch(&mut self) {
        self.first_watcher.clear();
        self.first_watcher.resize(self.targets.len() + 1, 0);
        for &id in self.targets_of.iter().flat_map(|t| t.iter()) {
            self.first_watcher[id as usize + 1] += 1;
        }
        for at in 1..self.first_watcher.len() {
            self.first_watcher[at] += self.first_watcher[at - 1];
        }
        let nobody = EndpointId {
            app: AppId(u32::MAX),
            index: 0,
        };
        let count = self.first_watcher.last().copied().unwrap_or(0);
        self.watchers.clear();
        self.watchers.resize(count as usize, nobody);
        let mut at = self.first_watcher.clone();
        for (app, targets) in (0..).map(AppId).zip(&self.targets_of) {
            for (index, &id) in (0..).zip(targets.iter()) {
                self.watchers[at[id as usize] as usize] = EndpointId { app, index };
                at[id as usize] += 1;
            }
        }
    }

    /// Gives up targets that nobody watches any more.
    fn vacate(&mut self) {
        for id in 0..self.targets.len() {
            let watched = self.first_watcher[id] != self.first_watcher[id + 1];
            let target = &mut self.targets[id];
            if watched || !target.is(Flag::Live) {
                continue;
            }
            if !target.is(Flag::Seen) {
                self.unseen -= 1;
            }
            let check = std::mem::replace(&mut target.check, Arc::clone(&self.idle));
            self.places.remove(&(self.addresses[id], check));
            target.set(Flag::Live, false);
            target.generation = target.generation.wrapping_add(1);
            self.vacant.extend(u32::try_from(id));
        }
        self.checks.retain(|check| Arc::strong_count(check) > 1);
    }

    /// First probes of new targets: evenly over a second, or over the interval if that is shorter.
    fn spread(&mut self, now: Micros, fresh: &[u32]) {
        let count = u64::try_from(fresh.len()).unwrap_or(u64::MAX);
        for (nth, &id) in (0..).zip(fresh) {
            let target = &mut self.targets[id as usize];
            let span = micros(target.check.interval.min(Duration::from_secs(1)));
            let offset = if self.jitter { span * nth / count } else { 0 };
            target.due = now + offset;
        }
    }
}

/// The endpoints of an app in the order of [`Model::endpoints`].
fn places(app: &App) -> impl Iterator<Item = Place<'_>> {
    app.versions.iter().flat_map(|(version, v)| {
        v.endpoints.iter().flat_map(move |(cluster, addresses)| {
            addresses
                .iter()
                .map(move |&address| (version, cluster, address))
        })
    })
}
