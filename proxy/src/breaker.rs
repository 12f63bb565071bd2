//! Breakers: how much each cluster of an app may hold, over all threads of the node, and whether it
//! is left alone because it fails as a whole.
//!
//! Who finds no room is told at once: the course goes on to the next cluster, or refuses. Nothing is
//! queued. A circuit is Traefik's and Linkerd's idea of it: closed; open after failures in a row;
//! half open when its time is over, for one request at a time. What is held is evidence of one node.
//! Time comes in as an argument.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use tracing::info;
use windrose_model::Breakers as Rule;
use windrose_routing::{AppEntry, PlanCluster};
use windrose_telemetry::{Breakers, CIRCUIT, Counted, OPENED, OpenCircuit};

use crate::course::Stop;
use crate::worker::Worker;

/// Whether a cluster of an app is left alone. Zero: closed, and nothing bad.
#[derive(Debug, Default)]
pub(crate) struct Circuit {
    /// Failures in a row.
    row: AtomicU32,
    /// 0 while it is closed; else the tick from which on one request may try.
    until: AtomicU64,
}

/// What somebody who wants to use a cluster gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Closed,
    /// It is half open, and this is the one request that tries.
    Trial,
    Open,
}

/// What an observation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// After so many failures in a row.
    Opened(u32),
    /// The trial failed.
    Reopened(u32),
    Closed,
}

impl Circuit {
    fn pass(&self, tick: u64, open_for: Duration) -> Pass {
        let until = self.until.load(Relaxed);
        if until == 0 {
            return Pass::Closed;
        }
        if until > tick {
            return Pass::Open;
        }
        // A trial that tells nothing is followed by another one.
        let next = tick + ticks(open_for);
        let claimed = self.until.compare_exchange(until, next, Relaxed, Relaxed);
        claimed.map_or(Pass::Open, |_| Pass::Trial)
    }

    /// Nobody has failed since the last success.
    #[inline]
    fn is_quiet(&self) -> bool {
        self.row.load(Relaxed) == 0
    }

    pub(crate) fn forget(&self) {
        self.row.store(0, Relaxed);
        self.until.store(0, Relaxed);
    }

    fn succeeded(&self, trial: bool) -> Option<Change> {
        if self.row.load(Relaxed) != 0 {
            self.row.store(0, Relaxed);
        }
        (trial && self.until.swap(0, Relaxed) != 0).then_some(Change::Closed)
    }

    fn failed(&self, rule: &Rule, trial: bool, tick: u64) -> Option<Change> {
        let failures = self.row.fetch_add(1, Relaxed).saturating_add(1);
        let until = tick + ticks(rule.open_for);
        if trial {
            self.until.store(until, Relaxed);
            return Some(Change::Reopened(failures));
        }
        if failures < rule.failures {
            return None;
        }
        // Requests that were under way when it opened do not keep it open.
        let opened = self.until.compare_exchange(0, until, Relaxed, Relaxed);
        opened.ok().map(|_| Change::Opened(failures))
    }
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX >> 16)
}

/// Room for a request in a cluster of an app, until it is dropped.
pub(crate) struct Permit {
    worker: Rc<Worker>,
    rule: Rule,
    slot: u32,
    retry: bool,
    /// It is the one that tries a half-open circuit.
    pub(crate) trial: bool,
}

/// One more of what a breaker counts, until it is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    breakers: Arc<Breakers>,
    slot: u32,
    what: Counted,
}

impl Permit {
    /// Room for one more request, or a word about what is full. `slot`: of (app, cluster).
    pub(crate) fn take(
        worker: &Rc<Worker>,
        rule: &Rule,
        slot: u32,
        retry: bool,
        tick: u64,
    ) -> Result<Box<Self>, Full> {
        let full = |what| {
            worker.recorder.breaker(slot, what);
            Full
        };
        let shared = &worker.shared;
        let in_use = shared.breakers().in_use.get(slot).ok_or(Full)?;
        if !in_use.take(Counted::Requests, rule.requests) {
            return Err(full(Counted::Requests as u32));
        }
        if retry && !in_use.take(Counted::Retries, rule.retries) {
            in_use.give(Counted::Requests);
            return Err(full(Counted::Retries as u32));
        }
        let mut permit = Box::new(Self {
            worker: Rc::clone(worker),
            rule: *rule,
            slot,
            retry,
            trial: false,
        });
        // Last: whoever claims the trial does try. What was taken is given back with the permit.
        match shared.circuit(slot) {
            Some(circuit) if rule.failures > 0 => match circuit.pass(tick, rule.open_for) {
                Pass::Closed => {}
                Pass::Trial => permit.trial = true,
                Pass::Open => return Err(full(CIRCUIT)),
            },
            _ => {}
        }
        Ok(permit)
    }

    /// A connection more, that will wait for nobody.
    pub(crate) fn connection(&self) -> Result<(Taken, Taken), Full> {
        let pending = self.more(Counted::Pending, self.rule.pending)?;
        let open = Counted::Connections;
        let open = match self.try_more(open, self.rule.connections) {
            Some(taken) => taken,
            None => {
                // Idle ones to other endpoints of the cluster hold no request up.
                self.worker.upstreams.make_room(self.slot);
                self.more(open, self.rule.connections)?
            }
        };
        Ok((pending, open))
    }

    /// The slot of (app, cluster), and how many connections there may be.
    pub(crate) fn connections(&self) -> (u32, u32) {
        (self.slot, self.rule.connections)
    }

