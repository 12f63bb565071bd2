//! Builds the name index: whole, or from the one before with only those shards made anew that hold
//! a name which changed.
//!
//! Both ways lead to the same content and the same digest. The division into shards and the numbers
//! of zones and apps may differ; nobody sees them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use windrose_model::{AppId, DnsName, Model, RecordType, Records};

use super::node;
use super::shard::{Builder, Contents, Entry, Shard, Tally, hash, shard_of};
use super::world::{Found, Source, World};
use super::{NameIndex, ZoneEntry};
use crate::answers::AnswerSet;
use crate::digest::{self, Digester, Scratch};
use crate::slots::Slots;
use crate::table::Table;

/// Names of a shard when an index is built whole.
const NAMES: usize = 1_024;

/// What an index was made from, and what came of it besides entries.
pub(super) struct Made {
    pub(super) digest: u128,
    /// By apex.
    pub(super) sorted: Box<[Arc<ZoneEntry>]>,
    tallies: Box<[Tally]>,
    sources: Box<[Source]>,
    hosts: Arc<[(DnsName, u32)]>,
    /// By app id.
    numbers: Arc<[u32]>,
}

impl NameIndex {
    /// `previous` is a cache, never an input. `same_apps`: its apps are those of the Model.
    pub(crate) fn build(
        model: &Model,
        slots: &Slots,
        previous: Option<&Table>,
        same_apps: bool,
    ) -> Arc<Self> {
        let old = previous.map(|table| &table.names);
        let sources = sources(model, old.map_or(&[], |old| &old.made.sources));
        let slots = || slots.zones.iter().copied().chain(std::iter::repeat(0));
        if let Some(old) = old
            && same_apps
            && is_same(&sources, &old.made.sources)
            && old
                .made
                .sorted
                .iter()
                .zip(slots())
                .all(|(z, slot)| z.slot == slot)
        {
            return Arc::clone(old);
        }
        let apps = match (old, previous) {
            (Some(old), _) if same_apps => Apps {
                ids: Arc::clone(&old.apps),
                hosts: Arc::clone(&old.made.hosts),
                numbers: Arc::clone(&old.made.numbers),
            },
            _ => Apps::of(model, previous),
        };
        let world = World {
            zones: &sources,
            hosts: &apps.hosts,
        };
        let sorted = entries(&world, slots(), old);
        let mut maker = Maker {
            contents: contents(model, &sources, &apps),
            scratch: Scratch::default(),
            octets: Vec::new(),
        };
        let changed = old.and_then(|old| maker.update(&world, old));
        let (shards, tallies) = match changed {
            Some(changed) => changed,
            None => maker.whole(&world),
        };
        let mut zones: Vec<Arc<ZoneEntry>> = Vec::new();
        let mut digest = Digester::new();
        let most = sources
            .iter()
            .map(|source| source.number as usize + 1)
            .max();
        if let Some(first) = sorted.first() {
            zones.resize(most.unwrap_or(0), Arc::clone(first));
        }
        for (source, entry) in sources.iter().zip(&sorted) {
            zones[source.number as usize] = Arc::clone(entry);
            digest.add(&(&source.apex, &source.zone.soa));
        }
        let sum = tallies
            .iter()
            .fold(0_u128, |sum, tally| sum.wrapping_add(tally.digest));
        digest.add(&sum);
        Arc::new(Self {
            shards,
            labels: tallies.iter().map(|tally| tally.labels).max().unwrap_or(0),
            zones: zones.into(),
            apps: apps.ids,
            made: Made {
                digest: digest.finish(),
                sorted: sorted.into(),
                tallies,
                sources: sources.into(),
                hosts: apps.hosts,
                numbers: apps.numbers,
            },
        })
    }
}

/// The zones of a Model, each with the number it had, or with a free one.
fn sources(model: &Model, old: &[Source]) -> Vec<Source> {
    let known: Vec<Option<u32>> = model
        .zones()
        .iter()
        .map(|(apex, _)| {
            let at = old.binary_search_by(|source| source.apex.cmp(apex)).ok()?;
            Some(old[at].number)
        })
        .collect();
    let mut free = free(&known);
    let zones = model.zones().iter().zip(known);
    zones
        .map(|((apex, zone), known)| Source {
            apex: apex.clone(),
            zone: Arc::clone(zone),
            number: known.unwrap_or_else(&mut free),
        })
        .collect()
}

/// Numbers that nobody has, from the lowest.
fn free(taken: &[Option<u32>]) -> impl FnMut() -> u32 + use<> {
    let taken: BTreeSet<u32> = taken.iter().flatten().copied().collect();
    let mut free = (0..u32::MAX).filter(move |number| !taken.contains(number));
    move || free.next().unwrap_or(u32::MAX - 1)
}

fn is_same(new: &[Source], old: &[Source]) -> bool {
    new.len() == old.len()
        && new
            .iter()
            .zip(old)
            .all(|(new, old)| new.apex == old.apex && Arc::ptr_eq(&new.zone, &old.zone))
}

