//! HOT. From the question to what stands in our zones (RFC 1034 section 4.3.2).

use std::net::IpAddr;

use windrose_routing::{AnswerRef, Lookup, Node, Table, ZoneEntry};

use crate::extended_error::ExtendedError;
use crate::manners::AnyAnswer;
use crate::message::{FIXED, Message, Rcode};
use crate::query::{HEADER, IN, Query, rtype};
use crate::reply::Verdict;

/// Aliases followed inside our zones; a longer chain is left to the resolver.
pub(super) const HOPS: usize = 8;
/// TTL of a made up HINFO record, in seconds: long, as RFC 8482 section 4.2 wants it, because it never
/// changes.
const HINFO_TTL: u32 = 3_600;

/// An answer coming about.
pub(super) struct Resolution<'t, 'q, 'o> {
    pub(super) table: &'t Table,
    pub(super) query: &'q Query<'q>,
    pub(super) source: IpAddr,
    pub(super) draw: u64,
    pub(super) any: AnyAnswer,
    pub(super) message: &'q mut Message<'o>,
    /// Where DNAME records were written, 0 for none: each stands in an answer once.
    pub(super) dnames: [u16; HOPS],
}

/// A name, by the place in the message where its octets stand. That of the question keeps its case
/// there; those of records are lower-case and uncompressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) at: usize,
    pub(super) len: usize,
}

impl Owner {
    /// Pointer to the name.
    #[inline]
    pub(super) fn pointer(self) -> u16 {
        pointer(self.at)
    }

    /// Pointer to the suffix of the name that has the length of `suffix`.
    #[inline]
    pub(super) fn pointer_to(self, suffix: &[u8]) -> u16 {
        pointer(self.at + self.len.saturating_sub(suffix.len()))
    }
}

/// Chains are at most [`HOPS`] names long, so no owner stands beyond the reach of a pointer
/// (16,383).
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "see above")]
pub(super) const fn pointer(at: usize) -> u16 {
    0xc000 | at as u16
}

/// Whether a name is more than a step to deeper ones.
fn has_something(node: &Node<'_>) -> bool {
    node.app.is_some() || node.is_apex() || node.sets().next().is_some()
}

/// Labels of a zone's name without the root, and the serial of its SOA record, which stands five
/// numbers before the end (RFC 1035 section 3.3.13).
#[cold]
fn version(zone: &ZoneEntry) -> (u8, u32) {
    let mut labels = 0;
    let mut rest = zone.apex.wire();
    while let Some((&len, more)) = rest.split_first()
        && len > 0
    {
        labels += 1;
        rest = more.get(usize::from(len)..).unwrap_or_default();
    }
    let serial = zone.soa.wire.last_chunk::<20>();
    let serial = serial.map_or(0, |[a, b, c, d, ..]| u32::from_be_bytes([*a, *b, *c, *d]));
    (labels, serial)
}

impl<'t> Resolution<'t, '_, '_> {
    /// Looks the question up and answers it.
    #[inline]
    pub(super) fn run(&mut self) -> Verdict {
        let owner = Owner {
            at: HEADER,
            len: self.query.name.len(),
        };
        let found = self.table.lookup(self.query.name);
        let zone = match found {
            Lookup::Refused => {
                return Verdict::because(Rcode::Refused, ExtendedError::NotAuthoritative);
            }
            Lookup::NxDomain { zone }
            | Lookup::Node { zone, .. }
            | Lookup::Delegation { zone, .. }
            | Lookup::Dname { zone, .. } => zone,
        };
        let wildcard = match &found {
            Lookup::Node { node, .. } => node.is_wildcard(),
            Lookup::Dname { .. } => true,
            _ => false,
        };
        let mut verdict = Verdict {
            authoritative: true,
            zone: Some(zone.slot),
            wildcard,
            ..Verdict::plain(Rcode::NoError)
        };
        if self.message.wants_zone_version() {
            let (labels, serial) = version(zone);
            self.message.zone_version(labels, serial);
        }
        if let Some(target) = self.step(&found, owner, &mut verdict) {
            self.follow(target, &mut verdict);
        }
        verdict
    }

    /// Follows aliases. A loop or a chain longer than [`HOPS`] goes out as far as it was followed;
    /// the resolver, which has to ask on anyway, sees the rest.
    #[inline(never)]
    fn follow(&mut self, mut owner: Owner, verdict: &mut Verdict) {
        let mut seen = [owner; HOPS];
        for hop in 0..HOPS {
            let name = self.message.octets(owner.at, owner.len);
            let is_it = |earlier: &Owner| self.message.octets(earlier.at, earlier.len) == name;
            if name == self.query.name || seen[..hop].iter().any(is_it) {
                return;
            }
            seen[hop] = owner;
            let found = self.table.lookup(name);
            let Some(target) = self.step(&found, owner, verdict) else {
                return;
            };
            owner = target;
        }
    }

