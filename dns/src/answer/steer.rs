//! HOT. The steered answer: whom to steer by, and the addresses of the clusters that were chosen.

use std::net::IpAddr;

use windrose_model::AppId;
use windrose_routing::{
    AnswerRef, AppEntry, DnsChoice, Leaf, Picked, Steering, ZoneEntry, embedded_ipv4, prefix_key,
};
use windrose_telemetry::Prefix;

use super::reason::Reason;
use super::resolve::{Owner, Resolution};
use crate::message::{FIXED, Rcode};
use crate::query::rtype;
use crate::reply::{Steered, Verdict};
use crate::subnet::Subnet;

impl<'t> Resolution<'t, '_, '_> {
    /// Answers with the addresses of the chosen clusters.
    #[inline]
    pub(super) fn steer(
        &mut self,
        id: AppId,
        zone: &ZoneEntry,
        owner: Owner,
        verdict: &mut Verdict,
    ) {
        let app = self.table.app(id);
        let client = self.client(app, app.steering());
        verdict.scope = verdict.scope.max(client.scope);
        let key = self.key(app, &client);
        let view = app.view(self.table, client.leaf);
        let mut reason = Reason::default();
        let choice = app.choose_dns_seen(view, key, &mut |step| reason.see(step));
        // Of a chain, what is told is why its first steered name is as it is.
        verdict.error = verdict.error.or_else(|| reason.told(app, &choice));
        match choice {
            DnsChoice::Clusters(picked) => {
                self.addresses(id, &picked, client.address, zone, owner, verdict);
            }
            DnsChoice::Nodata => self.negative_within(zone, owner, app.ttl()),
            DnsChoice::Servfail => {
                verdict.rcode = Rcode::ServFail;
                verdict.authoritative = false;
            }
        }
    }

    /// Addresses of several clusters are one RRset: all are sent, or none.
    #[inline]
    fn addresses(
        &mut self,
        id: AppId,
        picked: &Picked,
        client: IpAddr,
        zone: &ZoneEntry,
        owner: Owner,
        verdict: &mut Verdict,
    ) {
        let app = self.table.app(id);
        let clusters = || {
            let all = &app.plan.clusters;
            picked.iter().filter_map(|&at| all.get(usize::from(at)))
        };
        let v6 = match self.query.qtype {
            rtype::A => false,
            rtype::AAAA => true,
            _ => clusters().all(|cluster| cluster.a.count == 0),
        };
        let sets = || clusters().map(|c| if v6 { &c.aaaa } else { &c.a });
        let octets: usize = sets().map(|set| set.wire.len()).sum();
        if octets == 0 {
            self.negative_within(zone, owner, app.ttl());
        } else if self.message.fits(octets) {
            for set in sets() {
                self.message.answer(set.view(), owner.pointer(), app.ttl());
            }
            let lead = picked.iter().next().zip(clusters().next());
            verdict.steered = lead.map(|(at, cluster)| Steered {
                app: id,
                cluster: *at,
                slot: cluster.slot,
                client: Prefix::of(client),
            });
        }
    }

    /// Answers with what the chosen cluster has of a record that differs by cluster; the target, if
    /// that is an alias to follow.
    #[inline(never)]
    pub(super) fn steer_record(
        &mut self,
        number: u16,
        zone: &ZoneEntry,
        owner: Owner,
        verdict: &mut Verdict,
    ) -> Option<Owner> {
        let (set, ttl) = self.chosen(number, zone, owner, verdict)?;
        if !self.message.fits(set.wire.len()) {
            verdict.steered = None;
            return None;
        }
        let target = Owner {
            at: self.message.position() + FIXED,
            len: set.target().map_or(0, <[u8]>::len),
        };
        self.message.answer(set, owner.pointer(), ttl);
        let wanted = self.query.qtype;
        let is_alias = target.len > 0 && wanted != rtype::CNAME && wanted != rtype::ANY;
        is_alias.then_some(target)
    }

