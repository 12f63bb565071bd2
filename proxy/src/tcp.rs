//! Connections of TCP listeners: to an app, by the name in the ClientHello where names count; to a
//! cluster and an endpoint as a request would go; then relayed unread.
//!
//! Only what fails before the first octet is tried again: the connect. Deliberately absent: TLS to
//! clients. A connection that asks by TLS for a name nobody has is told so in clear, which is all an
//! alert needs.

use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrose_model::{AppId, EndpointId, Name, PassiveKind, Policy, WhenEndpointDown};
use windrose_routing::{AppEntry, RouteId, Table, TcpApps, prefix_key};
use windrose_telemetry::{GroupEvent, StreamEvent, StreamKind, TcpEvent};

use crate::access::{Draft, Outcome as Ending};
use crate::announce;
use crate::breaker::{self, Taken};
use crate::connection::{Arrival, Ends};
use crate::course::{Course, Failure, Stop, tick};
use crate::dial::{Beginning, dial};
use crate::endpoint_stream::{EndpointStream, UnsaidEnd};
use crate::errand::app_slot;
use crate::exchange::evidence::{observe, weigh_failure};
use crate::flags::Flags;
use crate::limit::Held;
use crate::outlier::Outcome;
use crate::pool::Destination;
use crate::relay::{Account, Limits, Side, relay};
use crate::sni::{self, Hello, HelloReader};
use crate::split;
use crate::upstream::InFlight;
use crate::wanted::Wanted;
use crate::watch::Watch;
use crate::worker::Worker;

/// A connection with both its ends.
struct Opened {
    client: Side<TcpStream>,
    upstream: Side<EndpointStream>,
    limits: Limits,
    account: Account,
    /// What happened on the way.
    flags: Flags,
    in_flight: InFlight,
    held: Option<Held>,
    /// Where connections are limited by a breaker.
    counted: Option<Taken>,
}

/// Takes a connection in; the future serves it to its end. It counts as open from now on.
pub(crate) fn serve_stream(
    worker: Rc<Worker>,
    listener: Rc<Name>,
    arrival: Arrival,
) -> impl Future<Output = ()> {
    let now = Instant::now();
    let watch = Rc::new(Watch::new(now, &worker.settings));
    // Never idle: nobody may close it to make room.
    watch.begin(now, worker.settings.idle_timeout, Duration::ZERO);
    let entered = worker.enter_stream(Rc::clone(&watch));
    async move {
        run(&worker, &watch, &listener, arrival).await;
        drop(entered);
    }
}

async fn run(worker: &Rc<Worker>, watch: &Watch, listener: &Name, arrival: Arrival) {
    let mut draft = take_down(worker, listener, &arrival.ends);
    let opening = open(worker, listener, arrival, &mut draft);
    // Boxed: gone once the connection stands, and larger than all the rest.
    let opened = worker.unless_ended(watch, Box::pin(opening)).await;
    let mut opened = match opened {
        Some(Ok(opened)) => opened,
        Some(Err(event)) => {
            worker.recorder.tcp(event);
            let flags = Flags::of_rejection(event);
            return log(worker, draft, flags, (0, 0), Some(event.as_str()));
        }
        None => {
            let stopped = StreamEvent::Stopped;
            return log(worker, draft, Flags::of_end(stopped), (0, 0), stopped.end());
        }
    };
    let (client, upstream) = (&mut opened.client, &mut opened.upstream);
    let (limits, account) = (&opened.limits, &opened.account);
    let ended = relay(worker, watch, client, upstream, limits, account).await;
    let flags = opened.flags.and(Flags::of_end(ended));
    log(worker, draft, flags, account.moved(), ended.end());
    // A reset is passed on as one: a clean end would claim that all had come.
    let other = match ended {
        StreamEvent::UpstreamReset => &client.stream,
        StreamEvent::ClientReset => upstream.stream.socket(),
        _ => return drop((opened.in_flight, opened.held, opened.counted)),
    };
    let _ = other.set_zero_linger();
}

/// Begins a record of the access log, if there may be one.
fn take_down(worker: &Worker, listener: &Name, ends: &Ends) -> Option<Box<Draft>> {
    let log = worker.settings.access.as_ref()?;
    let sampled = log.begin(|| worker.log_dice.draw())?;
    let (ends, now) = ((ends.peer, ends.client.ip()), Instant::now());
    Some(Draft::of_stream(sampled, ends, listener.as_str(), now))
}

/// Hands a connection that ended to the access log.
fn log(
    worker: &Worker,
    draft: Option<Box<Draft>>,
    flags: Flags,
    (received, sent): (u64, u64),
    ended: Option<&'static str>,
) {
    if let Some(draft) = draft {
        let ending = Ending {
            now: Instant::now(),
            status: None,
            flags,
            received,
            sent,
            ended,
            grpc: None,
        };
        worker.log(draft, ending);
    }
}

