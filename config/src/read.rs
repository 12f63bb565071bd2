//! Tree to draft. Runs after the lenient pass and says nothing that it said already: what could not be
//! read is left out, or stands in with a plausible value so that names go on naming something.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use windrose_model::{
    Cluster, Coordinates, DnsName, Draft, Invalid, LatencyMatrix, Name, Percent, Region, Safety,
    Segment,
};

use crate::node::{DataSources, NodeConfig};
use crate::problem::Problem;
use crate::scalar::{self, Bad};
use crate::source::{Sources, Span};
use crate::tree::Node;
use crate::zonefile::{Kept, Places};

mod active;
mod app;
mod balance;
mod breakers;
mod data;
mod fallback;
mod fault;
mod latency;
mod mirror;
mod needs;
mod node;
mod outliers;
mod rate_limit;
mod retry;
mod route;
mod split_by;
mod steering;
mod tls;
mod upstream;
mod zone;

pub use needs::GeoNeed;
pub(crate) use needs::{Needed, Needs};

/// What a tree says.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) draft: Draft,
    pub(crate) node: NodeConfig,
    pub(crate) data: DataSources,
    pub(crate) latency: LatencyMatrix,
    pub(crate) found: Found,
}

/// What reading found out beside the draft.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// With places.
    pub(crate) problems: Vec<Problem>,
    /// With paths, as a Model tells its own.
    pub(crate) invalid: Vec<Invalid>,
    /// What geo data is expected to hold, and what to say if it does not.
    pub(crate) needs: Needs,
    /// Items of lists that could not be read.
    pub(crate) dropped: HashSet<Span>,
    /// More paths at which something could not be read.
    pub(crate) tainted: Vec<Vec<Segment>>,
    /// Files and folders of TLS, where they are named.
    pub(crate) tls_files: Vec<(PathBuf, Span)>,
    /// Zones without a serial of their own.
    pub(crate) counted: Vec<DnsName>,
    /// Records that differ by cluster.
    steered: Vec<zone::Steered>,
    /// Where RRsets were written, by zone.
    pub(crate) records: HashMap<DnsName, Places>,
    /// Master files of which only what is new need be read the next time.
    pub(crate) kept: Vec<Kept>,
}

/// Reads what can be read.
pub(crate) fn read(root: &Node, sources: &mut Sources) -> Read {
    let mut found = Found::default();
    let data = data::read(root, sources, &mut found);
    let apps = objects(root, "apps", |name, node| {
        app::read(name, node, sources, &mut found)
    });
    let zones = zone::read(root, sources, &mut found);
    let mut draft = Draft {
        steered: zone::resolve(&mut found, &apps),
        lists: (data.lists.iter())
            .map(|(name, list)| (name.clone(), list.len()))
            .collect(),
        users: (data.users.iter())
            .map(|(name, list)| (name.clone(), (list.fingerprint(), list.len())))
            .collect(),
        regions: objects(root, "regions", |_, node| region(node)),
        clusters: objects(root, "clusters", |name, node| {
            cluster(name, node, &mut found)
        }),
        apps,
        latency: None,
        zones,
        safety: root
            .get("safety")
            .map_or_else(Safety::default, |safety| Safety {
                min_clusters_on: number(safety, "min_clusters_on", 1),
            }),
    };
    let node = node::read(root, sources, &mut found);
    node::check(&node, &draft, &mut found);
    let latency = latency::read(root, &draft, sources, &mut found);
    let names_one = root.get("data").and_then(|data| data.get("latency"));
    draft.latency = names_one.map(|_| latency.fingerprint());
    needs::check(&data, &latency, &draft, &mut found);
    Read {
        draft,
        node,
        data,
        latency,
        found,
    }
}

fn region(node: &Node) -> Region {
    let degrees = |key, limit: i32| value(node, key, |t| scalar::number(t, -limit, limit));
    let location = degrees("lat", 90).zip(degrees("lon", 180));
    Region {
        location: location
            .and_then(|(lat, lon)| Coordinates::new(lat, lon))
            .unwrap_or(Coordinates::from_hundredths(0, 0)),
        country: value(node, "country", scalar::country),
    }
}

fn cluster(name: &Name, node: &Node, found: &mut Found) -> Cluster {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 10^9"
    )]
    let thousandths = |cost: f64| (cost * 1e3).round() as u32;
    Cluster {
        region: value(node, "region", scalar::name).unwrap_or_else(|| name.clone()),
        addresses: found.list(node.get("addresses"), |_, item| single(item, scalar::ip)),
        class: value(node, "class", scalar::name),
        cost_thousandths: value(node, "cost", |t| scalar::number(t, 0, 1_000_000))
            .map_or(1_000, thousandths),
        dial: value(node, "dial", scalar::percent).unwrap_or(Percent::FULL),
        drain: value(node, "drain", scalar::boolean).unwrap_or(false),
    }
}

impl Found {
    /// The items that can be read; the others are remembered.
    fn list<T>(
        &mut self,
        list: Option<&Node>,
        mut read: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Vec<T> {
        let list = list.map_or(&[][..], Node::items);
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            match read(self, item) {
                Some(value) => items.push(value),
                None => drop(self.dropped.insert(item.span)),
            }
        }
        items
    }
}

/// A scalar of a kind.
fn single<T>(node: &Node, read: impl Fn(&str) -> Result<T, Bad>) -> Option<T> {
    node.text().and_then(|text| read(text).ok())
}

/// A scalar of a kind, under a key.
fn value<T>(node: &Node, key: &str, read: impl Fn(&str) -> Result<T, Bad>) -> Option<T> {
    node.get(key).and_then(|value| single(value, read))
}

/// A whole number under a key; ranges are the table's business.
fn number<N: TryFrom<u32>>(node: &Node, key: &str, default: N) -> N {
    value(node, key, |t| scalar::whole(t, 0, u32::MAX))
        .and_then(|n| N::try_from(n).ok())
        .unwrap_or(default)
}

/// A mapping whose keys name things, under a key.
fn objects<T>(
    node: &Node,
    key: &str,
    mut read: impl FnMut(&Name, &Node) -> T,
) -> BTreeMap<Name, T> {
    let entries = node.get(key).map_or(&[][..], Node::entries);
    let named = entries
        .iter()
        .filter_map(|e| Some((Name::new(&e.key).ok()?, &e.value)));
    named
        .map(|(name, value)| {
            let object = read(&name, value);
            (name, object)
        })
        .collect()
}

/// A mapping by keys of some kind; keys and values that cannot be read are left out.
fn by_key<K: Ord, T>(
    node: Option<&Node>,
    key: impl Fn(&str) -> Result<K, Bad>,
    mut read: impl FnMut(&Node) -> Option<T>,
) -> BTreeMap<K, T> {
    let entries = node.map_or(&[][..], Node::entries);
    entries
        .iter()
        .filter_map(|e| Some((key(&e.key).ok()?, read(&e.value)?)))
        .collect()
}

/// A path of keys.
fn path(keys: &[&str]) -> Vec<Segment> {
    keys.iter().map(|key| Segment::from(*key)).collect()
}

fn refuse(code: &'static str, at: &[&str], message: String, help: Option<String>) -> Invalid {
    Invalid {
        code,
        at: path(at),
        message,
        help,
    }
}
