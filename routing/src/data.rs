//! Large inputs of a Table, named by content.

use std::collections::BTreeMap;
use std::sync::Arc;

use windrose_model::{Name, PrefixList};

use crate::digest::Digester;
use crate::geo::GeoDb;

/// Large inputs, parsed and immutable.
#[derive(Clone)]
pub struct Data {
    /// Address → country, and what the database knows beyond it.
    pub geo: Arc<GeoDb>,
    /// Address → autonomous system, if that is a database of its own.
    pub asn: Option<Arc<GeoDb>>,
    /// Lists of prefixes.
    pub lists: Lists,
}

impl Data {
    /// A geo database, and nothing else.
    pub fn of_geo(geo: impl Into<Arc<GeoDb>>) -> Self {
        Self {
            geo: geo.into(),
            asn: None,
            lists: Lists::default(),
        }
    }

    /// Nothing is known of any client.
    pub fn nothing() -> Self {
        Self::of_geo(GeoDb::empty())
    }

    /// What autonomous systems are looked up in.
    pub(crate) fn asns(&self) -> &GeoDb {
        self.asn.as_ref().unwrap_or(&self.geo)
    }
}

/// Lists of prefixes by name.
#[derive(Debug, Clone, Default)]
pub struct Lists(Arc<BTreeMap<Name, (PrefixList, u128)>>);

impl Lists {
    /// Costs a pass over all prefixes, for their digests.
    pub fn new(lists: BTreeMap<Name, PrefixList>) -> Self {
        let digested = lists.into_iter().map(|(name, list)| {
            let digest = Digester::new().with(list.prefixes()).finish();
            (name, (list, digest))
        });
        Self(Arc::new(digested.collect()))
    }

    /// A list. One that is not there holds nobody.
    pub fn get(&self, name: &Name) -> Option<&PrefixList> {
        self.0.get(name).map(|(list, _)| list)
    }

    pub(crate) fn digest(&self, name: &Name) -> Option<u128> {
        self.0.get(name).map(|(_, digest)| *digest)
    }
}
