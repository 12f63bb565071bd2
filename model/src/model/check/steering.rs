//! What can be wrong with the steering of an app.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use ipnet::IpNet;

use super::{Checker, Sum};
use crate::invalid::Segment;
use crate::{ClientSet, Name, Preference, Step, budget, inner_ipv4};

/// How many CIDRs a step names.
pub(super) fn cidrs(step: &Step) -> usize {
    match step {
        Step::Fence(rules) => rules.iter().map(|rule| rule.clients.cidrs.len()).sum(),
        Step::Geo(rules) => rules.cidrs.len(),
        Step::Nearest(_) | Step::Latency(_) | Step::Weighted(_) | Step::Failover(_) => 0,
    }
}

/// Whether a step tells clients apart by their place.
pub(super) fn reads_place(step: &Step) -> bool {
    match step {
        Step::Nearest(_) | Step::Latency(_) | Step::Fence(_) | Step::Geo(_) => true,
        Step::Weighted(_) | Step::Failover(_) => false,
    }
}

impl Checker<'_> {
    pub(super) fn steering(&mut self, steps: &[Step], clusters: &BTreeSet<&Name>) {
        self.under("steering", |c| {
            c.within("steering steps", steps.len(), budget::STEERING_STEPS);
            for (i, step) in steps.iter().enumerate() {
                c.under(i, |c| match step {
                    Step::Fence(rules) => c.under("fence", |c| {
                        if rules.is_empty() {
                            c.refuse(
                                "empty-fence",
                                "a fence needs at least one rule".to_owned(),
                                None,
                            );
                        }
                        c.within("rules of one fence", rules.len(), budget::FENCE_RULES);
                        for (i, rule) in rules.iter().enumerate() {
                            c.under(i, |c| {
                                c.under("clients", |c| {
                                    c.plain(rule.clients.cidrs.iter());
                                    c.under("lists", |c| {
                                        let lists = rule.clients.lists.iter().enumerate();
                                        c.listed(lists.map(|(i, list)| (i.into(), list)));
                                    });
                                });
                                if rule.clients == ClientSet::default() {
                                    c.refuse(
                                        "fence-without-clients",
                                        "a fence rule needs cidrs, lists, asns, cities, subdivisions, countries or continents"
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
                        c.plain(rules.cidrs.keys());
                        c.under("lists", |c| {
                            let lists = rules.lists.keys();
                            c.listed(lists.map(|list| (list.as_str().into(), list)));
                        });
                        c.preferences("cidrs", &rules.cidrs, clusters);
                        c.preferences("lists", &rules.lists, clusters);
                        c.preferences("asns", &rules.asns, clusters);
                        c.preferences("cities", &rules.cities, clusters);
                        c.preferences("subdivisions", &rules.subdivisions, clusters);
                        c.preferences("countries", &rules.countries, clusters);
                        c.preferences("continents", &rules.continents, clusters);
                        if !rules.default.is_empty() {
                            c.under("default", |c| c.preference(&rules.default, clusters));
                        }
                    }),
                    Step::Nearest(bias) => c.under("nearest", |c| {
                        c.under("bias", |c| c.keyed_by_cluster(bias.keys(), clusters))
                    }),
                    Step::Latency(_) => {}
                    Step::Weighted(weights) => c.under("weighted", |c| {
                        c.keyed_by_cluster(weights.keys(), clusters);
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

    /// The lists, and that together they are not too large.
    pub(super) fn lists(&mut self) {
        let mut sum = Sum::default();
        for (name, prefixes) in self.draft.lists.iter() {
            sum.add(name, *prefixes);
        }
        self.under("data", |c| {
            c.under("lists", |c| {
                c.within_in_all("prefixes in all lists", &sum, budget::LIST_PREFIXES);
            });
            let mut sum = Sum::default();
            for (name, (_, users)) in c.draft.users.iter() {
                sum.add(name, *users);
            }
            c.under("users", |c| {
                c.within_in_all("users in all lists", &sum, budget::LIST_USERS);
            });
        });
    }

    /// Lists that steering names.
    pub(super) fn listed<'n>(&mut self, names: impl Iterator<Item = (Segment, &'n Name)>) {
        let lists = &self.draft.lists;
        for (at, name) in names {
            self.under(at, |c| {
                let is_known = lists.contains_key(name);
                c.known(
                    "unknown-list",
                    "list",
                    name.as_str(),
                    is_known,
                    lists.keys(),
                );
            });
        }
    }

    fn preferences<K: Display>(
        &mut self,
        key: &str,
        rules: &BTreeMap<K, Preference>,
        clusters: &BTreeSet<&Name>,
    ) {
        self.under(key, |c| {
            for (place, preference) in rules {
                c.under(place.to_string().as_str(), |c| {
                    c.preference(preference, clusters);
                });
            }
        });
    }

    /// Clients with an IPv4 address inside an IPv6 one count as IPv4, so that a rule for mapped addresses would never hold.
    pub(super) fn plain<'n>(&mut self, cidrs: impl Iterator<Item = &'n IpNet>) {
        for net in cidrs {
            if let Some(inner) = inner_ipv4(net) {
                self.under("cidrs", |c| {
                    c.refuse(
                        "cidr-mapped",
                        format!("{net} is IPv4 written as IPv6, and clients are known by their IPv4 address"),
                        inner.map(|inner| format!("write {inner}")),
                    );
                });
            }
        }
    }

    /// A mapping whose keys are clusters of the app.
    fn keyed_by_cluster<'n>(
        &mut self,
        keys: impl Iterator<Item = &'n Name>,
        clusters: &BTreeSet<&Name>,
    ) {
        for cluster in keys {
            self.under(cluster.as_str(), |c| {
                c.known(
                    "cluster-not-in-app",
                    "cluster of this app",
                    cluster.as_str(),
                    clusters.contains(cluster),
                    clusters.iter().copied(),
                );
            });
        }
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
                clusters.contains(name),
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
}