    /// Answers from what stands at one name; returns the target if that is an alias.
    #[inline]
    fn step(&mut self, found: &Lookup<'t>, owner: Owner, verdict: &mut Verdict) -> Option<Owner> {
        match *found {
            Lookup::Node { zone, ref node } => self.node(zone, node, owner, verdict),
            // At the end of a chain the code is that of its last name (RFC 6604 section 3).
            Lookup::NxDomain { zone } => {
                verdict.rcode = Rcode::NxDomain;
                self.negative(zone, owner);
                None
            }
            // The rest of a chain is somebody else's.
            Lookup::Refused => None,
            Lookup::Delegation { zone, cut, node } => {
                self.delegation(zone, cut, &node, owner, verdict);
                None
            }
            Lookup::Dname { set, owner: of, .. } => self.dname(of, set, owner, verdict),
        }
    }

    #[inline]
    fn node(
        &mut self,
        zone: &'t ZoneEntry,
        node: &Node<'t>,
        owner: Owner,
        verdict: &mut Verdict,
    ) -> Option<Owner> {
        let qtype = self.query.qtype;
        if qtype == rtype::ANY && self.any == AnyAnswer::Hinfo && has_something(node) {
            // RFC 8482 section 4.2: the CPU field says why.
            self.message
                .strings(rtype::HINFO, IN, HINFO_TTL, &[b"RFC8482", b""]);
            return None;
        }
        if let Some(app) = node.app
            && matches!(qtype, rtype::A | rtype::AAAA | rtype::ANY)
        {
            self.steer(app, zone, owner, verdict);
            return None;
        }
        let wanted = if qtype == rtype::ANY {
            // One RRset is enough (RFC 8482 section 4.1).
            node.sets().find(|set| set.rtype != rtype::ALIAS)
        } else {
            // An alias is a rule of ours, no record.
            node.set(qtype).filter(|set| set.rtype != rtype::ALIAS)
        };
        if let Some(set) = wanted {
            if let Some(number) = set.steered() {
                return self.steer_record(number, zone, owner, verdict);
            }
            self.whole(set, owner);
            return None;
        }
        if matches!(qtype, rtype::A | rtype::AAAA)
            && let Some(alias) = node.set(rtype::ALIAS)
        {
            self.alias(zone, alias, owner, verdict);
            return None;
        }
        if let Some(alias) = node.set(rtype::CNAME) {
            if let Some(number) = alias.steered() {
                return self.steer_record(number, zone, owner, verdict);
            }
            return self.cname(alias, owner);
        }
        if node.is_apex() && matches!(qtype, rtype::SOA | rtype::DS) {
            return self.apex(zone, owner, verdict);
        }
        let most = node.app.map_or(u32::MAX, |app| self.table.app(app).ttl());
        self.negative_within(zone, owner, most);
        None
    }

    /// What an apex says by more than its own sets.
    #[inline(never)]
    fn apex(&mut self, zone: &'t ZoneEntry, owner: Owner, verdict: &mut Verdict) -> Option<Owner> {
        if self.query.qtype == rtype::SOA {
            self.whole(zone.soa.view(), owner);
        } else if let Some(found) = self.table.parent_side(zone) {
            return self.step(&found, owner, verdict);
        } else {
            self.negative(zone, owner);
        }
        None
    }

    /// An RRset in the answer section: whole or not at all (RFC 2181 section 9).
    #[inline]
    pub(super) fn whole(&mut self, set: AnswerRef<'_>, owner: Owner) {
        if self.message.fits(set.wire.len()) {
            self.message.answer(set, owner.pointer(), set.ttl);
        }
    }

    #[inline]
    fn cname(&mut self, alias: AnswerRef<'_>, owner: Owner) -> Option<Owner> {
        let target = Owner {
            at: self.message.position() + FIXED,
            len: alias.target()?.len(),
        };
        if !self.message.fits(alias.wire.len()) {
            return None;
        }
        self.message.answer(alias, owner.pointer(), alias.ttl);
        Some(target)
    }

    /// SOA in the authority section, for NXDOMAIN and NODATA (RFC 2308 sections 2 and 3).
    #[inline]
    pub(super) fn negative(&mut self, zone: &ZoneEntry, owner: Owner) {
        self.negative_within(zone, owner, u32::MAX);
    }

    /// The same, for at most so many seconds: that an app has nothing to answer is remembered no
    /// longer than what it would answer.
    #[inline]
    pub(super) fn negative_within(&mut self, zone: &ZoneEntry, owner: Owner, most: u32) {
        let apex = owner.pointer_to(zone.apex.wire());
        let ttl = zone.negative_ttl.min(most);
        self.message.authority(zone.soa.view(), apex, ttl);
    }
}
