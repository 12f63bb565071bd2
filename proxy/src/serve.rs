//! The life of one data-path thread: accept, keep house, stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tracing::warn;
use windrose_model::{Name, Report};
use windrose_routing::Source;
use windrose_telemetry::{Actions, Metrics};
use windrose_tls::Store;

use crate::announced::is_trusted;
use crate::connection::{Arrival, Ends, serve_client};
use crate::http1::engine;
use crate::live::Shared;
use crate::overload::{SHUT, probe};
use crate::settings::Settings;
use crate::tcp::serve_stream;
use crate::worker::{Stopping, Worker};

const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// After an accept error of the system (no descriptors left): doubling between these.
const BACK_OFF_FIRST: Duration = Duration::from_millis(10);
const BACK_OFF_MOST: Duration = Duration::from_secs(1);

/// The listeners of one thread.
#[derive(Debug, Default)]
pub struct Listeners {
    /// HTTP in the clear.
    pub http: Vec<std::net::TcpListener>,
    /// HTTP over TLS.
    pub https: Vec<std::net::TcpListener>,
    /// TCP, each with the name of its listener.
    pub tcp: Vec<(Name, std::net::TcpListener)>,
    /// What TLS is spoken with.
    pub certificates: Store,
}

impl Listeners {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.http.is_empty() && self.https.is_empty() && self.tcp.is_empty()
    }
}

/// Serves HTTP and TCP on `listeners` until `stop`, then finishes what is under way within
/// [`Settings::grace`]. To be run on a `LocalSet` of a current-thread runtime of its own; one call
/// per thread, each with its own listeners.
///
/// # Errors
/// When a listener cannot be used with the runtime.
#[allow(
    clippy::too_many_arguments,
    reason = "the seams of a node, named once, in `src/node.rs`"
)]
pub async fn serve(
    listeners: Listeners,
    source: Source,
    shared: Arc<Shared>,
    reports: mpsc::Sender<Report>,
    metrics: Arc<Metrics>,
    settings: Arc<Settings>,
    seed: u64,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let grace = settings.grace;
    let engine = Rc::new(engine(&settings));
    let certificates = listeners.certificates.clone();
    let worker = Worker::new(
        &source,
        shared,
        certificates,
        reports,
        metrics,
        settings,
        seed,
    );
    let worker = Rc::new(worker);
    let store = Rc::new(listeners.certificates);
    let trust = worker.settings.proxy_trust.clone();
    let (in_clear, over_tls) = (Rc::from(trust.http), Rc::from(trust.https));
    let clear = Door {
        store: None,
        announcing: in_clear,
    };
    let tls = Door {
        store: Some(store),
        announcing: over_tls,
    };
    let clear = listeners
        .http
        .into_iter()
        .map(|listener| (listener, &clear));
    let tls = listeners.https.into_iter().map(|listener| (listener, &tls));
    let mut chores = Vec::new();
    for (listener, door) in clear.chain(tls) {
        let engine = Rc::clone(&engine);
        let of = Rc::clone(&worker);
        chores.push(accepting(
            listener,
            &worker,
            door.clone(),
            move |arrival| serve_client(Rc::clone(&of), Rc::clone(&engine), arrival),
        )?);
    }
    for (name, listener) in listeners.tcp {
        let door = Door {
            store: None,
            announcing: trust
                .tcp
                .get(&name)
                .map_or_else(Rc::default, |nets| Rc::from(&nets[..])),
        };
        let (of, name) = (Rc::clone(&worker), Rc::new(name));
        chores.push(accepting(listener, &worker, door, move |arrival| {
            serve_stream(Rc::clone(&of), Rc::clone(&name), arrival)
        })?);
    }
    chores.push(spawn_local(keep_house(Rc::clone(&worker))));
    if (worker.settings.overload).is_some_and(|bounds| !bounds.lag.is_zero()) {
        chores.push(spawn_local(probe(Rc::clone(&worker))));
    }
    stop.await;
    for chore in chores {
        // Aborting an accept loop drops, and so closes, its listener.
        chore.abort();
    }
    worker.stop(Stopping::Graceful);
    if tokio::time::timeout(grace, all_closed(&worker))
        .await
        .is_err()
    {
        warn!(
            connections = worker.open(),
            "closing connections that did not end within the grace"
        );
        worker.stop(Stopping::Now);
        all_closed(&worker).await;
    }
    worker.upstreams.clear();
    worker.mirrors.clear();
    Ok(())
}

/// How connections of a listener begin.
#[derive(Clone)]
struct Door {
    /// What TLS is spoken with; `None` in the clear.
    store: Option<Rc<Store>>,
    /// Peers whose connections begin with a PROXY header.
    announcing: Rc<[IpNet]>,
}

/// Starts to accept; each connection is served by a task of its own.
fn accepting<F: Future<Output = ()> + 'static>(
    listener: std::net::TcpListener,
    worker: &Rc<Worker>,
    door: Door,
    serve: impl Fn(Arrival) -> F + 'static,
) -> io::Result<JoinHandle<()>> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let bound = listener.local_addr()?;
    Ok(spawn_local(accept(
        Rc::clone(worker),
        listener,
        bound,
        door,
        serve,
    )))
}

async fn accept<F: Future<Output = ()> + 'static>(
    worker: Rc<Worker>,
    listener: TcpListener,
    bound: SocketAddr,
    door: Door,
    serve: impl Fn(Arrival) -> F,
) {
    let mut back_off = BACK_OFF_FIRST;
    loop {
        while worker.is_overloaded(Actions::SHUT) {
            tokio::time::sleep(SHUT).await;
        }
        while worker.open() >= worker.settings.max_connections {
            worker.freed.notified().await;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                back_off = BACK_OFF_FIRST;
                let at = match bound.ip() {
                    any if any.is_unspecified() => stream.local_addr().unwrap_or(bound),
                    _ => bound,
                };
                let arrival = Arrival {
                    stream,
                    ends: Ends {
                        peer,
                        client: peer,
                        at,
                    },
                    announces: is_trusted(&door.announcing, peer.ip()),
                    tls: door.store.clone(),
                };
                spawn_local(serve(arrival));
            }
            // The client left while it was in the queue.
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                warn!(%error, port = bound.port(), "cannot accept connections, waiting");
                tokio::time::sleep(back_off).await;
                back_off = (back_off * 2).min(BACK_OFF_MOST);
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

async fn keep_house(worker: Rc<Worker>) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        worker.sweep(Instant::now());
    }
}

async fn all_closed(worker: &Worker) {
    while worker.open() > 0 {
        worker.freed.notified().await;
    }
}
