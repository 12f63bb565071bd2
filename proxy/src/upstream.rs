//! Endpoints as one thread sees them: requests in flight, by slot, so by app; and the connections to
//! them, whose pools apps share.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use crate::breaker::{Full, Permit, Taken};
use crate::dial::{Beginning, dial};
use crate::endpoint_stream::EndpointStream;
use crate::ewma::Ewma;
use crate::multiplex::{self, NoSeat, Seat};
use crate::outlier::Window;
use crate::pool::{Destination, Pool, Pools};
use crate::record::Recorder;
use crate::upload::UploadBody;
use crate::wire::{Meter, UpstreamWire};
use crate::worker::Worker;
use windrose_telemetry::HttpEvent;

/// All endpoints that a thread has used, by slot.
#[derive(Debug, Default)]
pub(crate) struct Upstreams {
    slots: RefCell<Vec<Option<Rc<Upstream>>>>,
    pools: Pools,
}

/// One endpoint of one app, of one thread.
#[derive(Debug)]
pub(crate) struct Upstream {
    pool: Rc<Pool>,
    in_flight: Cell<u32>,
    /// Sweeps since it was used.
    unused: Cell<u8>,
    /// How long it takes, where that decides.
    ewma: Cell<Ewma>,
    /// What this thread sees of it, where outliers are ejected.
    window: OnceCell<Arc<Window>>,
}

/// Sweeps after which an endpoint that nobody uses is forgotten: about a minute.
const UNUSED: u8 = 60;

/// The same where its latency is known: until a penalty has fallen to nothing, about four minutes.
const UNUSED_KNOWN: u8 = 240;

/// A connection to an endpoint, while an exchange has it.
#[derive(Debug)]
pub(crate) struct UpstreamLink {
    pub(crate) sender: Sender,
    pub(crate) meter: Rc<Meter>,
    /// It has carried a request before.
    pub(crate) reused: bool,
    /// The bare connection, should its protocol be switched; only where that was asked for.
    pub(crate) handover: Option<oneshot::Receiver<Handover>>,
    /// Where connections are limited; given up with the link, before the socket is closed.
    _counted: Option<Taken>,
}

/// How requests are sent.
#[derive(Debug)]
pub(crate) enum Sender {
    Http1(SendRequest<UploadBody>),
    /// One place among many on a connection.
    Http2(Seat),
}

/// A connection to an endpoint that speaks HTTP no more.
#[derive(Debug)]
pub(crate) struct Handover {
    pub(crate) stream: EndpointStream,
    /// What came behind the head of the 101.
    pub(crate) read: Bytes,
    pub(crate) open: OpenUpstream,
}

/// A connection to an endpoint, counted as open until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenUpstream {
    recorder: Rc<Recorder>,
    /// Where connections are limited.
    _counted: Option<Taken>,
}

impl OpenUpstream {
    pub(crate) fn new(recorder: &Rc<Recorder>, counted: Option<Taken>) -> Self {
        recorder.event(HttpEvent::UpstreamConnection);
        recorder.event(HttpEvent::UpstreamsOpen);
        Self {
            recorder: Rc::clone(recorder),
            _counted: counted,
        }
    }
}

impl Drop for OpenUpstream {
    fn drop(&mut self) {
        self.recorder.closed(HttpEvent::UpstreamsOpen);
    }
}

impl UpstreamLink {
    pub(crate) fn of(seat: Seat) -> Self {
        Self {
            meter: Rc::clone(seat.meter()),
            reused: seat.is_reused(),
            sender: Sender::Http2(seat),
            handover: None,
            _counted: None,
        }
    }

    /// Whether no further exchange can go over it.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(seat) => !seat.is_open(),
        }
    }

    /// Whether requests come back with their head where they could not be sent.
    pub(crate) fn gives_back(&self) -> bool {
        matches!(self.sender, Sender::Http1(_))
    }

    /// Ready for another exchange; `None` if it is closing.
    pub(crate) fn rested(mut self) -> Option<Self> {
        let stands = !self.is_closed() && !self.meter.is_deaf();
        self.reused = true;
        self.handover = None;
        stands.then_some(self)
    }
}

