//! By whom a sticky split knows a request, and the cookie it gives to those it does not know.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use windrose_model::{SplitBy, SplitKey};
use windrose_routing::{AppEntry, user};

use crate::connection::Client;
use crate::worker::Worker;

/// Where a request falls in a split.
pub(crate) struct Found {
    pub(crate) draw: u64,
    /// What makes its client known from now on.
    pub(crate) cookie: Option<Box<HeaderValue>>,
}

/// Of a request.
#[inline(never)]
pub(crate) fn request(
    client: &Client,
    entry: &AppEntry,
    by: &SplitBy,
    headers: &HeaderMap,
    address: IpAddr,
) -> Found {
    let dice = &client.worker.dice;
    if let Some(user) = user(&by.key, headers, address) {
        let draw = entry.point_of(by, &user);
        return Found { draw, cookie: None };
    }
    let draw = dice.draw();
    let SplitKey::SetCookie(name, kept) = &by.key else {
        return Found { draw, cookie: None };
    };
    let id = format!("{draw:016x}");
    let secure = if client.tls.is_some() { "; Secure" } else { "" };
    let kept = kept.seconds();
    let cookie = format!("{name}={id}; Path=/; Max-Age={kept}; HttpOnly; SameSite=Lax{secure}");
    Found {
        draw: entry.point_of(by, id.as_bytes()),
        cookie: HeaderValue::try_from(cookie).ok().map(Box::new),
    }
}

/// Of a connection that nobody reads.
#[inline(never)]
pub(crate) fn connection(worker: &Worker, entry: &AppEntry, by: &SplitBy, address: IpAddr) -> u64 {
    match user(&by.key, &HeaderMap::new(), address) {
        Some(user) => entry.point_of(by, &user),
        None => worker.dice.draw(),
    }
}
