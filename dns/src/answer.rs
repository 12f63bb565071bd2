//! HOT. Table + query → response, for UDP and TCP alike. Pure: source, chance and limits are
//! arguments.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use windrose_routing::{
    AppEntry, DnsChoice, Leaf, Lookup, Node, Picked, Table, ZoneEntry, prefix_key,
};

use crate::message::{FIXED, Message, Rcode, UDP_SIZE};
use crate::query::{Edns, HEADER, Head, Malformed, Query, rtype};
use crate::subnet::{Subnet, is_unroutable};

/// Aliases followed inside our zones; a longer chain is left to the resolver.
const HOPS: usize = 8;
/// Smallest message any client takes (RFC 1035 section 4.2.1), and the least room a response
/// buffer must have.
pub const MIN_ROOM: usize = 512;

/// How a response travels, which bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// 512 octets without EDNS (RFC 1035 section 4.2.1), with it what the client takes up to
    /// [`UDP_SIZE`].
    Udp,
    /// 65,535 octets (RFC 1035 section 4.2.2).
    Tcp,
}

/// A response in the caller's buffer, and what to count it as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Octets of the message; zero if the buffer was too small to hold any.
    pub len: usize,
    /// Its response code.
    pub rcode: Rcode,
    /// Slot of the zone the question lies in.
    pub zone: Option<u32>,
    /// Steered slot of the leading cluster, if the answer was steered.
    pub steered: Option<u32>,
    /// Whether something did not fit.
    pub truncated: bool,
}

/// Answers a query into `out`, which needs at least [`MIN_ROOM`] octets. `source` is the address
/// the query came from, `draw` a random number.
#[inline]
pub fn answer(
    table: &Table,
    query: &Query<'_>,
    source: IpAddr,
    draw: u64,
    transport: Transport,
    out: &mut [u8],
) -> Reply {
    let limit = limit(transport, query.edns.as_ref());
    let Some(message) = Message::new(out, limit, query.question, query.edns) else {
        return Reply::none();
    };
    if query.edns.is_some_and(|edns| edns.version != 0) {
        return message.reply(query.head, &Verdict::plain(Rcode::BadVers));
    }
    // Zones are not transferred from here.
    if matches!(query.qtype, rtype::AXFR | rtype::IXFR) {
        return message.reply(query.head, &Verdict::plain(Rcode::Refused));
    }
    let mut resolution = Resolution {
        table,
        query,
        source: source.to_canonical(),
        draw,
        message,
    };
    let verdict = resolution.run();
    resolution.message.reply(query.head, &verdict)
}

/// Says FORMERR to a query that could not be read.
pub fn malformed(query: &Malformed<'_>, transport: Transport, out: &mut [u8]) -> Reply {
    refuse(
        query.head,
        query.question,
        query.edns,
        Rcode::FormErr,
        transport,
        out,
    )
}

/// A response without records.
pub(crate) fn refuse(
    head: Head,
    question: &[u8],
    edns: Option<Edns>,
    rcode: Rcode,
    transport: Transport,
    out: &mut [u8],
) -> Reply {
    match Message::new(out, limit(transport, edns.as_ref()), question, edns) {
        Some(message) => message.reply(head, &Verdict::plain(rcode)),
        None => Reply::none(),
    }
}

/// A client that says less than 512 means 512 (RFC 6891 section 6.2.3).
#[inline]
fn limit(transport: Transport, edns: Option<&Edns>) -> usize {
    match (transport, edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => MIN_ROOM,
        (Transport::Udp, Some(edns)) => usize::from(edns.size.min(UDP_SIZE)).max(MIN_ROOM),
    }
}

impl Reply {
    pub(crate) const fn none() -> Self {
        Self {
            len: 0,
            rcode: Rcode::ServFail,
            zone: None,
            steered: None,
            truncated: false,
        }
    }
}

impl Message<'_> {
    #[inline]
    fn reply(self, head: Head, verdict: &Verdict) -> Reply {
        let truncated = self.is_truncated();
        let len = self.finish(head, verdict.rcode, verdict.authoritative, verdict.scope);
        Reply {
            len,
            rcode: verdict.rcode,
            zone: verdict.zone,
            steered: verdict.steered,
            truncated,
        }
    }
}

