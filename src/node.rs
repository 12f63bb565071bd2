//! Assembly of a node: folder, data, sockets, control, threads; and their orderly end.
//!
//! The order matters: ports are bound first, so that a busy one is told at once; control runs its
//! first round of probes; only then do the data-path threads begin to serve. Nothing is decided
//! here.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use windrose_config::{Listeners, NodeConfig};
use windrose_control::{Budget, CheckPassed, Forget, Handle, Options};
use windrose_model::{DnsName, Model};
use windrose_proxy::{Bounds, Http2, ProxyTrust, Settings, Shared, Underscores};
use windrose_routing::{Data, Source};
use windrose_telemetry::{Metrics, Writing};
use windrose_tls::Store;

use crate::sockets::{self, OpenError, Sockets};

mod access;
pub(crate) mod certificates;
pub(crate) mod data;
pub(crate) mod data_dir;
mod defence;
mod limits;
mod manners;
mod serials;
mod threads;

use certificates::CertificatesError;
use data_dir::{DataDir, DataDirError};
pub(crate) use manners::{DnsManners, SecretsLoadError};
pub(crate) use serials::{Serials, SerialsError};
use threads::Threads;

/// Beyond the grace of exchanges: what closing and joining takes.
const END_LIMIT: Duration = Duration::from_secs(2);

/// A node that serves, or is about to.
pub(crate) struct Node {
    /// What it listens on, ports chosen.
    pub(crate) bound: Listeners,
    /// What it began with, every zone with its serial.
    pub(crate) model: Arc<Model>,
    /// To be taken by whoever brings the next Model.
    pub(crate) serials: Serials,
    pub(crate) handle: Handle,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) dns_manners: DnsManners,
    /// What TLS is spoken with.
    pub(crate) certificates: Store,
    source: Source,
    settings: Arc<Settings>,
    /// The writer of the access log, to be waited for at the end.
    access_writing: Option<Writing>,
    shared: Arc<Shared>,
    sockets: Option<Sockets>,
    /// Of the data path.
    threads: Threads,
    admin: Threads,
    stop: Stop,
    // Unlocked last.
    _data_dir: DataDir,
}

