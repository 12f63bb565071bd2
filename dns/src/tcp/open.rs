//! The open connections of one address: how many each client has, and which has been silent longest.
//!
//! They stand in a list in the order in which they spoke last, so that whoever has to go next, by
//! silence or to make way, stands at its head.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use slab::Slab;

use super::TcpLimits;

pub(super) struct Open<C> {
    connections: Slab<Connection<C>>,
    /// The ends of the list.
    oldest: Option<usize>,
    newest: Option<usize>,
    by_client: HashMap<IpAddr, Vec<usize>>,
    /// Counts messages: which of two connections spoke last.
    turns: u64,
}

struct Connection<C> {
    content: C,
    client: IpAddr,
    turn: u64,
    since: Instant,
    older: Option<usize>,
    newer: Option<usize>,
}

impl<C> Open<C> {
    pub(super) fn new() -> Self {
        Self {
            connections: Slab::new(),
            oldest: None,
            newest: None,
            by_client: HashMap::new(),
            turns: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    pub(super) fn get_mut(&mut self, id: usize) -> Option<&mut C> {
        Some(&mut self.connections.get_mut(id)?.content)
    }

    /// Closes what has to go before `peer` may have one more.
    pub(super) fn make_way(&mut self, peer: IpAddr, limits: TcpLimits) {
        let own = self.by_client.get(&client(peer));
        let own = own.filter(|own| own.len() >= limits.per_client.max(1));
        let turn = |id: &usize| self.connections.get(*id).map_or(0, |spoke| spoke.turn);
        if let Some(id) = own.and_then(|own| own.iter().copied().min_by_key(turn)) {
            self.remove(id);
        }
        while self.connections.len() >= limits.connections.max(1)
            && let Some(id) = self.oldest
        {
            self.remove(id);
        }
    }

    /// Adds a connection; numbers of those that were removed are given again.
    pub(super) fn add(&mut self, content: C, peer: IpAddr, now: Instant) -> usize {
        let client = client(peer);
        let id = self.connections.insert(Connection {
            content,
            client,
            turn: 0,
            since: now,
            older: None,
            newer: None,
        });
        self.by_client.entry(client).or_default().push(id);
        self.link(id, now);
        id
    }

    /// Notes that a whole message came.
    #[inline]
    pub(super) fn spoke(&mut self, id: usize, now: Instant) {
        self.unlink(id);
        self.link(id, now);
    }

    /// Closes a connection, which ended or has to.
    pub(super) fn remove(&mut self, id: usize) {
        self.unlink(id);
        let Some(connection) = self.connections.try_remove(id) else {
            return;
        };
        if let Some(own) = self.by_client.get_mut(&connection.client) {
            own.retain(|other| *other != id);
            if own.is_empty() {
                self.by_client.remove(&connection.client);
            }
        }
    }

    /// Closes those that have been silent for `idle`; returns when the next would be.
    pub(super) fn close_silent(&mut self, now: Instant, idle: Duration) -> Option<Instant> {
        while let Some(id) = self.oldest {
            let until = self.connections.get(id)?.since + idle;
            if until > now {
                return Some(until);
            }
            self.remove(id);
        }
        None
    }

    /// Closes those that are not to be kept.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&C) -> bool) {
        let over = |(id, one): (usize, &Connection<C>)| (!keep(&one.content)).then_some(id);
        let over: Vec<_> = self.connections.iter().filter_map(over).collect();
        for id in over {
            self.remove(id);
        }
    }

    /// Takes a connection out of the list.
    fn unlink(&mut self, id: usize) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        let (older, newer) = (connection.older.take(), connection.newer.take());
        match older.and_then(|older| self.connections.get_mut(older)) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        match newer.and_then(|newer| self.connections.get_mut(newer)) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
    }

    /// Puts a connection that is not in the list at its end.
    fn link(&mut self, id: usize, now: Instant) {
        let newest = self.newest;
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        self.turns += 1;
        connection.turn = self.turns;
        connection.since = now;
        connection.older = newest;
        match newest.and_then(|newest| self.connections.get_mut(newest)) {
            Some(newest) => newest.newer = Some(id),
            None => self.oldest = Some(id),
        }
        self.newest = Some(id);
    }
}

/// How long connections may be silent. All may as long, so that they end in the order of the list.
pub(super) struct Patience {
    idle: Duration,
    /// Clients were told of a longer time, which holds until it is over.
    longer: Option<(Duration, Instant)>,
}

impl Patience {
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, longer: None }
    }

    /// How long they may be silent now that clients are told of `idle` (RFC 7828 section 3.2.2).
    pub(super) fn now(&mut self, idle: Duration, now: Instant) -> Duration {
        if idle < self.idle {
            let before = self.longer_than_told(now);
            self.longer = Some((before, now + before));
        }
        self.idle = idle;
        self.longer_than_told(now)
    }

    fn longer_than_told(&self, now: Instant) -> Duration {
        match self.longer {
            Some((longer, until)) if until > now => longer.max(self.idle),
            _ => self.idle,
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

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn names(open: &Open<char>) -> String {
        let mut names: Vec<_> = open.connections.iter().map(|(_, one)| one).collect();
        names.sort_by_key(|one| one.turn);
        names.iter().map(|one| one.content).collect()
    }

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_client_is_an_address_or_a_56() {
        let of = |text: &str| client(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2ff:3::4"), "2001:db8:1:200::");
    }

    #[test]
    fn they_go_in_the_order_in_which_they_spoke_last() {
        let start = Instant::now();
        let mut open = Open::new();
        let ids = ['a', 'b', 'c', 'd'].map(|name| open.add(name, PEER, start));
        open.spoke(ids[1], start + second(1));
        open.spoke(ids[0], start + second(2));
        open.spoke(ids[0], start + second(3));
        assert_eq!(names(&open), "cdba");
        let next = open.close_silent(start + second(2), second(2));
        assert_eq!(names(&open), "ba");
        assert_eq!(next, Some(start + second(3)));
        open.remove(ids[0]);
        open.spoke(ids[0], start + second(4));
        open.add('e', PEER, start + second(4));
        assert_eq!(names(&open), "be");
        assert_eq!(open.close_silent(start + second(9), second(2)), None);
        assert!(open.is_empty() && open.by_client.is_empty());
        assert_eq!((open.oldest, open.newest), (None, None));
    }

    #[test]
    fn way_is_made_by_the_client_itself_or_by_the_one_silent_longest() {
        let start = Instant::now();
        let limits = TcpLimits {
            connections: 3,
            per_client: 2,
            ..TcpLimits::default()
        };
        let other = "192.0.2.7".parse().unwrap();
        let mut open = Open::new();
        open.add('a', other, start);
        let ids = ['b', 'c'].map(|name| open.add(name, PEER, start));
        open.spoke(ids[0], start);
        open.make_way(PEER, limits);
        open.add('d', PEER, start);
        assert_eq!(names(&open), "abd");
        open.make_way(other, limits);
        assert_eq!(names(&open), "bd");
    }

    #[test]
    fn a_longer_time_that_was_told_holds_until_it_is_over() {
        let start = Instant::now();
        let mut patience = Patience::new(second(10));
        assert_eq!(patience.now(second(10), start), second(10));
        assert_eq!(patience.now(second(1), start), second(10));
        assert_eq!(patience.now(second(2), start + second(5)), second(10));
        assert_eq!(patience.now(second(1), start + second(6)), second(10));
        assert_eq!(patience.now(second(1), start + second(16)), second(1));
        assert_eq!(patience.now(second(3), start + second(17)), second(3));
    }
}
