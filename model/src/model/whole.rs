//! A draft on its way to a Model: steered records in their zones, and every object that equals one of
//! the Model before shared with it, so that the check finds by pointer what it need not look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::aliases::AliasNames;
use super::alike::Alike;
use super::{Draft, Model, SteeredRecords};
use crate::{App, Cluster, DnsName, Fingerprint, Name, Region, Safety, Zone};

pub(super) struct Whole {
    pub(super) regions: Arc<BTreeMap<Name, Region>>,
    pub(super) clusters: BTreeMap<Name, Arc<Cluster>>,
    pub(super) apps: BTreeMap<Name, Arc<App>>,
    /// Parallel to `apps`.
    pub(super) alike: Alike,
    /// Sorted by apex.
    pub(super) zones: Vec<(DnsName, Arc<Zone>)>,
    /// Parallel to `zones`; not followed yet.
    pub(super) aliases: AliasNames,
    pub(super) steered: SteeredRecords,
    pub(super) lists: Arc<BTreeMap<Name, usize>>,
    pub(super) users: Arc<BTreeMap<Name, (Fingerprint, usize)>>,
    pub(super) latency: Option<Fingerprint>,
    pub(super) safety: Safety,
}

impl Whole {
    pub(super) fn of(draft: Draft, previous: Option<&Model>) -> Self {
        let zones: Vec<_> = (draft.zones.into_iter())
            .map(|(apex, zone)| {
                let old = previous.and_then(|m| m.zone(&apex));
                let zone = match old {
                    Some(old) => keep(Some(old), zone.sharing(old)),
                    None => Arc::new(zone),
                };
                (apex, zone)
            })
            .collect();
        let clusters = draft.clusters.into_iter().map(|(name, cluster)| {
            let old = previous.and_then(|m| Some(&m.cluster(m.cluster_id(name.as_str())?).1));
            let cluster = keep(old, cluster);
            (name, cluster)
        });
        let apps = draft.apps.into_iter().map(|(name, app)| {
            let old = previous.and_then(|m| Some(&m.app(m.app_id(name.as_str())?).1));
            let app = keep(old, app);
            (name, app)
        });
        let apps: BTreeMap<_, _> = apps.collect();
        let alike = match previous {
            Some(old) if is_shared(&apps, &old.apps) => old.alike.clone(),
            _ => Alike::of(&apps, previous),
        };
        let steered = match previous {
            Some(old) if is_same(&old.steered, &draft.steered) => Arc::clone(&old.steered),
            _ => draft.steered.into_iter().collect(),
        };
        Self {
            regions: keep(previous.map(|m| &m.regions), draft.regions),
            clusters: clusters.collect(),
            apps,
            alike,
            aliases: aliases(&zones, previous),
            zones,
            steered,
            lists: keep(previous.map(|m| &m.lists), draft.lists),
            users: keep(previous.map(|m| &m.users), draft.users),
            latency: draft.latency,
            safety: draft.safety,
        }
    }

    /// A Model with another zone in the place of one of its own.
    pub(super) fn with_zone(model: &Model, at: usize, zone: Zone) -> Self {
        let mut zones = model.zones.clone();
        zones[at].1 = keep(Some(&model.zones[at].1), zone);
        Self {
            regions: Arc::clone(&model.regions),
            clusters: model.clusters.iter().cloned().collect(),
            apps: model.apps.iter().cloned().collect(),
            alike: model.alike.clone(),
            aliases: aliases(&zones, Some(model)),
            zones,
            steered: Arc::clone(&model.steered),
            lists: Arc::clone(&model.lists),
            users: Arc::clone(&model.users),
            latency: model.latency,
            safety: model.safety,
        }
    }

    pub(super) fn zone(&self, apex: &DnsName) -> Option<(&DnsName, &Arc<Zone>)> {
        let at = self.zones.binary_search_by(|(name, _)| name.cmp(apex));
        let (apex, zone) = &self.zones[at.ok()?];
        Some((apex, zone))
    }

    /// Whether all that apps and steerings refer to is that of a Model.
    pub(super) fn is_of_the_world_of(&self, model: &Model) -> bool {
        Arc::ptr_eq(&self.regions, &model.regions)
            && Arc::ptr_eq(&self.lists, &model.lists)
            && Arc::ptr_eq(&self.users, &model.users)
            && (self.latency, self.safety) == (model.latency, model.safety)
            && is_shared(&self.clusters, &model.clusters)
    }

    pub(super) fn has_apps_of(&self, model: &Model) -> bool {
        is_shared(&self.apps, &model.apps)
    }
}

fn aliases(zones: &[(DnsName, Arc<Zone>)], previous: Option<&Model>) -> AliasNames {
    AliasNames::of(zones, previous.map(|m| (&m.zones[..], &m.aliases)))
}

/// The same names with the very same objects.
pub(super) fn is_shared<T>(new: &BTreeMap<Name, Arc<T>>, old: &[(Name, Arc<T>)]) -> bool {
    new.len() == old.len()
        && (new.iter().zip(old)).all(|(new, old)| *new.0 == old.0 && Arc::ptr_eq(new.1, &old.1))
}

fn is_same<K: PartialEq, V: PartialEq>(old: &[(K, V)], new: &BTreeMap<K, V>) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|((k, v), new)| (k, v) == new)
}

pub(super) fn keep<T: PartialEq>(old: Option<&Arc<T>>, new: T) -> Arc<T> {
    match old {
        Some(old) if **old == new => Arc::clone(old),
        _ => Arc::new(new),
    }
}