    /// What the chosen cluster has of a record that differs by cluster, and its TTL; `None` if
    /// something else is answered.
    pub(super) fn chosen(
        &mut self,
        number: u16,
        zone: &ZoneEntry,
        owner: Owner,
        verdict: &mut Verdict,
    ) -> Option<(AnswerRef<'t>, u32)> {
        let record = self.table.steered(number)?;
        let app = self.table.app(record.app);
        let client = self.client(app, record.steering());
        // Of an alias and what it leads to one scope is told: the narrower prefix holds for both.
        verdict.scope = verdict.scope.max(client.scope);
        let key = self.key(app, &client);
        let view = record.steering().view(self.table, client.leaf);
        let mut reason = Reason::default();
        let choice = app.choose_record(record, view, key, &mut |step| reason.see(step));
        // Of a chain, what is told is why its first steered name is as it is.
        verdict.error = verdict.error.or_else(|| reason.told(app, &choice));
        match choice {
            DnsChoice::Clusters(picked) => {
                let (at, set) = picked.first().and_then(|at| Some((*at, record.of(*at)?)))?;
                let cluster = app.plan.clusters.get(usize::from(at))?;
                verdict.steered = Some(Steered {
                    app: record.app,
                    cluster: at,
                    slot: cluster.slot,
                    client: Prefix::of(client.address),
                });
                Some((set.view(), app.ttl()))
            }
            DnsChoice::Nodata => {
                self.negative_within(zone, owner, app.ttl());
                None
            }
            DnsChoice::Servfail => {
                verdict.rcode = Rcode::ServFail;
                verdict.authoritative = false;
                None
            }
        }
    }

    #[inline]
    fn key(&self, app: &AppEntry, client: &Client) -> u64 {
        if app.sticky() {
            prefix_key(app.plan.salt, client.address)
        } else {
            self.draw
        }
    }

    /// Whom to steer by: the client's subnet if the resolver told it, else where the query came
    /// from.
    #[inline]
    fn client(&self, app: &AppEntry, steering: Steering<'_>) -> Client {
        let subnet = self.query.edns.and_then(|edns| edns.subnet);
        // Source prefix 0 asks not to be steered by; the answer holds for everyone (RFC 7871
        // section 7.1.2).
        if let Some(subnet) = subnet
            && let Some(address) = subnet.address()
        {
            self.told(app, steering, subnet, address)
        } else {
            Client {
                address: self.source,
                leaf: self.table.leaf(self.source),
                scope: 0,
            }
        }
    }

    #[inline]
    fn told(
        &self,
        app: &AppEntry,
        steering: Steering<'_>,
        subnet: Subnet,
        address: IpAddr,
    ) -> Client {
        let leaf = self.table.leaf(address);
        let scope = steering.scope(leaf);
        // An IPv4 address inside an IPv6 one counts as itself, behind the bits in front of it.
        let (known, offset) = match address {
            IpAddr::V4(_) => (address, 0),
            IpAddr::V6(ip) => embedded_ipv4(ip)
                .map_or((address, 0), |(inner, offset)| (IpAddr::V4(inner), offset)),
        };
        if scope > 0
            && let Some(block) = steering.nowhere(self.table, leaf, known)
            // All of it lies there, or nothing was told of the address inside.
            && (subnet.source() >= offset + block || subnet.source() <= offset)
        {
            return Client {
                address: self.source,
                leaf: self.table.leaf(self.source),
                scope: scope.max(offset + block).max(subnet.source()),
            };
        }
        let stuck = match known {
            _ if !app.sticky() => 0,
            IpAddr::V4(_) => subnet.source().min(offset + 24),
            IpAddr::V6(_) => subnet.source().min(56),
        };
        Client {
            address,
            leaf,
            scope: scope.max(stuck),
        }
    }
}

/// Whom an answer is for.
struct Client {
    address: IpAddr,
    leaf: Leaf,
    /// What the client subnet option will say.
    scope: u8,
}
