//! Large inputs of a Table, named by content.

use std::collections::BTreeMap;
use std::sync::Arc;

use windrose_model::{Fingerprint, LatencyMatrix, Model, Name, PrefixList, UserList};

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
    /// Lists of users; one holds where the Model names its fingerprint.
    pub users: Users,
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
            users: Users::default(),
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

    /// The lists of users that a Model names.
    pub(crate) fn users(&self, model: &Model) -> Users {
        let holds = |name: &Name, is: Fingerprint| {
            let named = model.users().get(name);
            named.is_some_and(|(wanted, _)| *wanted == is)
        };
        let all = &self.users.0;
        if all.iter().all(|(name, (_, is))| holds(name, *is)) {
            return self.users.clone();
        }
        let holding = all.iter().filter(|(name, (_, is))| holds(name, *is));
        let holding = holding.map(|(name, list)| (name.clone(), list.clone()));
        Users(Arc::new(holding.collect()))
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

/// Lists of users by name.
#[derive(Debug, Clone, Default)]
pub struct Users(Arc<BTreeMap<Name, (Arc<UserList>, Fingerprint)>>);

impl Users {
    /// Costs a pass over all users, for their fingerprints.
    pub fn new(lists: BTreeMap<Name, Arc<UserList>>) -> Self {
        let known = lists.into_iter().map(|(name, list)| {
            let fingerprint = list.fingerprint();
            (name, (list, fingerprint))
        });
        Self(Arc::new(known.collect()))
    }

    /// Whether a list holds a user. One that is not there holds nobody.
    #[inline]
    pub(crate) fn holds(&self, list: &Name, user: &[u8]) -> bool {
        self.0
            .get(list)
            .is_some_and(|(list, _)| list.contains(user))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names, with what the lists hold.
    pub(crate) fn digests(&self) -> Vec<(&Name, u128)> {
        let known = self.0.iter();
        known.map(|(name, (_, is))| (name, is.0)).collect()
    }
}