/// What the header, the counters and the client subnet option will say.
struct Verdict {
    rcode: Rcode,
    authoritative: bool,
    /// 0 unless the answer was steered: then the same for everyone would be a lie (RFC 7871
    /// section 7.2.1).
    scope: u8,
    zone: Option<u32>,
    steered: Option<u32>,
}

impl Verdict {
    const fn plain(rcode: Rcode) -> Self {
        Self {
            rcode,
            authoritative: false,
            scope: 0,
            zone: None,
            steered: None,
        }
    }
}

struct Resolution<'t, 'q, 'o> {
    table: &'t Table,
    query: &'q Query<'q>,
    source: IpAddr,
    draw: u64,
    message: Message<'o>,
}

/// A name with the place in the message where its octets stand.
#[derive(Clone, Copy)]
struct Owner<'n> {
    name: &'n [u8],
    at: usize,
}

impl Owner<'_> {
    /// Pointer to the name.
    #[inline]
    fn pointer(self) -> u16 {
        pointer(self.at)
    }

    /// Pointer to the suffix of the name that is `apex`.
    #[inline]
    fn pointer_to(self, apex: &[u8]) -> u16 {
        pointer(self.at + self.name.len().saturating_sub(apex.len()))
    }
}

/// Chains are at most [`HOPS`] names long, so no name stands beyond the reach of a pointer
/// (16,383).
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "see above")]
const fn pointer(at: usize) -> u16 {
    0xc000 | at as u16
}

impl<'t> Resolution<'t, '_, '_> {
    /// Looks the question up and answers it (RFC 1034 section 4.3.2).
    #[inline]
    fn run(&mut self) -> Verdict {
        let owner = Owner {
            name: self.query.name,
            at: HEADER,
        };
        let found = self.table.lookup(owner.name);
        let mut verdict = match found {
            Lookup::Refused => return Verdict::plain(Rcode::Refused),
            Lookup::NxDomain { zone } | Lookup::Node { zone, .. } => Verdict {
                authoritative: true,
                zone: Some(zone.slot),
                ..Verdict::plain(Rcode::NoError)
            },
        };
        if let Some(target) = self.step(&found, owner, &mut verdict) {
            self.follow(target, &mut verdict);
        }
        verdict
    }

    /// Follows aliases. A loop or a chain longer than [`HOPS`] goes out as far as it was followed;
    /// the resolver, which has to ask on anyway, sees the rest.
    #[inline(never)]
    fn follow(&mut self, mut owner: Owner<'t>, verdict: &mut Verdict) {
        let mut seen: [&[u8]; HOPS] = [&[]; HOPS];
        for hop in 0..HOPS {
            if owner.name == self.query.name || seen[..hop].contains(&owner.name) {
                return;
            }
            seen[hop] = owner.name;
            let found = self.table.lookup(owner.name);
            let Some(target) = self.step(&found, owner, verdict) else {
                return;
            };
            owner = target;
        }
    }

