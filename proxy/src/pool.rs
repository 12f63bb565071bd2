//! Idle connections of one thread, by where they lead and how they begin.
//!
//! A pool belongs to no app: whoever speaks to an address in the same manner takes from it and puts
//! back, so that ten thousand apps in front of one load balancer hold the connections of one. Apart
//! are those that somebody counts: where a breaker bounds the connections of a cluster of an app,
//! these are its own, so each counts for exactly one.
//!
//! Pools never cross threads. An idle connection is taken last in, first out, so that the rest can
//! grow old and be closed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use windrose_model::{HttpVersion, Manner};
use windrose_routing::{AppEntry, Endpoint};

use crate::multiplex::Hub;
use windrose_telemetry::Breakers;

use crate::breaker::is_crowded;
use crate::upstream::UpstreamLink;

/// What the connections of a pool have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) address: SocketAddr,
    /// How they begin.
    pub(crate) manner: Manner,
    /// The slot of the (app, cluster) they are counted for; none: everybody's.
    counted: Option<u32>,
}

/// All pools of a thread.
#[derive(Debug, Default)]
pub(crate) struct Pools(RefCell<HashMap<Destination, Rc<Pool>>>);

/// Idle connections to one destination.
#[derive(Debug)]
pub(crate) struct Pool {
    to: Destination,
    idle: RefCell<Vec<Idle>>,
    /// Connections, where HTTP/2 is spoken: none of them is anybody's alone.
    hub: Option<Box<Hub>>,
    /// The slot they are counted for, and how many that may have.
    limit: Cell<Option<(u32, u32)>>,
}

#[derive(Debug)]
struct Idle {
    link: UpstreamLink,
    since: Instant,
}

impl Destination {
    /// Where requests of an app go that are for an endpoint in one of its clusters.
    #[inline]
    pub(crate) fn of(entry: &AppEntry, cluster: u8, endpoint: &Endpoint) -> Self {
        let rule = &entry.plan.app.breakers;
        let counts = rule.as_ref().is_some_and(|rule| rule.connections > 0);
        let cluster = || entry.plan.clusters.get(usize::from(cluster));
        let counted = if counts { cluster() } else { None };
        Self {
            counted: counted.map(|cluster| cluster.slot),
            ..Self::uncounted(entry, endpoint)
        }
    }

    /// The same where nobody counts.
    #[inline]
    pub(crate) fn uncounted(entry: &AppEntry, endpoint: &Endpoint) -> Self {
        Self {
            address: endpoint.address,
            manner: entry.plan.app.upstream.manner(),
            counted: None,
        }
    }
}

impl Pools {
    /// The pool of a destination.
    pub(crate) fn of(&self, to: Destination) -> Rc<Pool> {
        let mut all = self.0.borrow_mut();
        let pool = all.entry(to).or_insert_with(|| Rc::new(Pool::new(to)));
        Rc::clone(pool)
    }

    /// Closes connections that were idle for too long, were closed by the other side, or are wanted
    /// by other threads where there may be no more; forgets pools that nobody needs.
    pub(crate) fn sweep(
        &self,
        now: Instant,
        timeout: Duration,
        is_crowded: impl Fn((u32, u32)) -> bool,
    ) {
        self.0.borrow_mut().retain(|_, pool| {
            let crowded = pool.limit.get().is_some_and(&is_crowded);
            let mut idle = pool.idle.borrow_mut();
            idle.retain(|idle| {
                !crowded
                    && !idle.link.is_closed()
                    && now.saturating_duration_since(idle.since) < timeout
            });
            let hub = pool.hub.as_ref();
            let carries = hub.is_some_and(|hub| hub.sweep(now, timeout, crowded));
            carries || !idle.is_empty() || Rc::strong_count(pool) > 1
        });
    }

    /// Closes the oldest of the idle connections that are counted for a slot.
    #[cold]
    pub(crate) fn make_room(&self, slot: u32) -> bool {
        let all = self.0.borrow();
        let counted = all.values().filter(|pool| pool.to.counted == Some(slot));
        let oldest = |pool: &&Rc<Pool>| pool.idle.borrow().first().map(|idle| idle.since);
        let with_idle = counted.filter(|pool| oldest(pool).is_some());
        match with_idle.min_by_key(oldest) {
            Some(pool) => {
                pool.idle.borrow_mut().remove(0);
                true
            }
            None => false,
        }
    }

    /// Closes all idle connections.
    pub(crate) fn clear(&self) {
        for (_, pool) in self.0.borrow_mut().drain() {
            pool.idle.borrow_mut().clear();
            if let Some(hub) = &pool.hub {
                hub.clear();
            }
        }
    }
}

impl Pool {
    fn new(to: Destination) -> Self {
        Self {
            to,
            idle: RefCell::default(),
            hub: (to.manner.http == HttpVersion::Http2).then(Box::default),
            limit: Cell::new(None),
        }
    }

    #[inline]
    pub(crate) fn to(&self) -> &Destination {
        &self.to
    }

    /// Its connections where HTTP/2 is spoken.
    #[inline]
    pub(crate) fn hub(&self) -> Option<&Hub> {
        self.hub.as_deref()
    }

    /// Whether a connection may serve one client after another: it was not announced as one's.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        self.to.manner.proxy_protocol.is_none()
    }

    /// The slot that its connections are counted for, and how many that may have.
    pub(crate) fn limit(&self, limit: (u32, u32)) {
        if self.to.counted.is_some() {
            self.limit.set(Some(limit));
        }
    }

    /// Whether all connections are taken that there may be.
    pub(crate) fn is_crowded(&self, breakers: &Breakers) -> bool {
        (self.limit.get()).is_some_and(|limit| is_crowded(breakers, limit))
    }

    /// An idle connection that still stands, if there is one.
    pub(crate) fn take(&self) -> Option<UpstreamLink> {
        if let Some(hub) = &self.hub {
            return hub.seat().map(UpstreamLink::of);
        }
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { link, .. }) = idle.pop() {
            if !link.is_closed() {
                return Some(link);
            }
        }
        None
    }

    /// Puts a connection back after a whole exchange, unless it is closing or there are enough.
    pub(crate) fn put(&self, link: UpstreamLink, now: Instant, at_most: usize) {
        if self.hub.is_some() {
            // A place is given back; the connection was never taken.
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if let Some(link) = link.rested().filter(|_| idle.len() < at_most) {
            idle.push(Idle { link, since: now });
        }
    }
}
