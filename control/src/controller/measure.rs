//! Round trips of this node's probes: every connection is a sample, and once per steering period
//! the shortest to each cluster becomes a Fact.

use std::time::{Duration, Instant};

use windrose_model::{ClusterId, Fact, Model, Name, Now, RegionId, Rtt};

use super::Controller;
use crate::event::{Effect, Level};
use crate::fold::{RoundTrip, Trips};
use crate::probe::ProbeId;
use crate::{Options, SteeringPace};

/// Samples of the present period.
pub(super) struct Meter {
    /// Where this node stands; without a region it measures nothing.
    region: Option<Name>,
    every: Duration,
    next: Instant,
    /// By cluster.
    shortest: Vec<Option<Rtt>>,
}

impl Meter {
    pub(super) fn new(now: Instant, options: &Options) -> Self {
        let SteeringPace { every, .. } = options.steering;
        Self {
            region: options.region.clone(),
            every,
            next: now + every,
            shortest: Vec::new(),
        }
    }

    /// When its period ends.
    pub(super) fn next(&self) -> Option<Instant> {
        self.region.is_some().then_some(self.next)
    }

    fn sample(&mut self, cluster: ClusterId, rtt: Rtt) {
        let at = usize::from(cluster.0);
        if self.shortest.len() <= at {
            self.shortest.resize(at + 1, None);
        }
        let shortest = &mut self.shortest[at];
        *shortest = Some(shortest.map_or(rtt, |known| known.min(rtt)));
    }

    /// The facts of a period that is over.
    fn take(&mut self, now: Instant, model: &Model) -> Vec<Fact> {
        self.next = now + self.every;
        let from = self
            .region
            .as_ref()
            .and_then(|r| model.region_id(r.as_str()));
        let samples = self.shortest.drain(..).zip(0u16..);
        let fact = |from: RegionId, (rtt, at): (Option<Rtt>, u16)| {
            let (to, rtt) = (ClusterId(at), rtt?);
            Some(Fact::RoundTrip { from, to, rtt })
        };
        let facts = samples.filter_map(|sample| fact(from?, sample));
        facts.collect()
    }
}

impl Controller {
    /// The TCP connection of a probe stood after this time.
    pub(super) fn connected(&mut self, id: ProbeId, after: Duration) {
        if self.meter.region.is_none() {
            return;
        }
        let Some(endpoint) = self.prober.watcher(id) else {
            return;
        };
        let ledger = self.ledgers.get(endpoint.app.0 as usize);
        let local = ledger.and_then(|ledger| ledger.cluster_of(endpoint.index));
        let clusters = self.model.clusters_of(endpoint.app);
        if let Some(cluster) = local.and_then(|local| clusters.get(usize::from(local))) {
            self.meter.sample(*cluster, Rtt::from_duration(after));
        }
    }

    /// Ends a steering period if it is over.
    pub(super) fn measure(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.meter.next().is_none_or(|next| now.mono < next) {
            return;
        }
        for fact in self.meter.take(now.mono, &self.model) {
            if let Fact::RoundTrip { from, to, rtt } = fact
                && let Some((region, _)) = self.model.region(from)
            {
                let cluster = &self.model.cluster(to).0;
                self.trips.see(now.mono, region, cluster, rtt);
            }
        }
        let changed = self.trips.settle(now, &mut self.status.latency, |region, cluster, entry| {
            let text = match entry {
                Some(entry) => format!(
                    "round trip from region {region} to cluster {cluster} is {}: {}",
                    entry.rtt, entry.cause
                ),
                None => format!(
                    "round trip from region {region} to cluster {cluster} is forgotten: not seen for long"
                ),
            };
            out.push(Effect::Log(Level::Info, text));
        });
        self.dirty |= changed;
        // What is shown has changed anyway.
        out.push(Effect::Inform);
    }

    /// Round trips as they are known now.
    pub fn round_trips(&self) -> Vec<RoundTrip> {
        self.trips.all(&self.status.latency).collect()
    }

    /// A new Model numbers clusters anew: samples of this period are given up.
    pub(super) fn measure_anew(&mut self) {
        self.meter.shortest.clear();
        self.dirty |= self.trips.adopt(&self.model, &mut self.status.latency);
    }
}

pub(super) fn trips(now: Instant, options: &Options) -> Trips {
    Trips::new(now, options.steering, &options.remembered.latency)
}