impl Upstreams {
    /// The endpoint of a slot. A slot that now means another address, or is spoken to in another
    /// manner, begins anew.
    pub(crate) fn at(&self, slot: u32, to: Destination) -> Rc<Upstream> {
        let mut all = self.slots.borrow_mut();
        let at = slot as usize;
        if at >= all.len() {
            all.resize_with(at + 1, || None);
        }
        match &all[at] {
            Some(upstream) if *upstream.pool.to() == to => Rc::clone(upstream),
            _ => Rc::clone(all[at].insert(Rc::new(Upstream::new(self.pools.of(to))))),
        }
    }

    /// Requests in flight to the endpoint of a slot.
    #[inline]
    pub(crate) fn in_flight(&self, slot: u32) -> u32 {
        match self.slots.borrow().get(slot as usize) {
            Some(Some(upstream)) => upstream.in_flight.get(),
            _ => 0,
        }
    }

    /// What another request costs at the endpoint of a slot, in milliseconds of waiting.
    pub(crate) fn cost(&self, slot: u32, tick: u64) -> f64 {
        let all = self.slots.borrow();
        let upstream = all.get(slot as usize).and_then(Option::as_ref);
        let (ewma, pending) = upstream.map_or_else(Default::default, |upstream| {
            (upstream.ewma.get(), upstream.in_flight.get())
        });
        ewma.cost(tick, pending)
    }

    /// Forgets endpoints that nobody uses, and sweeps the pools.
    pub(crate) fn sweep(
        &self,
        now: Instant,
        timeout: Duration,
        is_crowded: impl Fn((u32, u32)) -> bool,
    ) {
        for place in self.slots.borrow_mut().iter_mut() {
            if place.as_ref().is_some_and(Upstream::is_forgotten) {
                *place = None;
            }
        }
        self.pools.sweep(now, timeout, is_crowded);
    }

    /// Closes an idle connection that is counted for a slot of (app, cluster), if there is one.
    pub(crate) fn make_room(&self, slot: u32) -> bool {
        self.pools.make_room(slot)
    }

    /// Closes all idle connections.
    pub(crate) fn clear(&self) {
        self.slots.borrow_mut().clear();
        self.pools.clear();
    }
}

impl Upstream {
    fn new(pool: Rc<Pool>) -> Self {
        Self {
            pool,
            in_flight: Cell::new(0),
            unused: Cell::new(0),
            ewma: Cell::default(),
            window: OnceCell::new(),
        }
    }

    /// One more sweep has found it: whether it was unused for long enough.
    fn is_forgotten(self: &Rc<Self>) -> bool {
        let unused = self.unused.get().saturating_add(1);
        self.unused.set(unused);
        let most = match self.ewma.get().is_known() {
            true => UNUSED_KNOWN,
            false => UNUSED,
        };
        unused > most && Rc::strong_count(self) == 1
    }

