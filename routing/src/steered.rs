//! Records that differ by cluster, compiled: an answer set for each cluster of their app. HOT: the
//! methods of [`SteeredSet`].

use std::net::IpAddr;
use std::sync::Arc;

use windrose_model::{
    AppId, DnsName, Model, RDataRef, RecordType, RrSet, SteeredData, SteeredRecord, Step, svc_param,
};

use crate::answers::{self, AnswerSet};
use crate::digest::Digester;
use crate::steering::{CompiledSteering, Steering};

/// A record that differs by cluster.
pub struct SteeredSet {
    /// The app whose clusters, health and shares count.
    pub app: AppId,
    steering: Arc<CompiledSteering>,
    /// In place of the app's, for `explain`.
    own_steps: Option<Box<[Step]>>,
    /// By local number; TTL 0, to be patched.
    sets: Box<[AnswerSet]>,
}

impl SteeredSet {
    /// The app's steering, or that of the record alone.
    #[inline]
    pub fn steering(&self) -> Steering<'_> {
        Steering(&self.steering)
    }

    /// Its own steps, in place of the app's.
    pub(crate) fn own_steps(&self) -> Option<&[Step]> {
        self.own_steps.as_deref()
    }

    /// What a cluster answers.
    #[inline]
    pub fn of(&self, cluster: u8) -> Option<&AnswerSet> {
        self.sets.get(usize::from(cluster))
    }
}

/// Those of a Table.
pub(crate) struct SteeredSets {
    list: Box<[SteeredSet]>,
    /// Positions in `list`, by number; beyond it where no record has the number.
    places: Box<[u16]>,
    digest: u128,
    source: Source,
}

/// As the Model has them.
pub(crate) type Source = Arc<[((DnsName, RecordType), SteeredRecord)]>;

impl SteeredSets {
    /// `steering_of` is asked by position in the Model.
    pub(crate) fn build(
        model: &Model,
        steering_of: impl Fn(usize) -> Arc<CompiledSteering>,
    ) -> Self {
        let mut digest = Digester::new();
        let numbers = model.steered_numbers();
        let end = numbers
            .iter()
            .max()
            .map_or(0, |last| usize::from(*last) + 1);
        let mut places = vec![u16::MAX; end];
        let mut list = Vec::with_capacity(numbers.len());
        for (at, ((key, record), number)) in model.steered().iter().zip(numbers).enumerate() {
            // A Model refuses records of apps that it does not have.
            let Some(app) = model.app_id(record.app.as_str()) else {
                continue;
            };
            let steering = steering_of(at);
            let clusters = model.clusters_of(app).iter().map(|id| model.cluster(*id));
            let sets: Box<[AnswerSet]> = clusters
                .map(|(name, cluster)| match &record.data {
                    SteeredData::ByCluster(sets) => {
                        sets.get(name).map_or_else(AnswerSet::default, plain)
                    }
                    SteeredData::Hints(set) => hinted(set, &cluster.addresses),
                })
                .collect();
            digest.add(&(key, &record.app, steering.digest(), &sets));
            places[usize::from(number)] = u16::try_from(list.len()).unwrap_or(u16::MAX);
            list.push(SteeredSet {
                app,
                steering,
                own_steps: record.steering.as_deref().map(Into::into),
                sets,
            });
        }
        Self {
            list: list.into(),
            places: places.into(),
            digest: digest.finish(),
            source: Arc::clone(model.steered()),
        }
    }

    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    #[inline]
    pub(crate) fn get(&self, number: u16) -> Option<&SteeredSet> {
        let place = self.places.get(usize::from(number))?;
        self.list.get(usize::from(*place))
    }
}

fn plain(set: &RrSet) -> AnswerSet {
    let data = set.data().map(|data| data.wire().to_vec());
    AnswerSet::made(set.record_type().code(), data)
}

/// Service records with the addresses of a cluster as hints. A family without addresses gets none: a
/// hint is never empty (RFC 9460 section 7.3).
fn hinted(set: &RrSet, addresses: &[IpAddr]) -> AnswerSet {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for address in addresses {
        match address {
            IpAddr::V4(ip) => v4.extend(ip.octets()),
            IpAddr::V6(ip) => v6.extend(ip.octets()),
        }
    }
    let hints = [(svc_param::IPV4HINT, v4), (svc_param::IPV6HINT, v6)];
    let data = set.data().map(|data| with_hints(data, &hints));
    AnswerSet::made(set.record_type().code(), data)
}

/// Parameters stand in ascending order (RFC 9460 section 2.2).
fn with_hints(data: RDataRef<'_>, hints: &[(u16, Vec<u8>); 2]) -> Vec<u8> {
    let mut params: Vec<(u16, &[u8])> = data.svc_params().into_iter().flatten().collect();
    let known = hints.iter().filter(|(_, octets)| !octets.is_empty());
    params.extend(known.map(|(key, octets)| (*key, &octets[..])));
    params.sort_by_key(|(key, _)| *key);
    let name = data.target().map_or(1, <[u8]>::len);
    let mut wire = data.wire().get(..2 + name).unwrap_or_default().to_vec();
    for (key, value) in params {
        wire.extend_from_slice(&key.to_be_bytes());
        wire.extend_from_slice(&answers::length(value.len()));
        wire.extend_from_slice(value);
    }
    wire
}
