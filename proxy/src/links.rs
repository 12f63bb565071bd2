//! Where connections to endpoints wait for their next exchange: in the pool of the thread, or, where
//! they were announced as one client's, with that client, to end with it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::connection::Client;
use crate::upstream::{Upstream, UpstreamLink};

/// Connections that one client may leave waiting: an endpoint or two, as a rule.
const MOST: usize = 4;

/// The connections of one client.
#[derive(Debug, Default)]
pub(crate) struct Links(RefCell<Vec<Waiting>>);

#[derive(Debug)]
struct Waiting {
    upstream: Rc<Upstream>,
    link: UpstreamLink,
    since: Instant,
}

/// An idle connection to an endpoint that still stands and may be used for this client.
#[inline]
pub(crate) fn take(client: &Client, upstream: &Rc<Upstream>) -> Option<UpstreamLink> {
    if upstream.is_shared() {
        upstream.take()
    } else {
        let idle = client.worker.settings.upstream_idle_timeout;
        client.links.take(upstream, Instant::now(), idle)
    }
}

/// Puts a connection back after a whole exchange, unless it is closing or there are enough.
#[inline]
pub(crate) fn put(client: &Client, upstream: &Rc<Upstream>, link: UpstreamLink, now: Instant) {
    if upstream.is_shared() {
        let at_most = client.worker.settings.upstream_idle_connections;
        upstream.put(link, now, at_most);
    } else {
        client.links.put(upstream, link, now);
    }
}

impl Links {
    #[cold]
    #[inline(never)]
    fn take(&self, upstream: &Rc<Upstream>, now: Instant, idle: Duration) -> Option<UpstreamLink> {
        let mut waiting = self.0.borrow_mut();
        waiting.retain(|it| {
            !it.link.sender.is_closed() && now.saturating_duration_since(it.since) < idle
        });
        let at = waiting
            .iter()
            .rposition(|it| Rc::ptr_eq(&it.upstream, upstream))?;
        Some(waiting.swap_remove(at).link)
    }

    #[cold]
    #[inline(never)]
    fn put(&self, upstream: &Rc<Upstream>, link: UpstreamLink, now: Instant) {
        let mut waiting = self.0.borrow_mut();
        if let Some(link) = link.rested().filter(|_| waiting.len() < MOST) {
            waiting.push(Waiting {
                upstream: Rc::clone(upstream),
                link,
                since: now,
            });
        }
    }
}
