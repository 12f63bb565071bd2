//! Everything that can be wrong with a [`Draft`](super::Draft) as a whole: names that name nothing,
//! sums that are zero, records that contradict each other, budgets that are exceeded.
//!
//! What was found right in the Model before, and depends on nothing that has changed, is not looked at
//! again. Should anything be wrong, everything is: what is told never depends on what was before.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Display;
use std::sync::Arc;

use super::whole::Whole;
use super::{Checked, Model};
use crate::invalid::{Invalid, Segment};
use crate::meant;
use crate::{App, DnsName, Name, Route, budget};

mod app;
mod balance;
mod breakers;
mod fallback;
mod fault;
mod hedge;
mod mirror;
mod outliers;
mod preview;
mod rate_limits;
mod retry;
mod route;
mod split_by;
mod steered;
mod steering;
mod zones;

/// Nobody reads more; then the search for what was meant is spared.
const HINTS: usize = 100;

/// What is wrong, and how much was looked at. `previous` spares work, and never changes what is found.
pub(super) fn check(draft: &Whole, previous: Option<&Model>) -> (Vec<Invalid>, Checked) {
    if let Some(previous) = previous {
        let mut checker = Checker::new(draft, Some(Since::of(draft, previous)));
        checker.run();
        if checker.wrong.is_empty() {
            return (checker.wrong, checker.checked);
        }
    }
    let mut checker = Checker::new(draft, None);
    checker.run();
    (checker.wrong, checker.checked)
}

/// What is still as in a Model that was found right.
#[derive(Clone, Copy)]
struct Since<'a> {
    previous: &'a Model,
    /// All that apps and steerings refer to is.
    world: bool,
    /// All apps are.
    apps: bool,
    /// All steered records are.
    steered: bool,
}

impl<'a> Since<'a> {
    fn of(draft: &Whole, previous: &'a Model) -> Self {
        Self {
            previous,
            world: draft.is_of_the_world_of(previous),
            apps: draft.has_apps_of(previous),
            steered: Arc::ptr_eq(&draft.steered, &previous.steered),
        }
    }

    /// Nothing is new to apps, steerings and steered records.
    const fn is_calm(self) -> bool {
        self.world && self.apps && self.steered
    }

    fn keeps(self, name: &Name, app: &Arc<App>) -> bool {
        let known = || self.previous.app_id(name.as_str());
        self.apps || known().is_some_and(|id| Arc::ptr_eq(&self.previous.app(id).1, app))
    }
}

/// A sum over objects, and which of them adds most.
struct Sum<N> {
    count: usize,
    most: Option<(N, usize)>,
}

impl<N> Default for Sum<N> {
    fn default() -> Self {
        Self {
            count: 0,
            most: None,
        }
    }
}

impl<N> Sum<N> {
    fn add(&mut self, name: N, count: usize) {
        self.count = self.count.saturating_add(count);
        if self.most.as_ref().is_none_or(|(_, most)| *most < count) {
            self.most = Some((name, count));
        }
    }
}

struct Checker<'a> {
    draft: &'a Whole,
    since: Option<Since<'a>>,
    at: Vec<Segment>,
    wrong: Vec<Invalid>,
    checked: Checked,
    /// By position of an app: nothing is wrong with its steering, and those like it are not looked at.
    steers_well: Vec<bool>,
}

impl<'a> Checker<'a> {
    fn new(draft: &'a Whole, since: Option<Since<'a>>) -> Self {
        Self {
            draft,
            since,
            at: Vec::new(),
            wrong: Vec::new(),
            checked: Checked::default(),
            steers_well: vec![false; draft.apps.len()],
        }
    }

    fn run(&mut self) {
        self.clusters();
        self.lists();
        self.apps();
        self.addresses();
        self.zones();
        self.steered();
    }

    /// Runs `inner` with one more step on the path.
    fn under(&mut self, segment: impl Into<Segment>, inner: impl FnOnce(&mut Self)) {
        self.at.push(segment.into());
        inner(self);
        self.at.pop();
    }

    fn refuse(&mut self, code: &'static str, message: String, help: Option<String>) {
        self.wrong.push(Invalid {
            code,
            at: self.at.clone(),
            message,
            help,
        });
    }

    fn within(&mut self, what: &str, count: usize, budget: usize) {
        if count > budget {
            self.refuse(
                "budget-exceeded",
                format!("{count} {what}, at most {budget} are allowed"),
                None,
            );
        }
    }

    /// The same of a sum, naming the one that adds most.
    fn within_in_all(&mut self, what: &str, sum: &Sum<impl Display>, budget: usize) {
        if sum.count > budget
            && let Some((name, most)) = &sum.most
        {
            self.refuse(
                "budget-exceeded",
                format!(
                    "{} {what}, at most {budget} are allowed; `{name}` has the most, {most}",
                    sum.count
                ),
                None,
            );
        }
    }

