//! A proxy thread on loopback, with backends that misbehave on demand and clients that speak raw
//! HTTP. Everything lives on one current-thread runtime; every wait is bounded.
#![allow(unreachable_pub, reason = "shared by the modules of a binary")]

pub mod backend;
pub mod client;
pub mod frames;
pub mod http2;
pub mod secure;
pub mod streams;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use windrose_model::{
    App, AppStatus, Cause, Cluster, ClusterStatus, Coordinates, DnsName, Draft, EndpointState,
    Model, Name, Percent, Region, Report, Revision, Split, Stamp, Status, Verdict, Version,
    WallTime, Weight,
};
use windrose_proxy::{Listeners, Settings, Shared, serve};
use windrose_routing::{Data, Publisher, SlotBook, Table, compile};
use windrose_telemetry::{HttpEvent, Metrics};

pub const HOST: &str = "app.test";

/// Runs a test on a thread like those of a node; no test takes longer than this.
pub fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        tokio::time::timeout(Duration::from_secs(30), test)
            .await
            .expect("the test ends in time");
    });
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// An app `app.test` with one version `v1` that runs at these endpoints, by cluster.
pub fn app(clusters: &[(&str, &[SocketAddr])]) -> App {
    let endpoints = clusters
        .iter()
        .map(|(c, list)| (name(c), list.to_vec()))
        .collect();
    let versions = BTreeMap::from([(name("v1"), Version::at(endpoints))]);
    let split = Split(BTreeMap::from([(name("v1"), Weight::ONE)]));
    let mut app = App::new(vec![DnsName::parse(HOST).unwrap()], versions, split);
    app.timeouts.connect = Duration::from_millis(200);
    app.timeouts.first_byte = Duration::from_millis(400);
    // Earlier names first, so that tests know where a request begins.
    app.steering = vec![windrose_model::Step::Failover(
        clusters.iter().map(|(c, _)| vec![name(c)]).collect(),
    )];
    app
}

fn model_of(apps: Vec<(&str, App)>) -> Model {
    let mut draft = Draft::default();
    let region = Region {
        location: Coordinates::new(50.0, 8.0).unwrap(),
        country: None,
    };
    draft.regions.insert(name("r"), region);
    let clusters: Vec<Name> = apps
        .iter()
        .flat_map(|(_, app)| app.versions.values())
        .flat_map(|v| v.endpoints.keys().cloned())
        .collect();
    for cluster in clusters {
        draft.clusters.insert(
            cluster,
            Cluster {
                region: name("r"),
                addresses: vec!["192.0.2.1".parse().unwrap()],
                class: None,
                cost_thousandths: 1_000,
                dial: Percent::FULL,
                drain: false,
            },
        );
    }
    for (app, it) in apps {
        draft.apps.insert(name(app), it);
    }
    Model::build(draft, Revision(1), None).unwrap()
}

/// The Table of an app of which nothing bad is known, but for a change.
pub fn table(app: App, epoch: u64, change: impl FnOnce(&mut AppStatus)) -> Table {
    table_of(vec![("app", app)], epoch, change)
}

/// The Table of several apps; the change is the first one's.
pub fn table_of(apps: Vec<(&str, App)>, epoch: u64, change: impl FnOnce(&mut AppStatus)) -> Table {
    let model = model_of(apps);
    let slots = SlotBook::new().assign(&model, epoch);
    let stamp = Stamp {
        term: 1,
        epoch,
        revision: Revision(1),
    };
    let id = model.app_id("app").unwrap();
    let cluster = ClusterStatus {
        verdict: Verdict::Up,
        usable: true,
        share: Percent::FULL,
        cause: Cause::Starting,
        since: WallTime(0),
    };
    let mut status = AppStatus {
        clusters: vec![cluster; model.clusters_of(id).len()],
        endpoints: vec![EndpointState::Up; model.endpoints(id).count()],
        last_known: 0,
        ttl_cause: windrose_model::TtlCause::STARTING,
        ttl: windrose_model::Ttl::new(30).unwrap(),
    };
    change(&mut status);
    let status = Status {
        stamp,
        apps: vec![Arc::new(status)],
        ..Status::default()
    };
    let data = Data::nothing();
    compile(&model, &status, &data, &slots, None)
}

