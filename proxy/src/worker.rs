//! What one data-path thread owns: its handle of the Table, its pools, its dice, its counters.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use windrose_model::{EndpointId, Fact, PassiveKind, Report, Stamp};
use windrose_routing::{Reader, Source, Table};
use windrose_telemetry::{Actions, HttpEvent, Metrics};
use windrose_tls::Store;

use crate::access::{Draft, Outcome};
use crate::breaker::is_crowded;
use crate::budget::Requests;
use crate::date::Dates;
use crate::dial::Told;
use crate::draw::Dice;
use crate::live::Shared;
use crate::record::Recorder;
use crate::relay::BUFFER;
use crate::request_id::RequestIds;
use crate::rounds::Rounds;
use crate::settings::Settings;
use crate::upstream::Upstreams;
use crate::watch::Watch;

/// How long a client connection must have been idle to be closed for another.
const IDLE_ENOUGH: Duration = Duration::from_secs(1);

/// One thread of the proxy.
pub(crate) struct Worker {
    reader: RefCell<Reader>,
    table: RefCell<TableHandle>,
    pub(crate) upstreams: Upstreams,
    /// Endpoints again, for copies alone.
    pub(crate) mirrors: Upstreams,
    pub(crate) dice: Dice,
    /// Whose turn it is, in groups balanced in turn.
    pub(crate) rounds: Rounds,
    /// Of the access log: what is decided must not depend on what is logged.
    pub(crate) log_dice: Dice,
    pub(crate) request_ids: RequestIds,
    pub(crate) dates: Dates,
    pub(crate) shared: Arc<Shared>,
    /// What TLS to endpoints is spoken with.
    pub(crate) certificates: Store,
    /// When a failed handshake with an endpoint was told last.
    pub(crate) told: Told,
    reports: mpsc::Sender<Report>,
    pub(crate) recorder: Rc<Recorder>,
    pub(crate) settings: Arc<Settings>,
    /// This thread's part of each app's retry budget, by the app's first steered slot.
    requests: RefCell<Vec<Option<Arc<Requests>>>>,
    clients: RefCell<HashMap<u64, Rc<Watch>>>,
    next_client: Cell<u64>,
    /// Where relays read into; made by the first.
    buffer: RefCell<Vec<u8>>,
    stopping: Cell<Stopping>,
    /// A client connection ended.
    pub(crate) freed: Notify,
}

/// A Table behind a counter of this thread, so that exchanges touch none that cores share.
#[allow(
    clippy::redundant_allocation,
    reason = "the second counter is the point"
)]
pub(crate) type TableHandle = Rc<Arc<Table>>;

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stopping {
    /// Not asked for.
    No,
    /// Exchanges are finished, connections closed behind them.
    Graceful,
    /// Everything ends now.
    Now,
}

impl Worker {
    pub(crate) fn new(
        source: &Source,
        shared: Arc<Shared>,
        certificates: Store,
        reports: mpsc::Sender<Report>,
        metrics: Arc<Metrics>,
        settings: Arc<Settings>,
        seed: u64,
    ) -> Self {
        let mut reader = source.reader();
        let table = Rc::new(Arc::clone(reader.load()));
        Self {
            reader: RefCell::new(reader),
            table: RefCell::new(table),
            upstreams: Upstreams::default(),
            mirrors: Upstreams::default(),
            dice: Dice::new(seed),
            rounds: Rounds::default(),
            log_dice: Dice::new(seed.rotate_left(32)),
            request_ids: RequestIds::default(),
            dates: Dates::default(),
            shared,
            certificates,
            told: Told::default(),
            reports,
            recorder: Rc::new(Recorder::new(metrics)),
            settings,
            requests: RefCell::new(Vec::new()),
            clients: RefCell::new(HashMap::new()),
            next_client: Cell::new(0),
            buffer: RefCell::default(),
            stopping: Cell::new(Stopping::No),
            freed: Notify::new(),
        }
    }

    /// The published Table: once per exchange.
    pub(crate) fn table(&self) -> TableHandle {
        let mut reader = self.reader.borrow_mut();
        let current = reader.load();
        let mut held = self.table.borrow_mut();
        if !Arc::ptr_eq(&held, current) {
            *held = Rc::new(Arc::clone(current));
        }
        Rc::clone(&held)
    }

    /// Counts a request for the retry budget of an app.
    pub(crate) fn count_request(&self, app_slot: u32, tick: u64) {
        let second = second(tick);
        let mut all = self.requests.borrow_mut();
        let at = app_slot as usize;
        if let Some(Some(requests)) = all.get(at) {
            requests.add(second);
            return;
        }
        let Some(budget) = self.shared.budget(app_slot) else {
            return;
        };
        if at >= all.len() {
            all.resize_with(at + 1, || None);
        }
        all[at].insert(budget.join()).add(second);
    }

