//! The Table: immutable, shared, read by every data-path thread.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use windrose_model::{
    App, AppId, AppStatus, Cluster, Elsewhere, Fallback, Filters, MeasuredRtts, Model, Name,
    Region, Route, SplitBy, Stamp,
};

use crate::Users;
use crate::aliases::{AliasAnswer, AliasIndex};
use crate::atlas::{Atlas, Leaf};
use crate::balance;
use crate::choose::{Chooser, DnsChoice, Seen, Standing};
use crate::hosts::HostIndex;
use crate::latency::Latency;
use crate::names::{Lookup, NameIndex, Node, ZoneEntry};
use crate::plan::{AppPlan, PlanCluster};
use crate::routes::{self, RequestHead, RouteId, RouteMatch};
use crate::slots::AppSlots;
use crate::state::AppState;
use crate::steered::{SteeredSet, SteeredSets};
use crate::steering::{CompiledSteering, Row, Steering, SteeringKey, View};
use crate::tcp::{TcpApps, TcpIndex};

/// Apps per slab: a flip copies only the slabs it touches.
pub(crate) const SLAB: usize = 64;

/// A spine of `Arc`s, so that small changes are small.
pub struct Table {
    pub(crate) stamp: Stamp,
    pub(crate) digest: u128,
    pub(crate) atlas: Arc<Atlas>,
    pub(crate) steerings: Arc<HashMap<SteeringKey, Arc<CompiledSteering>>>,
    pub(crate) names: Arc<NameIndex>,
    pub(crate) aliases: Arc<AliasIndex>,
    pub(crate) hosts: Arc<HostIndex>,
    pub(crate) tcp: Arc<TcpIndex>,
    pub(crate) slabs: Vec<Arc<Slab>>,
    /// What plans were made from.
    pub(crate) apps: Arc<[(Name, Arc<App>)]>,
    pub(crate) slots: Arc<[Arc<AppSlots>]>,
    pub(crate) world: Arc<World>,
    /// None when no app steers by round trip.
    pub(crate) latency: Option<Arc<Latency>>,
    /// As the Status has it.
    pub(crate) measured: MeasuredRtts,
    pub(crate) steered: Arc<SteeredSets>,
    /// Whom routes know by name.
    pub(crate) users: Users,
}

/// What plans were made from, besides their app; compared to find what may be kept.
#[derive(PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) clusters: Arc<[(Name, Arc<Cluster>)]>,
    pub(crate) regions: Arc<BTreeMap<Name, Region>>,
}

pub(crate) struct Slab {
    pub(crate) entries: Box<[AppEntry]>,
    pub(crate) digest: u128,
}

/// An app in the Table.
#[derive(Clone)]
pub struct AppEntry {
    /// What the Model says, compiled.
    pub plan: Arc<AppPlan>,
    /// How its clusters are ranked for whom, under the round trips of the moment.
    pub(crate) steering: Arc<CompiledSteering>,
    /// What the Status says, compiled. In place: a flip makes one for each app.
    pub state: AppState,
    /// What it was compiled from.
    pub status: Arc<AppStatus>,
    pub(crate) digest: u128,
}

/// What of a Table was taken over from another, and what was made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// Shards of the name index, about 1,024 names each, that are the other's.
    pub shards: usize,
    /// Those that are not.
    pub new_shards: usize,
    /// Slabs of 64 apps that are the other's.
    pub slabs: usize,
    /// Those that are not.
    pub new_slabs: usize,
}

/// The same names with the very same objects.
fn is_same<T>(old: &Arc<[(Name, Arc<T>)]>, new: &Arc<[(Name, Arc<T>)]>) -> bool {
    let pairs = || old.iter().zip(new.iter());
    Arc::ptr_eq(old, new)
        || (old.len() == new.len() && pairs().all(|(a, b)| a.0 == b.0 && Arc::ptr_eq(&a.1, &b.1)))
}

impl Table {
    /// A Table that refuses every name and knows no host.
    pub fn empty() -> Self {
        let data = crate::Data::nothing();
        crate::compile(
            &Model::empty(),
            &windrose_model::Status::default(),
            &data,
            &crate::Slots::default(),
            None,
        )
    }

