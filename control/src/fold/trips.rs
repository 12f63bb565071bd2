//! What follows from round trips that nodes have seen: which value is in force for each region and
//! cluster, and when it changes.
//!
//! The shortest round trip of the last five steering periods counts, as the minimum filters of
//! transports have it (RFC 8985 section 6.2 step 1; BBR): a queue only ever adds. So jitter counts
//! for nothing, a way that got shorter counts after one period, one that got longer after five. A
//! value is in force after a warm-up (Cloudflare: about 10 minutes), then until the shortest has
//! moved by 5 ms and 10 % (Pulsar switches by x % or y ms). Who was not seen for an hour is forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use windrose_model::{LatencyBand, MeasuredRtt, MeasuredRtts, Model, Name, Now, Rtt, RttCause};

use crate::SteeringPace;

/// Periods over which the shortest counts.
const PERIODS: u32 = 5;
/// Facts of one pair that are kept, should many nodes of a region report.
const MOST: usize = 64;

/// What fold remembers about round trips beyond the Status.
#[derive(Debug)]
pub struct Trips {
    pace: SteeringPace,
    /// By region, then by cluster.
    pairs: BTreeMap<(Name, Name), Trip>,
}

#[derive(Debug)]
struct Trip {
    began: Instant,
    /// Oldest first; never empty once it is there.
    recent: VecDeque<(Instant, Rtt)>,
}

/// A round trip as it is known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundTrip {
    /// Where the node stands.
    pub region: Name,
    /// Where it went.
    pub cluster: Name,
    /// The shortest of late.
    pub latest: Rtt,
    /// What steering uses; none while it warms up.
    pub in_force: Option<MeasuredRtt>,
}

impl RoundTrip {
    /// Whether the latest differs from what is in force, by too little for a change.
    pub fn is_held(&self) -> bool {
        self.in_force.is_some_and(|entry| entry.rtt != self.latest)
    }
}

impl Trips {
    /// Nothing was seen yet but what is remembered: each as if it was seen just now, so that it
    /// stands until it is seen again, or is forgotten.
    pub fn new(now: Instant, pace: SteeringPace, remembered: &MeasuredRtts) -> Self {
        let mut trips = Self {
            pace,
            pairs: BTreeMap::new(),
        };
        for (region, to) in remembered.iter() {
            for (cluster, entry) in to {
                trips.see(now, region, cluster, entry.rtt);
            }
        }
        trips
    }

    /// Takes in one round trip.
    pub fn see(&mut self, now: Instant, region: &Name, cluster: &Name, rtt: Rtt) {
        let pair = (region.clone(), cluster.clone());
        let trip = self.pairs.entry(pair).or_insert_with(|| Trip {
            began: now,
            recent: VecDeque::new(),
        });
        if trip.recent.len() == MOST {
            trip.recent.pop_front();
        }
        trip.recent.push_back((now, rtt));
    }

    /// Concludes; whether anything changes. To be called once per period.
    pub fn settle(
        &mut self,
        now: Now,
        status: &mut MeasuredRtts,
        mut changed: impl FnMut(&Name, &Name, Option<&MeasuredRtt>),
    ) -> bool {
        let mut written = false;
        let pace = self.pace;
        self.pairs.retain(|(region, cluster), trip| {
            if !trip.is_alive(now.mono, pace) {
                written |= forget(status, region, cluster);
                changed(region, cluster, None);
                return false;
            }
            let old = entry(status, region, cluster);
            if let Some(new) = trip.concludes(old, now, pace) {
                let all = Arc::make_mut(status);
                let to = all.entry(region.clone()).or_default();
                to.insert(cluster.clone(), new);
                changed(region, cluster, Some(&new));
                written = true;
            }
            true
        });
        written
    }

    /// Forgets what a new Model does not know; whether anything changes.
    pub fn adopt(&mut self, model: &Model, status: &mut MeasuredRtts) -> bool {
        let mut written = false;
        let is_known = |region: &Name, cluster: &Name| {
            model.regions().contains_key(region) && model.cluster_id(cluster.as_str()).is_some()
        };
        self.pairs.retain(|(region, cluster), _| {
            let known = is_known(region, cluster);
            if !known {
                written |= forget(status, region, cluster);
            }
            known
        });
        written
    }

    /// All that is known.
    pub fn all<'a>(&'a self, status: &'a MeasuredRtts) -> impl Iterator<Item = RoundTrip> + 'a {
        self.pairs
            .iter()
            .map(|((region, cluster), trip)| RoundTrip {
                latest: trip.shortest(),
                in_force: entry(status, region, cluster),
                region: region.clone(),
                cluster: cluster.clone(),
            })
    }
}

impl Trip {
    /// Drops what is too old to count, but the last: it stands until it is forgotten.
    fn is_alive(&mut self, now: Instant, pace: SteeringPace) -> bool {
        let window = pace.every * PERIODS;
        while self.recent.len() > 1
            && self
                .recent
                .front()
                .is_some_and(|(at, _)| *at + window <= now)
        {
            self.recent.pop_front();
        }
        self.recent
            .back()
            .is_some_and(|(at, _)| now < *at + pace.keep)
    }

    fn shortest(&self) -> Rtt {
        let rtts = self.recent.iter().map(|(_, rtt)| *rtt);
        rtts.min().unwrap_or(Rtt::MAX)
    }

    /// The new entry, if there is to be another.
    fn concludes(
        &self,
        old: Option<MeasuredRtt>,
        now: Now,
        pace: SteeringPace,
    ) -> Option<MeasuredRtt> {
        let rtt = self.shortest();
        let cause = match old {
            None => {
                let measured = now.mono.saturating_duration_since(self.began);
                let seconds = u32::try_from(measured.as_secs()).unwrap_or(u32::MAX);
                (measured >= pace.warm_up).then_some(RttCause::WarmedUp { seconds })?
            }
            Some(MeasuredRtt { rtt: from, .. }) => {
                let needed = LatencyBand::default();
                let enough = rtt.differs(from, needed.within, needed.within_percent);
                enough.then_some(RttCause::Moved { from })?
            }
        };
        Some(MeasuredRtt {
            rtt,
            cause,
            since: now.wall,
        })
    }
}

fn entry(status: &MeasuredRtts, region: &Name, cluster: &Name) -> Option<MeasuredRtt> {
    status.get(region)?.get(cluster).copied()
}

fn forget(status: &mut MeasuredRtts, region: &Name, cluster: &Name) -> bool {
    if entry(status, region, cluster).is_none() {
        return false;
    }
    let all = Arc::make_mut(status);
    if let Some(to) = all.get_mut(region) {
        to.remove(cluster);
        if to.is_empty() {
            all.remove(region);
        }
    }
    true
}