/// A running proxy thread.
pub struct Node {
    pub address: SocketAddr,
    /// Of HTTPS.
    pub https: SocketAddr,
    pub reports: mpsc::Receiver<Report>,
    pub metrics: Arc<Metrics>,
    pub shared: Arc<Shared>,
    pub publisher: Publisher,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Node {
    pub fn start(app: App) -> Self {
        Self::with(app, Settings::default())
    }

    /// In front of one backend.
    pub fn before(backend: &backend::Backend) -> Self {
        Self::start(app(&[("c1", &[backend.address])]))
    }

    pub fn with(app: App, settings: Settings) -> Self {
        Self::over_tls(app, settings, windrose_tls::Store::new())
    }

    pub fn over_tls(app: App, settings: Settings, certificates: windrose_tls::Store) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let secure = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let https = secure.local_addr().unwrap();
        let listeners = Listeners {
            http: vec![listener],
            https: vec![secure],
            certificates,
            ..Listeners::default()
        };
        let table = table(app, 1, |_| {});
        Self::on(listeners, (address, https), table, settings)
    }

    /// With a Table of several apps.
    pub fn over(table: Table) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listeners = Listeners {
            http: vec![listener],
            ..Listeners::default()
        };
        Self::on(listeners, (address, address), table, Settings::default())
    }

    /// With a TCP listener `in` at an address with port 0.
    pub fn tcp(at: &str, table: Table, settings: Settings) -> Self {
        Self::tcp_over(at, table, settings, windrose_tls::Store::new())
    }

    pub fn tcp_over(
        at: &str,
        table: Table,
        settings: Settings,
        certificates: windrose_tls::Store,
    ) -> Self {
        let listener = std::net::TcpListener::bind(at).unwrap();
        let address = listener.local_addr().unwrap();
        let listeners = Listeners {
            tcp: vec![(name("in"), listener)],
            certificates,
            ..Listeners::default()
        };
        Self::on(listeners, (address, address), table, settings)
    }

    fn on(
        listeners: Listeners,
        (address, https): (SocketAddr, SocketAddr),
        table: Table,
        settings: Settings,
    ) -> Self {
        let (publisher, source) = Publisher::new(table);
        let (report, reports) = mpsc::channel(16);
        let (stop, stopped) = oneshot::channel::<()>();
        let (metrics, shared) = (Metrics::new(), Arc::new(Shared::new()));
        let serving = spawn_local(serve(
            listeners,
            source,
            Arc::clone(&shared),
            report,
            Arc::clone(&metrics),
            Arc::new(settings),
            42,
            async {
                let _ = stopped.await;
            },
        ));
        Self {
            address,
            https,
            reports,
            metrics,
            shared,
            publisher,
            stop: Some(stop),
            serving,
        }
    }

    /// How often it happened, of the whole node.
    pub fn counted(&self, event: HttpEvent) -> u64 {
        self.metrics.http_events.sum(0, event as u32)
    }

    /// Publishes another Table.
    pub fn publish(&mut self, app: App, epoch: u64, change: impl FnOnce(&mut AppStatus)) {
        self.publisher.publish(table(app, epoch, change)).unwrap();
    }

    pub async fn client(&self) -> client::Client {
        client::Client::connect(self.address).await
    }

    /// One GET over a connection of its own.
    pub async fn get(&self, path: &str) -> client::Response {
        let mut client = self.client().await;
        client.get(path).await
    }

    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops and waits for the end.
    pub async fn stop(mut self) {
        self.begin_stop();
        self.serving.await.unwrap().unwrap();
    }
}

/// Waits until something holds, for at most some seconds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(2));
    for _ in 0..2_000 {
        look.tick().await;
        if holds() {
            return;
        }
    }
    panic!("never: {what}");
}