/// The apps of a Model with their numbers.
struct Apps {
    /// By number.
    ids: Arc<[AppId]>,
    /// Hosts in order, with the numbers of their apps.
    hosts: Arc<[(DnsName, u32)]>,
    /// By id.
    numbers: Arc<[u32]>,
}

impl Apps {
    fn of(model: &Model, previous: Option<&Table>) -> Self {
        let known: Vec<Option<u32>> = model
            .apps()
            .iter()
            .map(|(name, _)| {
                let previous = previous?;
                let AppId(id) = previous.app_by_name(name.as_str())?;
                previous.names.made.numbers.get(id as usize).copied()
            })
            .collect();
        let mut free = free(&known);
        let numbers: Vec<u32> = known
            .into_iter()
            .map(|known| known.unwrap_or_else(&mut free))
            .collect();
        let most = numbers.iter().map(|number| *number as usize + 1).max();
        let mut ids = vec![AppId(0); most.unwrap_or(0)];
        let mut hosts = Vec::new();
        for ((id, _, app), number) in model.app_ids().zip(&numbers) {
            ids[*number as usize] = id;
            hosts.extend(app.hosts.iter().map(|host| (host.clone(), *number)));
        }
        hosts.sort();
        Self {
            ids: ids.into(),
            hosts: hosts.into(),
            numbers: numbers.into(),
        }
    }
}

/// The entries of zones; those of `old` where nothing changed.
fn entries(
    world: &World<'_>,
    slots: impl Iterator<Item = u32>,
    old: Option<&Arc<NameIndex>>,
) -> Vec<Arc<ZoneEntry>> {
    let zones = (0..).zip(world.zones).zip(slots);
    zones
        .map(|((at, source), slot)| {
            let soa = &source.zone.soa;
            let entry = ZoneEntry {
                apex: source.apex.clone(),
                soa: AnswerSet::soa(soa),
                negative_ttl: soa.minimum.min(soa.ttl.seconds()),
                slot,
                above: world.above(at).map(|above| world.zones[above].number),
            };
            let kept = old.and_then(|old| old.zones.get(source.number as usize));
            match kept {
                Some(kept) if **kept == entry => Arc::clone(kept),
                _ => Arc::new(entry),
            }
        })
        .collect()
}

fn contents<'a>(model: &'a Model, sources: &[Source], apps: &'a Apps) -> Contents<'a> {
    let mut scratch = Scratch::default();
    let most = sources
        .iter()
        .map(|source| source.number as usize + 1)
        .max();
    let mut zones = vec![0; most.unwrap_or(0)];
    for source in sources {
        zones[source.number as usize] = digest::small(&source.apex, &mut scratch);
    }
    Contents {
        zones,
        apps: &apps.ids,
        names: model.apps(),
    }
}

type Shards = (Box<[Shard]>, Box<[Tally]>);

struct Maker<'a> {
    contents: Contents<'a>,
    scratch: Scratch,
    /// Kept for its memory.
    octets: Vec<u8>,
}

impl Maker<'_> {
    /// Every shard.
    fn whole(&mut self, world: &World<'_>) -> Shards {
        let (mut names, mut octets) = (0, 0);
        world.walk(|found| {
            names += 1;
            octets += found.name.len() + 16 + 48 * found.sets.len();
        });
        let shards = (names / NAMES).next_power_of_two();
        let mut builders: Vec<Builder> = (0..shards)
            .map(|_| Builder::with_capacity(names / shards, octets / shards))
            .collect();
        let buffer = &mut self.octets;
        world.walk(|found| {
            let hash = hash(found.name);
            let entry = entry(&found, buffer);
            builders[shard_of(hash, shards)].push(hash, &entry);
        });
        let made = builders
            .into_iter()
            .map(|builder| builder.finish(&self.contents, &mut self.scratch));
        let (shards, tallies): (Vec<_>, Vec<_>) = made.unzip();
        (shards.into(), tallies.into())
    }

    /// The shards of `old`, those anew that hold a changed name. `None` when so much changed that
    /// all of them may as well be made.
    fn update(&mut self, world: &World<'_>, old: &NameIndex) -> Option<Shards> {
        let names: usize = old.made.tallies.iter().map(|tally| tally.len).sum();
        let touched = touched(world, old, (names / 4).max(64))?;
        // By shard: hash, name, and the entry it has now.
        let mut changes: HashMap<usize, HashMap<&[u8], Option<Vec<u8>>>> = HashMap::new();
        let mut grown = names;
        for name in &touched {
            let before = old.find(name.wire());
            let mut sets = Vec::new();
            let found = world.at(name, &mut sets);
            let now = found.as_ref().map(|found| entry(found, &mut self.octets));
            match (&before, &now) {
                (None, None) => continue,
                (Some(before), Some(now)) if before.is(now) => continue,
                _ => {}
            }
            grown = grown + usize::from(now.is_some()) - usize::from(before.is_some());
            let octets = now.map(|now| {
                let mut octets = Vec::new();
                now.write(&mut octets);
                octets
            });
            let shard = shard_of(hash(name.wire()), old.shards.len());
            changes
                .entry(shard)
                .or_default()
                .insert(name.wire(), octets);
        }
        // A directory of shards that no longer fits the number of names.
        let ideal = (grown / NAMES).next_power_of_two();
        if ideal > old.shards.len() * 2 || ideal * 4 < old.shards.len() {
            return None;
        }
        let (mut shards, mut tallies) = (old.shards.clone(), old.made.tallies.clone());
        for (at, changes) in changes {
            let mut builder = Builder::default();
            let kept = old.shards[at].entries();
            for entry in kept.filter(|entry| !changes.contains_key(entry.name)) {
                builder.push(hash(entry.name), &entry);
            }
            for octets in changes.values().flatten() {
                if let Some(entry) = Entry::read(octets) {
                    builder.push(hash(entry.name), &entry);
                }
            }
            (shards[at], tallies[at]) = builder.finish(&self.contents, &mut self.scratch);
        }
        Some((shards, tallies))
    }
}