    /// Answers from what stands at one name; returns the target if that is an alias.
    #[inline]
    fn step(
        &mut self,
        found: &Lookup<'t>,
        owner: Owner<'_>,
        verdict: &mut Verdict,
    ) -> Option<Owner<'t>> {
        match *found {
            // The rest of a chain is somebody else's.
            Lookup::Refused => None,
            // At the end of a chain the code is that of its last name (RFC 6604 section 3).
            Lookup::NxDomain { zone } => {
                verdict.rcode = Rcode::NxDomain;
                self.negative(zone, owner);
                None
            }
            Lookup::Node { zone, node } => self.node(zone, node, owner, verdict),
        }
    }

    #[inline]
    fn node(
        &mut self,
        zone: &ZoneEntry,
        node: &'t Node,
        owner: Owner<'_>,
        verdict: &mut Verdict,
    ) -> Option<Owner<'t>> {
        let qtype = self.query.qtype;
        if let Some(app) = node.app
            && matches!(qtype, rtype::A | rtype::AAAA | rtype::ANY)
        {
            self.steer(self.table.app(app), zone, owner, verdict);
            return None;
        }
        let wanted = if qtype == rtype::ANY {
            // One RRset is enough (RFC 8482 section 4.1).
            node.sets.first()
        } else {
            node.set(qtype)
        };
        if let Some(set) = wanted {
            if self.message.fits(set.wire.len()) {
                self.message.answer(set, owner.pointer(), set.ttl);
            }
            return None;
        }
        let Some(alias) = node.set(rtype::CNAME) else {
            self.negative(zone, owner);
            return None;
        };
        if !self.message.fits(alias.wire.len()) {
            return None;
        }
        let target = Owner {
            name: alias.wire.get(FIXED..).filter(|name| !name.is_empty())?,
            at: self.message.position() + FIXED,
        };
        self.message.answer(alias, owner.pointer(), alias.ttl);
        Some(target)
    }

    /// SOA in the authority section, for NXDOMAIN and NODATA (RFC 2308 sections 2 and 3).
    #[inline]
    fn negative(&mut self, zone: &ZoneEntry, owner: Owner<'_>) {
        let apex = owner.pointer_to(zone.apex.wire());
        self.message.authority(&zone.soa, apex, zone.negative_ttl);
    }

    /// Answers with the addresses of the chosen clusters.
    #[inline]
    fn steer(&mut self, app: &AppEntry, zone: &ZoneEntry, owner: Owner<'_>, verdict: &mut Verdict) {
        let client = self.client(app);
        verdict.scope = client.scope;
        let key = if app.sticky() {
            prefix_key(app.plan.salt, client.address)
        } else {
            self.draw
        };
        match app.choose_dns(app.view(self.table, client.leaf), key) {
            DnsChoice::Clusters(picked) => {
                self.addresses(app, &picked, zone, owner, verdict);
            }
            DnsChoice::Nodata => self.negative(zone, owner),
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
        app: &AppEntry,
        picked: &Picked,
        zone: &ZoneEntry,
        owner: Owner<'_>,
        verdict: &mut Verdict,
    ) {
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
            self.negative(zone, owner);
        } else if self.message.fits(octets) {
            for set in sets() {
                self.message.answer(set, owner.pointer(), app.ttl());
            }
            verdict.steered = clusters().next().map(|lead| lead.slot);
        }
    }

    /// Whom to steer by: the client's subnet if the resolver told it, else where the query came
    /// from.
    #[inline]
    fn client(&self, app: &AppEntry) -> Client {
        let subnet = self.query.edns.and_then(|edns| edns.subnet);
        // Source prefix 0 asks not to be steered by; the answer holds for everyone (RFC 7871
        // section 7.1.2).
        if let Some(subnet) = subnet
            && let Some(address) = subnet.address()
        {
            self.told(app, subnet, address)
        } else {
            Client {
                address: self.source,
                leaf: self.table.leaf(self.source),
                scope: 0,
            }
        }
    }

    #[inline]
    fn told(&self, app: &AppEntry, subnet: Subnet, address: IpAddr) -> Client {
        let leaf = self.table.leaf(address);
        let scope = app.scope(leaf);
        if scope > 0 && is_unroutable(address) && self.is_nowhere(app, leaf, address) {
            return Client {
                address: self.source,
                leaf: self.table.leaf(self.source),
                scope: subnet.source(),
            };
        }
        let stuck = match address {
            _ if !app.sticky() => 0,
            IpAddr::V4(_) => subnet.source().min(24),
            IpAddr::V6(_) => subnet.source().min(56),
        };
        Client {
            address,
            leaf,
            scope: scope.max(stuck),
        }
    }

    /// Whether steering treats an unroutable address as it treats an unspecified one: no rule names
    /// it, so the resolver says more about the client (RFC 7871 section 10).
    fn is_nowhere(&self, app: &AppEntry, leaf: Leaf, address: IpAddr) -> bool {
        let unspecified = match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        app.view(self.table, leaf) == app.view(self.table, self.table.leaf(unspecified))
    }
}

/// Whom an answer is for.
struct Client {
    address: IpAddr,
    leaf: Leaf,
    /// What the client subnet option will say.
    scope: u8,
}