    /// Where its connections wait.
    #[inline]
    pub(crate) fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }

    /// An answer took so long, or counts as if.
    pub(crate) fn took(&self, tick: u64, time: Duration) {
        self.ewma.set(self.ewma.get().observe(tick, time));
    }

    /// What this thread sees of it; `join` begins.
    pub(crate) fn window(&self, join: impl FnOnce() -> Arc<Window>) -> &Window {
        self.window.get_or_init(join)
    }

    /// Counts a request in flight until the guard is dropped.
    pub(crate) fn engage(self: &Rc<Self>, group: u32, permit: Option<Box<Permit>>) -> InFlight {
        self.in_flight.set(self.in_flight.get() + 1);
        self.unused.set(0);
        InFlight {
            upstream: Rc::clone(self),
            group,
            permit,
        }
    }

    /// A connection for one exchange, new or with others on it, within `timeout`. `room` is asked
    /// before one is opened.
    pub(crate) async fn link(
        &self,
        worker: &Rc<Worker>,
        timeout: Duration,
        beginning: Beginning,
        switching: bool,
        room: impl Fn() -> Result<(Option<Taken>, Option<Taken>), Full>,
    ) -> Result<UpstreamLink, NoSeat> {
        let pool = &self.pool;
        if pool.hub().is_some() && pool.is_shared() {
            let seat = multiplex::join(pool, worker, timeout, &beginning, room).await?;
            return Ok(UpstreamLink::of(seat));
        }
        let (_pending, counted) = room()?;
        let connecting = self.connect(worker, timeout, beginning, switching, counted);
        connecting.await.map_err(|_| NoSeat::Unreachable)
    }

    /// Opens a connection within `timeout`; zero is no limit but the system's. `switching`: it is
    /// wanted bare if its protocol is switched.
    async fn connect(
        &self,
        worker: &Worker,
        timeout: Duration,
        beginning: Beginning,
        switching: bool,
        counted: Option<Taken>,
    ) -> io::Result<UpstreamLink> {
        let address = self.pool.to().address;
        if self.pool.hub().is_some() {
            let opened = multiplex::open(worker, address, timeout, beginning, counted);
            return Ok(UpstreamLink::of(Seat::of(&opened.await?)));
        }
        let settings = &worker.settings;
        let stream = dial(worker, address, timeout, beginning).await?;
        let meter = Rc::new(Meter::default());
        let wire = UpstreamWire::new(stream, Rc::clone(&meter));
        let (sender, connection) = http1::Builder::new()
            .max_header_size(settings.max_head_bytes)
            .max_buf_size(settings.buffer_bytes())
            .handshake(TokioIo::new(wire))
            .await
            .map_err(io::Error::other)?;
        // A connection that is handed over counts on, without its link.
        let (open, counted) = match switching {
            true => (counted, None),
            false => (None, counted),
        };
        let open = OpenUpstream::new(&worker.recorder, open);
        let handover = if switching {
            let (give, handover) = oneshot::channel();
            tokio::task::spawn_local(async move {
                if let Ok(parts) = connection.without_shutdown().await {
                    let _ = give.send(Handover {
                        stream: parts.io.into_inner().into_stream(),
                        read: parts.read_buf,
                        open,
                    });
                }
            });
            Some(handover)
        } else {
            tokio::task::spawn_local(async move {
                // What went wrong is told to the exchange; an idle connection may end as it likes.
                let _ = connection.await;
                drop(open);
            });
            None
        };
        Ok(UpstreamLink {
            sender: Sender::Http1(sender),
            meter,
            reused: false,
            handover,
            _counted: counted,
        })
    }
}

/// A request in flight to an endpoint.
#[derive(Debug)]
pub(crate) struct InFlight {
    upstream: Rc<Upstream>,
    /// For whom: the slot of (app, version, cluster).
    group: u32,
    /// Where a breaker counts.
    permit: Option<Box<Permit>>,
}

impl InFlight {
    /// Room for another connection, if a breaker has it: what to hold while it is made, and for as
    /// long as it is open.
    pub(crate) fn connection(&self) -> Result<(Option<Taken>, Option<Taken>), Full> {
        let Some(permit) = &self.permit else {
            return Ok((None, None));
        };
        self.upstream.pool.limit(permit.connections());
        let (pending, open) = permit.connection()?;
        Ok((Some(pending), Some(open)))
    }

    pub(crate) fn upstream(&self) -> &Rc<Upstream> {
        &self.upstream
    }

    /// It counts for no breaker any more.
    pub(crate) fn release(&mut self) {
        self.permit = None;
    }

    /// For whom: the slot of (app, version, cluster).
    pub(crate) fn group(&self) -> u32 {
        self.group
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let in_flight = &self.upstream.in_flight;
        in_flight.set(in_flight.get() - 1);
    }
}
