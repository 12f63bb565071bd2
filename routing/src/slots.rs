//! Slots: numbers for metrics and Live, allocated before a Table is compiled, reused only when every
//! Table that names them is gone. Outside the digest.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::Arc;

use windrose_model::{AppId, DnsName, Model, Name};

/// The numbers of one Model.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    /// By position of the zone.
    pub zones: Vec<u32>,
    /// By app id.
    pub apps: Vec<Arc<AppSlots>>,
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
    steered: Space<(Name, Name)>,
    groups: Space<(Name, Name, Name)>,
    endpoints: Space<(Name, Name, Name, SocketAddr)>,
    last: HashMap<Name, Arc<AppSlots>>,
}

#[derive(Debug)]
struct Space<K> {
    given: HashMap<K, (u32, u64)>,
    next: u32,
    retired: Vec<(u64, u32)>,
    free: Vec<u32>,
}

impl<K> Default for Space<K> {
    fn default() -> Self {
        Self {
            given: HashMap::new(),
            next: 0,
            retired: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<K: Eq + Hash> Space<K> {
    fn slot(&mut self, key: K, round: u64) -> u32 {
        let Self {
            given, next, free, ..
        } = self;
        let entry = given.entry(key).or_insert_with(|| {
            let slot = free.pop().unwrap_or_else(|| {
                *next += 1;
                *next - 1
            });
            (slot, round)
        });
        entry.1 = round;
        entry.0
    }

    /// Retires what this round did not ask for.
    fn retire(&mut self, round: u64) {
        let retired = &mut self.retired;
        self.given.retain(|_, (slot, seen)| {
            let keep = *seen == round;
            if !keep {
                retired.push((round, *slot));
            }
            keep
        });
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
}

impl SlotBook {
    /// An empty book.
    pub fn new() -> Self {
        let mut book = Self::default();
        book.zones.next = 1;
        book
    }

    /// The numbers of a Model; what it no longer names retires with the first Table of `epoch`.
    /// Epochs must grow from call to call.
    pub fn assign(&mut self, model: &Model, epoch: u64) -> Slots {
        let zones = model
            .zones()
            .iter()
            .map(|(apex, _)| self.zones.slot(apex.clone(), epoch))
            .collect();
        let apps: Vec<Arc<AppSlots>> = model
            .app_ids()
            .map(|(id, name, _)| {
                let slots = self.app(model, id, name, epoch);
                match self.last.get(name) {
                    Some(old) if **old == slots => Arc::clone(old),
                    _ => Arc::new(slots),
                }
            })
            .collect();
        self.last = model
            .apps()
            .iter()
            .map(|(name, _)| name.clone())
            .zip(apps.iter().cloned())
            .collect();
        self.zones.retire(epoch);
        self.steered.retire(epoch);
        self.groups.retire(epoch);
        self.endpoints.retire(epoch);
        Slots { zones, apps }
    }

    fn app(&mut self, model: &Model, id: AppId, name: &Name, epoch: u64) -> AppSlots {
        let clusters: Vec<&Name> = model
            .clusters_of(id)
            .iter()
            .map(|c| &model.cluster(*c).0)
            .collect();
        let steered = clusters
            .iter()
            .map(|c| self.steered.slot((name.clone(), (*c).clone()), epoch))
            .collect();
        let (_, app) = model.app(id);
        let mut groups = Vec::new();
        for version in app.versions.keys() {
            for cluster in &clusters {
                groups.push(
                    self.groups
                        .slot((name.clone(), version.clone(), (*cluster).clone()), epoch),
                );
            }
        }
        let mut endpoints = Vec::new();
        for (version, v) in &app.versions {
            for (cluster, addresses) in &v.endpoints {
                for address in addresses {
                    let key = (name.clone(), version.clone(), cluster.clone(), *address);
                    endpoints.push(self.endpoints.slot(key, epoch));
                }
            }
        }
        AppSlots {
            steered,
            groups: groups.into(),
            endpoints: endpoints.into(),
        }
    }

    /// Frees what retired at or before `oldest_alive`, the epoch of the oldest Table still in use.
    pub fn release(&mut self, oldest_alive: u64) -> Released {
        Released {
            zones: self.zones.release(oldest_alive),
            steered: self.steered.release(oldest_alive),
            groups: self.groups.release(oldest_alive),
            endpoints: self.endpoints.release(oldest_alive),
        }
    }
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
        assert_eq!(space.release(1), Vec::<u32>::new());
        assert_eq!(space.slot("c", 3), 2);
        assert_eq!(space.release(2), vec![0]);
        assert_eq!(space.slot("d", 3), 0);
    }
}
