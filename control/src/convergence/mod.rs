//! Measured honesty: after a cluster left the answers of an app, or came back, how much of the
//! traffic has followed, how soon, and who has not.
//!
//! Two sides see different things. **DNS** knows which client prefixes were last answered with a
//! cluster: those that have not asked again since the change may still use the old answer. **The
//! proxy** knows what really arrives where: requests that still come in at a cluster's own edge.
//! Both are evidence of this node alone, so nothing here enters a Status or a Table.
//!
//! A [`Tracker`] is pure: it is shown counters about once a second, and the time. Memory is
//! bounded: [`HOLDERS`] prefixes, [`OPEN`] changes watched at a time, [`KEPT`] remembered.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windrose_model::{AppId, Model, Name, Now, Status, Verdict};
use windrose_routing::Table;
use windrose_telemetry::Footprint;

use self::holders::Holders;
use self::meters::Meters;
use self::shift::Shift;

mod holders;
mod meters;
mod shift;
#[cfg(test)]
mod tests;
mod view;

pub use view::{Convergence, Drain, Kind, ShiftView, Side};

/// Client prefixes remembered with the cluster they were last answered with.
pub const HOLDERS: usize = 65_536;
/// Changes watched at a time; further ones are only counted.
pub const OPEN: usize = 1_024;
/// Changes remembered after their traffic has moved.
pub const KEPT: usize = 64;

/// What the data path has counted, as of one sweep.
#[derive(Debug, Default)]
pub struct Observed {
    /// DNS answers.
    pub dns: Counted,
    /// HTTP requests, by the cluster at whose edge they came in.
    pub http: Counted,
}

/// One side's numbers.
#[derive(Debug, Default)]
pub struct Counted {
    /// Since the start, by slot of (app, cluster).
    pub totals: Vec<u64>,
    /// Who, since the last sweep.
    pub footprints: Vec<Footprint>,
}

/// Watches traffic follow the answers.
#[derive(Debug)]
pub struct Tracker {
    apps: Vec<App>,
    /// By slot: position in `apps`.
    place: HashMap<u32, u32>,
    slots: usize,
    holders: Holders,
    dns: Meters,
    http: Meters,
    open: Vec<Shift>,
    done: VecDeque<Shift>,
    /// Slots of clusters that are drained.
    draining: BTreeSet<u32>,
    /// Apps and slots are new: nothing is known of drains.
    fresh: bool,
    counts: Counts,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct App {
    name: Name,
    clusters: Vec<(Name, u32)>,
}

/// Changes since the start.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    out: u64,
    back: u64,
    unwatched: u64,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new() -> Self {
        Self {
            apps: Vec::new(),
            place: HashMap::new(),
            slots: 0,
            holders: Holders::default(),
            dns: Meters::default(),
            http: Meters::default(),
            open: Vec::new(),
            done: VecDeque::new(),
            draining: BTreeSet::new(),
            fresh: true,
            counts: Counts::default(),
            swept: None,
        }
    }

    /// How many slots [`Counted::totals`] has to tell of.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Takes over the apps, clusters and slots of a Table made from a new Model.
    pub fn retarget(&mut self, table: &Table) {
        let apps = table.apps().map(|(_, entry)| App {
            name: entry.plan.name.clone(),
            clusters: (entry.plan.clusters.iter())
                .map(|cluster| (cluster.name.clone(), cluster.slot))
                .collect(),
        });
        self.take_over(apps.collect());
    }

    fn take_over(&mut self, apps: Vec<App>) {
        self.apps = apps;
        self.fresh = true;
        self.place.clear();
        for (at, app) in (0u32..).zip(&self.apps) {
            for (_, slot) in &app.clusters {
                self.place.insert(*slot, at);
            }
        }
        let last = self.place.keys().max();
        self.slots = last.map_or(0, |slot| *slot as usize + 1);
        self.holders.keep(|slot| self.place.contains_key(&slot));
        let has_its_slot = |shift: &Shift| has_its_slot(&self.apps, &self.place, shift);
        let open = std::mem::take(&mut self.open).into_iter();
        let (open, gone): (Vec<_>, Vec<_>) = open.partition(has_its_slot);
        self.open = open;
        gone.into_iter().for_each(|shift| self.put_by(shift));
    }

