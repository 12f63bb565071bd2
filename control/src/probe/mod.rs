//! The prober, sans-IO: who is probed when, and what the results make of each target.
//!
//! It says which probes to begin ([`Prober::poll`]), takes how they ended ([`Prober::finish`]) and
//! emits transitions only. Identical targets (same address, same check) are probed once for all
//! endpoints that want them. Deliberately absent: sockets, clocks, and what a transition means for
//! a cluster.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windrose_model::{AppId, EndpointId, EndpointState, Fact, PassiveKind, ProbeFailure};

use self::allowance::Allowance;
use self::die::Die;
use self::queue::{Micros, Queue};
use self::target::{Flag, Target};
use crate::Options;

mod allowance;
mod check;
mod counter;
mod die;
mod queue;
mod retarget;
mod target;

pub use check::{Check, CheckKind, Outcome};
pub use counter::{Counter, Thresholds};

/// A probe under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProbeId {
    target: u32,
    generation: u32,
}

/// A probe to begin. Each order is answered by one [`Prober::finish`], within the check's timeout.
#[derive(Debug, Clone)]
pub struct Order {
    /// To be given back with the outcome.
    pub id: ProbeId,
    /// Where to.
    pub address: SocketAddr,
    /// What to do there.
    pub check: Arc<Check>,
}

/// The prober.
#[derive(Debug)]
pub struct Prober {
    origin: Instant,
    jitter: bool,
    die: Die,
    allowance: Allowance,
    queue: Queue,
    targets: Vec<Target>,
    addresses: Vec<SocketAddr>,
    vacant: Vec<u32>,
    places: HashMap<(SocketAddr, Arc<Check>), u32>,
    checks: HashSet<Arc<Check>>,
    /// Of targets that nobody watches.
    idle: Arc<Check>,
    /// By app, then by endpoint index.
    targets_of: Vec<Arc<[u32]>>,
    /// Endpoints by target: those of target `t` begin at `first_watcher[t]`.
    watchers: Vec<EndpointId>,
    first_watcher: Vec<u32>,
    unseen: usize,
}

impl Prober {
    /// A prober without targets.
    pub fn new(now: Instant, options: &Options) -> Self {
        Self {
            origin: now,
            jitter: options.jitter,
            die: Die::new(options.seed),
            allowance: Allowance::new(options.budget),
            queue: Queue::default(),
            targets: Vec::new(),
            addresses: Vec::new(),
            vacant: Vec::new(),
            places: HashMap::new(),
            checks: HashSet::new(),
            idle: Check::idle(),
            targets_of: Vec::new(),
            watchers: Vec::new(),
            first_watcher: vec![0],
            unseen: 0,
        }
    }

    /// Begins every probe that is due, as far as the budget goes; how late the latest of them is.
    pub fn poll(&mut self, now: Instant, mut begin: impl FnMut(Order)) -> Duration {
        let now = self.micros(now);
        let mut late = 0;
        while let Some((due, id)) = self.queue.pop_due(now) {
            if !self.targets[id as usize].waits_for(due) {
                continue;
            }
            if !self.allowance.take(now) {
                self.queue.push(due, id);
                break;
            }
            late = late.max(now - due);
            let target = &mut self.targets[id as usize];
            target.due = now;
            target.set(Flag::InFlight, true);
            begin(Order {
                id: ProbeId {
                    target: id,
                    generation: target.generation,
                },
                address: self.addresses[id as usize],
                check: Arc::clone(&target.check),
            });
        }
        Duration::from_micros(late)
    }

    /// When [`Prober::poll`] has something to begin; none while there is nothing, or while a probe
    /// has to end first.
    pub fn next_wakeup(&self) -> Option<Instant> {
        if self.allowance.is_full() {
            return None;
        }
        let first = self.queue.first()?.max(self.allowance.next());
        Some(self.origin + Duration::from_micros(first))
    }

    /// Takes how a probe ended. Late results for a target that is gone count for nothing.
    pub fn finish(&mut self, now: Instant, id: ProbeId, outcome: Outcome, seen: impl FnMut(Fact)) {
        self.allowance.give_back();
        let now = self.micros(now);
        let known = self.targets.get(id.target as usize);
        if known.is_none_or(|t| t.generation != id.generation || !t.is(Flag::InFlight)) {
            return;
        }
        match outcome {
            Outcome::Healthy => self.observe(id.target, None, seen),
            Outcome::Failed(failure) => self.observe(id.target, Some(failure), seen),
            Outcome::NotMade => {}
        }
        let due = self.next_due(now, id.target, outcome);
        let target = &mut self.targets[id.target as usize];
        target.set(Flag::InFlight, false);
        target.due = due;
        self.queue.push(due, id.target);
    }

    /// Live traffic failed at an endpoint: one failure, once per probe, and the next probe follows
    /// at once.
    pub fn nudge(
        &mut self,
        now: Instant,
        endpoint: EndpointId,
        kind: PassiveKind,
        seen: impl FnMut(Fact),
    ) {
        let Some(id) = self.target_of(endpoint) else {
            return;
        };
        let now = self.micros(now);
        let target = &mut self.targets[id as usize];
        if target.is(Flag::Nudged) || target.counter.state() == EndpointState::Down {
            return;
        }
        target.set(Flag::Nudged, true);
        if target.is(Flag::InFlight) {
            target.set(Flag::Pulled, true);
        } else {
            target.due = now;
            self.queue.push(now, id);
        }
        self.observe(id, Some(ProbeFailure::Passive(kind)), seen);
    }