    /// Refuses a name that is not among `names`, which are gone through only to help.
    fn known<'n>(
        &mut self,
        code: &'static str,
        what: &str,
        name: &str,
        is_known: bool,
        names: impl IntoIterator<Item = &'n Name>,
    ) -> bool {
        if is_known {
            return true;
        }
        let names: Vec<_> = match self.wrong.len() {
            ..HINTS => names.into_iter().map(Name::as_str).collect(),
            _ => Vec::new(),
        };
        let help = match meant(name, names.iter().copied()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if names.is_empty() => None,
            None => Some(format!(
                "known: {}",
                names.iter().take(8).copied().collect::<Vec<_>>().join(", ")
            )),
        };
        self.refuse(code, format!("no {what} is named `{name}`"), help);
        false
    }

    fn clusters(&mut self) {
        let draft = self.draft;
        self.under("regions", |c| {
            c.within("regions", draft.regions.len(), budget::REGIONS)
        });
        self.under("clusters", |c| {
            c.within("clusters", draft.clusters.len(), budget::CLUSTERS);
            for (name, cluster) in &draft.clusters {
                c.under(name.as_str(), |c| {
                    c.under("region", |c| {
                        c.known(
                            "unknown-region",
                            "region",
                            cluster.region.as_str(),
                            draft.regions.contains_key(&cluster.region),
                            draft.regions.keys(),
                        );
                    });
                    c.under("addresses", |c| {
                        for family in [true, false] {
                            let count = cluster
                                .addresses
                                .iter()
                                .filter(|a| a.is_ipv4() == family)
                                .count();
                            c.within(
                                "addresses of one family",
                                count,
                                budget::ADDRESSES_PER_CLUSTER,
                            );
                        }
                        let mut seen = BTreeSet::new();
                        for (i, address) in cluster.addresses.iter().enumerate() {
                            if !seen.insert(address) {
                                c.under(i, |c| {
                                    c.refuse(
                                        "duplicate-address",
                                        format!("address {address} is listed twice"),
                                        None,
                                    )
                                });
                            }
                        }
                    });
                });
            }
        });
    }

    fn apps(&mut self) {
        let draft = self.draft;
        if self.since.is_some_and(Since::is_calm) {
            return;
        }
        self.under("apps", |c| {
            c.within("apps", draft.apps.len(), budget::APPS);
            let mut hosts: BTreeMap<&DnsName, &Name> = BTreeMap::new();
            let mut listeners = BTreeMap::new();
            let (mut endpoints, mut groups) = (Sum::default(), Sum::default());
            let (mut all_hosts, mut cidrs) = (Sum::default(), Sum::<&dyn Display>::default());
            let mut steerings = HashSet::new();
            let mut hashes = Sum::default();
            let (mut patterns, mut client_sets) = (Sum::default(), HashSet::new());
            for (at, (name, app)) in draft.apps.iter().enumerate() {
                let first = draft.alike.first(at) as usize;
                c.under(name.as_str(), |c| {
                    c.hosts(name, app, &mut hosts);
                    c.tcp(name, app, &mut listeners);
                    let clusters = match c.since {
                        Some(since) if since.world && since.keeps(name, app) => clusters_of(app),
                        _ => c.app(app, first),
                    };
                    let lists = app.versions.values().flat_map(|v| v.endpoints.values());
                    endpoints.add(name, lists.map(Vec::len).sum());
                    groups.add(name, app.versions.len() * clusters.len());
                    all_hosts.add(name, app.hosts.len());
                    hashes.add(name, balance::table_octets(app));
                    patterns.add(name, route::patterns(app));
                    for set in app.routes.iter().flat_map(Route::client_sets) {
                        if client_sets.insert(set) {
                            cidrs.add(name, set.cidrs.len());
                        }
                    }
                    // Equal steerings are one to whoever compiles them.
                    if first == at
                        && app.steering.iter().any(steering::reads_place)
                        && steerings.insert((&*app.steering, clusters))
                    {
                        cidrs.add(name, app.steering.iter().map(steering::cidrs).sum());
                    }
                });
            }
            for ((owner, _), record) in draft.steered.iter() {
                let steps = record
                    .steering
                    .iter()
                    .filter(|s| s.iter().any(steering::reads_place));
                for steps in steps {
                    let app = draft.apps.get(&record.app);
                    let clusters = app.map(|app| clusters_of(app)).unwrap_or_default();
                    if steerings.insert((&**steps, clusters)) {
                        cidrs.add(owner, steps.iter().map(steering::cidrs).sum());
                    }
                }
            }
            c.within_in_all("endpoints in all apps", &endpoints, budget::ENDPOINTS);
            c.within_in_all("versions by cluster in all apps", &groups, budget::GROUPS);
            c.within_in_all("hosts in all apps", &all_hosts, budget::HOSTS);
            let octets = "octets of hash tables in all apps";
            c.within_in_all(octets, &hashes, budget::HASH_OCTETS);
            c.within_in_all("regexes in all apps", &patterns, budget::PATTERNS);
            c.within_in_all("CIDRs in all steerings and routes", &cidrs, budget::CIDRS);
            c.within(
                "different sets of clients in routes",
                client_sets.len(),
                budget::CLIENT_SETS,
            );
            c.within(
                "different steerings by place",
                steerings.len(),
                budget::PLACE_STEERINGS,
            );
        });
    }
}

/// The clusters that an app names; in a Model all of them are there.
fn clusters_of(app: &App) -> BTreeSet<&Name> {
    let versions = app.versions.values();
    versions.flat_map(|v| v.endpoints.keys()).collect()
}
