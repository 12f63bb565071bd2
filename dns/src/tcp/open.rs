//! The open connections: how many each client has, and which has been silent longest.
//!
//! Connections count their messages by turns of a common clock; a turn that is written down here may
//! lag behind. The lowest that does not lag is the lowest of all: each look brings one of the others
//! up to date, so that making way costs a logarithm for each message at most, whatever the number of
//! connections.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::{AbortHandle, Id};

use super::TcpLimits;

#[derive(Default)]
pub(super) struct Open {
    connections: HashMap<Id, Connection>,
    /// By the turn written down; no two are equal.
    by_turn: BTreeMap<u64, Id>,
    by_client: HashMap<IpAddr, Vec<Id>>,
}

struct Connection {
    abort: AbortHandle,
    client: IpAddr,
    last_turn: Arc<AtomicU64>,
    /// As it stands in `by_turn`.
    written: u64,
}

impl Connection {
    fn turn(&self) -> u64 {
        self.last_turn.load(Ordering::Relaxed)
    }
}

impl Open {
    /// Closes what has to go before `peer` may have one more.
    pub(super) fn make_way(&mut self, peer: IpAddr, limits: TcpLimits) {
        let own = self.by_client.get(&client(peer));
        let own = own.filter(|own| own.len() >= limits.per_client.max(1));
        let turn = |id: &Id| self.connections.get(id).map_or(0, Connection::turn);
        if let Some(id) = own.and_then(|own| own.iter().copied().min_by_key(turn)) {
            self.close(id);
        }
        while self.connections.len() >= limits.connections.max(1)
            && let Some(id) = self.oldest()
        {
            self.close(id);
        }
    }

    pub(super) fn add(&mut self, abort: AbortHandle, peer: IpAddr, last_turn: Arc<AtomicU64>) {
        let (id, client) = (abort.id(), client(peer));
        let written = last_turn.load(Ordering::Relaxed);
        self.by_turn.insert(written, id);
        self.by_client.entry(client).or_default().push(id);
        let connection = Connection {
            abort,
            client,
            last_turn,
            written,
        };
        self.connections.insert(id, connection);
    }

    /// Forgets a connection that ended.
    pub(super) fn remove(&mut self, id: Id) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        self.by_turn.remove(&connection.written);
        if let Some(own) = self.by_client.get_mut(&connection.client) {
            own.retain(|other| *other != id);
            if own.is_empty() {
                self.by_client.remove(&connection.client);
            }
        }
    }

    fn close(&mut self, id: Id) {
        if let Some(connection) = self.connections.get(&id) {
            connection.abort.abort();
        }
        self.remove(id);
    }

    /// The one that has been silent longest.
    fn oldest(&mut self) -> Option<Id> {
        loop {
            let (written, id) = self.by_turn.pop_first()?;
            let Some(connection) = self.connections.get_mut(&id) else {
                continue;
            };
            let turn = connection.turn();
            connection.written = turn;
            self.by_turn.insert(turn, id);
            if turn == written {
                return Some(id);
            }
        }
    }
}

/// Whom connections are counted for: an IPv4 address, or an IPv6 /56, which one customer has.
fn client(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => {
            let kept = u128::from(ip) & !(u128::MAX >> 56);
            IpAddr::V6(Ipv6Addr::from(kept))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_a_56() {
        let of = |text: &str| client(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2ff:3::4"), "2001:db8:1:200::");
    }
}
