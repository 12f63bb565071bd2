//! The Model: what the operator wants, valid by construction.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::invalid::Invalid;
use crate::{
    App, Cluster, DnsName, Fingerprint, Name, RecordType, Region, Revision, SteeredRecord, Zone,
    steered,
};

mod aliases;
mod check;

use self::aliases::AliasNames;

/// A cluster by position in the sorted list of its Model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub u16);

/// An app by position in the sorted list of its Model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppId(pub u32);

/// A region by position in the sorted list of its Model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId(pub u16);

/// Everything an operator may say, not yet checked as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// By name.
    pub regions: BTreeMap<Name, Region>,
    /// By name.
    pub clusters: BTreeMap<Name, Cluster>,
    /// By name.
    pub apps: BTreeMap<Name, App>,
    /// By apex.
    pub zones: BTreeMap<DnsName, Zone>,
    /// Records that differ by cluster, by owner and type; in no zone's own records.
    pub steered: BTreeMap<(DnsName, RecordType), SteeredRecord>,
    /// Lists of prefixes that steering may name, with how many each holds.
    pub lists: BTreeMap<Name, usize>,
    /// The latency matrix; Data holds it.
    pub latency: Option<Fingerprint>,
    /// Rules that hold for every change.
    pub safety: Safety,
}

/// Safety rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Safety {
    /// Every app keeps at least this many clusters that are neither drained nor dialed to zero;
    /// default 1.
    pub min_clusters_on: u8,
}

impl Default for Safety {
    fn default() -> Self {
        Self { min_clusters_on: 1 }
    }
}

/// A checked whole. Objects are sorted by name; ids are positions, valid within one Model only.
#[derive(Debug, Clone)]
pub struct Model {
    revision: Revision,
    regions: BTreeMap<Name, Region>,
    clusters: Vec<(Name, Arc<Cluster>)>,
    apps: Vec<(Name, Arc<App>)>,
    clusters_of: Vec<Arc<[ClusterId]>>,
    zones: Vec<(DnsName, Arc<Zone>)>,
    latency: Option<Fingerprint>,
    aliases: AliasNames,
    steered: Arc<[((DnsName, RecordType), SteeredRecord)]>,
    safety: Safety,
}

impl Model {
    /// Checks a draft. Objects equal to those of `previous` keep their `Arc`, so that compiling
    /// finds changes by pointer.
    ///
    /// # Errors
    /// Everything that is wrong, in document order of the objects.
    pub fn build(
        mut draft: Draft,
        revision: Revision,
        previous: Option<&Self>,
    ) -> Result<Self, Vec<Invalid>> {
        let mut wrong = steered::place(&mut draft);
        wrong.extend(check::check(&draft));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let clusters: Vec<_> = draft
            .clusters
            .into_iter()
            .map(|(name, cluster)| {
                let old = previous
                    .and_then(|m| Some(&m.clusters[usize::from(m.cluster_id(name.as_str())?.0)].1));
                let cluster = keep(old, cluster);
                (name, cluster)
            })
            .collect();
        let apps: Vec<_> = draft
            .apps
            .into_iter()
            .map(|(name, app)| {
                let old =
                    previous.and_then(|m| Some(&m.apps[m.app_id(name.as_str())?.0 as usize].1));
                let app = keep(old, app);
                (name, app)
            })
            .collect();
        let zones: Vec<_> = draft
            .zones
            .into_iter()
            .map(|(apex, zone)| {
                let old = previous.and_then(|m| {
                    m.zones
                        .binary_search_by(|(name, _)| name.cmp(&apex))
                        .ok()
                        .map(|i| &m.zones[i].1)
                });
                let zone = match old {
                    Some(old) => keep(Some(old), zone.sharing(old)),
                    None => Arc::new(zone),
                };
                (apex, zone)
            })
            .collect();
        let clusters_of = apps
            .iter()
            .map(|(_, app)| positions(app, &clusters))
            .collect();
        let before = previous.map(|m| (&m.zones[..], &m.aliases));
        let aliases = AliasNames::of(&zones, before);
        Ok(Self {
            revision,
            regions: draft.regions,
            clusters,
            apps,
            clusters_of,
            zones,
            latency: draft.latency,
            aliases,
            steered: match previous {
                Some(old) if is_same(&old.steered, &draft.steered) => Arc::clone(&old.steered),
                _ => draft.steered.into_iter().collect(),
            },
            safety: draft.safety,
        })
    }

    /// The same with other serials of zones; `None` leaves one as it is. A zone equal to that of
    /// `previous` keeps its `Arc`.
    pub fn with_serials(
        mut self,
        serial: impl Fn(&DnsName) -> Option<u32>,
        previous: Option<&Self>,
    ) -> Self {
        for (apex, zone) in &mut self.zones {
            let Some(serial) = serial(apex).filter(|serial| *serial != zone.soa.serial) else {
                continue;
            };
            let mut given = Zone::clone(zone);
            given.soa.serial = serial;
            let old = previous.and_then(|m| {
                let at = m.zones.binary_search_by(|(name, _)| name.cmp(apex)).ok()?;
                Some(&m.zones[at].1)
            });
            *zone = keep(old, given);
        }
        self
    }

    /// A Model with nothing in it.
    pub fn empty() -> Self {
        Self {
            revision: Revision(0),
            regions: BTreeMap::new(),
            clusters: Vec::new(),
            apps: Vec::new(),
            clusters_of: Vec::new(),
            zones: Vec::new(),
            latency: None,
            aliases: AliasNames::default(),
            steered: Arc::new([]),
            safety: Safety::default(),
        }
    }