/// Tells the threads to end: tasks by the channel, the UDP loops by the flag.
struct Stop {
    flag: Arc<AtomicBool>,
    serve: watch::Sender<bool>,
    admin: watch::Sender<bool>,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Listener(#[from] OpenError),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    CookieSecrets(#[from] SecretsLoadError),
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    #[error(transparent)]
    Serials(#[from] SerialsError),
    #[error("cannot start {part}: {source}")]
    Thread {
        part: &'static str,
        source: io::Error,
    },
}

impl Node {
    /// Gives zones in `counted` their serials, locks the folder, binds all ports, starts control and
    /// the admin server. Serves no client yet.
    pub(crate) fn prepare(
        config: &NodeConfig,
        model: Model,
        counted: &[DnsName],
        data: Arc<Data>,
        grace: Duration,
    ) -> Result<Self, StartError> {
        let threads = config.threads.unwrap_or_else(cores);
        let certificates = Store::new();
        let generation = certificates::prepare(&certificates, config)?;
        certificates::publish(&certificates, generation);
        // Before the sockets: one for each thread and address may be more than a shell allows.
        let descriptors = limits::raise_descriptors();
        let mut sockets = sockets::open(&config.listeners, threads)?;
        let metrics = Metrics::new();
        let dns_manners = DnsManners::new(config, sockets.dns_tcp.len(), Arc::clone(&metrics))?;
        let data_dir = DataDir::open(&config.data_dir)?;
        let mut serials = Serials::open(data_dir.path())?;
        let model = serials.give(model, counted, None);
        let mut settings = proxy_settings(config, grace);
        let mut access_writing = None;
        if let Some((log, writing)) =
            access::start(config, &metrics).map_err(cannot("the access log"))?
        {
            settings.access = Some(log);
            access_writing = Some(writing);
        }
        let shared = Arc::new(Shared::new());
        let options = control_options(config, &data_dir, descriptors, &shared, &certificates)?;
        let (handle, source) =
            windrose_control::start(Arc::clone(&model), data, options, Arc::clone(&metrics))
                .map_err(cannot("control"))?;
        let mut node = Self {
            bound: sockets.bound.clone(),
            model,
            serials,
            handle,
            metrics,
            dns_manners,
            certificates,
            source,
            settings: Arc::new(settings),
            access_writing,
            shared,
            threads: Threads::new(),
            admin: Threads::new(),
            stop: Stop {
                flag: Arc::default(),
                serve: watch::channel(false).0,
                admin: watch::channel(false).0,
            },
            _data_dir: data_dir,
            sockets: None,
        };
        if let Some(listener) = sockets.admin.take() {
            node.start_admin(listener, config)?;
        }
        node.sockets = Some(sockets);
        Ok(node)
    }

    /// Waits for the first round of probes, then serves.
    pub(crate) async fn serve(&mut self) -> Result<(), StartError> {
        self.handle.first_round().await;
        let Some(sockets) = self.sockets.take() else {
            return Ok(());
        };
        self.start_dns(sockets.dns_udp, sockets.dns_tcp)?;
        self.start_proxy(sockets.http, sockets.https, sockets.tcp)
    }

    /// Stops accepting, lets exchanges finish for `grace`, then ends.
    pub(crate) fn stop(mut self, grace: Duration) {
        self.stop.flag.store(true, Ordering::Relaxed);
        self.stop.serve.send_replace(true);
        let left = self.threads.join(grace + END_LIMIT);
        if left > 0 {
            tracing::warn!(
                threads = left,
                "ended with exchanges open: the grace is over"
            );
        }
        self.dns_manners.end(END_LIMIT);
        // The last hold on the access log, if the threads have ended.
        self.settings = Arc::default();
        if let Some(writing) = self.access_writing.take()
            && !writing.wait(END_LIMIT)
        {
            tracing::warn!("ended with records of the access log unwritten");
        }
        // Admin answers while the last exchanges finish; control outlives both.
        self.stop.admin.send_replace(true);
        self.admin.join(END_LIMIT);
        self.handle.stop();
    }

    fn start_dns(
        &mut self,
        udp: Vec<std::net::UdpSocket>,
        tcp: Vec<std::net::TcpListener>,
    ) -> Result<(), StartError> {
        for (i, socket) in udp.into_iter().enumerate() {
            let reader = self.source.reader();
            let metrics = Arc::clone(&self.metrics);
            let manners = self.dns_manners.listen();
            let stop = Arc::clone(&self.stop.flag);
            let serve = move || {
                let counters = windrose_dns::Counters::new(&metrics);
                let served =
                    windrose_dns::serve_udp(&socket, reader, manners, &counters, seed(), &stop);
                if let Err(e) = served {
                    tracing::error!("a DNS thread ended: {e}");
                }
            };
            self.threads
                .start(format!("dns-udp-{i}"), serve)
                .map_err(cannot("dns"))?;
        }
        if tcp.is_empty() {
            return Ok(());
        }
        let (reader, manners) = (self.source.reader(), self.dns_manners.listen());
        let metrics = Arc::clone(&self.metrics);
        let stop = Arc::clone(&self.stop.flag);
        let serve = move || {
            let counters = windrose_dns::Counters::new(&metrics);
            let served = windrose_dns::serve_tcp(tcp, reader, manners, &counters, seed(), &stop);
            if let Err(e) = served {
                tracing::error!("the thread of DNS over TCP ended: {e}");
            }
        };
        self.threads
            .start("dns-tcp".to_owned(), serve)
            .map_err(cannot("dns"))
    }

    fn start_proxy(
        &mut self,
        http: Vec<Vec<std::net::TcpListener>>,
        https: Vec<Vec<std::net::TcpListener>>,
        tcp: Vec<Vec<(windrose_model::Name, std::net::TcpListener)>>,
    ) -> Result<(), StartError> {
        for (i, ((http, https), tcp)) in http.into_iter().zip(https).zip(tcp).enumerate() {
            let listeners = windrose_proxy::Listeners {
                http,
                https,
                tcp,
                certificates: self.certificates.clone(),
            };
            if listeners.is_empty() {
                continue;
            }
            let (source, shared) = (self.source.clone(), Arc::clone(&self.shared));
            let (reports, metrics) = (self.handle.reports(), Arc::clone(&self.metrics));
            let settings = Arc::clone(&self.settings);
            let stop = told(self.stop.serve.subscribe());
            let serve = move || {
                let seed = seed();
                windrose_proxy::serve(
                    listeners, source, shared, reports, metrics, settings, seed, stop,
                )
            };
            self.threads
                .start_async(format!("proxy-{i}"), serve)
                .map_err(cannot("proxy"))?;
        }
        if let Some(bounds) = self.settings.overload {
            let shared = Arc::clone(&self.shared);
            let stop = told(self.stop.serve.subscribe());
            let watch = move || windrose_proxy::watch_overload(shared, bounds, stop);
            self.threads
                .start_async("overload".to_owned(), watch)
                .map_err(cannot("the watch of overload"))?;
        }
        Ok(())
    }

    fn start_admin(
        &mut self,
        listener: std::net::TcpListener,
        config: &NodeConfig,
    ) -> Result<(), StartError> {
        let state = windrose_admin::State {
            snapshots: self.handle.watch(),
            convergence: self.handle.convergence(),
            metrics: Arc::clone(&self.metrics),
            certificates: self.certificates.clone(),
            live: self.shared.live().clone(),
            identity: Arc::new(windrose_admin::Identity {
                node: config.name.to_string(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                commit: env!("WINDROSE_COMMIT").to_owned(),
                started: std::time::SystemTime::now(),
            }),
            stopping: self.stop.serve.subscribe(),
        };
        let stop = told(self.stop.admin.subscribe());
        let serve = move || windrose_admin::serve(listener, state, stop);
        self.admin
            .start_async("admin".to_owned(), serve)
            .map_err(cannot("admin"))
    }
}

fn cannot(part: &'static str) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Thread { part, source }
}

/// One data-path thread per core.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn control_options(
    config: &NodeConfig,
    data_dir: &DataDir,
    descriptors: u64,
    shared: &Arc<Shared>,
    certificates: &Store,
) -> Result<Options, DataDirError> {
    let (shared, exclusions) = (Arc::clone(shared), Arc::clone(&shared.live().exclusions));
    let (checked, clusters) = (Arc::clone(&shared), Arc::clone(&shared));
    // Most descriptors are for clients.
    let probes = u32::try_from(descriptors / 16).unwrap_or(u32::MAX);
    Ok(Options {
        budget: Budget {
            in_flight: probes.clamp(64, 8_192),
            ..Budget::default()
        },
        certificates: certificates.clone(),
        resolvers: config.resolvers.clone(),
        forget: Some(Forget::new(
            move |slot| shared.forget_endpoint(slot),
            move |slot| clusters.forget_cluster(slot),
        )),
        check_passed: Some(CheckPassed::new(
            move || !exclusions.is_empty(),
            move |slot| checked.check_passed(slot),
        )),
        region: config.region.clone(),
        seed: seed(),
        term: data_dir.next_term()?,
        data_dir: Some(data_dir.path().to_owned()),
        ..Options::default()
    })
}

fn proxy_settings(config: &NodeConfig, grace: Duration) -> Settings {
    Settings {
        home: config.home.clone(),
        forwarded_trust: config.forwarded_trust.clone(),
        proxy_trust: ProxyTrust {
            http: config.proxy_trust.http.clone(),
            https: config.proxy_trust.https.clone(),
            tcp: config.proxy_trust.tcp.clone(),
        },
        max_head_bytes: config.http_limits.max_head_bytes,
        max_fields: config.http_limits.max_fields,
        head_timeout: config.http_limits.head_timeout,
        idle_timeout: config.http_limits.idle_timeout,
        send_timeout: config.http_limits.send_timeout,
        underscores: match config.http_limits.underscores {
            windrose_config::Underscores::Drop => Underscores::Drop,
            windrose_config::Underscores::Refuse => Underscores::Refuse,
            windrose_config::Underscores::Allow => Underscores::Allow,
        },
        handshake_timeout: config.tls.handshake_timeout,
        http2: http2(config),
        overload: config.overload.map(|bounds| Bounds {
            memory: bounds.memory,
            connections: bounds.connections.map(u64::from),
            lag: bounds.lag,
            steps: [bounds.keep_alive_off, bounds.refuse, bounds.stop_accepting],
        }),
        grace,
        ..Settings::default()
    }
}

fn http2(config: &NodeConfig) -> Option<Http2> {
    let http2 = config.http_limits.http2;
    http2.enabled.then_some(Http2 {
        max_streams: http2.max_streams,
        window_timeout: http2.window_timeout,
    })
}

/// A number by chance: the standard library's hash keys are the process's dice.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Ends when the node is told to stop.
async fn told(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