    /// A publication: finds the clusters that left the answers, or came back, since the one before.
    pub fn published(
        &mut self,
        now: Now,
        (old, before): (&Model, &Status),
        (new, after): (&Model, &Status),
    ) {
        let fresh = std::mem::take(&mut self.fresh);
        let same_apps = !fresh && Arc::ptr_eq(old.apps(), new.apps());
        if !same_apps {
            self.draining.clear();
        }
        for (app, name, _) in new.app_ids() {
            let Some(status) = after.apps.get(app.0 as usize) else {
                continue;
            };
            let known = match same_apps {
                true => Some(app),
                false => old.app_id(name.as_str()),
            };
            let earlier = known.and_then(|AppId(id)| before.apps.get(id as usize));
            let unchanged = earlier.is_some_and(|earlier| Arc::ptr_eq(earlier, status));
            if same_apps && unchanged {
                continue;
            }
            for (local, cluster) in status.clusters.iter().enumerate() {
                let Some(slot) = self.slot(app, local) else {
                    continue;
                };
                match cluster.verdict {
                    Verdict::Draining => self.draining.insert(slot),
                    _ => self.draining.remove(&slot),
                };
            }
            let (Some(known), Some(earlier)) = (known, earlier.filter(|_| !unchanged)) else {
                continue;
            };
            for (local, cluster) in status.clusters.iter().enumerate() {
                let named = new.clusters_of(app).get(local);
                let id = named.map(|id| new.cluster(*id).0.as_str());
                let was = id
                    .and_then(|id| old.local_cluster(known, id))
                    .and_then(|local| earlier.clusters.get(usize::from(local)));
                let kind = match was.map(|was| was.usable) {
                    Some(true) if !cluster.usable => Kind::Out,
                    Some(false) if cluster.usable => Kind::Back,
                    _ => continue,
                };
                // Answers given before this lived as long as it said then.
                let ttl = Duration::from_secs(earlier.ttl.seconds().into());
                if let Some(slot) = self.slot(app, local) {
                    self.begin(now, slot, kind, ttl);
                }
            }
        }
    }

    fn slot(&self, app: AppId, local: usize) -> Option<u32> {
        let (_, slot) = self.apps.get(app.0 as usize)?.clusters.get(local)?;
        Some(*slot)
    }

    fn begin(&mut self, now: Now, slot: u32, kind: Kind, ttl: Duration) {
        match kind {
            Kind::Out => self.counts.out += 1,
            Kind::Back => self.counts.back += 1,
        }
        let ended: Vec<_> = (self.open.extract_if(.., |shift| shift.slot == slot)).collect();
        ended.into_iter().for_each(|shift| self.put_by(shift));
        let Some((app, cluster)) = self.names(slot) else {
            return;
        };
        if self.open.len() == OPEN {
            self.counts.unwatched += 1;
            return;
        }
        let slots: Vec<u32> = self.siblings(slot).collect();
        let waiting = slots
            .iter()
            .filter(|held| (kind == Kind::Out) == (**held == slot))
            .flat_map(|held| self.holders.of(*held, now.mono, ttl))
            .collect();
        self.open.push(Shift::new(
            now,
            (app, cluster, slot),
            kind,
            (waiting, ttl),
            (self.dns.rate(slot), self.http.rate(slot)),
        ));
    }

    fn names(&self, slot: u32) -> Option<(Name, Name)> {
        let app = self.apps.get(*self.place.get(&slot)? as usize)?;
        let (cluster, _) = app.clusters.iter().find(|(_, s)| *s == slot)?;
        Some((app.name.clone(), cluster.clone()))
    }

    /// The slots of an app, this one among them.
    fn siblings(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let app = self.place.get(&slot).map(|at| &self.apps[*at as usize]);
        let clusters = app.into_iter().flat_map(|app| &app.clusters);
        clusters.map(|(_, slot)| *slot)
    }

