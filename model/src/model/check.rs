//! Everything that can be wrong with a [`Draft`](super::Draft) as a whole: names that name nothing,
//! sums that are zero, records that contradict each other, budgets that are exceeded.
//!
//! What was found right in the Model before, and depends on nothing that has changed, is not looked at
//! again. Should anything be wrong, everything is: what is told never depends on what was before.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use super::whole::Whole;
use super::{Checked, Model};
use crate::invalid::{Invalid, Segment};
use crate::meant;
use crate::{App, DnsName, HttpProbe, Name, Probe, Split, WhenAllDown, budget};

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
}

impl<'a> Checker<'a> {
    fn new(draft: &'a Whole, since: Option<Since<'a>>) -> Self {
        Self {
            draft,
            since,
            at: Vec::new(),
            wrong: Vec::new(),
            checked: Checked::default(),
        }
    }

    fn run(&mut self) {
        self.clusters();
        self.lists();
        self.apps();
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
            let (mut endpoints, mut groups) = (Sum::default(), Sum::default());
            let (mut all_hosts, mut cidrs) = (Sum::default(), Sum::<&dyn Display>::default());
            let mut steerings = HashSet::new();
            for (name, app) in &draft.apps {
                c.under(name.as_str(), |c| {
                    c.hosts(name, app, &mut hosts);
                    let clusters = match c.since {
                        Some(since) if since.world && since.keeps(name, app) => clusters_of(app),
                        _ => c.app(app),
                    };
                    let lists = app.versions.values().flat_map(|v| v.endpoints.values());
                    endpoints.add(name, lists.map(Vec::len).sum());
                    groups.add(name, app.versions.len() * clusters.len());
                    all_hosts.add(name, app.hosts.len());
                    // Equal steerings are one to whoever compiles them.
                    if app.steering.iter().any(steering::reads_place)
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
            c.within_in_all("CIDRs in all steerings", &cidrs, budget::CIDRS);
            c.within(
                "different steerings by place",
                steerings.len(),
                budget::PLACE_STEERINGS,
            );
        });
    }

    /// One app by itself; the clusters it names.
    fn app(&mut self, app: &'a App) -> BTreeSet<&'a Name> {
        self.checked.apps += 1;
        let clusters = self.versions(app);
        self.settings(app, &clusters);
        self.under("split", |c| c.split(app, &app.split));
        self.routes(app);
        self.steering(&app.steering, &clusters);
        self.safety(&clusters);
        clusters
    }

    fn hosts(&mut self, name: &'a Name, app: &'a App, seen: &mut BTreeMap<&'a DnsName, &'a Name>) {
        self.under("hosts", |c| {
            if app.hosts.is_empty() {
                c.refuse(
                    "no-hosts",
                    "an app needs at least one host".to_owned(),
                    None,
                );
            }
            for (i, host) in app.hosts.iter().enumerate() {
                if let Some(other) = seen.insert(host, name) {
                    c.under(i, |c| {
                        c.refuse(
                            "duplicate-host",
                            format!("host {host} already belongs to app `{other}`"),
                            None,
                        )
                    });
                }
            }
        });
    }

    fn versions(&mut self, app: &'a App) -> BTreeSet<&'a Name> {
        let mut clusters = BTreeSet::new();
        let draft = self.draft;
        self.under("versions", |c| {
            if app.versions.is_empty() {
                c.refuse("no-versions", "an app needs at least one version".to_owned(), None);
            }
            c.within("versions", app.versions.len(), budget::VERSIONS_PER_APP);
            let total = app.versions.values().flat_map(|v| v.endpoints.values()).map(Vec::len).sum();
            c.within("endpoints", total, budget::ENDPOINTS_PER_APP);
            for (name, version) in &app.versions {
                c.under(name.as_str(), |c| {
                    c.under("endpoints", |c| {
                        if version.endpoints.is_empty() {
                            c.refuse("no-endpoints", format!("version `{name}` has no endpoints"), None);
                        }
                        for (cluster, addresses) in &version.endpoints {
                            c.under(cluster.as_str(), |c| {
                                let is_known = draft.clusters.contains_key(cluster);
                                if !c.known("unknown-cluster", "cluster", cluster.as_str(), is_known, draft.clusters.keys()) {
                                    return;
                                }
                                if clusters.insert(cluster) && draft.clusters[cluster].addresses.is_empty() {
                                    c.refuse(
                                        "cluster-without-address",
                                        format!("cluster `{cluster}` has no addresses, so DNS could never answer it"),
                                        Some(format!("add clusters.{cluster}.addresses")),
                                    );
                                }
                                if addresses.is_empty() {
                                    c.refuse("no-endpoints", format!("no endpoints in cluster `{cluster}`; leave the cluster out instead"), None);
                                }
                                let mut seen = BTreeSet::new();
                                for (i, address) in addresses.iter().enumerate() {
                                    c.under(i, |c| {
                                        if !seen.insert(address) {
                                            c.refuse("duplicate-endpoint", format!("endpoint {address} is listed twice"), None);
                                        }
                                        if address.port() == 0 {
                                            c.refuse("endpoint-without-port", format!("endpoint {address} needs a port from 1 to 65535"), None);
                                        }
                                    });
                                }
                            });
                        }
                    });
                });
            }
            c.within("clusters of one app", clusters.len(), budget::CLUSTERS_PER_APP);
        });
        clusters
    }

    fn settings(&mut self, app: &App, clusters: &BTreeSet<&'a Name>) {
        self.under("answers", |c| {
            if !(1..=8).contains(&app.answers) {
                c.refuse(
                    "answers-out-of-range",
                    format!("answers is {}, must be 1 to 8", app.answers),
                    None,
                );
            }
            if app.answers > 1 {
                c.shared_address(clusters);
            }
        });
        self.under("health", |c| {
            let h = &app.health;
            for (key, count) in [("fall", h.fall), ("rise", h.rise)] {
                if !(1..=100).contains(&count) {
                    c.under(key, |c| {
                        c.refuse(
                            "count-out-of-range",
                            format!("{key} is {count}, must be 1 to 100"),
                            None,
                        )
                    });
                }
            }
            for (key, time) in [("interval", h.interval), ("timeout", h.timeout)] {
                if time < Duration::from_millis(10) || time > Duration::from_secs(3_600) {
                    c.under(key, |c| {
                        c.refuse(
                            "duration-out-of-range",
                            format!("{key} is {time:?}, must be 10ms to 1h"),
                            None,
                        )
                    });
                }
            }
            if let Probe::Http(http) = &h.probe {
                c.under("http", |c| c.http_probe(http));
            }
        });
        self.under("ttl", |c| {
            let (min, max) = (app.ttl.min.seconds(), app.ttl.max.seconds());
            if min == 0 || min > max {
                c.refuse(
                    "ttl-band",
                    format!("ttl min is {min} s and max {max} s; 1 <= min <= max is needed"),
                    None,
                );
            }
        });
        self.under("retry", |c| {
            if app.retry.attempts > 5 {
                c.under("attempts", |c| {
                    c.refuse(
                        "count-out-of-range",
                        format!("attempts is {}, must be 0 to 5", app.retry.attempts),
                        None,
                    )
                });
            }
        });
        if let WhenAllDown::Fallback(cluster) = &app.when_all_down {
            self.under("when_all_down", |c| {
                c.under("fallback", |c| {
                    c.known(
                        "cluster-not-in-app",
                        "cluster of this app",
                        cluster.as_str(),
                        clusters.contains(cluster),
                        clusters.iter().copied(),
                    );
                });
            });
        }
    }

    /// An answer of several clusters is one RRset, and records of one are different (RFC 2181
    /// section 5).
    fn shared_address(&mut self, clusters: &BTreeSet<&'a Name>) {
        let mut holders = BTreeMap::new();
        let all = (clusters.iter()).filter_map(|name| self.draft.clusters.get_key_value(*name));
        for (name, cluster) in all {
            for address in &cluster.addresses {
                let Some(other) = holders.insert(address, name).filter(|other| *other != name)
                else {
                    continue;
                };
                let message = format!(
                    "an answer of several clusters would hold {address} twice: it is an address of both `{other}` and `{name}`"
                );
                let help = "write `answers: 1`, or give each cluster addresses of its own";
                return self.refuse("shared-address", message, Some(help.to_owned()));
            }
        }
    }

    /// What the probe's HTTP client would refuse to send takes no endpoint down: it is refused here.
    fn http_probe(&mut self, probe: &HttpProbe) {
        let path = &probe.path;
        let sendable = |b: u8| b.is_ascii_graphic() && !b"#<>`".contains(&b);
        if !(path.starts_with('/') && path.bytes().all(sendable)) {
            self.under("path", |c| {
                c.refuse(
                    "path-form",
                    format!(
                        "path {path:?} must begin with '/' and hold no spaces, '#', '<', '>' or '`'"
                    ),
                    None,
                );
            });
        }
        let in_host = |b: u8| b.is_ascii_graphic() && !b"/?#@".contains(&b);
        if let Some(host) = &probe.host
            && (host.is_empty() || !host.bytes().all(in_host))
        {
            self.under("host", |c| {
                c.refuse(
                    "host-form",
                    format!("host {host:?} must be a name or an address, with or without a port"),
                    None,
                );
            });
        }
    }

    fn split(&mut self, app: &App, split: &Split) {
        for version in split.0.keys() {
            self.under(version.as_str(), |c| {
                c.known(
                    "unknown-version",
                    "version of this app",
                    version.as_str(),
                    app.versions.contains_key(version),
                    app.versions.keys(),
                );
            });
        }
        if split.0.values().all(|w| w.value() == 0) {
            self.refuse(
                "split-without-weight",
                "a split needs at least one weight above 0".to_owned(),
                None,
            );
        }
    }

    fn routes(&mut self, app: &App) {
        self.under("routes", |c| {
            c.within("routes", app.routes.len(), budget::ROUTES_PER_APP);
            let mut seen = BTreeSet::new();
            for (i, route) in app.routes.iter().enumerate() {
                c.under(i, |c| {
                    c.under("match", |c| {
                        let prefix = &route.path_prefix;
                        if !(prefix.starts_with('/') && prefix.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#')) {
                            c.refuse("path-form", format!("path prefix {prefix:?} must begin with '/' and hold no spaces, '?' or '#'"), None);
                        }
                        if !seen.insert(prefix.trim_end_matches('/')) {
                            c.refuse("duplicate-route", format!("path prefix {prefix} has a route already"), None);
                        }
                    });
                    c.under("split", |c| c.split(app, &route.split));
                });
            }
        });
    }

    fn safety(&mut self, clusters: &BTreeSet<&Name>) {
        let draft = self.draft;
        let on = clusters
            .iter()
            .filter_map(|name| draft.clusters.get(*name))
            .filter(|c| !c.drain && c.dial.hundredths() > 0)
            .count();
        let least = usize::from(draft.safety.min_clusters_on);
        if !clusters.is_empty() && on < least {
            self.refuse(
                "safety-min-clusters-on",
                format!("{on} of {} clusters are neither drained nor dialed to 0, and safety.min_clusters_on is {least}", clusters.len()),
                Some("resume a cluster, or lower safety.min_clusters_on".to_owned()),
            );
        }
    }
}

/// The clusters that an app names; in a Model all of them are there.
fn clusters_of(app: &App) -> BTreeSet<&Name> {
    let versions = app.versions.values();
    versions.flat_map(|v| v.endpoints.keys()).collect()
}
