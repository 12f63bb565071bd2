//! A node without its data path: one app in three clusters, one zone, counters, and the server.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::sync::{oneshot, watch};
use windrose_admin::{Identity, State};
use windrose_control::{Decision, Readiness, Reload, Snapshot, Why};
use windrose_model::{
    App, AppStatus, Cause, Cluster, ClusterStatus, Coordinates, DnsName, Draft, EndpointState,
    Model, Name, Percent, ProbeFailure, RData, Region, Revision, RrSet, Soa, Split, Stamp, Status,
    Ttl, Verdict, Version, WallTime, Weight, Zone,
};
use windrose_routing::{Data, SlotBook, Table, compile};
use windrose_telemetry::Metrics;

/// Seconds since 1970 of everything that happened in the scene.
pub(crate) const THEN: u64 = 1_700_000_000;

/// A running server and what it shows.
pub(crate) struct Scene {
    pub(crate) address: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
    snapshots: Option<watch::Sender<Arc<Snapshot>>>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Scene {
    pub(crate) fn start() -> Self {
        let metrics = Metrics::new();
        let (sender, snapshots) = watch::channel(Arc::new(snapshot()));
        let state = State {
            snapshots,
            convergence: watch::channel(Arc::default()).1,
            metrics: Arc::clone(&metrics),
            certificates: windrose_tls::Store::new(),
            live: windrose_telemetry::Live::default(),
            identity: Arc::new(Identity {
                node: "n1".to_owned(),
                version: "0.1.0".to_owned(),
                commit: "abcdef".to_owned(),
                started: SystemTime::now(),
            }),
            stopping: watch::channel(false).1,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let stopped = async {
                let _ = stopped.await;
            };
            runtime
                .block_on(windrose_admin::serve(listener, state, stopped))
                .unwrap();
        });
        Self {
            address,
            metrics,
            snapshots: Some(sender),
            stop: Some(stop),
            server: Some(server),
        }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.snapshots.as_ref().unwrap().send_modify(|snapshot| {
            let mut changed = Snapshot::clone(snapshot);
            change(&mut changed);
            *snapshot = Arc::new(changed);
        });
    }

