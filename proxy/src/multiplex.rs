//! Connections of HTTP/2 to one endpoint (RFC 9113), each of which carries many requests at a time.
//!
//! A thread has a set of them per endpoint: the first with room is taken, and another is made when
//! all are full. Room is what the endpoint's `MAX_CONCURRENT_STREAMS` allows, and no more than
//! [`STREAMS`]. Who needs one that is being made waits for it with others. Deliberately absent: push,
//! priorities, and pings; a connection on which a request was waited for in vain, with nothing heard
//! meanwhile, gets no further ones.

mod exchange;
mod pump;
mod trunk;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::breaker::{Full, Taken};
use crate::dial::Beginning;
use crate::pool::Pool;
use crate::worker::Worker;
pub(crate) use exchange::{Stream, exchange};
pub(crate) use trunk::{Seat, Trunk, open};

/// Requests on one connection at a time. A window for each is what the connection's window is made of,
/// so that clients that do not read hold up nobody but themselves.
const STREAMS: u32 = 100;

/// The connections to one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    trunks: RefCell<Vec<Rc<Trunk>>>,
    dials: RefCell<Vec<Rc<Dial>>>,
}

/// A connection that is being made.
#[derive(Debug, Default)]
struct Dial {
    /// Who waits for it.
    waiting: std::cell::Cell<u32>,
    ended: RefCell<Option<Result<(), io::ErrorKind>>>,
    notify: Notify,
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// A breaker has no room for one.
    Full,
    /// None could be made.
    Unreachable,
}

impl From<Full> for NoSeat {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl Hub {
    /// A place for one request, on the oldest connection with room.
    pub(crate) fn seat(&self) -> Option<Seat> {
        let mut trunks = self.trunks.borrow_mut();
        trunks.retain(|trunk| trunk.is_open());
        trunks.iter().find_map(Seat::take)
    }

    /// Closes connections without requests that have been so for too long, or are wanted elsewhere;
    /// whether any are left.
    pub(crate) fn sweep(&self, now: Instant, timeout: Duration, crowded: bool) -> bool {
        let mut trunks = self.trunks.borrow_mut();
        trunks.retain(|trunk| trunk.is_open() && !trunk.is_idle(now, timeout, crowded));
        !trunks.is_empty()
    }

    /// Lets go of all connections; they end behind their requests.
    pub(crate) fn clear(&self) {
        self.trunks.borrow_mut().clear();
    }

    /// One that is being made, and for which not too many wait already.
    fn dialled(&self) -> Option<Rc<Dial>> {
        let dials = self.dials.borrow();
        let dial = dials.iter().find(|dial| dial.waiting.get() < STREAMS)?;
        Some(Rc::clone(dial))
    }
}

/// A place for one request, on a connection that stands, is being made, or is made for it. `room` is
/// asked whether there may be another connection: what to hold while it is made, and while it is open.
pub(crate) async fn join(
    pool: &Rc<Pool>,
    worker: &Rc<Worker>,
    timeout: Duration,
    beginning: &Beginning,
    room: impl Fn() -> Result<(Option<Taken>, Option<Taken>), Full>,
) -> Result<Seat, NoSeat> {
    loop {
        let Some(hub) = pool.hub() else {
            return Err(NoSeat::Unreachable);
        };
        if let Some(seat) = hub.seat() {
            return Ok(seat);
        }
        let dial = match hub.dialled() {
            Some(dial) => dial,
            None => begin(pool, hub, worker, timeout, beginning.clone(), room()?),
        };
        dial.wait().await.map_err(|_| NoSeat::Unreachable)?;
    }
}

/// Makes a connection in a task of its own: who wanted it first may leave, others may have come.
fn begin(
    pool: &Rc<Pool>,
    hub: &Hub,
    worker: &Rc<Worker>,
    timeout: Duration,
    beginning: Beginning,
    (pending, counted): (Option<Taken>, Option<Taken>),
) -> Rc<Dial> {
    let dial = Rc::new(Dial::default());
    hub.dials.borrow_mut().push(Rc::clone(&dial));
    let (pool, worker, made) = (Rc::clone(pool), Rc::clone(worker), Rc::clone(&dial));
    tokio::task::spawn_local(async move {
        let address = pool.to().address;
        let opened = open(&worker, address, timeout, beginning, counted).await;
        drop(pending);
        let Some(hub) = pool.hub() else { return };
        hub.dials.borrow_mut().retain(|it| !Rc::ptr_eq(it, &made));
        let ended = opened.map(|trunk| hub.trunks.borrow_mut().push(trunk));
        made.ended.replace(Some(ended.map_err(|e| e.kind())));
        made.notify.notify_waiters();
    });
    dial
}

impl Dial {
    async fn wait(&self) -> Result<(), io::ErrorKind> {
        let told = self.notify.notified();
        if let Some(ended) = *self.ended.borrow() {
            return ended;
        }
        self.waiting.set(self.waiting.get() + 1);
        told.await;
        self.ended.borrow().unwrap_or(Ok(()))
    }
}
