//! What can be wrong with records that differ by cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, Since};
use crate::steered::is_steerable;
use crate::{
    DnsName, Hosts, Name, RecordType, RrSet, SteeredData, SteeredRecord, budget, svc_param,
};

/// Octets that the hints of a cluster with all addresses it may have add to a record.
const HINTS: usize = 8 + budget::ADDRESSES_PER_CLUSTER * (4 + 16);

impl Checker<'_> {
    pub(super) fn steered(&mut self) {
        let draft = self.draft;
        if self.since.is_some_and(Since::is_calm) {
            return;
        }
        let apps = draft.apps.iter().map(|(name, app)| (name, &**app));
        let hosts = (!draft.steered.is_empty()).then(|| Hosts::of(apps));
        for ((owner, rtype), record) in draft.steered.iter() {
            let above = std::iter::successors(Some(owner.clone()), DnsName::parent);
            let apex = above.into_iter().find(|name| draft.zone(name).is_some());
            // One in no zone was refused when it should have been placed.
            let Some(apex) = apex else { continue };
            let at = [
                "zones",
                &apex.to_string(),
                "records",
                &owner.to_string(),
                &rtype.to_string(),
            ];
            self.at = at.map(Into::into).to_vec();
            self.steered_record(owner, *rtype, record);
            if let (SteeredData::Hints(set), Some(hosts)) = (&record.data, &hosts) {
                self.hinted_hosts(owner, *rtype, set, (&record.app, hosts));
            }
            self.at.clear();
        }
    }

    fn steered_record(&mut self, owner: &DnsName, rtype: RecordType, record: &SteeredRecord) {
        let draft = self.draft;
        let is_known = draft.apps.contains_key(&record.app);
        let names = draft.apps.keys();
        if !self.known("unknown-app", "app", record.app.as_str(), is_known, names) {
            return;
        }
        if !is_steerable(rtype) {
            let message = format!("{owner} {rtype} is the same for everyone and cannot be steered");
            self.refuse("record-not-steerable", message, None);
        }
        let versions = draft.apps[&record.app].versions.values();
        let clusters: BTreeSet<&Name> = versions.flat_map(|v| v.endpoints.keys()).collect();
        match &record.data {
            SteeredData::ByCluster(sets) => self.by_cluster(owner, rtype, sets, &clusters),
            SteeredData::Hints(set) => self.hints(owner, rtype, set),
        }
        if let Some(steps) = &record.steering {
            self.steering(steps, &clusters);
        }
    }

    /// Every cluster may be chosen, so every one has an answer.
    fn by_cluster(
        &mut self,
        owner: &DnsName,
        rtype: RecordType,
        sets: &BTreeMap<Name, RrSet>,
        clusters: &BTreeSet<&Name>,
    ) {
        for (cluster, set) in sets {
            self.known(
                "cluster-not-in-app",
                "cluster of this app",
                cluster.as_str(),
                clusters.contains(cluster),
                clusters.iter().copied(),
            );
            if set.record_type() != rtype {
                let message = format!("{owner} {rtype} holds data of another type");
                self.refuse("record-form", message, None);
            }
            if rtype == RecordType::CNAME && set.len() > 1 {
                let message = format!("{owner} CNAME has several targets for cluster `{cluster}`");
                self.refuse("cname-and-other-data", message, None);
            }
            let octets = set.data().map(|data| 12 + data.wire().len()).sum();
            self.within(
                &format!("octets in RRset {owner} {rtype}"),
                octets,
                budget::RRSET_OCTETS,
            );
        }
        let missing: Vec<_> = clusters
            .iter()
            .filter(|name| !sets.contains_key(**name))
            .map(|name| name.as_str())
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            self.refuse(
                "missing-cluster",
                format!("{owner} {rtype} says nothing for {missing}, and every cluster of the app may be chosen"),
                Some("add it to `by_cluster`".to_owned()),
            );
        }
    }

    fn hints(&mut self, owner: &DnsName, rtype: RecordType, set: &RrSet) {
        if !matches!(rtype, RecordType::SVCB | RecordType::HTTPS) {
            let message = format!("{owner} {rtype} has no hints; SVCB and HTTPS records have");
            self.refuse("hints-without-service", message, None);
            return;
        }
        for data in set.data() {
            let is_alias = data.wire().starts_with(&[0, 0]);
            let mut params = data.svc_params().into_iter().flatten();
            let is_hint = |key| matches!(key, svc_param::IPV4HINT | svc_param::IPV6HINT);
            if is_alias {
                let message = format!("{owner} {rtype} is an alias (priority 0) and has no hints");
                let help = "give it a priority above 0 (RFC 9460 section 2.4)";
                self.refuse("hints-at-alias", message, Some(help.to_owned()));
            } else if params.any(|(key, _)| is_hint(key)) {
                let message = format!("{owner} {rtype} has hints of its own beside steered ones");
                self.refuse("hints-twice", message, Some("remove them".to_owned()));
            }
        }
        let octets = set.data().map(|data| 12 + data.wire().len() + HINTS).sum();
        self.within(
            &format!("octets in RRset {owner} {rtype}"),
            octets,
            budget::RRSET_OCTETS,
        );
    }

    /// Hints are addresses of the target name (RFC 9460 section 7.3), so that has to be a host of the
    /// app whose addresses they are.
    fn hinted_hosts(
        &mut self,
        owner: &DnsName,
        rtype: RecordType,
        set: &RrSet,
        (app, hosts): (&Name, &Hosts<'_>),
    ) {
        let targets: BTreeSet<_> = set
            .data()
            .filter(|data| data.preference() != Some(0))
            .filter_map(|data| data.service_target(owner))
            .collect();
        let mut targets = targets.iter();
        let Some(first) = targets.next() else { return };
        if let Some(second) = targets.next() {
            let message = format!(
                "{owner} {rtype} leads to {first} and to {second}, and steered hints are addresses of one host"
            );
            let help = "give all its records one target, or write those of other names without `hints: steered`";
            return self.refuse("hints-of-several-hosts", message, Some(help.to_owned()));
        }
        if self.draft.apps.contains_key(app) && hosts.app(first) != Some(app) {
            let message = format!(
                "{owner} {rtype} leads to {first}, which is no host of app `{app}`, and hints are addresses of that name"
            );
            let help =
                "lead it to a host of the app (`.` is the record's own name), or leave `hints` out";
            self.refuse("hints-of-other-host", message, Some(help.to_owned()));
        }
    }
}
