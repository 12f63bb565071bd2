//! One connection of HTTP/2 to an endpoint, and places on it.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use tracing::warn;

use super::STREAMS;
use crate::breaker::Taken;
use crate::dial::{Beginning, dial, within};
use crate::settings::Settings;
use crate::upstream::OpenUpstream;
use crate::wire::{Meter, UpstreamWire};
use crate::worker::Worker;

/// Octets of one response that may come before its client has taken those before.
const WINDOW: u32 = 256 * 1024;
/// Octets of one request body that wait in the engine for the socket.
const SEND_BUFFER: usize = 128 * 1024;

/// Streams that we have reset and remember for a second, for what is on its way for them.
const RESET_STREAMS: usize = 1_024;

/// A connection.
#[derive(Debug)]
pub(crate) struct Trunk {
    /// `None` once it takes no further requests.
    sender: RefCell<Option<SendRequest<Bytes>>>,
    meter: Rc<Meter>,
    streams: Cell<u32>,
    /// A request has been answered over it.
    served: Cell<bool>,
    /// Since when a sweep has found no request on it.
    idle: Cell<Option<Instant>>,
    /// TLS is below.
    tls: bool,
}

/// A place for one request at a time.
#[derive(Debug)]
pub(crate) struct Seat(Rc<Trunk>);

/// Connects, and waits until the endpoint has said how many streams it takes: who does not speak
/// HTTP/2 is found out before it is sent a request.
pub(crate) async fn open(
    worker: &Worker,
    address: SocketAddr,
    timeout: Duration,
    beginning: Beginning,
    counted: Option<Taken>,
) -> io::Result<Rc<Trunk>> {
    let began = Instant::now();
    let tls = beginning.tls.is_some();
    let stream = dial(worker, address, timeout, beginning).await?;
    let meter = Rc::new(Meter::default());
    let wire = UpstreamWire::new(stream, Rc::clone(&meter));
    let opening = async {
        let (sender, mut connection) = engine(&worker.settings).handshake(wire).await?;
        poll_fn(|cx| greet(&mut connection, &meter, cx)).await?;
        Ok((sender, connection))
    };
    let (sender, connection) = match within(began, timeout, Box::pin(opening)).await? {
        Ok(opened) => opened,
        Err(error) => return Err(failed(worker, address, error)),
    };
    let trunk = Rc::new(Trunk {
        sender: RefCell::new(Some(sender)),
        meter,
        streams: Cell::new(0),
        served: Cell::new(false),
        idle: Cell::new(None),
        tls,
    });
    let open = OpenUpstream::new(&worker.recorder, counted);
    let driven = Rc::downgrade(&trunk);
    tokio::task::spawn_local(async move {
        // What went wrong is told to the streams.
        let _ = connection.await;
        if let Some(trunk) = driven.upgrade() {
            trunk.retire();
        }
        drop(open);
    });
    Ok(trunk)
}

fn engine(settings: &Settings) -> Builder {
    let mut engine = Builder::new();
    engine
        .enable_push(false)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * STREAMS)
        .max_header_list_size(u32::try_from(settings.max_head_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(RESET_STREAMS)
        // What still comes for streams that are forgotten by then is answered, and must not add up to
        // the end of a connection that others are on: clients may cancel as often as they like.
        .max_local_error_reset_streams(None);
    engine
}

/// Ready when the endpoint's first octets were understood.
fn greet(
    connection: &mut Connection<UpstreamWire>,
    meter: &Meter,
    cx: &mut Context<'_>,
) -> Poll<Result<(), h2::Error>> {
    match Pin::new(connection).poll(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Err(h2::Reason::NO_ERROR.into())),
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending if meter.received() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    }
}

fn failed(worker: &Worker, address: SocketAddr, error: h2::Error) -> io::Error {
    if !error.is_io() && worker.told.is_due(Instant::now()) {
        warn!(endpoint = %address, %error, "no HTTP/2 with an endpoint");
    }
    match error.into_io() {
        Some(error) => error,
        None => io::ErrorKind::InvalidData.into(),
    }
}

impl Trunk {
    /// Whether it takes further requests: it stands, and was told nothing else.
    pub(crate) fn is_open(&self) -> bool {
        if self.meter.is_deaf() {
            return false;
        }
        let mut sender = self.sender.borrow_mut();
        let Some(open) = &mut *sender else {
            return false;
        };
        // Nothing is ever sent by this handle: it does not wait, and tells of a GOAWAY.
        let told = open.poll_ready(&mut Context::from_waker(Waker::noop()));
        let stands = matches!(told, Poll::Ready(Ok(())));
        if !stands {
            *sender = None;
        }
        stands
    }

    /// It gets no further requests, and is closed behind those that it has.
    pub(super) fn retire(&self) {
        self.sender.replace(None);
    }

    /// Whether it has had no request for so long.
    pub(super) fn is_idle(&self, now: Instant, timeout: Duration, crowded: bool) -> bool {
        if self.streams.get() > 0 {
            self.idle.set(None);
            return false;
        }
        let since = self.idle.get().unwrap_or(now);
        self.idle.set(Some(since));
        crowded || now.saturating_duration_since(since) >= timeout
    }

    /// Octets that came over it.
    pub(super) fn received(&self) -> u64 {
        self.meter.received()
    }

    fn room(&self) -> u32 {
        let allowed = match &*self.sender.borrow() {
            Some(sender) => u32::try_from(sender.current_max_send_streams()).unwrap_or(u32::MAX),
            None => 0,
        };
        // One that allows none gets one: it waits in the engine, and its deadline decides.
        allowed.clamp(1, STREAMS)
    }
}

impl Seat {
    /// A place on a connection, if it has room.
    pub(super) fn take(trunk: &Rc<Trunk>) -> Option<Self> {
        let room = trunk.streams.get() < trunk.room();
        room.then(|| Self::of(trunk))
    }

    /// A place on a connection that nobody else uses.
    pub(crate) fn of(trunk: &Rc<Trunk>) -> Self {
        trunk.streams.set(trunk.streams.get() + 1);
        trunk.idle.set(None);
        Self(Rc::clone(trunk))
    }

    /// A handle to send one request by.
    pub(super) fn sender(&self) -> Option<SendRequest<Bytes>> {
        self.0.sender.borrow().clone()
    }

    pub(super) fn trunk(&self) -> &Trunk {
        &self.0
    }

    pub(super) fn is_tls(&self) -> bool {
        self.0.tls
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// Whether a request has been answered over its connection.
    pub(crate) fn is_reused(&self) -> bool {
        self.0.served.get()
    }

    pub(super) fn served(&self) {
        self.0.served.set(true);
    }

    pub(crate) fn meter(&self) -> &Rc<Meter> {
        &self.0.meter
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let streams = &self.0.streams;
        streams.set(streams.get() - 1);
    }
}
