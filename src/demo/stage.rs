//! The stage: the clusters' processes, the node and its folder, set up and cleared away.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use windrose_config::{Loaded, load_text};
use windrose_model::Revision;

use super::cluster::{Cluster, ClusterError};
use super::load::{Load, Plan};
use super::tally::Tally;
use super::{CONFIGURATION, HOST, Wanted};
use crate::node::data::Loader;
use crate::node::{Node, StartError};

/// What exchanges get to finish when the demo ends.
const GRACE: Duration = Duration::from_secs(2);

/// All that runs.
pub(crate) struct Stage {
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) node: Node,
    pub(crate) tally: Arc<Tally>,
    pub(crate) loaded: Loaded,
    plan: Plan,
    // Removed last.
    _folder: Folder,
}

/// A folder of this user alone, removed when dropped.
struct Folder(PathBuf);

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StageError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Node(#[from] StartError),
    #[error("the embedded configuration is refused:\n{0}")]
    Configuration(windrose_config::Report),
    #[error("the demo cannot make a folder for its node: {0}")]
    Folder(io::Error),
    #[error("the demo's load cannot run: {0}")]
    Load(io::Error),
    #[error("this terminal cannot show the live view: {0}")]
    Terminal(io::Error),
    #[error("the demo cannot hear signals: {0}")]
    Signals(io::Error),
}

/// Reads the demo's configuration.
pub(crate) fn load(text: &str) -> Result<Loaded, StageError> {
    load_text("demo.yaml", text, Revision(1), None).map_err(StageError::Configuration)
}

impl Stage {
    /// Starts clusters and node, and waits until the node is ready.
    pub(crate) async fn set(wanted: &Wanted) -> Result<Self, StageError> {
        let mut loaded = load(CONFIGURATION)?;
        let clusters = start_clusters(&loaded, wanted.auto_ports)?;
        if wanted.auto_ports {
            loaded = load(&with_ports(CONFIGURATION, &loaded, &clusters))?;
            for address in loaded
                .node
                .listeners
                .dns
                .iter_mut()
                .chain(&mut loaded.node.listeners.http)
            {
                address.set_port(0);
            }
            if let Some(admin) = &mut loaded.node.listeners.admin {
                admin.set_port(0);
            }
        }
        let folder = Folder::new().map_err(StageError::Folder)?;
        loaded.node.data_dir.clone_from(&folder.0);
        // The demo has the built-in database; nothing can be missing.
        let found = Loader::default().load(&loaded);
        let data = found
            .map_err(|e| StageError::Load(io::Error::other(e)))?
            .data;
        let (model, counted) = (loaded.model.clone(), &loaded.counted);
        let mut node = Node::prepare(&loaded.node, model, counted, data, GRACE)?;
        node.serve().await?;
        let answers: Vec<_> = clusters
            .iter()
            .map(|c| (c.name.clone(), addresses(&loaded, &c.name)))
            .collect();
        let plan = Plan {
            dns: first(&node.bound.dns),
            http_port: first(&node.bound.http).port(),
            host: HOST.to_owned(),
            rate: wanted.rate,
        };
        Ok(Self {
            clusters,
            node,
            tally: Arc::new(Tally::new(&answers)),
            loaded,
            plan,
            _folder: folder,
        })
    }

    pub(crate) fn start_load(&self) -> Result<Load, StageError> {
        Load::start(self.plan.clone(), Arc::clone(&self.tally)).map_err(StageError::Load)
    }

    /// What DNS answers for a cluster.
    pub(crate) fn addresses(&self, cluster: &str) -> Vec<IpAddr> {
        addresses(&self.loaded, cluster)
    }

    /// Ends the node, then the clusters, and removes the folder.
    pub(crate) fn clear(self) {
        self.node.stop(GRACE);
        drop(self.clusters);
    }
}

impl Folder {
    /// A new one: what stands there already may be anybody's.
    fn new() -> io::Result<Self> {
        let process = std::process::id();
        for number in 0..100 {
            let path = std::env::temp_dir().join(format!("windrose-demo-{process}-{number}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind lies in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start_clusters(loaded: &Loaded, auto_ports: bool) -> Result<Vec<Cluster>, ClusterError> {
    let mut endpoints: BTreeMap<&str, Vec<(String, SocketAddr)>> = BTreeMap::new();
    for (_, app) in loaded.model.apps().iter() {
        for (version, placed) in &app.versions {
            for (cluster, addresses) in &placed.endpoints {
                let list = endpoints.entry(cluster.as_str()).or_default();
                list.extend(addresses.iter().map(|address| {
                    let mut address = *address;
                    if auto_ports {
                        address.set_port(0);
                    }
                    (version.to_string(), address)
                }));
            }
        }
    }
    endpoints
        .into_iter()
        .map(|(name, endpoints)| Cluster::start(name, endpoints))
        .collect()
}

/// The text with each endpoint's address replaced by the one that was bound.
fn with_ports(text: &str, loaded: &Loaded, clusters: &[Cluster]) -> String {
    let bound: BTreeMap<IpAddr, SocketAddr> = clusters
        .iter()
        .flat_map(|c| &c.endpoints)
        .map(|(_, address)| (address.ip(), *address))
        .collect();
    let mut text = text.to_owned();
    for (id, _, _) in loaded.model.app_ids() {
        for endpoint in loaded.model.endpoints(id) {
            if let Some(now) = bound.get(&endpoint.address.ip()) {
                let quoted = |a: &SocketAddr| format!("\"{a}\"");
                text = text.replace(&quoted(&endpoint.address), &quoted(now));
            }
        }
    }
    text
}

fn addresses(loaded: &Loaded, cluster: &str) -> Vec<IpAddr> {
    let id = loaded.model.cluster_id(cluster);
    id.map_or_else(Vec::new, |id| loaded.model.cluster(id).1.addresses.clone())
}

fn first(addresses: &[SocketAddr]) -> SocketAddr {
    // The embedded configuration has both listeners; a test reads it.
    addresses
        .first()
        .copied()
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
}