    /// Which Model this is.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// All regions.
    pub fn regions(&self) -> &BTreeMap<Name, Region> {
        &self.regions
    }

    /// All clusters; the position is the [`ClusterId`].
    pub fn clusters(&self) -> &[(Name, Arc<Cluster>)] {
        &self.clusters
    }

    /// All apps; the position is the [`AppId`].
    pub fn apps(&self) -> &[(Name, Arc<App>)] {
        &self.apps
    }

    /// All zones by apex.
    pub fn zones(&self) -> &[(DnsName, Arc<Zone>)] {
        &self.zones
    }

    /// Which latency matrix holds.
    pub fn latency(&self) -> Option<Fingerprint> {
        self.latency
    }

    /// Foreign names that ALIAS records lead to, through aliases of ours too; sorted.
    pub fn alias_targets(&self) -> impl Iterator<Item = &DnsName> {
        self.aliases.foreign.iter()
    }

    /// Names of ours that are aliases.
    pub fn alias_owners(&self) -> impl Iterator<Item = &DnsName> {
        self.aliases.all().map(|(owner, _)| owner)
    }

    /// All records that differ by cluster, by owner and type. Equal ones of two revisions are one.
    pub fn steered(&self) -> &Arc<[((DnsName, RecordType), SteeredRecord)]> {
        &self.steered
    }

    /// The safety rules.
    pub fn safety(&self) -> Safety {
        self.safety
    }

    /// The cluster of an id of this Model.
    pub fn cluster(&self, id: ClusterId) -> &(Name, Arc<Cluster>) {
        &self.clusters[usize::from(id.0)]
    }

    /// The app of an id of this Model.
    pub fn app(&self, id: AppId) -> &(Name, Arc<App>) {
        &self.apps[id.0 as usize]
    }

    /// Ids with their apps.
    pub fn app_ids(&self) -> impl Iterator<Item = (AppId, &Name, &Arc<App>)> {
        (0..)
            .map(AppId)
            .zip(&self.apps)
            .map(|(id, (name, app))| (id, name, app))
    }

    /// An app by name.
    pub fn app_id(&self, name: &str) -> Option<AppId> {
        let at = self
            .apps
            .binary_search_by(|(n, _)| n.as_str().cmp(name))
            .ok()?;
        u32::try_from(at).ok().map(AppId)
    }

    /// A cluster by name.
    pub fn cluster_id(&self, name: &str) -> Option<ClusterId> {
        let at = self
            .clusters
            .binary_search_by(|(n, _)| n.as_str().cmp(name))
            .ok()?;
        u16::try_from(at).ok().map(ClusterId)
    }

    /// A region by name.
    pub fn region_id(&self, name: &str) -> Option<RegionId> {
        let at = self.regions.keys().position(|n| n.as_str() == name)?;
        u16::try_from(at).ok().map(RegionId)
    }

    /// The region of an id of this Model.
    pub fn region(&self, id: RegionId) -> Option<(&Name, &Region)> {
        self.regions.iter().nth(usize::from(id.0))
    }

    /// The clusters an app lives in, sorted by name, at most
    /// [`CLUSTERS_PER_APP`](crate::budget::CLUSTERS_PER_APP). A *local* cluster number is a position
    /// in this list and a bit in its masks.
    pub fn clusters_of(&self, app: AppId) -> &Arc<[ClusterId]> {
        &self.clusters_of[app.0 as usize]
    }

    /// The endpoints of an app in their one order: versions by name, clusters by name, then as
    /// listed. The position is [`EndpointId::index`](crate::EndpointId).
    pub fn endpoints(&self, app: AppId) -> impl Iterator<Item = PlacedEndpoint> + '_ {
        let (_, wanted) = self.app(app);
        wanted
            .versions
            .values()
            .enumerate()
            .flat_map(move |(version, v)| {
                v.endpoints.iter().flat_map(move |(cluster, addresses)| {
                    let local = self.local_cluster(app, cluster.as_str()).unwrap_or(0);
                    addresses.iter().map(move |&address| PlacedEndpoint {
                        version: u8::try_from(version).unwrap_or(u8::MAX),
                        cluster: local,
                        address,
                    })
                })
            })
    }

    /// The local number of a cluster in an app.
    pub fn local_cluster(&self, app: AppId, cluster: &str) -> Option<u8> {
        let id = self.cluster_id(cluster)?;
        let at = self.clusters_of(app).iter().position(|c| *c == id)?;
        u8::try_from(at).ok()
    }
}

/// An endpoint with where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedEndpoint {
    /// Position among the app's versions, sorted by name.
    pub version: u8,
    /// Local cluster number.
    pub cluster: u8,
    /// Where it listens.
    pub address: SocketAddr,
}

fn is_same<K: PartialEq, V: PartialEq>(old: &[(K, V)], new: &BTreeMap<K, V>) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|((k, v), new)| (k, v) == new)
}

fn keep<T: PartialEq>(old: Option<&Arc<T>>, new: T) -> Arc<T> {
    match old {
        Some(old) if **old == new => Arc::clone(old),
        _ => Arc::new(new),
    }
}

fn positions(app: &App, clusters: &[(Name, Arc<Cluster>)]) -> Arc<[ClusterId]> {
    let mut ids: Vec<_> = app
        .versions
        .values()
        .flat_map(|v| v.endpoints.keys())
        .filter_map(|name| clusters.binary_search_by(|(n, _)| n.cmp(name)).ok())
        .filter_map(|at| u16::try_from(at).ok().map(ClusterId))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}
