//! Shows the [`Tracker`] what the data path counts, once a second, and others what it makes of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use windrose_model::Now;
use windrose_telemetry::{Bank, Footprints, Metrics};

use crate::Snapshot;
use crate::convergence::{Convergence, Counted, Observed, Tracker};

/// Between two sweeps over the counters.
const SWEEP: Duration = Duration::from_secs(1);

pub(super) struct Measuring {
    tracker: Tracker,
    observed: Observed,
    views: watch::Sender<Arc<Convergence>>,
    next: Instant,
    /// The latest view does not show the end of everything yet.
    busy: bool,
}

impl Measuring {
    pub(super) fn begin(first: &Snapshot) -> (Self, watch::Receiver<Arc<Convergence>>) {
        let mut tracker = Tracker::new();
        tracker.retarget(&first.table);
        let (views, looks) = watch::channel(Arc::default());
        #[allow(
            clippy::disallowed_methods,
            reason = "the driver is where time comes from"
        )]
        let measuring = Self {
            tracker,
            observed: Observed::default(),
            views,
            next: Instant::now(),
            busy: false,
        };
        (measuring, looks)
    }

    /// When the next sweep is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// A new snapshot takes the place of an old one.
    pub(super) fn published(&mut self, now: Now, old: &Snapshot, new: &Snapshot) {
        if !new.table.shares_apps_with(&old.table) {
            self.tracker.retarget(&new.table);
        }
        self.tracker
            .published(now, (&old.model, &old.status), (&new.model, &new.status));
        self.busy |= self.tracker.is_busy();
    }

    /// One look at all counters.
    pub(super) fn sweep(&mut self, now: Now, metrics: &Metrics) {
        self.next = now.mono + SWEEP;
        let slots = self.tracker.slots();
        let Observed { dns, http } = &mut self.observed;
        read(dns, slots, &metrics.dns_steered, &metrics.dns_footprints);
        read(
            http,
            slots,
            &metrics.http_arrivals,
            &metrics.http_footprints,
        );
        self.tracker.sweep(now.mono, &self.observed);
        let busy = self.tracker.is_busy();
        if busy || self.busy {
            self.views.send_replace(Arc::new(self.tracker.look()));
        }
        self.busy = busy;
    }
}

fn read(counted: &mut Counted, slots: usize, bank: &Bank, footprints: &Footprints) {
    bank.sums(slots, 0, &mut counted.totals);
    counted.footprints.clear();
    footprints.take(|footprint| counted.footprints.push(footprint));
}
