//! Addresses of another name under a name of ours (ALIAS): from our own zones and apps where the
//! target lies there, else from what control has resolved.

use windrose_routing::{AliasAnswer, AnswerRef, Lookup, ZoneEntry};

use super::resolve::{HOPS, Owner, Resolution};
use crate::extended_error::ExtendedError;
use crate::message::{FIXED, Rcode};
use crate::query::rtype;
use crate::reply::Verdict;

impl<'t> Resolution<'t, '_, '_> {
    /// Answers A or AAAA. What is not known yet is a failure, not an empty answer: that would be
    /// remembered, and an apex would be gone.
    #[cold]
    #[inline(never)]
    pub(super) fn alias(
        &mut self,
        zone: &ZoneEntry,
        alias: AnswerRef<'t>,
        owner: Owner,
        verdict: &mut Verdict,
    ) {
        let (mut alias, mut most) = (alias, u32::MAX);
        for _ in 0..HOPS {
            most = most.min(alias.ttl);
            let Some(target) = alias.wire.get(FIXED..) else {
                break;
            };
            let node = match self.table.lookup(target) {
                Lookup::Node { node, .. } => node,
                Lookup::NxDomain { .. } => return self.negative_within(zone, owner, most),
                // Not ours, delegated away, or renamed: what was resolved counts.
                Lookup::Refused | Lookup::Delegation { .. } | Lookup::Dname { .. } => {
                    return self.foreign(target, zone, most, owner, verdict);
                }
            };
            if let Some(app) = node.app {
                return self.steer(app, zone, owner, verdict);
            }
            let next = [self.query.qtype, rtype::CNAME, rtype::ALIAS];
            let Some(mut set) = next.iter().find_map(|rtype| node.set(*rtype)) else {
                return self.negative_within(zone, owner, most);
            };
            if let Some(number) = set.steered() {
                let Some((chosen, ttl)) = self.chosen(number, zone, owner, verdict) else {
                    return;
                };
                (set.wire, set.count, set.ttl) = (chosen.wire, chosen.count, ttl);
            }
            if set.rtype == self.query.qtype {
                if self.message.fits(set.wire.len()) {
                    let ttl = set.ttl.min(most);
                    self.message.answer(set, owner.pointer(), ttl);
                }
                return;
            }
            alias = set;
        }
        fail(verdict, ExtendedError::AliasCircle);
    }

    fn foreign(
        &mut self,
        target: &[u8],
        zone: &ZoneEntry,
        most: u32,
        owner: Owner,
        verdict: &mut Verdict,
    ) {
        match self.table.alias(target) {
            Some(known) if known.known => {
                verdict.error = known.stale.then_some(ExtendedError::StaleAlias);
                self.known(zone, known, most, owner);
            }
            _ => fail(verdict, ExtendedError::Unresolved),
        }
    }

    fn known(&mut self, zone: &ZoneEntry, known: &AliasAnswer, most: u32, owner: Owner) {
        let set = match self.query.qtype {
            rtype::AAAA => &known.aaaa,
            _ => &known.a,
        };
        let ttl = known.ttl.min(most);
        if set.count == 0 {
            self.negative_within(zone, owner, ttl);
        } else if self.message.fits(set.wire.len()) {
            self.message.answer(set.view(), owner.pointer(), ttl);
        }
    }
}

fn fail(verdict: &mut Verdict, error: ExtendedError) {
    verdict.rcode = Rcode::ServFail;
    verdict.authoritative = false;
    verdict.error = Some(error);
}
