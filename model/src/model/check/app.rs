//! What can be wrong with one app: hosts, versions and endpoints, settings, splits, routes, safety.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Checker;
use crate::invalid::Segment;
use crate::{App, DnsName, HttpProbe, Name, Probe, Split, WhenAllDown, budget};

impl<'a> Checker<'a> {
    /// One app by itself, and the first one that steers as it does; the clusters it names.
    pub(super) fn app(&mut self, app: &'a App, first: usize) -> BTreeSet<&'a Name> {
        self.checked.apps += 1;
        let clusters = self.versions(app);
        self.settings(app, &clusters);
        self.under("split", |c| c.split(app, &app.split));
        if let Some(preview) = &app.preview {
            self.under("preview", |c| c.preview(app, preview));
        }
        if let Some(by) = &app.split_by {
            self.under("split_by", |c| c.split_by(app, by));
        }
        self.routes(app);
        if !self.steers_well[first] {
            let wrong = self.wrong.len();
            self.steering(&app.steering, &clusters);
            self.steers_well[first] = self.wrong.len() == wrong;
        }
        self.rate_limits(app);
        self.outliers(app);
        self.breakers(app);
        self.safety(&clusters);
        clusters
    }

    pub(super) fn hosts(
        &mut self,
        name: &'a Name,
        app: &'a App,
        seen: &mut BTreeMap<&'a DnsName, &'a Name>,
    ) {
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

    /// Of the connections of a listener that no name gives to another app, one app's are.
    pub(super) fn tcp(
        &mut self,
        name: &'a Name,
        app: &'a App,
        seen: &mut BTreeMap<&'a Name, &'a Name>,
    ) {
        let Some(tcp) = app.tcp.as_ref().filter(|tcp| !tcp.sni) else {
            return;
        };
        if let Some(other) = seen.insert(&tcp.listener, name) {
            self.under("tcp", |c| {
                c.refuse(
                    "duplicate-tcp-app",
                    format!(
                        "connections of the listener `{}` already belong to app `{other}`",
                        tcp.listener
                    ),
                    Some("one app of a listener takes what names nobody; the others need `sni: true`".to_owned()),
                );
            });
        }
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
                    c.traits(version);
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
                                clusters.insert(cluster);
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

    /// Clusters without an address, where DNS is to answer with them. Looked at in any case: a zone
    /// may be new that was not there before.
    pub(super) fn addresses(&mut self) {
        let draft = self.draft;
        let bare = draft
            .clusters
            .iter()
            .filter(|(_, cluster)| cluster.addresses.is_empty());
        let bare: BTreeSet<&Name> = bare.map(|(name, _)| name).collect();
        if bare.is_empty() {
            return;
        }
        let answered = |host: &&DnsName| draft.zones.iter().any(|(apex, _)| host.is_within(apex));
        for (name, app) in &draft.apps {
            let Some(host) = app.hosts.iter().find(answered) else {
                continue;
            };
            let mut told = BTreeSet::new();
            for (version, it) in &app.versions {
                for cluster in it.endpoints.keys() {
                    if !bare.contains(cluster) || !told.insert(cluster) {
                        continue;
                    }
                    let segments = ["apps", name.as_str(), "versions", version.as_str()];
                    let segments = segments.into_iter().chain(["endpoints", cluster.as_str()]);
                    self.at = segments.map(Segment::from).collect();
                    self.refuse(
                        "cluster-without-address",
                        format!("cluster `{cluster}` has no addresses, so DNS could never answer {host} with it"),
                        Some(format!("add clusters.{cluster}.addresses")),
                    );
                    self.at.clear();
                }
            }
        }
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
        self.under("balance", |c| c.balance(app));
        self.under("retry", |c| c.retry(&app.retry));
        if let Some(hedge) = app.hedge {
            self.under("hedge", |c| c.hedge(app, hedge, &app.timeouts));
        }
        if let Some(fallback) = &app.fallback {
            self.under("fallback", |c| c.fallback(app, fallback));
        }
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

    /// A version that is named has to be one of the app's.
    pub(super) fn version(&mut self, app: &App, version: &Name) {
        self.known(
            "unknown-version",
            "version of this app",
            version.as_str(),
            app.versions.contains_key(version),
            app.versions.keys(),
        );
    }

    pub(super) fn split(&mut self, app: &App, split: &Split) {
        for version in split.0.keys() {
            self.under(version.as_str(), |c| c.version(app, version));
        }
        if split.0.values().all(|w| w.value() == 0) {
            self.refuse(
                "split-without-weight",
                "a split needs at least one weight above 0".to_owned(),
                None,
            );
        }
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