/// Finds the app and connects to an endpoint; or says why not, and the client was told.
async fn open(
    worker: &Rc<Worker>,
    listener: &Name,
    arrival: Arrival,
    draft: &mut Option<Box<Draft>>,
) -> Result<Opened, TcpEvent> {
    let arrival = arrival.announced(worker).await.ok_or(TcpEvent::NoHeader)?;
    let Arrival {
        mut stream, ends, ..
    } = arrival;
    if let Some(draft) = draft {
        draft.client = ends.client.ip().to_canonical();
    }
    let mut read = Vec::new();
    let reads_names = worker
        .table()
        .tcp(listener.as_str())
        .is_some_and(TcpApps::reads_names);
    let hello = if reads_names {
        peek(&mut stream, &mut read, worker.settings.head_timeout).await?
    } else {
        Hello::NotTls
    };
    let table = worker.table();
    let name = match &hello {
        Hello::Tls(name) => name.as_deref(),
        _ => None,
    };
    if let Some(draft) = draft {
        draft.stamp = Some(table.stamp());
        if hello != Hello::NotTls {
            draft.greeted(name);
        }
    }
    let apps = table.tcp(listener.as_str()).ok_or(TcpEvent::NoApp)?;
    let Some(id) = apps.app(name).filter(|_| hello != Hello::Malformed) else {
        let (alert, event) = match hello {
            Hello::Malformed => (sni::DECODE_ERROR, TcpEvent::MalformedHello),
            Hello::Tls(_) => (sni::UNRECOGNIZED_NAME, TcpEvent::UnknownName),
            Hello::NotTls => return Err(TcpEvent::NoApp),
        };
        drop(table);
        let _ = stream.write_all(&sni::alert(alert)).await;
        let _ = stream.shutdown().await;
        return Err(event);
    };
    let client = Side { stream, read };
    let from = (ends, name);
    connect(worker, &table, id, client, from, draft).await
}

/// Reads a ClientHello. What was read goes to the endpoint like all the rest.
async fn peek(
    stream: &mut TcpStream,
    read: &mut Vec<u8>,
    within: Duration,
) -> Result<Hello, TcpEvent> {
    let mut reader = HelloReader::default();
    let reading = async {
        loop {
            let before = read.len();
            match stream.read_buf(read).await {
                Ok(0) | Err(_) => return Err(TcpEvent::ClientGone),
                Ok(_) => {}
            }
            if let Some(hello) = reader.read(&read[before..]) {
                return Ok(hello);
            }
        }
    };
    let reading = tokio::time::timeout(within, reading).await;
    match reading {
        Ok(outcome) => outcome,
        // Whoever waits to be spoken to first asks for no name.
        Err(_) if read.is_empty() => Ok(Hello::NotTls),
        Err(_) => Err(TcpEvent::HelloTimeout),
    }
}

/// Tries endpoints until one can be connected to, as a request would.
async fn connect(
    worker: &Rc<Worker>,
    table: &Table,
    id: AppId,
    client: Side<TcpStream>,
    (ends, name): (Ends, Option<&str>),
    draft: &mut Option<Box<Draft>>,
) -> Result<Opened, TcpEvent> {
    let entry = table.app(id);
    let app = &entry.plan.app;
    let tcp = app.tcp.as_ref().ok_or(TcpEvent::NoApp)?;
    let held = match tcp.max_connections {
        0 => None,
        most => {
            let held = Held::take(&worker.shared, app_slot(entry), most);
            if held.is_none() {
                lead(draft, entry, None, None);
                return Err(TcpEvent::Limit);
            }
            held
        }
    };
    let address = ends.client.ip().to_canonical();
    if let Some(cluster) = entry.arrived(ends.at.ip().to_canonical(), worker.settings.home.as_ref())
    {
        worker.recorder.arrived(cluster.slot, address);
    }
    let draw = match entry.split_by(RouteId(0)) {
        None => worker.dice.draw(),
        Some(by) => split::connection(worker, entry, by, address),
    };
    let version = entry.version(RouteId(0), draw);
    let view = entry.view(table, table.leaf(address));
    let key = if entry.sticky() {
        prefix_key(entry.plan.salt, address)
    } else {
        worker.dice.draw()
    };
    let hash = entry.balance_key(&HeaderMap::new(), address);
    let mut course = Course::new(view, version, key).by(hash);
    let mut cluster = None;
    let manner = app.upstream.manner();
    let header = manner.proxy_protocol;
    let beginning = Beginning {
        header: header.map(|version| announce::header(version, &ends, name)),
        tls: manner.tls.map(|policy| (policy, UnsaidEnd::Ends)),
    };
    let way = (&mut course, &mut cluster);
    let reached = reach(worker, table, id, way, beginning, draft).await;
    lead(draft, entry, Some(version), cluster);
    let Reached {
        stream,
        in_flight,
        address,
        counted,
    } = reached?;
    let closes = tcp.when_endpoint_down == WhenEndpointDown::Close;
    Ok(Opened {
        client,
        upstream: Side {
            stream,
            read: Vec::new(),
        },
        limits: Limits {
            idle: app.timeouts.tunnel,
            whole: tcp.max_duration,
            wanted: closes.then(|| Wanted {
                app: entry.plan.name.clone(),
                address,
            }),
        },
        account: Account::open(&worker.recorder, in_flight.group(), StreamKind::Tcp),
        flags: course.flags(),
        in_flight,
        held,
        counted,
    })
}

