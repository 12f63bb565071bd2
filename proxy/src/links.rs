//! Where connections to endpoints wait for their next exchange: in the pool of the thread, or, where
//! they were announced as one client's, with that client, to end with it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::connection::Client;
use crate::pool::Pool;
use crate::upstream::{Upstream, UpstreamLink};

/// Connections that one client may leave waiting: an endpoint or two, as a rule.
const MOST: usize = 4;

/// The connections of one client.
#[derive(Debug, Default)]
pub(crate) struct Links(RefCell<Vec<Waiting>>);

#[derive(Debug)]
struct Waiting {
    pool: Rc<Pool>,
    link: UpstreamLink,
    since: Instant,
}

/// An idle connection to an endpoint that still stands and may be used for this client.
#[inline]
pub(crate) fn take(client: &Client, upstream: &Upstream) -> Option<UpstreamLink> {
    let pool = upstream.pool();
    if pool.is_shared() {
        pool.take()
    } else {
        let idle = client.worker.settings.upstream_idle_timeout;
        client.links.take(pool, Instant::now(), idle)
    }
}

/// Puts a connection back after a whole exchange, unless it is closing or there are enough.
#[inline]
pub(crate) fn put(client: &Client, upstream: &Upstream, link: UpstreamLink, now: Instant) {
    let pool = upstream.pool();
    if pool.is_shared() {
        let at_most = client.worker.settings.upstream_idle_connections;
        pool.put(link, now, at_most);
    } else if !pool.is_crowded(client.worker.shared.breakers()) {
        // Else nobody but this client could use it, and it would keep another one out.
        client.links.put(pool, link, now);
    }
}

impl Links {
    #[cold]
    #[inline(never)]
    fn take(&self, pool: &Rc<Pool>, now: Instant, idle: Duration) -> Option<UpstreamLink> {
        let mut waiting = self.0.borrow_mut();
        waiting.retain(|it| !it.link.is_closed() && now.saturating_duration_since(it.since) < idle);
        let at = waiting.iter().rposition(|it| Rc::ptr_eq(&it.pool, pool))?;
        Some(waiting.swap_remove(at).link)
    }

    #[cold]
    #[inline(never)]
    fn put(&self, pool: &Rc<Pool>, link: UpstreamLink, now: Instant) {
        let mut waiting = self.0.borrow_mut();
        if let Some(link) = link.rested().filter(|_| waiting.len() < MOST) {
            waiting.push(Waiting {
                pool: Rc::clone(pool),
                link,
                since: now,
            });
        }
    }
}
