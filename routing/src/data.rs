//! Large inputs of a Table, named by content.

use std::collections::BTreeMap;
use std::sync::Arc;

use windrose_model::{LatencyMatrix, Model, Name, PrefixList};

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
    /// Round trips that the operator brings; holds where the Model names its fingerprint.
    pub latency: Arc<LatencyMatrix>,
}

impl Data {
    /// A geo database, and nothing else.
    pub fn of_geo(geo: impl Into<Arc<GeoDb>>) -> Self {
        Self {
            geo: geo.into(),
            asn: None,
            lists: Lists::default(),
            latency: Arc::new(LatencyMatrix::empty()),
        }
    }

    /// The same with a latency matrix.
    #[must_use]
    pub fn with_latency(self, matrix: impl Into<Arc<LatencyMatrix>>) -> Self {
        Self {
            latency: matrix.into(),
            ..self
        }
    }

    /// Nothing is known of any client.
    pub fn nothing() -> Self {
        Self::of_geo(GeoDb::empty())
    }

    /// The matrix that a Model names; an empty one when it names none, or another.
    pub(crate) fn matrix(&self, model: &Model) -> Arc<LatencyMatrix> {
        match model.latency() == Some(self.latency.fingerprint()) {
            true => Arc::clone(&self.latency),
            false => Arc::new(LatencyMatrix::empty()),
        }
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
