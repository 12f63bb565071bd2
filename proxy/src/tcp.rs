//! Connections of TCP listeners: to an app, by the name in the ClientHello where names count; to a
//! cluster and an endpoint as a request would go; then relayed unread.
//!
//! Only what fails before the first octet is tried again: the connect. Deliberately absent: TLS. A
//! connection that asks by TLS for a name nobody has is told so in clear, which is all an alert needs.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use windrose_model::{AppId, EndpointId, Name, PassiveKind, WhenEndpointDown};
use windrose_routing::{RouteId, Table, TcpApps, prefix_key};
use windrose_telemetry::{GroupEvent, StreamEvent, StreamKind, TcpEvent};

use crate::connection::{Arrival, Ends};
use crate::course::{Course, Stop, tick};
use crate::errand::app_slot;
use crate::exchange::evidence::observe;
use crate::limit::Held;
use crate::outlier::Outcome;
use crate::relay::{Account, Limits, Side, relay};
use crate::sni::{self, Hello, HelloReader};
use crate::split;
use crate::upstream::{InFlight, dial};
use crate::wanted::Wanted;
use crate::watch::Watch;
use crate::worker::Worker;

/// A connection with both its ends.
struct Opened {
    client: Side<TcpStream>,
    upstream: Side<TcpStream>,
    limits: Limits,
    account: Account,
    in_flight: InFlight,
    held: Option<Held>,
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
    let opening = open(worker, listener, arrival);
    // Boxed: gone once the connection stands, and larger than all the rest.
    let opened = worker.unless_ended(watch, Box::pin(opening)).await;
    let mut opened = match opened {
        Some(Ok(opened)) => opened,
        Some(Err(event)) => return worker.recorder.tcp(event),
        None => return,
    };
    let (client, upstream) = (&mut opened.client, &mut opened.upstream);
    let (limits, account) = (&opened.limits, &opened.account);
    let ended = relay(worker, watch, client, upstream, limits, account).await;
    // A reset is passed on as one: a clean end would claim that all had come.
    let other = match ended {
        StreamEvent::UpstreamReset => &client.stream,
        StreamEvent::ClientReset => &upstream.stream,
        _ => return drop((opened.in_flight, opened.held)),
    };
    let _ = other.set_zero_linger();
}

/// Finds the app and connects to an endpoint; or says why not, and the client was told.
async fn open(worker: &Rc<Worker>, listener: &Name, arrival: Arrival) -> Result<Opened, TcpEvent> {
    let arrival = arrival.announced(worker).await.ok_or(TcpEvent::NoHeader)?;
    let Arrival {
        mut stream, ends, ..
    } = arrival;
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
    connect(worker, &table, id, client, ends).await
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
    ends: Ends,
) -> Result<Opened, TcpEvent> {
    let entry = table.app(id);
    let app = &entry.plan.app;
    let tcp = app.tcp.as_ref().ok_or(TcpEvent::NoApp)?;
    let held = match tcp.max_connections {
        0 => None,
        most => {
            let held = Held::take(&worker.shared, app_slot(entry), most);
            Some(held.ok_or(TcpEvent::Limit)?)
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
    let mut course = Course::new(view, version, key);
    let mut before = None;
    loop {
        let Some(stop) = course.next(entry, worker, tick(worker)) else {
            return Err(match before {
                Some(_) => TcpEvent::Unreachable,
                None => TcpEvent::NoEndpoint,
            });
        };
        let group = stop.group.slot;
        if let Some(before) = before.replace(group) {
            worker.recorder.group(before, GroupEvent::Retry);
        }
        if let Some(first) = stop.moved_from {
            worker.recorder.group(first, GroupEvent::MovedCluster);
        }
        let address = stop.endpoint.address;
        let in_flight = worker
            .upstreams
            .at(stop.endpoint.slot, address)
            .engage(group);
        let Ok(stream) = dial(address, app.timeouts.connect).await else {
            refused(worker, table, id, &stop);
            observe(
                worker,
                entry,
                &stop,
                in_flight.upstream(),
                Outcome::NoResponse,
            );
            course.exclude(stop.endpoint);
            continue;
        };
        if let Some(health) = worker.shared.endpoint(stop.endpoint.slot) {
            health.connected();
        }
        observe(worker, entry, &stop, in_flight.upstream(), Outcome::Good);
        let closes = tcp.when_endpoint_down == WhenEndpointDown::Close;
        return Ok(Opened {
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
            account: Account::open(&worker.recorder, group, StreamKind::Tcp),
            in_flight,
            held,
        });
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
