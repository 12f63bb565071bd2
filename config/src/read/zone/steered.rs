//! Records that differ by cluster: `by_cluster`, and `hints: steered`.

use std::collections::{BTreeMap, HashMap};

use windrose_model::{
    App, DnsName, Hosts, Name, RData, RecordType, RrSet, RrSetError, SteeredData, SteeredRecord,
    Step, Ttl,
};

use super::super::{Found, steering, value};
use super::Reader;
use crate::problem::Problem;
use crate::scalar;
use crate::source::Span;
use crate::tree::Node;
use crate::zonefile::Places;

/// One of them, whose app is perhaps not written.
#[derive(Debug)]
pub(in crate::read) struct Steered {
    apex: DnsName,
    owner: DnsName,
    rtype: RecordType,
    app: Option<Name>,
    steering: Option<Vec<Step>>,
    data: SteeredData,
    /// Its name.
    at: Span,
}

impl Reader<'_> {
    /// Reads a record if it is one of these.
    pub(super) fn steered(
        &mut self,
        record: &Node,
        name: &Node,
        owner: &DnsName,
        rtype: RecordType,
    ) -> bool {
        let by_cluster = record.get("by_cluster");
        if by_cluster.is_none() && record.get("hints").is_none() {
            for key in ["app", "steering"] {
                if let Some(entry) = record.entry(key) {
                    let message = format!("`{key}` is for records that differ by cluster");
                    let problem = Problem::error("record-not-steered", entry.key_span, message);
                    let help = "give it `by_cluster`, or `hints: steered`";
                    self.found.problems.push(problem.help(help));
                }
            }
            return false;
        }
        if let Some(ttl) = record.entry("ttl") {
            let message =
                "a record that differs by cluster lives as long as the answers of its app";
            let problem = Problem::error("ttl-of-steered-record", ttl.key_span, message);
            self.found.problems.push(problem.help("remove `ttl`"));
        }
        let data = match by_cluster {
            Some(node) => {
                let mut sets = BTreeMap::new();
                for entry in node.entries() {
                    let Ok(cluster) = Name::new(&entry.key) else {
                        continue;
                    };
                    let texts = std::iter::once(&entry.value).filter(|node| node.text().is_some());
                    let nodes: Vec<_> = texts.chain(entry.value.items()).collect();
                    if let Some(set) = self.set(&nodes, rtype) {
                        sets.insert(cluster, set);
                    }
                }
                SteeredData::ByCluster(sets)
            }
            None => {
                let values = record.get("values").map_or(&[][..], Node::items);
                let nodes: Vec<_> = record.get("value").into_iter().chain(values).collect();
                match self.set(&nodes, rtype) {
                    Some(set) => SteeredData::Hints(set),
                    None => return true,
                }
            }
        };
        let steps = record.get("steering");
        let steering = steps.map(|steps| steering::read(Some(steps), self.found));
        self.found.steered.push(Steered {
            apex: self.apex.clone(),
            owner: owner.clone(),
            rtype,
            app: value(record, "app", scalar::name),
            steering,
            data,
            at: name.span,
        });
        true
    }

    /// The RRset of some values; `None` when one could not be read, which was told.
    fn set(&mut self, nodes: &[&Node], rtype: RecordType) -> Option<RrSet> {
        let mut data: Vec<RData> = Vec::new();
        for node in nodes {
            data.push(self.data(node, node.text()?, rtype)?);
        }
        let ttl = Ttl::from_duration(std::time::Duration::ZERO);
        match RrSet::new(ttl, &data) {
            Ok(set) => Some(set),
            Err(RrSetError::Duplicate(at)) => {
                let message = format!("this {rtype} value is there already");
                self.refuse(nodes[at].span, "duplicate-record", message);
                None
            }
            Err(RrSetError::Empty | RrSetError::Types(..)) => None,
        }
    }
}

/// Gives each its app: the one written, the one that a service record leads to, or the one whose host
/// it stands at.
pub(in crate::read) fn resolve(
    found: &mut Found,
    apps: &BTreeMap<Name, App>,
) -> BTreeMap<(DnsName, RecordType), SteeredRecord> {
    let hosts = Hosts::of(apps);
    let mut records = BTreeMap::new();
    let mut places = HashMap::<DnsName, Places>::new();
    for record in std::mem::take(&mut found.steered) {
        let (owner, rtype) = (record.owner, record.rtype);
        let target = match &record.data {
            // One that is an alias (priority 0) has no hints, which is refused.
            SteeredData::Hints(set) => (set.data())
                .filter(|data| data.preference() != Some(0))
                .find_map(|data| data.service_target(&owner)),
            SteeredData::ByCluster(_) => None,
        };
        let implied = || hosts.app(target.as_ref().unwrap_or(&owner)).cloned();
        let Some(app) = record.app.or_else(implied) else {
            let message = match target.filter(|target| *target != owner) {
                Some(to) => format!(
                    "which app steers {owner} {rtype}? {to}, where it leads, is no host of one"
                ),
                None => format!("which app steers {owner} {rtype}? it stands at no host of one"),
            };
            let problem = Problem::error("steered-without-app", record.at, message);
            found.problems.push(problem.help("add `app`"));
            continue;
        };
        let steered = SteeredRecord {
            app,
            steering: record.steering,
            data: record.data,
        };
        let key = (owner, rtype);
        if records.contains_key(&key) {
            let (owner, rtype) = key;
            let message = format!("{owner} {rtype} is written twice");
            let problem = Problem::error("duplicate-record", record.at, message);
            found.problems.push(problem);
            continue;
        }
        let place = (key.0.clone(), key.1, record.at);
        places.entry(record.apex).or_default().push(place);
        records.insert(key, steered);
    }
    for (apex, mut places) in places {
        let all = found.records.entry(apex).or_default();
        places.append(all);
        places.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        *all = places;
    }
    records
}
