//! What ALIAS records lead to outside our zones, as answers: compiled from the Status, found by the
//! target's name.

use std::net::IpAddr;
use std::sync::Arc;

use windrose_model::{AliasCause, Aliases, DnsName};

use crate::answers::AnswerSet;
use crate::digest::Digester;

/// A foreign name.
#[derive(Debug, PartialEq, Eq)]
pub struct AliasAnswer {
    /// Which.
    pub target: DnsName,
    /// Its IPv4 addresses; TTL 0, to be patched.
    pub a: AnswerSet,
    /// Its IPv6 addresses; TTL 0, to be patched.
    pub aaaa: AnswerSet,
    /// Seconds an answer lives, at most.
    pub ttl: u32,
    /// It was resolved once; what it is is not known before.
    pub known: bool,
    /// It cannot be resolved now, and what was good last is kept.
    pub stale: bool,
    /// How it came about, for `explain`.
    pub cause: String,
}

/// All of them, by the target's wire form.
pub(crate) struct AliasIndex {
    entries: Box<[AliasAnswer]>,
    source: Arc<Aliases>,
    digest: u128,
}

impl AliasIndex {
    pub(crate) fn build(source: &Arc<Aliases>) -> Self {
        let mut entries: Vec<AliasAnswer> = source
            .iter()
            .map(|(target, status)| {
                let addresses = status.v4.iter().map(|ip| IpAddr::V4(*ip));
                let addresses = addresses.chain(status.v6.iter().map(|ip| IpAddr::V6(*ip)));
                let addresses: Vec<_> = addresses.collect();
                AliasAnswer {
                    target: target.clone(),
                    a: AnswerSet::addresses(&addresses, false),
                    aaaa: AnswerSet::addresses(&addresses, true),
                    ttl: status.ttl.seconds(),
                    known: status.is_known(),
                    stale: matches!(
                        status.cause,
                        AliasCause::Failing(_) | AliasCause::Remembered
                    ),
                    cause: status.cause.to_string(),
                }
            })
            .collect();
        entries.sort_unstable_by(|a, b| a.target.wire().cmp(b.target.wire()));
        let mut digest = Digester::new();
        for entry in &entries {
            digest.add(&(&entry.target, &entry.a, &entry.aaaa, entry.ttl, entry.stale));
        }
        Self {
            entries: entries.into(),
            source: Arc::clone(source),
            digest: digest.finish(),
        }
    }

    /// Whether it was built from exactly this.
    pub(crate) fn is_of(&self, source: &Arc<Aliases>) -> bool {
        Arc::ptr_eq(&self.source, source)
    }

    /// `target`: lower-cased wire form with the root octet.
    pub(crate) fn find(&self, target: &[u8]) -> Option<&AliasAnswer> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.target.wire().cmp(target));
        Some(&self.entries[at.ok()?])
    }

    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }
}