/// Notes for the access log where a connection was led.
fn lead(draft: &mut Option<Box<Draft>>, app: &AppEntry, version: Option<u8>, cluster: Option<u8>) {
    if let Some(draft) = draft {
        let plan = &app.plan;
        let version = version.and_then(|n| plan.versions.get(usize::from(n)));
        let cluster = cluster.and_then(|n| plan.clusters.get(usize::from(n)));
        draft.lead(
            plan.name.as_str(),
            version.map_or("", |version| version.name.as_str()),
            cluster.map_or("", |cluster| cluster.name.as_str()),
        );
    }
}

/// A connection to an endpoint.
struct Reached {
    stream: EndpointStream,
    in_flight: InFlight,
    address: SocketAddr,
    counted: Option<Taken>,
}

/// Connects to the first endpoint of a course that can be connected to; `cluster` is the one tried
/// last.
async fn reach(
    worker: &Rc<Worker>,
    table: &Table,
    id: AppId,
    (course, cluster): (&mut Course, &mut Option<u8>),
    beginning: Beginning,
    draft: &mut Option<Box<Draft>>,
) -> Result<Reached, TcpEvent> {
    let entry = table.app(id);
    let mut before = None;
    loop {
        let Some(mut stop) = course.next(entry, worker, tick(worker)) else {
            return Err(match (before, course.full()) {
                (Some(_), _) => TcpEvent::Unreachable,
                (None, Some(_)) => TcpEvent::Limit,
                (None, None) => TcpEvent::NoEndpoint,
            });
        };
        let group = stop.group.slot;
        if let Some(first) = stop.moved_from {
            worker.recorder.group(first, GroupEvent::MovedCluster);
        }
        let address = stop.endpoint.address;
        *cluster = Some(stop.cluster);
        let in_flight = worker
            .upstreams
            .at(
                stop.endpoint.slot,
                Destination::of(entry, stop.cluster, stop.endpoint),
            )
            .engage(group, stop.permit.take());
        let Ok((pending, counted)) = in_flight.connection() else {
            course.leave(stop.cluster, stop.group);
            continue;
        };
        if let Some(before) = before.replace(group) {
            worker.recorder.group(before, GroupEvent::Retry);
        }
        if let Some(draft) = draft {
            draft.tries(address);
        }
        let by_latency = entry.plan.app.balance.policy == Policy::PeakEwma;
        let began = Instant::now();
        let timeout = entry.plan.app.timeouts.connect;
        let Ok(stream) = dial(worker, address, timeout, beginning.clone()).await else {
            refused(worker, table, id, &stop);
            if by_latency {
                weigh_failure(worker, in_flight.upstream(), Failure::NotSent, began);
            }
            observe(
                worker,
                entry,
                &stop,
                in_flight.upstream(),
                Outcome::NoResponse,
            );
            breaker::judge(worker, entry, &stop, true, tick(worker));
            course.exclude(stop.endpoint);
            continue;
        };
        drop(pending);
        if by_latency {
            in_flight.upstream().took(tick(worker), began.elapsed());
        }
        if let Some(health) = worker.shared.endpoint(stop.endpoint.slot) {
            health.connected();
        }
        observe(worker, entry, &stop, in_flight.upstream(), Outcome::Good);
        breaker::judge(worker, entry, &stop, false, tick(worker));
        let reached = Reached {
            stream,
            in_flight,
            address,
            counted,
        };
        return Ok(reached);
    }
}

/// An endpoint could not be connected to.
fn refused(worker: &Worker, table: &Table, app: AppId, stop: &Stop<'_>) {
    let group = stop.group.slot;
    worker.recorder.group(group, GroupEvent::ConnectFailure);
    let Some(health) = worker.shared.endpoint(stop.endpoint.slot) else {
        return;
    };
    if health.failed(tick(worker)) {
        let endpoint = EndpointId {
            app,
            index: stop.endpoint.index,
        };
        worker.report(table.stamp(), endpoint, PassiveKind::Connect);
    }
}