    /// Hands an exchange that ended to the access log.
    pub(crate) fn log(&self, draft: Box<Draft>, outcome: Outcome) {
        if let Some(log) = &self.settings.access {
            log.offer(draft, outcome);
        }
    }

    /// Tells control, if it has room to listen.
    pub(crate) fn report(&self, stamp: Stamp, endpoint: EndpointId, kind: PassiveKind) -> bool {
        let fact = Fact::Passive(endpoint, kind);
        let told = self.reports.try_send(Report { stamp, fact }).is_ok();
        if !told {
            self.recorder.report_dropped();
        }
        told
    }

    /// Housekeeping, about once a second: an idle thread pins no old Table and no old connection,
    /// and idle clients do not keep others out.
    pub(crate) fn sweep(&self, now: Instant) {
        drop(self.table());
        if self.open() >= self.settings.max_connections || self.is_overloaded(Actions::CLOSE) {
            self.make_room(now);
        }
        let (breakers, timeout) = (self.shared.breakers(), self.settings.upstream_idle_timeout);
        for upstreams in [&self.upstreams, &self.mirrors] {
            upstreams.sweep(now, timeout, |limit| is_crowded(breakers, limit));
        }
    }

    /// Closes the client connections that were idle longest: an eighth of all, of those without a
    /// request for a while.
    fn make_room(&self, now: Instant) {
        let clients = self.clients.borrow();
        let mut idle: Vec<_> = clients
            .values()
            .filter_map(|watch| Some((watch.idle_since()?, watch)))
            .filter(|(since, _)| now.saturating_duration_since(*since) >= IDLE_ENOUGH)
            .collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        for (_, watch) in idle.iter().take(clients.len().div_ceil(8)) {
            watch.dismiss(now);
        }
    }

    /// A client connection begins; it is woken when the thread stops.
    pub(crate) fn enter(self: &Rc<Self>, watch: Rc<Watch>) -> Entered {
        self.recorder.event(HttpEvent::ClientConnection);
        self.recorder.event(HttpEvent::ClientsOpen);
        let mut entered = self.enter_stream(watch);
        entered.http = true;
        entered
    }

    /// The same for a connection of a TCP listener, which is counted elsewhere.
    pub(crate) fn enter_stream(self: &Rc<Self>, watch: Rc<Watch>) -> Entered {
        let id = self.next_client.get();
        self.next_client.set(id + 1);
        self.clients.borrow_mut().insert(id, watch);
        self.count_client(1);
        Entered {
            worker: Rc::clone(self),
            id,
            http: false,
        }
    }

    /// Lends the buffer of this thread.
    pub(crate) fn with_buffer<T>(&self, borrow: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut buffer = self.buffer.borrow_mut();
        buffer.resize(BUFFER, 0);
        borrow(&mut buffer)
    }

    /// Client connections open now.
    pub(crate) fn open(&self) -> usize {
        self.clients.borrow().len()
    }

    /// The output of a future, unless the grace of a stop ends first, or others need the room.
    pub(crate) async fn unless_ended<F: Future>(
        &self,
        watch: &Watch,
        future: F,
    ) -> Option<F::Output> {
        let mut future = pin!(future);
        poll_fn(|cx: &mut Context<'_>| {
            watch.register(cx.waker());
            if self.stopping() == Stopping::Now || watch.is_dismissed() {
                return Poll::Ready(None);
            }
            future.as_mut().poll(cx).map(Some)
        })
        .await
    }

    /// Whether overload makes it do so now.
    #[inline]
    pub(crate) fn is_overloaded(&self, action: Actions) -> bool {
        self.settings.overload.is_some() && self.shared.live().overload.actions().has(action)
    }

    /// Counts a client connection, where that may be too many.
    fn count_client(&self, change: i64) {
        if self.settings.overload.is_some() {
            self.shared.live().overload.count(change);
        }
    }

    pub(crate) fn stopping(&self) -> Stopping {
        self.stopping.get()
    }

    /// Takes the stop further and wakes every connection.
    pub(crate) fn stop(&self, how: Stopping) {
        self.stopping.set(how);
        for watch in self.clients.borrow().values() {
            watch.wake();
        }
    }
}

/// Seconds of a tick.
pub(crate) fn second(tick: u64) -> u32 {
    u32::try_from(tick / 1_000).unwrap_or(u32::MAX)
}

/// An open client connection.
pub(crate) struct Entered {
    worker: Rc<Worker>,
    id: u64,
    http: bool,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.worker.clients.borrow_mut().remove(&self.id);
        self.worker.count_client(-1);
        if self.http {
            self.worker.recorder.closed(HttpEvent::ClientsOpen);
        }
        self.worker.freed.notify_waiters();
    }
}