    /// Which publication this is.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Equal for equal Model, Status and Data, whatever the way there.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// `qname`: lower-cased wire form with the root octet.
    #[inline]
    pub fn lookup(&self, qname: &[u8]) -> Lookup<'_> {
        self.names.lookup(qname)
    }

    /// What is known of a foreign name that an ALIAS leads to. `target`: lower-cased wire form with
    /// the root octet.
    pub fn alias(&self, target: &[u8]) -> Option<&AliasAnswer> {
        self.aliases.find(target)
    }

    /// What the zone above says of the apex of `zone`, when that is ours too: of its DS records, which
    /// stand on the upper side of a cut (RFC 4035 section 3.1.4.1).
    pub fn parent_side(&self, zone: &ZoneEntry) -> Option<Lookup<'_>> {
        self.names.parent_side(zone)
    }

    /// What a zone knows of a name server's addresses, as data of its own or as glue.
    pub fn addresses(&self, zone: &ZoneEntry, name: &[u8]) -> Option<Node<'_>> {
        self.names.addresses(zone, name)
    }

    /// The leaf of a client's address; IPv4-mapped IPv6 counts as IPv4.
    #[inline]
    pub fn leaf(&self, ip: IpAddr) -> Leaf {
        self.atlas.leaf(ip)
    }

    /// The app of a host: lower-case, no port, no final dot. Exact names first, then the longest
    /// wildcard.
    #[inline]
    pub fn host(&self, host: &str) -> Option<AppId> {
        self.hosts.find(host)
    }

    /// The apps of a TCP listener; `None` when no app takes its connections.
    #[inline]
    pub fn tcp(&self, listener: &str) -> Option<&TcpApps> {
        self.tcp.find(listener)
    }

    /// A record that differs by cluster.
    #[inline]
    pub fn steered(&self, number: u16) -> Option<&SteeredSet> {
        self.steered.get(number)
    }

    /// An app. Ids are valid within one Table.
    #[inline]
    pub fn app(&self, id: AppId) -> &AppEntry {
        let at = id.0 as usize;
        &self.slabs[at / SLAB].entries[at % SLAB]
    }

    /// All apps, sorted by name.
    pub fn apps(&self) -> impl Iterator<Item = (AppId, &AppEntry)> {
        (0..)
            .map(AppId)
            .zip(self.slabs.iter().flat_map(|slab| slab.entries.iter()))
    }

    /// All zones, sorted by name.
    pub fn zones(&self) -> &[Arc<ZoneEntry>] {
        self.names.zones()
    }

    pub(crate) fn same_world(&self, model: &Model) -> bool {
        let World { clusters, regions } = &*self.world;
        regions == model.regions() && is_same(clusters, model.clusters())
    }

    /// Whether these are the steered records it was made from.
    pub(crate) fn same_steered(&self, model: &Model) -> bool {
        Arc::ptr_eq(self.steered.source(), model.steered())
    }

    pub(crate) fn same_apps(&self, model: &Model) -> bool {
        is_same(&self.apps, model.apps())
    }

    /// Whether it has the very apps and slots of another, at the same ids.
    pub fn shares_apps_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.apps, &other.apps) && Arc::ptr_eq(&self.slots, &other.slots)
    }

    /// How much of it is one with another Table.
    pub fn shared_with(&self, other: &Self) -> Shared {
        let slabs = self.slabs.iter().zip(&other.slabs);
        let slabs = slabs.filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        let (shards, of) = self.names.shared_with(&other.names);
        Shared {
            shards,
            new_shards: of - shards,
            slabs,
            new_slabs: self.slabs.len() - slabs,
        }
    }

    /// An app by name.
    pub fn app_by_name(&self, name: &str) -> Option<AppId> {
        let count: usize = self.slabs.iter().map(|s| s.entries.len()).sum();
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = usize::midpoint(low, high);
            let id = AppId(u32::try_from(middle).ok()?);
            match self.app(id).plan.name.as_str().cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(id),
            }
        }
        None
    }
}

