//! Names that stand below another that decides for them: delegations and their glue (RFC 1034
//! section 4.3.2 step 3b, RFC 9471), and subtrees that are aliases (RFC 6672).

use windrose_routing::{AnswerRef, Node, ZoneEntry};

use super::resolve::{Owner, Resolution, pointer};
use crate::message::{FIXED, Rcode};
use crate::query::rtype;
use crate::reply::Verdict;

/// Longest name, root octet included (RFC 1035 section 3.1).
const NAME: usize = 255;
/// How far a compression pointer reaches (RFC 1035 section 4.1.4).
const REACH: usize = 0x3fff;

impl<'t> Resolution<'t, '_, '_> {
    /// The name servers of a cut, which is `owner` or above it, and what is known of their addresses.
    /// DS alone is answered from this side (RFC 4035 section 3.1.4.1).
    #[inline(never)]
    pub(super) fn delegation(
        &mut self,
        zone: &'t ZoneEntry,
        cut: &[u8],
        node: &Node<'t>,
        owner: Owner,
        verdict: &mut Verdict,
    ) {
        if self.query.qtype == rtype::DS && owner.len == cut.len() {
            match node.set(rtype::DS) {
                Some(set) => self.whole(set, owner),
                None => self.negative(zone, owner),
            }
            return;
        }
        // Behind an alias the answer is ours as far as it goes: the alias.
        if !self.message.has_answers() {
            verdict.authoritative = false;
        }
        let Some(servers) = node.set(rtype::NS) else {
            return;
        };
        let at = self.message.position();
        if !self.message.fits(servers.wire.len()) {
            return;
        }
        let owner = owner.pointer_to(cut);
        self.message.authority(servers, owner, servers.ttl);
        // Glue of servers inside the delegation must be there, or TC says that it is not (RFC 9471
        // section 3.1); addresses of others are welcome as far as they fit (section 3.2).
        for is_needed in [true, false] {
            for data in servers.data() {
                let target = &servers.wire[data.clone()];
                if is_within(target, cut) == is_needed {
                    self.glue(zone, target, at + data.start, is_needed);
                }
            }
        }
    }

    /// The addresses of a name server whose name stands in the message at `at`. Those of an app are
    /// not among them: they depend on the client, who may ask.
    fn glue(&mut self, zone: &ZoneEntry, server: &[u8], at: usize, is_needed: bool) {
        if at > REACH {
            return;
        }
        let Some(node) = self.table.addresses(zone, server) else {
            return;
        };
        for set in [rtype::A, rtype::AAAA].iter().filter_map(|t| node.set(*t)) {
            self.message.additional(set, pointer(at), is_needed);
        }
    }

    /// Whether the DNAME record of this name was written already. There is one at a name (RFC 6672
    /// section 2.4).
    fn has_dname(&self, of: &[u8]) -> bool {
        let written = self.dnames.iter().take_while(|at| **at > 0);
        written.into_iter().any(|at| {
            let owner = self.message.octets(usize::from(*at), 2).first_chunk();
            let owner = owner.map_or(0, |octets| u16::from_be_bytes(*octets) & 0x3fff);
            let name = self.message.octets(owner.into(), of.len());
            name.eq_ignore_ascii_case(of)
        })
    }

    /// The DNAME record, and the CNAME that it means for this name; returns the new name.
    #[inline(never)]
    pub(super) fn dname(
        &mut self,
        of: &[u8],
        set: AnswerRef<'t>,
        owner: Owner,
        verdict: &mut Verdict,
    ) -> Option<Owner> {
        let target = set.target()?;
        if !self.has_dname(of) {
            if !self.message.fits(set.wire.len()) {
                return None;
            }
            let at = u16::try_from(self.message.position()).unwrap_or(0);
            if let Some(free) = self.dnames.iter_mut().find(|at| **at == 0) {
                *free = at;
            }
            self.message.answer(set, owner.pointer_to(of), set.ttl);
        }
        // The labels before the owner of the DNAME stay (RFC 6672 section 2.2).
        let kept = owner.len - of.len();
        if kept + target.len() > NAME {
            verdict.rcode = Rcode::YxDomain;
            return None;
        }
        let mut name = [0; NAME];
        let name = &mut name[..kept + target.len()];
        name[..kept].copy_from_slice(self.message.octets(owner.at, kept));
        name[..kept].make_ascii_lowercase();
        name[kept..].copy_from_slice(target);
        let renamed = Owner {
            at: self.message.position() + FIXED,
            len: name.len(),
        };
        if !self.message.fits(FIXED + name.len()) {
            return None;
        }
        // Its TTL is that of the DNAME (RFC 6672 section 3.1).
        self.message.alias(owner.pointer(), set.ttl, name);
        Some(renamed)
    }
}

/// Whether a name is `zone` or below it, by whole labels.
fn is_within(name: &[u8], zone: &[u8]) -> bool {
    let mut rest = name;
    while rest.len() > zone.len() {
        let label = usize::from(rest[0]);
        rest = rest.get(label + 1..).unwrap_or_default();
    }
    rest == zone
}
