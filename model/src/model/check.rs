//! Everything that can be wrong with a [`Draft`] as a whole: names that name nothing, sums that are
//! zero, records that contradict each other, budgets that are exceeded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Draft;
use crate::invalid::{Invalid, Segment, meant};
use crate::{
    App, ClientSet, DnsName, Name, Preference, Probe, RData, RecordType, Split, Step, WhenAllDown,
    Zone, budget,
};

pub(super) fn check(draft: &Draft) -> Vec<Invalid> {
    let mut checker = Checker {
        draft,
        at: Vec::new(),
        wrong: Vec::new(),
    };
    checker.clusters();
    checker.apps();
    checker.zones();
    checker.wrong
}

struct Checker<'a> {
    draft: &'a Draft,
    at: Vec<Segment>,
    wrong: Vec<Invalid>,
}

impl<'a> Checker<'a> {
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

    fn known<'n>(
        &mut self,
        code: &'static str,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n Name> + Clone,
    ) -> bool {
        if known.clone().into_iter().any(|k| k.as_str() == name) {
            return true;
        }
        let names: Vec<_> = known.into_iter().map(Name::as_str).collect();
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
        self.under("clusters", |c| {
            c.within("clusters", draft.clusters.len(), budget::CLUSTERS);
            for (name, cluster) in &draft.clusters {
                c.under(name.as_str(), |c| {
                    c.under("region", |c| {
                        c.known(
                            "unknown-region",
                            "region",
                            cluster.region.as_str(),
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
        self.under("apps", |c| {
            c.within("apps", draft.apps.len(), budget::APPS);
            let mut hosts: BTreeMap<&DnsName, &Name> = BTreeMap::new();
            let mut cidrs = 0;
            for (name, app) in &draft.apps {
                c.under(name.as_str(), |c| {
                    c.hosts(name, app, &mut hosts);
                    let clusters = c.versions(app);
                    c.settings(app, &clusters);
                    c.under("split", |c| c.split(app, &app.split));
                    c.routes(app);
                    c.steering(app, &clusters, &mut cidrs);
                    c.safety(&clusters);
                });
            }
            c.within("CIDRs in all steerings", cidrs, budget::CIDRS);
        });
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
                                if !c.known("unknown-cluster", "cluster", cluster.as_str(), draft.clusters.keys()) {
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

    fn settings(&mut self, app: &App, clusters: &BTreeSet<&Name>) {
        self.under("answers", |c| {
            if !(1..=8).contains(&app.answers) {
                c.refuse(
                    "answers-out-of-range",
                    format!("answers is {}, must be 1 to 8", app.answers),
                    None,
                );
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
            if let Probe::Http(http) = &h.probe
                && !(http.path.starts_with('/') && http.path.bytes().all(|b| b.is_ascii_graphic()))
            {
                c.under("http", |c| {
                    c.under("path", |c| {
                        c.refuse(
                            "path-form",
                            format!(
                                "path {:?} must begin with '/' and hold no spaces",
                                http.path
                            ),
                            None,
                        );
                    });
                });
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
                        clusters.iter().copied(),
                    );
                });
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

    fn steering(&mut self, app: &'a App, clusters: &BTreeSet<&'a Name>, cidrs: &mut usize) {
        self.under("steering", |c| {
            c.within("steering steps", app.steering.len(), budget::STEERING_STEPS);
            for (i, step) in app.steering.iter().enumerate() {
                c.under(i, |c| match step {
                    Step::Fence(rules) => c.under("fence", |c| {
                        if rules.is_empty() {
                            c.refuse(
                                "empty-fence",
                                "a fence needs at least one rule".to_owned(),
                                None,
                            );
                        }
                        for (i, rule) in rules.iter().enumerate() {
                            *cidrs += rule.clients.cidrs.len();
                            c.under(i, |c| {
                                if rule.clients == ClientSet::default() {
                                    c.refuse(
                                        "fence-without-clients",
                                        "a fence rule needs cidrs, countries or continents"
                                            .to_owned(),
                                        None,
                                    );
                                }
                                c.under("clusters", |c| {
                                    let names = rule.clusters.iter().enumerate();
                                    c.members(names.map(|(i, n)| (vec![i.into()], n)), clusters)
                                });
                            });
                        }
                    }),
                    Step::Geo(rules) => c.under("geo", |c| {
                        *cidrs += rules.cidrs.len();
                        let lists = [
                            (
                                "cidrs",
                                rules
                                    .cidrs
                                    .iter()
                                    .map(|(k, v)| (k.to_string(), v))
                                    .collect::<Vec<_>>(),
                            ),
                            (
                                "countries",
                                rules
                                    .countries
                                    .iter()
                                    .map(|(k, v)| (k.to_string(), v))
                                    .collect(),
                            ),
                            (
                                "continents",
                                rules
                                    .continents
                                    .iter()
                                    .map(|(k, v)| (k.to_string(), v))
                                    .collect(),
                            ),
                        ];
                        for (key, list) in lists {
                            c.under(key, |c| {
                                for (place, preference) in list {
                                    c.under(place.as_str(), |c| c.preference(preference, clusters));
                                }
                            });
                        }
                        if !rules.default.is_empty() {
                            c.under("default", |c| c.preference(&rules.default, clusters));
                        }
                    }),
                    Step::Nearest => {}
                    Step::Weighted(weights) => c.under("weighted", |c| {
                        for cluster in weights.keys() {
                            c.under(cluster.as_str(), |c| {
                                c.known(
                                    "cluster-not-in-app",
                                    "cluster of this app",
                                    cluster.as_str(),
                                    clusters.iter().copied(),
                                );
                            });
                        }
                        if clusters
                            .iter()
                            .all(|name| weights.get(*name).is_some_and(|w| w.value() == 0))
                        {
                            c.refuse(
                                "weights-all-zero",
                                "at least one cluster needs a weight above 0".to_owned(),
                                None,
                            );
                        }
                    }),
                    Step::Failover(preference) => {
                        c.under("failover", |c| c.preference(preference, clusters))
                    }
                });
            }
        });
    }

    fn preference(&mut self, preference: &Preference, clusters: &BTreeSet<&Name>) {
        if preference.iter().all(Vec::is_empty) {
            self.refuse(
                "empty-preference",
                "at least one cluster is needed".to_owned(),
                None,
            );
        }
        let flat = preference.iter().enumerate().flat_map(|(i, group)| {
            let members = group.iter().enumerate();
            members.map(move |(j, name)| (vec![i.into(), j.into()], name))
        });
        self.members(flat, clusters);
    }

    fn members<'n>(
        &mut self,
        names: impl Iterator<Item = (Vec<Segment>, &'n Name)>,
        clusters: &BTreeSet<&Name>,
    ) {
        let mut seen = BTreeSet::new();
        let depth = self.at.len();
        for (at, name) in names {
            self.at.extend(at);
            self.known(
                "cluster-not-in-app",
                "cluster of this app",
                name.as_str(),
                clusters.iter().copied(),
            );
            if !seen.insert(name) {
                self.refuse(
                    "duplicate-cluster",
                    format!("cluster `{name}` is listed twice"),
                    None,
                );
            }
            self.at.truncate(depth);
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

    fn zones(&mut self) {
        let draft = self.draft;
        self.under("zones", |c| {
            let total = draft
                .zones
                .values()
                .flat_map(|z| z.records.values())
                .map(|set| set.data.len())
                .sum();
            c.within("records in all zones", total, budget::RECORDS);
            for (apex, zone) in &draft.zones {
                c.under(apex.to_string().as_str(), |c| c.zone(apex, zone));
            }
            for (app_name, app) in &draft.apps {
                for host in &app.hosts {
                    c.host_in_zone(app_name, host);
                }
            }
        });
    }

    fn zone(&mut self, apex: &DnsName, zone: &Zone) {
        if !zone.records.contains_key(&(apex.clone(), RecordType::Ns)) {
            self.refuse(
                "zone-without-ns",
                format!("zone {apex} has no NS records at its apex"),
                Some("add a record {name: \"@\", type: NS, value: ns1.example.net.}".to_owned()),
            );
        }
        self.under("records", |c| {
            for ((owner, rtype), set) in &zone.records {
                c.at.extend([owner.to_string().as_str().into(), rtype.as_str().into()]);
                let others = RecordType::WRITABLE.iter().filter(|t| *t != rtype);
                if !owner.is_within(apex) {
                    c.refuse("record-outside-zone", format!("{owner} {rtype} lies outside zone {apex}"), None);
                } else if *rtype == RecordType::Cname && owner == apex {
                    c.refuse("cname-at-apex", format!("{owner} is the zone's apex and cannot be a CNAME (RFC 1034 section 3.6.2)"), None);
                } else if *rtype == RecordType::Cname
                    && (set.data.len() > 1 || others.clone().any(|t| zone.records.contains_key(&(owner.clone(), *t))))
                {
                    c.refuse("cname-and-other-data", format!("{owner} has a CNAME, so it can have no other record (RFC 1034 section 3.6.2)"), None);
                } else if *rtype == RecordType::Ns && owner != apex {
                    c.refuse("delegation-not-available", format!("{owner} NS is a delegation; this version answers NS at the apex only"), None);
                }
                let octets = set.data.iter().map(|data| 12 + wire_len(data)).sum();
                c.within(&format!("octets in RRset {owner} {rtype}"), octets, budget::RRSET_OCTETS);
                if set.data.iter().any(|data| data.record_type() != *rtype) || set.data.is_empty() {
                    c.refuse("record-form", format!("{owner} {rtype} holds no data or data of another type"), None);
                }
                c.at.truncate(c.at.len() - 2);
            }
        });
    }

    /// A steered host owns its A, AAAA and so may stand beside other types, but not beside these.
    fn host_in_zone(&mut self, app: &Name, host: &DnsName) {
        let draft = self.draft;
        for (apex, zone) in &draft.zones {
            for rtype in [RecordType::A, RecordType::Aaaa, RecordType::Cname] {
                if zone.records.contains_key(&(host.clone(), rtype)) {
                    self.under(apex.to_string().as_str(), |c| {
                        c.under("records", |c| {
                            c.at.extend([host.to_string().as_str().into(), rtype.as_str().into()]);
                            c.refuse(
                                "host-has-record",
                                format!("{host} {rtype} stands in zone {apex}, but app `{app}` steers that name"),
                                Some("remove the record or the host".to_owned()),
                            );
                            c.at.truncate(c.at.len() - 2);
                        });
                    });
                }
            }
        }
    }
}

fn wire_len(data: &RData) -> usize {
    let mut wire = Vec::new();
    data.write(&mut wire);
    wire.len()
}