    fn more(&self, what: Counted, most: u32) -> Result<Taken, Full> {
        self.try_more(what, most).ok_or_else(|| {
            self.worker.recorder.breaker(self.slot, what as u32);
            Full
        })
    }

    fn try_more(&self, what: Counted, most: u32) -> Option<Taken> {
        let breakers = self.worker.shared.breakers();
        let taken = breakers.in_use.get(self.slot)?.take(what, most);
        taken.then(|| Taken {
            breakers: Arc::clone(breakers),
            slot: self.slot,
            what,
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(in_use) = self.worker.shared.breakers().in_use.get(self.slot) {
            in_use.give(Counted::Requests);
            if self.retry {
                in_use.give(Counted::Retries);
            }
        }
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit").field("slot", &self.slot).finish()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(in_use) = self.breakers.in_use.get(self.slot) {
            in_use.give(self.what);
        }
    }
}

/// A cluster has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Whether as many connections are open as may be: then idle ones make room for other threads.
pub(crate) fn is_crowded(breakers: &Breakers, (slot, most): (u32, u32)) -> bool {
    let in_use = breakers.in_use.made(slot);
    most > 0 && in_use.is_some_and(|in_use| in_use.now(Counted::Connections) >= most)
}

/// What came of a request says something about its cluster, where circuits open.
#[inline]
pub(crate) fn judge(worker: &Worker, entry: &AppEntry, stop: &Stop<'_>, failed: bool, tick: u64) {
    let Some(rule) = &entry.plan.app.breakers else {
        return;
    };
    if rule.failures == 0 {
        return;
    }
    let Some(cluster) = entry.plan.clusters.get(usize::from(stop.cluster)) else {
        return;
    };
    let Some(circuit) = worker.shared.circuit(cluster.slot) else {
        return;
    };
    if failed || stop.probes || !circuit.is_quiet() {
        let change = match failed {
            true => circuit.failed(rule, stop.probes, tick),
            false => circuit.succeeded(stop.probes),
        };
        if let Some(change) = change {
            tell(worker, (entry, cluster), rule, change);
        }
    }
}

#[cold]
#[inline(never)]
fn tell(worker: &Worker, (entry, cluster): (&AppEntry, &PlanCluster), rule: &Rule, change: Change) {
    let open = &worker.shared.breakers().open;
    let (app, at) = (entry.plan.name.as_str(), cluster.name.as_str());
    let (failures, is_new) = match change {
        Change::Closed => {
            open.change(|all| all.remove(&cluster.slot));
            info!(app, cluster = at, "circuit closed again");
            return;
        }
        Change::Opened(failures) => (failures, true),
        Change::Reopened(failures) => (failures, false),
    };
    let now = SystemTime::now();
    open.change(|all| {
        let since = all.get(&cluster.slot).map_or(now, |known| known.since);
        let circuit = OpenCircuit {
            failures,
            since,
            trial_at: now + rule.open_for,
        };
        all.insert(cluster.slot, circuit);
    });
    if is_new {
        worker.recorder.breaker(cluster.slot, OPENED);
        let open_for = rule.open_for;
        info!(app, cluster = at, failures, ?open_for, "circuit opened");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(failures: u32) -> Rule {
        Rule {
            failures,
            open_for: Duration::from_secs(10),
            ..Rule::default()
        }
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        let (circuit, rule) = (Circuit::default(), rule(3));
        let fails = || circuit.failed(&rule, false, 100);
        assert_eq!((fails(), fails()), (None, None));
        assert_eq!(circuit.succeeded(false), None);
        assert_eq!((fails(), fails()), (None, None));
        assert_eq!(circuit.pass(100, rule.open_for), Pass::Closed);
        assert_eq!(fails(), Some(Change::Opened(3)));
        assert_eq!(fails(), None, "it is open already");
        assert_eq!(circuit.pass(10_099, rule.open_for), Pass::Open);
    }

    #[test]
    fn half_open_it_lets_one_request_through_whose_success_closes_it() {
        let (circuit, rule) = (Circuit::default(), rule(1));
        assert_eq!(circuit.failed(&rule, false, 100), Some(Change::Opened(1)));
        assert_eq!(circuit.pass(10_100, rule.open_for), Pass::Trial);
        assert_eq!(circuit.pass(10_101, rule.open_for), Pass::Open);
        // A request that was under way before says nothing.
        assert_eq!(circuit.succeeded(false), None);
        assert_eq!(circuit.pass(10_102, rule.open_for), Pass::Open);
        assert_eq!(circuit.succeeded(true), Some(Change::Closed));
        assert_eq!(circuit.pass(10_103, rule.open_for), Pass::Closed);
    }

    #[test]
    fn a_failed_trial_opens_it_again_and_one_that_tells_nothing_is_followed_by_another() {
        let (circuit, rule) = (Circuit::default(), rule(1));
        circuit.failed(&rule, false, 100);
        assert_eq!(circuit.pass(10_100, rule.open_for), Pass::Trial);
        assert_eq!(
            circuit.failed(&rule, true, 12_000),
            Some(Change::Reopened(2))
        );
        assert_eq!(circuit.pass(21_999, rule.open_for), Pass::Open);
        assert_eq!(circuit.pass(22_000, rule.open_for), Pass::Trial);
        assert_eq!(circuit.pass(31_999, rule.open_for), Pass::Open);
        assert_eq!(circuit.pass(32_000, rule.open_for), Pass::Trial);
    }
}
