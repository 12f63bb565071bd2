//! Slots: numbers for metrics and Live, allocated before a Table is compiled, reused only when every
//! Table that names them is gone. Outside the digest.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::Arc;

use windrose_model::{App, AppId, DnsName, Model, Name};

/// The numbers of one Model.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    /// By position of the zone.
    pub zones: Vec<u32>,
    /// By app id. One object for Models that have the same apps.
    pub apps: Arc<[Arc<AppSlots>]>,
}

/// The numbers of one app.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppSlots {
    /// (app, cluster), by local cluster.
    pub steered: Box<[u32]>,
    /// (app, version, cluster), at `version * clusters + cluster`.
    pub groups: Box<[u32]>,
    /// Endpoints, by their index.
    pub endpoints: Box<[u32]>,
}

/// Numbers that may be given out again; their owner sets counters back to zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    /// Of zones.
    pub zones: Vec<u32>,
    /// Of (app, cluster).
    pub steered: Vec<u32>,
    /// Of (app, version, cluster).
    pub groups: Vec<u32>,
    /// Of endpoints.
    pub endpoints: Vec<u32>,
}

/// Gives out slots; owned by control. Slot 0 of zones stands for queries outside all zones.
#[derive(Debug, Default)]
pub struct SlotBook {
    zones: Space<DnsName>,
    steered: Numbers,
    groups: Numbers,
    endpoints: Numbers,
    /// Sorted by name.
    apps: Vec<Booked>,
    /// What they were made from, and what they got.
    last: (Arc<[NamedApp]>, Arc<[Arc<AppSlots>]>),
}

/// As a Model lists it.
type NamedApp = (Name, Arc<App>);

/// An app with the numbers it has.
#[derive(Debug)]
struct Booked {
    name: Name,
    app: Arc<App>,
    clusters: Box<[Name]>,
    slots: Arc<AppSlots>,
}

/// Numbers of one kind.
#[derive(Debug, Default)]
struct Numbers {
    next: u32,
    retired: Vec<(u64, u32)>,
    free: Vec<u32>,
}

impl Numbers {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    fn retire(&mut self, epoch: u64, slots: impl IntoIterator<Item = u32>) {
        self.retired
            .extend(slots.into_iter().map(|slot| (epoch, slot)));
    }

    fn release(&mut self, oldest_alive: u64) -> Vec<u32> {
        let mut released = Vec::new();
        self.retired.retain(|(epoch, slot)| {
            let keep = *epoch > oldest_alive;
            if !keep {
                released.push(*slot);
            }
            keep
        });
        self.free.extend(&released);
        released
    }

    /// A number for each key: the one it had, or another; those of keys that are gone retire. Keys
    /// are different.
    fn carry<K: Eq + Hash>(
        &mut self,
        epoch: u64,
        had: impl Iterator<Item = (K, u32)>,
        wanted: impl Iterator<Item = K>,
    ) -> Box<[u32]> {
        let mut known: HashMap<K, u32> = had.collect();
        let mut kept = |key| (!known.is_empty()).then(|| known.remove(&key)).flatten();
        let slots = wanted
            .map(|key| kept(key).unwrap_or_else(|| self.take()))
            .collect();
        let mut gone: Vec<u32> = known.into_values().collect();
        gone.sort_unstable();
        self.retire(epoch, gone);
        slots
    }
}

/// Numbers by name.
#[derive(Debug)]
struct Space<K> {
    given: HashMap<K, (u32, u64)>,
    numbers: Numbers,
}

impl<K> Default for Space<K> {
    fn default() -> Self {
        Self {
            given: HashMap::new(),
            numbers: Numbers::default(),
        }
    }
}

impl<K: Eq + Hash> Space<K> {
    fn slot(&mut self, key: K, round: u64) -> u32 {
        let Self { given, numbers } = self;
        let entry = given.entry(key).or_insert_with(|| (numbers.take(), round));
        entry.1 = round;
        entry.0
    }

    /// Retires what this round did not ask for.
    fn retire(&mut self, round: u64) {
        let gone = self.given.extract_if(|_, (_, seen)| *seen != round);
        self.numbers.retire(round, gone.map(|(_, (slot, _))| slot));
    }
}

impl SlotBook {
    /// An empty book.
    pub fn new() -> Self {
        let mut book = Self::default();
        book.zones.numbers.next = 1;
        book
    }

    /// The numbers of a Model; what it no longer names retires with the first Table of `epoch`.
    /// Epochs must grow from call to call. Costs a look at each app, and work only for those that
    /// have changed.
    pub fn assign(&mut self, model: &Model, epoch: u64) -> Slots {
        let zones = model
            .zones()
            .iter()
            .map(|(apex, _)| self.zones.slot(apex.clone(), epoch))
            .collect();
        self.zones.retire(epoch);
        if !Arc::ptr_eq(&self.last.0, model.apps()) {
            let slots = self.assign_apps(model, epoch);
            self.last = (Arc::clone(model.apps()), slots);
        }
        let apps = Arc::clone(&self.last.1);
        Slots { zones, apps }
    }

