//! What can be wrong with the balance among endpoints.

use std::collections::HashSet;

use super::Checker;
use crate::Version;

impl Checker<'_> {
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