impl AppEntry {
    /// How the app is steered.
    #[inline]
    pub fn steering(&self) -> Steering<'_> {
        Steering(&self.steering)
    }

    /// The worst that DNS makes of the app for some client, apart from fences.
    pub fn standing(&self) -> Standing {
        let min_up = u64::from(self.plan.app.min_up_fraction.hundredths());
        let rows = self.steering.rows().filter(|row| !row.tiers.is_empty());
        rows.map(|row| Standing::of(row, &self.state, min_up))
            .max()
            .unwrap_or(Standing::Steered)
    }

    /// The view of a client.
    #[inline]
    pub fn view(&self, table: &Table, leaf: Leaf) -> View {
        self.steering().view(table, leaf)
    }

    /// The scope of an answer for a client; see [`Steering::scope`].
    #[inline]
    pub fn scope(&self, leaf: Leaf) -> u8 {
        self.steering().scope(leaf)
    }

    /// How many classes of places its steering tells apart.
    pub fn views(&self) -> usize {
        self.steering.views()
    }

    /// Whether clients are kept together by prefix.
    #[inline]
    pub fn sticky(&self) -> bool {
        self.plan.app.sticky
    }

    /// TTL of steered answers in seconds.
    #[inline]
    pub fn ttl(&self) -> u32 {
        self.state.ttl
    }

    /// Why the TTL is what it is, in words.
    pub fn why_ttl(&self) -> String {
        let name = |local: u8| {
            let cluster = self.plan.clusters.get(usize::from(local));
            cluster.map_or("", |cluster| cluster.name.as_str())
        };
        self.status.ttl_cause.text(self.plan.app.ttl, name)
    }

    /// The clusters of a DNS answer. `key`: [`prefix_key`](crate::prefix_key) when sticky, else the
    /// draw.
    #[inline]
    pub fn choose_dns(&self, view: View, key: u64) -> DnsChoice {
        self.choose_dns_seen(view, key, &mut |_| {})
    }

    /// The same, telling each step.
    #[inline]
    pub fn choose_dns_seen(&self, view: View, key: u64, see: &mut impl FnMut(Seen)) -> DnsChoice {
        self.chooser(view, key).dns(self.plan.app.answers, see)
    }

    /// The cluster of an answer with a record that differs by cluster; the first of those chosen
    /// counts. `view` is one of the record's steering.
    #[inline]
    pub fn choose_record(
        &self,
        record: &SteeredSet,
        view: View,
        key: u64,
        see: &mut impl FnMut(Seen),
    ) -> DnsChoice {
        let row = record.steering().0.row(view);
        self.chooser_among(row, key).dns(1, see)
    }

    /// The cluster of a request; `excluded` has the bits of clusters that were tried. `None` when
    /// nothing is left.
    #[inline]
    pub fn choose_http(&self, view: View, version: u8, key: u64, excluded: u16) -> Option<u8> {
        self.choose_http_seen(view, version, key, excluded, &mut |_| {})
    }

    /// The same, telling each step.
    #[inline]
    pub fn choose_http_seen(
        &self,
        view: View,
        version: u8,
        key: u64,
        excluded: u16,
        see: &mut impl FnMut(Seen),
    ) -> Option<u8> {
        let usable = self.state.version_up(version);
        let runs = self
            .plan
            .versions
            .get(usize::from(version))
            .map_or(0, |v| v.runs);
        self.chooser(view, key).http(usable, runs, excluded, see)
    }

    /// The home cluster of a node, if a request that arrived there may stay: it runs the version, is
    /// up, and no fence keeps this client out.
    #[inline]
    pub fn stays_home(&self, view: View, version: u8, home: &Name, excluded: u16) -> Option<u8> {
        let local = self.plan.clusters.iter().position(|c| c.name == *home)?;
        let usable = self.state.version_up(version);
        let mask = self.steering.row(view).members & self.state.up & usable & !excluded;
        (mask >> local & 1 == 1)
            .then(|| u8::try_from(local).ok())
            .flatten()
    }

    /// Where a request falls back to: a version, and the one cluster that is meant if one is named.
    /// None where it does not run, or behind a fence. `version`: the one it had.
    pub fn falls_to(&self, view: View, version: u8, place: &Elsewhere) -> Option<(u8, Option<u8>)> {
        let plan = &self.plan;
        let version = match &place.version {
            None => version,
            Some(name) => {
                let at = plan.versions.iter().position(|v| v.name == *name)?;
                u8::try_from(at).ok()?
            }
        };
        let Some(name) = &place.cluster else {
            return Some((version, None));
        };
        let local = plan.clusters.iter().position(|c| c.name == *name)?;
        let runs = plan.versions.get(usize::from(version))?.runs;
        let open = self.steering.row(view).members & runs;
        let local = (open >> local & 1 == 1).then_some(local)?;
        Some((version, Some(u8::try_from(local).ok()?)))
    }

    /// Whether any of its requests is tried twice at a time.
    pub fn hedges(&self) -> bool {
        let app = &self.plan.app;
        let of_route = |route: &Route| (route.filters.as_ref()).is_some_and(|f| f.hedge.is_some());
        app.hedge.is_some() || app.routes.iter().any(of_route)
    }

    /// Whether anything stands in for anything here.
    pub fn falls_back(&self) -> bool {
        let app = &self.plan.app;
        let of_route =
            |route: &Route| (route.filters.as_ref()).is_some_and(|f| f.fallback.is_some());
        app.fallback.is_some() || app.routes.iter().any(of_route)
    }

    /// What stands in for what nobody could serve on a route.
    pub fn fallback(&self, route: RouteId) -> Option<&Fallback> {
        let own = self.filters(route).and_then(|f| f.fallback.as_deref());
        own.or(self.plan.app.fallback.as_deref())
    }

    /// The cluster at whose edge a request came in: the one that is reached by this address of ours,
    /// else the node's home. Of several clusters with one address, the first.
    #[inline]
    pub fn arrived(&self, at: IpAddr, home: Option<&Name>) -> Option<&PlanCluster> {
        let edge = self.plan.edges.iter().find(|(edge, _)| *edge == at);
        let clusters = &self.plan.clusters;
        match (edge, home) {
            (Some((_, local)), _) => clusters.get(usize::from(*local)),
            (None, Some(home)) => clusters.iter().find(|cluster| cluster.name == *home),
            (None, None) => None,
        }
    }

    /// Whether requests are told apart by routes at all.
    #[inline]
    pub fn has_routes(&self) -> bool {
        !self.plan.app.routes.is_empty()
    }

    /// The route of a request to this app. `table`: where it stands.
    #[inline]
    pub fn route(&self, table: &Table, head: &RequestHead<'_>) -> RouteMatch {
        self.plan.routes.find(&self.plan.app, table, head)
    }

    /// What a route does beside choosing a version.
    #[inline]
    pub fn filters(&self, route: RouteId) -> Option<&Filters> {
        routes::filters(&self.plan.app, route)
    }

    /// The version of a request that is a preview; most are none.
    #[inline]
    pub fn preview(&self, route: RouteId, host: &str, headers: &HeaderMap) -> Option<u8> {
        self.plan
            .routes
            .preview(&self.plan.app, route, host, headers)
    }

    /// What makes the split of a route sticky; none where there is nothing to choose from.
    #[inline]
    pub fn split_by(&self, route: RouteId) -> Option<&SplitBy> {
        self.plan.routes.split_by(&self.plan.app, route)
    }

    /// In place of a draw where a split is sticky: the point of a user, as [`user`](crate::user)
    /// gives it.
    pub fn point_of(&self, by: &SplitBy, user: &[u8]) -> u64 {
        routes::point(by, self.plan.salt, user)
    }

    /// The version of a request, by the split of its route.
    #[inline]
    pub fn version(&self, route: RouteId, draw: u64) -> u8 {
        self.plan.routes.version(route, draw)
    }

    /// What of a request, or of a connection, its endpoint is chosen by; none under a policy that does
    /// not go by a hash, and for requests that lack it.
    #[inline]
    pub fn balance_key(&self, headers: &HeaderMap, client: IpAddr) -> Option<u64> {
        let balance = &self.plan.app.balance;
        match balance.policy.is_by_hash() {
            false => None,
            true => balance::key(balance, self.plan.salt, headers, client),
        }
    }

    /// The number of an endpoint for Live; `None` beyond the last one.
    pub fn endpoint_slot(&self, index: u16) -> Option<u32> {
        let slots = &self.plan.slots.endpoints;
        slots.get(usize::from(index)).copied()
    }

    /// False only when control says that the endpoint is down.
    #[inline]
    pub fn endpoint_up(&self, index: u16) -> bool {
        !self.state.is_down(index)
    }

    #[inline]
    fn chooser(&self, view: View, key: u64) -> Chooser<'_> {
        self.chooser_among(self.steering.row(view), key)
    }

    #[inline]
    fn chooser_among<'a>(&'a self, row: &'a Row, key: u64) -> Chooser<'a> {
        Chooser {
            row,
            state: &self.state,
            hashes: &self.plan.hashes,
            key,
            trickle: self.plan.app.trickle.hundredths(),
            min_up: u64::from(self.plan.app.min_up_fraction.hundredths()),
        }
    }
}