    /// Takes in what was counted; about once a second.
    pub fn sweep(&mut self, now: Instant, observed: &Observed) {
        let Some(before) = self.swept.replace(now) else {
            self.dns.begin(&observed.dns.totals);
            self.http.begin(&observed.http.totals);
            return;
        };
        let passed = now.saturating_duration_since(before);
        if passed.is_zero() {
            return;
        }
        self.dns.sweep(&observed.dns.totals, passed);
        self.http.sweep(&observed.http.totals, passed);
        let mut open_of: HashMap<u32, Vec<usize>> = HashMap::new();
        for (at, shift) in self.open.iter().enumerate() {
            if let Some(app) = self.place.get(&shift.slot) {
                open_of.entry(*app).or_default().push(at);
            }
        }
        for footprint in &observed.dns.footprints {
            let Some(app) = self.place.get(&footprint.slot) else {
                continue;
            };
            let slots = self.apps[*app as usize].clusters.iter().map(|(_, s)| *s);
            self.holders.note(*footprint, slots, now);
            for at in open_of.get(app).into_iter().flatten() {
                self.open[*at].asked(footprint);
            }
        }
        // Behind all of that: who is answered with both has not moved.
        for footprint in &observed.dns.footprints {
            let app = self.place.get(&footprint.slot);
            for at in app.and_then(|app| open_of.get(app)).into_iter().flatten() {
                self.open[*at].answered(footprint, now, passed);
            }
        }
        for footprint in &observed.http.footprints {
            let app = self.place.get(&footprint.slot);
            let watching = app.and_then(|app| open_of.get(app));
            for at in watching.into_iter().flatten() {
                self.open[*at].arrived(footprint);
            }
        }
        for shift in &mut self.open {
            shift.step(now, passed, self.http.latest(shift.slot));
        }
        let closed: Vec<_> = self
            .open
            .extract_if(.., |shift| shift.is_over(now))
            .collect();
        closed.into_iter().for_each(|shift| self.put_by(shift));
        self.holders.forget(now);
    }

    fn put_by(&mut self, mut shift: Shift) {
        shift.close();
        if self.done.len() == KEPT {
            self.done.pop_front();
        }
        self.done.push_back(shift);
    }

    /// Whether a look would show anything new.
    pub fn is_busy(&self) -> bool {
        !self.open.is_empty() || !self.draining.is_empty()
    }

    /// What is known now.
    pub fn look(&self) -> Convergence {
        let mut shifts: Vec<_> = (self.done.iter().chain(&self.open))
            .map(Shift::look)
            .collect();
        shifts.sort_by_key(|shift| shift.at);
        Convergence {
            shifts,
            drains: (self.draining.iter())
                .map(|slot| (*slot, self.drain(*slot)))
                .collect(),
            out: self.counts.out,
            back: self.counts.back,
            unwatched: self.counts.unwatched,
            held: self.holders.len(),
        }
    }

    /// A drain ends on evidence: when what still comes is next to nothing.
    fn drain(&self, slot: u32) -> Drain {
        let all = self.open.iter().chain(self.done.iter().rev());
        let shift = all
            .into_iter()
            .find(|shift| shift.slot == slot && has_its_slot(&self.apps, &self.place, shift));
        let recent = self.http.recent(slot);
        let (arriving_per_s, drained) = match shift.filter(|shift| shift.kind == Kind::Out) {
            Some(shift) if shift.is_open() => (shift.arriving(), shift.has_moved()),
            Some(shift) => (recent, shift.is_little(recent)),
            None => (recent, recent < shift::NOTHING),
        };
        Drain {
            arriving_per_s,
            drained,
        }
    }
}

/// Whether the app and cluster of a shift are those that have its slot now.
fn has_its_slot(apps: &[App], place: &HashMap<u32, u32>, shift: &Shift) -> bool {
    let app = place.get(&shift.slot).and_then(|at| apps.get(*at as usize));
    app.is_some_and(|app| {
        let mut clusters = app.clusters.iter();
        let holder = clusters.find(|(_, slot)| *slot == shift.slot);
        holder.is_some_and(|(cluster, _)| shift.is_of(&app.name, cluster))
    })
}

impl Default for Tracker {
    fn default() -> Self {
        Self::new()
    }
}
