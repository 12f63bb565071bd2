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
mod alike;
mod check;
mod records;
mod standing;
mod whole;

pub use self::records::RecordEdit;
pub use self::standing::Standing;

use self::aliases::AliasNames;
use self::alike::Alike;
use self::whole::{Whole, is_shared, keep};

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
    /// Lists of users that routes may name, with what each holds and how many; Data holds them.
    pub users: BTreeMap<Name, (Fingerprint, usize)>,
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
///
/// A clone costs a pointer for each zone. What one revision has in common with the one before is one
/// object, so that whoever compares them compares pointers.
#[derive(Debug, Clone)]
pub struct Model {
    revision: Revision,
    regions: Arc<BTreeMap<Name, Region>>,
    clusters: Arc<[(Name, Arc<Cluster>)]>,
    apps: Arc<[(Name, Arc<App>)]>,
    clusters_of: Arc<[Arc<[ClusterId]>]>,
    alike: Alike,
    zones: Vec<(DnsName, Arc<Zone>)>,
    lists: Arc<BTreeMap<Name, usize>>,
    users: Arc<BTreeMap<Name, (Fingerprint, usize)>>,
    latency: Option<Fingerprint>,
    aliases: AliasNames,
    steered: SteeredRecords,
    safety: Safety,
    checked: Checked,
}

/// Steered records by owner and type, in order.
type SteeredRecords = Arc<[((DnsName, RecordType), SteeredRecord)]>;

/// What was looked at one by one when a Model was checked; what the Model before had too was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Apps.
    pub apps: usize,
    /// RRsets.
    pub sets: usize,
}

impl Model {
    /// Checks a draft. Objects equal to those of `previous` keep their `Arc`, so that compiling
    /// finds changes by pointer, and are not checked again. With and without it the result is the
    /// same, whatever is wrong included.
    ///
    /// # Errors
    /// Everything that is wrong, in document order of the objects.
    pub fn build(
        mut draft: Draft,
        revision: Revision,
        previous: Option<&Self>,
    ) -> Result<Self, Vec<Invalid>> {
        let wrong = steered::place(&mut draft);
        Self::of(Whole::of(draft, previous), revision, previous, wrong)
    }

    fn of(
        whole: Whole,
        revision: Revision,
        previous: Option<&Self>,
        mut wrong: Vec<Invalid>,
    ) -> Result<Self, Vec<Invalid>> {
        // What stands in the way of steered records is missing in their zones.
        let (found, checked) = check::check(&whole, previous.filter(|_| wrong.is_empty()));
        wrong.extend(found);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let kept = previous.filter(|old| whole.has_apps_of(old));
        let apps = match kept {
            Some(old) => Arc::clone(&old.apps),
            None => whole.apps.into_iter().collect(),
        };
        let shared = previous.filter(|old| is_shared(&whole.clusters, &old.clusters));
        let clusters = match shared {
            Some(old) => Arc::clone(&old.clusters),
            None => whole.clusters.into_iter().collect(),
        };
        let clusters_of = match kept.and(shared) {
            Some(old) => Arc::clone(&old.clusters_of),
            None => (apps.iter())
                .map(|(_, app)| positions(app, &clusters))
                .collect(),
        };
        Ok(Self {
            revision,
            regions: whole.regions,
            clusters,
            apps,
            clusters_of,
            alike: whole.alike,
            aliases: whole.aliases.follow(&whole.zones, &whole.steered),
            zones: whole.zones,
            lists: whole.lists,
            users: whole.users,
            latency: whole.latency,
            steered: whole.steered,
            safety: whole.safety,
            checked,
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
            *zone = keep(previous.and_then(|m| m.zone(apex)), given);
        }
        self
    }

    /// A Model with nothing in it.
    pub fn empty() -> Self {
        Self {
            revision: Revision(0),
            regions: Arc::default(),
            clusters: Arc::default(),
            apps: Arc::default(),
            clusters_of: Arc::default(),
            alike: Alike::default(),
            zones: Vec::new(),
            lists: Arc::default(),
            users: Arc::default(),
            latency: None,
            aliases: AliasNames::default(),
            steered: Arc::default(),
            safety: Safety::default(),
            checked: Checked::default(),
        }
    }

    /// Which Model this is.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// All regions. One object for revisions that have the same.
    pub fn regions(&self) -> &Arc<BTreeMap<Name, Region>> {
        &self.regions
    }

    /// All clusters; the position is the [`ClusterId`]. One object for revisions that have the same.
    pub fn clusters(&self) -> &Arc<[(Name, Arc<Cluster>)]> {
        &self.clusters
    }

    /// All apps; the position is the [`AppId`]. One object for revisions that have the same.
    pub fn apps(&self) -> &Arc<[(Name, Arc<App>)]> {
        &self.apps
    }

    /// All zones by apex.
    pub fn zones(&self) -> &[(DnsName, Arc<Zone>)] {
        &self.zones
    }

    /// The zone of an apex.
    pub fn zone(&self, apex: &DnsName) -> Option<&Arc<Zone>> {
        let at = self.zones.binary_search_by(|(name, _)| name.cmp(apex));
        Some(&self.zones[at.ok()?].1)
    }

    /// What checking it took.
    pub fn checked(&self) -> Checked {
        self.checked
    }

    /// Which lists of users hold, with how many users.
    pub fn users(&self) -> &BTreeMap<Name, (Fingerprint, usize)> {
        &self.users
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
    pub fn steered(&self) -> &SteeredRecords {
        &self.steered
    }

    /// The numbers of the records that differ by cluster, in their order: different, at most 65,534, and
    /// hardly another when other such records come or go.
    pub fn steered_numbers(&self) -> Vec<u16> {
        steered::numbers(self.steered.iter().map(|(key, _)| key))
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
            .zip(self.apps.iter())
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

    /// The first app that steers as this one does: by equal steps, among equal clusters.
    pub fn steers_like(&self, app: AppId) -> AppId {
        AppId(self.alike.first(app.0 as usize))
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
