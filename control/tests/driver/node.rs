//! A control thread under test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use windrose_control::{Handle, Options, Snapshot, start};
use windrose_model::{
    App, Cluster, ClusterStatus, Coordinates, DnsName, Draft, Failback, HealthCheck, HttpProbe,
    Model, Name, Percent, Probe, Region, Revision, Split, Version, Weight,
};
use windrose_routing::{Data, Source};
use windrose_telemetry::Metrics;

pub(crate) struct Node {
    pub(crate) handle: Handle,
    pub(crate) source: Source,
    pub(crate) metrics: Arc<Metrics>,
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn http() -> Probe {
    Probe::Http(HttpProbe {
        path: String::from("/healthz"),
        host: None,
        status: Vec::new(),
    })
}

/// One app per entry, each with one endpoint in each cluster `c0`, `c1`, …
pub(crate) fn draft(apps: &[(&str, Probe, &[SocketAddr])]) -> Draft {
    let mut draft = Draft::default();
    let region = Region {
        location: Coordinates::new(50.0, 8.0).unwrap(),
        country: None,
    };
    draft.regions.insert(name("r"), region);
    for (app, probe, addresses) in apps {
        let mut endpoints = BTreeMap::new();
        for (at, address) in addresses.iter().enumerate() {
            let cluster = name(&format!("c{at}"));
            let entry = Cluster {
                region: name("r"),
                addresses: vec![[192, 0, 2, u8::try_from(at).unwrap()].into()],
                class: None,
                cost_thousandths: 0,
                dial: Percent::FULL,
                drain: false,
            };
            draft.clusters.insert(cluster.clone(), entry);
            endpoints.insert(cluster, vec![*address]);
        }
        let mut entry = App::new(
            vec![DnsName::parse(&format!("{app}.example.com")).unwrap()],
            [(name("v1"), Version::at(endpoints))].into(),
            Split([(name("v1"), Weight::ONE)].into()),
        );
        entry.health = HealthCheck {
            probe: probe.clone(),
            interval: Duration::from_millis(50),
            timeout: Duration::from_millis(300),
            fall: 2,
            rise: 2,
        };
        entry.failback = Failback {
            hold_down: Duration::ZERO,
            ramp_step: Percent::FULL,
            ramp_every: Duration::ZERO,
        };
        draft.apps.insert(name(app), entry);
    }
    draft
}

pub(crate) fn data() -> Arc<Data> {
    Arc::new(Data::nothing())
}

pub(crate) fn model(draft: Draft, revision: u64, previous: Option<&Model>) -> Arc<Model> {
    Arc::new(Model::build(draft, Revision(revision), previous).unwrap())
}

impl Node {
    pub(crate) fn start(model: Arc<Model>, dir: Option<&Path>) -> Self {
        let options = Options {
            data_dir: dir.map(Path::to_path_buf),
            ..Options::default()
        };
        Self::with(model, data(), options)
    }

    pub(crate) fn with(model: Arc<Model>, data: Arc<Data>, options: Options) -> Self {
        let metrics = Metrics::new();
        let (handle, source) = start(model, data, options, Arc::clone(&metrics)).unwrap();
        Self {
            handle,
            source,
            metrics,
        }
    }

    /// Waits for a snapshot, within bounds.
    pub(crate) async fn until(&self, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut snapshots = self.handle.watch();
        let found = timeout(
            Duration::from_secs(20),
            snapshots.wait_for(|snapshot| wanted(snapshot)),
        );
        Arc::clone(&found.await.expect("in time").unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.handle.stop();
    }
}

/// What a snapshot says about an app in a cluster.
pub(crate) fn entry(snapshot: &Snapshot, app: &str, cluster: usize) -> ClusterStatus {
    let id = snapshot.model.app_id(app).unwrap();
    snapshot.status.apps[id.0 as usize].clusters[cluster].clone()
}