    /// Both lists are sorted by name, so one walk finds what came, stayed and went.
    fn assign_apps(&mut self, model: &Model, epoch: u64) -> Arc<[Arc<AppSlots>]> {
        let mut booked = std::mem::take(&mut self.apps).into_iter().peekable();
        let mut apps = Vec::with_capacity(model.apps().len());
        for (id, name, app) in model.app_ids() {
            while let Some(gone) = booked.next_if(|booked| booked.name < *name) {
                self.retire(&gone, epoch);
            }
            let before = booked.next_if(|booked| booked.name == *name);
            apps.push(match before {
                Some(same) if Arc::ptr_eq(&same.app, app) => same,
                before => self.app(model, id, before.as_ref(), epoch),
            });
        }
        booked.for_each(|gone| self.retire(&gone, epoch));
        self.apps = apps;
        self.apps.iter().map(|app| Arc::clone(&app.slots)).collect()
    }

    fn app(&mut self, model: &Model, id: AppId, before: Option<&Booked>, epoch: u64) -> Booked {
        let (name, app) = model.app(id);
        let ids = model.clusters_of(id).iter();
        let clusters: Box<[Name]> = ids.map(|id| model.cluster(*id).0.clone()).collect();
        let had = |keys: fn(&Booked) -> (Keys<'_>, &[u32])| {
            before.into_iter().flat_map(move |booked| {
                let (keys, slots) = keys(booked);
                keys.zip(slots.iter().copied())
            })
        };
        let steered = self.steered.carry(
            epoch,
            had(|old| (steered(&old.clusters), &old.slots.steered)),
            steered(&clusters),
        );
        let groups = self.groups.carry(
            epoch,
            had(|old| (groups(&old.app, &old.clusters), &old.slots.groups)),
            groups(app, &clusters),
        );
        let endpoints = self.endpoints.carry(
            epoch,
            had(|old| (endpoints(&old.app), &old.slots.endpoints)),
            endpoints(app),
        );
        let slots = AppSlots {
            steered,
            groups,
            endpoints,
        };
        Booked {
            name: name.clone(),
            app: Arc::clone(app),
            clusters,
            slots: match before {
                Some(old) if *old.slots == slots => Arc::clone(&old.slots),
                _ => Arc::new(slots),
            },
        }
    }

    fn retire(&mut self, gone: &Booked, epoch: u64) {
        let slots = &gone.slots;
        self.steered.retire(epoch, slots.steered.iter().copied());
        self.groups.retire(epoch, slots.groups.iter().copied());
        self.endpoints
            .retire(epoch, slots.endpoints.iter().copied());
    }

    /// Frees what retired at or before `oldest_alive`, the epoch of the oldest Table still in use.
    pub fn release(&mut self, oldest_alive: u64) -> Released {
        Released {
            zones: self.zones.numbers.release(oldest_alive),
            steered: self.steered.release(oldest_alive),
            groups: self.groups.release(oldest_alive),
            endpoints: self.endpoints.release(oldest_alive),
        }
    }
}

/// What the numbers of an app stand for, in their order.
type Keys<'a> = Box<dyn Iterator<Item = Key<'a>> + 'a>;

/// Version, cluster and address, as far as there are.
type Key<'a> = (Option<&'a Name>, &'a Name, Option<SocketAddr>);

fn steered(clusters: &[Name]) -> Keys<'_> {
    Box::new(clusters.iter().map(|cluster| (None, cluster, None)))
}

fn groups<'a>(app: &'a App, clusters: &'a [Name]) -> Keys<'a> {
    let versions = app.versions.keys();
    Box::new(versions.flat_map(move |version| {
        clusters
            .iter()
            .map(move |cluster| (Some(version), cluster, None))
    }))
}

fn endpoints(app: &App) -> Keys<'_> {
    Box::new(app.versions.iter().flat_map(|(version, v)| {
        v.endpoints.iter().flat_map(move |(cluster, addresses)| {
            let places = addresses.iter();
            places.map(move |address| (Some(version), cluster, Some(*address)))
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_reused_only_when_every_table_that_names_it_is_gone() {
        let mut space = Space::default();
        assert_eq!((space.slot("a", 1), space.slot("b", 1)), (0, 1));
        space.retire(1);
        assert_eq!(space.slot("b", 2), 1);
        space.retire(2);
        assert_eq!(space.numbers.release(1), Vec::<u32>::new());
        assert_eq!(space.slot("c", 3), 2);
        assert_eq!(space.numbers.release(2), vec![0]);
        assert_eq!(space.slot("d", 3), 0);
    }
}
