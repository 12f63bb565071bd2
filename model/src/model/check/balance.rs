//! What can be wrong with the balance among endpoints.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::Checker;
use crate::{App, SplitKey, Version};

const BOUND: RangeInclusive<u16> = 101..=1_000;

/// Octets that tables of hashes take in a group of so many endpoints, about.
pub(super) fn table_octets(app: &App) -> usize {
    if !app.balance.policy.is_by_hash() {
        return 0;
    }
    let groups = app.versions.values().flat_map(|v| v.endpoints.values());
    groups.map(|group| 32_768.max(group.len() * 2_048)).sum()
}

impl Checker<'_> {
    pub(super) fn balance(&mut self, app: &App) {
        let balance = &app.balance;
        let is_by_hash = balance.policy.is_by_hash();
        if let Some(bound) = balance.bounded_load {
            self.under("bounded_load", |c| {
                if !BOUND.contains(&bound) {
                    let message = format!("bounded_load is {bound}, must be 101 to 1000");
                    c.refuse("percent-out-of-range", message, None);
                }
                if !is_by_hash {
                    let message = format!("{} bounds no load", balance.policy);
                    let help = "policy: ring_hash or policy: maglev".to_owned();
                    c.refuse("balance-without-use", message, Some(help));
                }
            });
        }
        self.under("by", |c| {
            if balance.by != SplitKey::CLIENT && !is_by_hash {
                let message = format!("{} does not go by a key", balance.policy);
                let help = "policy: ring_hash or policy: maglev".to_owned();
                c.refuse("balance-without-use", message, Some(help));
            }
            let by_client = matches!(balance.by, SplitKey::Client { .. });
            if app.tcp.is_some() && !by_client {
                let message = format!("TCP connections have no {}", balance.by);
                c.refuse(
                    "balance-without-use",
                    message,
                    Some("by: client".to_owned()),
                );
            }
            match &balance.by {
                SplitKey::SetCookie(..) => {
                    let message = "balance takes no cookie of its own as its key".to_owned();
                    c.refuse("balance-without-use", message, None);
                }
                SplitKey::Client { ipv4, ipv6 }
                    if !(1..=32).contains(ipv4) || !(1..=128).contains(ipv6) =>
                {
                    let message = format!("/{ipv4} and /{ipv6} are no prefix lengths");
                    c.refuse("prefix-out-of-range", message, None);
                }
                _ => {}
            }
        });
    }

    /// Whether what is said of endpoints is said of endpoints that are there.
    pub(super) fn traits(&mut self, version: &Version) {
        if version.traits.is_empty() {
            return;
        }
        let clusters = version.endpoints.iter();
        let there: HashSet<_> = clusters
            .flat_map(|(cluster, list)| list.iter().map(move |address| (cluster, address)))
            .collect();
        let named = version.traits.keys();
        let unknown = named.filter(|(cluster, address)| !there.contains(&(cluster, address)));
        for (cluster, address) in unknown {
            let message = format!("no endpoint of cluster `{cluster}` has the address {address}");
            self.refuse("unknown-endpoint", message, None);
        }
    }
}
