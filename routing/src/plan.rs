//! What an app is, compiled: everything that changes with the Model only.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use windrose_model::{App, AppId, ClusterId, Model, Name};

use crate::answers::AnswerSet;
use crate::balance::Balanced;
use crate::digest::{self, Digester};
use crate::routes::{ClientSets, Routes};
use crate::slots::AppSlots;

/// An app, compiled.
pub struct AppPlan {
    /// Its name.
    pub name: Name,
    /// As the Model has it: timeouts, retries, policies.
    pub app: Arc<App>,
    /// By local number.
    pub clusters: Box<[PlanCluster]>,
    /// Sorted by name.
    pub versions: Box<[PlanVersion]>,
    /// For sticky keys.
    pub salt: u64,
    pub(crate) routes: Routes,
    pub(crate) hashes: Box<[u64]>,
    /// Clusters that are neither drained nor dialed to zero.
    pub(crate) allowed: u16,
    pub(crate) slots: Arc<AppSlots>,
    /// Where each cluster is reached: its addresses, with its local number.
    pub(crate) edges: Box<[(IpAddr, u8)]>,
    /// By endpoint index: version and local cluster; flat, so that a flip reads it in one go.
    pub(crate) placement: Box<[(u8, u8)]>,
    /// Its steering left out.
    pub(crate) digest: u128,
}

/// A cluster of an app.
#[derive(Debug)]
pub struct PlanCluster {
    /// Its name.
    pub name: Name,
    /// In the Model.
    pub id: ClusterId,
    /// Number of (app, cluster) for metrics.
    pub slot: u32,
    /// Its IPv4 addresses; TTL 0, to be patched.
    pub a: AnswerSet,
    /// Its IPv6 addresses; TTL 0, to be patched.
    pub aaaa: AnswerSet,
}

/// A version of an app.
#[derive(Debug)]
pub struct PlanVersion {
    /// Its name.
    pub name: Name,
    /// By local cluster.
    pub groups: Box<[Group]>,
    /// The clusters it runs in.
    pub(crate) runs: u16,
}

/// The endpoints of a version in a cluster; none where it does not run.
#[derive(Debug)]
pub struct Group {
    /// Number of (app, version, cluster) for metrics.
    pub slot: u32,
    /// In the order of the Model, with indices in a row.
    pub endpoints: Box<[Endpoint]>,
    /// None: all alike, by power of two choices.
    pub balance: Option<Box<Balanced>>,
}

impl Group {
    /// The position of one of its endpoints.
    #[inline]
    pub fn position(&self, endpoint: &Endpoint) -> usize {
        let first = self.endpoints.first().map_or(0, |first| first.index);
        usize::from(endpoint.index.saturating_sub(first))
    }

    /// Whether the endpoint at a position may take something new.
    #[inline]
    pub fn takes(&self, at: usize) -> bool {
        self.balance.as_ref().is_none_or(|it| it.weight(at) > 0)
    }
}

/// Where requests go.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// Its address.
    pub address: SocketAddr,
    /// Number for Live.
    pub slot: u32,
    /// Position among the app's endpoints.
    pub index: u16,
}

impl AppPlan {
    pub(crate) fn build(
        model: &Model,
        id: AppId,
        slots: Arc<AppSlots>,
        sets: &mut ClientSets<'_>,
    ) -> Self {
        let (name, app) = model.app(id);
        let slot = |list: &[u32], at: usize| list.get(at).copied().unwrap_or(0);
        let ids = model.clusters_of(id);
        let mut allowed = 0;
        let mut digest = Digester::new().with(name);
        add(&mut digest, app);
        let clusters: Box<[PlanCluster]> = ids
            .iter()
            .enumerate()
            .map(|(local, &id)| {
                let (name, cluster) = model.cluster(id);
                if !cluster.drain && cluster.dial.hundredths() > 0 {
                    allowed |= 1 << local;
                }
                digest.add(&(name, &**cluster));
                PlanCluster {
                    name: name.clone(),
                    id,
                    slot: slot(&slots.steered, local),
                    a: AnswerSet::addresses(&cluster.addresses, false),
                    aaaa: AnswerSet::addresses(&cluster.addresses, true),
                }
            })
            .collect();
        let edges = (0u8..)
            .zip(ids.iter())
            .flat_map(|(local, id)| {
                let addresses = model.cluster(*id).1.addresses.iter();
                addresses.map(move |address| (address.to_canonical(), local))
            })
            .collect();
        let mut versions: Vec<PlanVersion> = app
            .versions
            .keys()
            .enumerate()
            .map(|(v, name)| PlanVersion {
                name: name.clone(),
                groups: (0..ids.len())
                    .map(|c| Group {
                        slot: slot(&slots.groups, v * ids.len() + c),
                        endpoints: Box::default(),
                        balance: None,
                    })
                    .collect(),
                runs: 0,
            })
            .collect();
        let mut placed: Vec<Vec<Endpoint>> = vec![Vec::new(); versions.len() * ids.len()];
        let mut placement = Vec::new();
        for (index, endpoint) in (0u16..).zip(model.endpoints(id)) {
            placement.push((endpoint.version, endpoint.cluster));
            let (v, c) = (usize::from(endpoint.version), usize::from(endpoint.cluster));
            let slot = slot(&slots.endpoints, usize::from(index));
            placed[v * ids.len() + c].push(Endpoint {
                address: endpoint.address,
                slot,
                index,
            });
            versions[v].runs |= 1 << c;
        }
        for (i, endpoints) in placed.into_iter().enumerate() {
            let (v, c) = (i / ids.len(), i % ids.len());
            let version = app.versions.values().nth(v);
            let cluster = &model.cluster(ids[c]).0;
            let group = &mut versions[v].groups[c];
            group.balance = version
                .and_then(|version| Balanced::build(&app.balance, version, cluster, &endpoints));
            group.endpoints = endpoints.into();
        }
        let routes = Routes::build(app, sets);
        if routes.reads_place() {
            digest.add(&sets.digest());
        }
        let hashes = clusters
            .iter()
            .map(|c| digest::text(c.name.as_str()))
            .collect();
        Self {
            name: name.clone(),
            app: Arc::clone(app),
            clusters,
            versions: versions.into(),
            salt: digest::mix(digest::text(name.as_str())),
            routes,
            hashes,
            allowed,
            slots,
            edges,
            placement: placement.into(),
            digest: digest.finish(),
        }
    }
}

/// All of an app but its steering, which is large, and of one digest for all apps that share it.
fn add(digest: &mut Digester, app: &App) {
    let App {
        hosts,
        versions,
        health,
        steering: _,
        answers,
        sticky,
        when_all_down,
        trickle,
        min_up_fraction,
        ttl,
        failback,
        split,
        preview,
        split_by,
        routes,
        encoded_slashes,
        timeouts,
        retry,
        retry_budget,
        hedge,
        fallback,
        balance,
        outliers,
        breakers,
        rate_limits,
        tls,
        upstream,
        tcp,
    } = app;
    digest.add(&(hosts, versions, health, answers, sticky, when_all_down));
    digest.add(&(trickle, min_up_fraction, ttl, failback));
    digest.add(&(split, preview, split_by, routes, encoded_slashes, timeouts));
    digest.add(&(retry, rate_limits, tls, tcp));
    digest.add(&(outliers, breakers, upstream, retry_budget, hedge, fallback));
    digest.add(balance);
}