/// What was found as an entry; its sets are written to `buffer`.
fn entry<'e>(found: &Found<'e>, buffer: &'e mut Vec<u8>) -> Entry<'e> {
    buffer.clear();
    for set in found.sets {
        node::write(buffer, set);
    }
    Entry {
        name: found.name,
        flags: found.flags,
        zone: found.zone,
        app: found.app,
        count: u16::try_from(found.sets.len()).unwrap_or(u16::MAX),
        sets: buffer,
    }
}

/// Every name whose entry may differ; `None` when there are more than `limit`.
fn touched(world: &World<'_>, old: &NameIndex, limit: usize) -> Option<BTreeSet<DnsName>> {
    let before = World {
        zones: &old.made.sources,
        hosts: &old.made.hosts,
    };
    let mut touched = Touched {
        names: BTreeSet::new(),
        limit,
    };
    let (mut at_old, mut at_new) = (
        before.zones.iter().peekable(),
        world.zones.iter().peekable(),
    );
    loop {
        let both = at_old.peek().into_iter().chain(at_new.peek());
        let Some(apex) = both.map(|source| source.apex.clone()).min() else {
            break;
        };
        let gone = at_old.next_if(|source| source.apex == apex);
        let come = at_new.next_if(|source| source.apex == apex);
        match (gone, come) {
            (Some(gone), Some(come)) if Arc::ptr_eq(&gone.zone, &come.zone) => {}
            (Some(gone), Some(come)) => {
                for change in gone.zone.records.diff(&come.zone.records) {
                    touched.add(change.owner)?;
                    let veils = matches!(change.rtype, RecordType::NS | RecordType::DNAME);
                    if veils && change.old.is_some() != change.new.is_some() {
                        touched.below(change.owner, &[&before, world])?;
                    }
                }
            }
            // A zone that comes or goes takes names from the zone above it, or gives them back.
            _ => touched.below(&apex, &[&before, world])?,
        }
    }
    if !std::ptr::eq(before.hosts, world.hosts) {
        let (mut a, mut b) = (
            before.hosts.iter().peekable(),
            world.hosts.iter().peekable(),
        );
        while let Some(least) = a.peek().into_iter().chain(b.peek()).min().copied() {
            if a.next_if_eq(&least).is_some() != b.next_if_eq(&least).is_some() {
                touched.add(&least.0)?;
            }
        }
    }
    Some(touched.names)
}

struct Touched {
    names: BTreeSet<DnsName>,
    limit: usize,
}

impl Touched {
    /// A name, and those above it: it may be what makes them exist.
    fn add(&mut self, name: &DnsName) -> Option<()> {
        let mut name = Some(name.clone());
        while let Some(next) = name
            && !self.names.contains(&next)
        {
            name = next.parent();
            self.names.insert(next);
        }
        (self.names.len() <= self.limit).then_some(())
    }

    /// A name and everything below it in these worlds.
    fn below(&mut self, name: &DnsName, worlds: &[&World<'_>]) -> Option<()> {
        self.add(name)?;
        for world in worlds {
            let mut above = name.parent();
            while let Some(next) = above {
                if let Ok(at) = world.zones.binary_search_by(|zone| zone.apex.cmp(&next)) {
                    self.records(&world.zones[at].zone.records, name)?;
                }
                above = next.parent();
            }
            let first = world.zones.partition_point(|zone| zone.apex < *name);
            let inside = world.zones[first..].iter();
            for zone in inside.take_while(|zone| zone.apex.is_within(name)) {
                self.add(&zone.apex)?;
                self.records(&zone.zone.records, name)?;
            }
            let first = world.hosts.partition_point(|(host, _)| host < name);
            let inside = world.hosts[first..].iter();
            for (host, _) in inside.take_while(|(host, _)| host.is_within(name)) {
                self.add(host)?;
            }
        }
        Some(())
    }

    fn records(&mut self, records: &Records, name: &DnsName) -> Option<()> {
        records
            .below(name)
            .try_for_each(|(owner, _)| self.add(owner))
    }
}