    /// What is known about an endpoint, and its latest failure.
    pub fn state(&self, endpoint: EndpointId) -> (EndpointState, ProbeFailure) {
        match self.target_of(endpoint) {
            Some(id) => {
                let target = &self.targets[id as usize];
                (target.counter.state(), target.last)
            }
            None => (
                EndpointState::Unknown,
                ProbeFailure::Passive(PassiveKind::Connect),
            ),
        }
    }

    /// Of the endpoints of an app, by index: the shortest time from its latest result in which one could
    /// change its state, checks left times their distance. How long the checks themselves take is not
    /// counted, as a refusal takes nothing.
    pub fn soonest_of(&self, app: AppId) -> impl FnMut(u16) -> Duration {
        let targets: &[u32] = self.targets_of.get(app.0 as usize).map_or(&[], |t| t);
        // Most endpoints stand where the one before stands.
        let mut latest: Option<(&Target, Duration)> = None;
        move |index| {
            let Some(&id) = targets.get(usize::from(index)) else {
                return Duration::MAX;
            };
            let target = &self.targets[id as usize];
            match latest {
                Some((like, time)) if target.stands_like(like) => time,
                _ => latest.insert((target, target.soonest())).1,
            }
        }
    }

    /// How many targets have had no result so far.
    pub fn unseen(&self) -> usize {
        self.unseen
    }

    /// Whether some target of an app has had no result so far.
    pub fn lacks(&self, app: AppId) -> bool {
        let targets = self.targets_of.get(app.0 as usize);
        targets.is_some_and(|targets| {
            let seen = |id: &u32| self.targets[*id as usize].is(Flag::Seen);
            !targets.iter().all(seen)
        })
    }

    /// Whether an endpoint's target has had a result.
    pub fn has_seen(&self, endpoint: EndpointId) -> bool {
        self.target_of(endpoint)
            .is_some_and(|id| self.targets[id as usize].is(Flag::Seen))
    }

    /// An endpoint that a probe under way is for.
    pub fn watcher(&self, id: ProbeId) -> Option<EndpointId> {
        let target = self.targets.get(id.target as usize)?;
        let is_present = target.generation == id.generation && target.is(Flag::InFlight);
        let watchers = is_present.then(|| self.watchers_of(id.target));
        watchers?.first().copied()
    }

    /// The endpoints that a probe under way is for.
    pub fn watchers(&self, id: ProbeId) -> &[EndpointId] {
        match self.watcher(id) {
            Some(_) => self.watchers_of(id.target),
            None => &[],
        }
    }

    fn target_of(&self, endpoint: EndpointId) -> Option<u32> {
        let AppId(app) = endpoint.app;
        self.targets_of
            .get(app as usize)?
            .get(usize::from(endpoint.index))
            .copied()
    }

    fn observe(&mut self, id: u32, failure: Option<ProbeFailure>, mut seen: impl FnMut(Fact)) {
        let target = &mut self.targets[id as usize];
        let limits = target.check.thresholds();
        let outlook = |target: &Target| (target.counter.left(limits), target.hurry > 0);
        let before = outlook(target);
        if !target.is(Flag::Seen) {
            target.set(Flag::Seen, true);
            self.unseen -= 1;
        }
        let changed = target.counter.observe(failure.is_none(), limits);
        target.hurry = match failure {
            _ if target.counter.state() == EndpointState::Down => 0,
            None => target.hurry.saturating_sub(1),
            Some(_) => limits.fall - 1,
        };
        if let Some(failure) = failure {
            target.last = failure;
        }
        let wavers = before != outlook(target);
        let Some(state) = changed else {
            if wavers {
                for &endpoint in self.watchers_of(id) {
                    seen(Fact::EndpointWavers(endpoint));
                }
            }
            return;
        };
        let last = target.last;
        for &endpoint in self.watchers_of(id) {
            match state {
                EndpointState::Up => seen(Fact::EndpointUp(endpoint)),
                EndpointState::Down => seen(Fact::EndpointDown(endpoint, last)),
                EndpointState::Unknown => {}
            }
        }
    }

    /// Starts keep the interval; after a failure they follow the result instead, and quickly.
    fn next_due(&mut self, now: Micros, id: u32, outcome: Outcome) -> Micros {
        let target = &mut self.targets[id as usize];
        if target.is(Flag::Pulled) {
            target.set(Flag::Pulled, false);
            return now;
        }
        target.set(Flag::Nudged, false);
        if target.hurry > 0 || outcome == Outcome::NotMade {
            return now + micros(target.check.hurried());
        }
        let interval = micros(target.check.interval);
        let began = target.due;
        if self.jitter && target.is(Flag::Unspread) {
            target.set(Flag::Unspread, false);
            return now.max(began + self.die.below(interval));
        }
        now.max(began + interval)
    }

    fn watchers_of(&self, id: u32) -> &[EndpointId] {
        let from = self.first_watcher[id as usize] as usize;
        let to = self.first_watcher[id as usize + 1] as usize;
        &self.watchers[from..to]
    }

    fn micros(&self, now: Instant) -> Micros {
        micros(now.saturating_duration_since(self.origin))
    }
}

fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