    /// Control is gone; what it said last remains.
    pub(crate) fn lose_control(&mut self) {
        self.snapshots = None;
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        let snapshot = Arc::clone(&self.snapshots.as_ref().unwrap().borrow());
        Arc::clone(&snapshot.table)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, "")
    }

    /// One request on a connection of its own; `fields` end in CRLF each.
    pub(crate) fn ask(&self, method: &str, target: &str, fields: &str) -> Reply {
        let request =
            format!("{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
        Reply::parse(&exchange(self.address, request.as_bytes()))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            let ended = server.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

/// Sends bytes and reads until the server closes.
pub(crate) fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // The server may refuse before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    fn parse(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        Self {
            code: head[9..12].parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn dns_name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn model() -> Model {
    let mut draft = Draft::default();
    let region = Region {
        location: Coordinates::new(50.0, 8.0).unwrap(),
        country: None,
    };
    draft.regions.insert(name("eu"), region);
    let mut endpoints = BTreeMap::new();
    for (n, cluster) in ["frankfurt", "singapore", "virginia"].iter().enumerate() {
        draft.clusters.insert(
            name(cluster),
            Cluster {
                region: name("eu"),
                addresses: vec![format!("127.0.0.1{n}").parse().unwrap()],
                class: None,
                cost_thousandths: 1_000,
                dial: Percent::FULL,
                drain: false,
            },
        );
        let address = |last| format!("127.0.1.{n}:{last}").parse().unwrap();
        endpoints.insert(name(cluster), vec![address(9001), address(9002)]);
    }
    let all = Version::at(endpoints);
    let mut some = all.clone();
    some.endpoints
        .retain(|cluster, _| *cluster == name("frankfurt"));
    let versions = BTreeMap::from([(name("v1"), all), (name("v2"), some)]);
    let split = Split(BTreeMap::from([(name("v1"), Weight::ONE)]));
    let host = dns_name("shop.example.com");
    draft
        .apps
        .insert(name("shop"), App::new(vec![host], versions, split));
    let soa = Soa {
        mname: dns_name("ns.example.com"),
        rname: dns_name("admin.example.com"),
        serial: 1,
        refresh: 1,
        retry: 1,
        expire: 1,
        minimum: 1,
        ttl: Ttl::new(1).unwrap(),
    };
    let servers = RData::ns(&dns_name("ns.example.net"));
    let servers = RrSet::single(Ttl::new(60).unwrap(), &servers);
    let records = [(dns_name("example.com"), servers)].into_iter().collect();
    draft
        .zones
        .insert(dns_name("example.com"), Zone { soa, records });
    Model::build(draft, Revision(3), None).expect("a valid model")
}

/// frankfurt is up, singapore lost one endpoint, virginia is down.
fn status() -> Status {
    let cluster = |verdict, usable, share, cause| ClusterStatus {
        verdict,
        usable,
        share,
        cause,
        since: WallTime(THEN * 1_000_000),
    };
    let down = Cause::EndpointsDown {
        of: 2,
        last: ProbeFailure::Refused,
    };
    let app = AppStatus {
        clusters: vec![
            cluster(
                Verdict::Up,
                true,
                Percent::FULL,
                Cause::EndpointsUp { up: 4, of: 4 },
            ),
            cluster(
                Verdict::Degraded,
                true,
                Percent::new(12.5).unwrap(),
                Cause::EndpointsUp { up: 1, of: 2 },
            ),
            cluster(Verdict::Down, false, Percent::ZERO, down),
        ],
        endpoints: vec![
            EndpointState::Up,
            EndpointState::Up,
            EndpointState::Up,
            EndpointState::Unknown,
            EndpointState::Down,
            EndpointState::Down,
            EndpointState::Up,
            EndpointState::Up,
        ],
        last_known: 0b011,
        ttl_cause: windrose_model::TtlCause::STARTING,
        ttl: Ttl::new(30).unwrap(),
    };
    Status {
        stamp: stamp(),
        apps: vec![Arc::new(app)],
        ..Status::default()
    }
}

fn stamp() -> Stamp {
    Stamp {
        term: 1,
        epoch: 17,
        revision: Revision(3),
    }
}

fn snapshot() -> Snapshot {
    let model = model();
    let status = status();
    let data = Data::nothing();
    let slots = SlotBook::new().assign(&model, 17);
    let table = compile(&model, &status, &data, &slots, None);
    Snapshot {
        model: Arc::new(model),
        status,
        table: Arc::new(table),
        started: WallTime(THEN * 1_000_000),
        ready: Readiness {
            ready: true,
            missing: Vec::new(),
        },
        reload: Reload {
            ok: true,
            at: WallTime(THEN * 1_000_000),
            error: None,
        },
        aliases: Arc::default(),
        decisions: vec![Decision {
            at: WallTime(THEN * 1_000_000 + 250_000),
            stamp: stamp(),
            app: name("shop"),
            cluster: Some(name("virginia")),
            from: Verdict::Up,
            to: Verdict::Down,
            usable: false,
            share: Percent::ZERO,
            cause: Why::Cluster(Cause::EndpointsDown {
                of: 2,
                last: ProbeFailure::Refused,
            }),
        }],
        round_trips: round_trips(),
        journal_lost: 0,
    }
}

/// One in force and held, one that warms up.
fn round_trips() -> Vec<windrose_control::fold::RoundTrip> {
    let name = |text| Name::new(text).unwrap();
    let rtt = |millis| windrose_model::Rtt::from_millis(millis).unwrap();
    let trip = |cluster, latest, in_force| windrose_control::fold::RoundTrip {
        region: name("eu-central"),
        cluster: name(cluster),
        latest: rtt(latest),
        in_force,
    };
    let in_force = windrose_model::MeasuredRtt {
        rtt: rtt(50.0),
        cause: windrose_model::RttCause::Moved { from: rtt(61.5) },
        since: WallTime(1_800_000_000_000_000),
    };
    vec![
        trip("frankfurt", 48.25, Some(in_force)),
        trip("virginia", 91.0, None),
    ]
}
