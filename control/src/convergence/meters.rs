//! How often each slot is led to, per second: a slow average, a quick one, and the latest second.

use std::time::Duration;

/// What happened so long ago counts a third.
const MEMORY: f64 = 30.0;
/// The same for the quick average.
const QUICK: f64 = 10.0;

/// Rates by slot.
#[derive(Debug, Default)]
pub(super) struct Meters(Vec<Meter>);

#[derive(Debug, Clone, Copy, Default)]
struct Meter {
    last: u64,
    latest: u32,
    rate: f32,
    quick: f32,
}

impl Meters {
    /// Counts from here on.
    pub(super) fn begin(&mut self, totals: &[u64]) {
        self.0 = totals
            .iter()
            .map(|&last| Meter {
                last,
                ..Meter::default()
            })
            .collect();
    }

    /// Takes in the totals after some time has passed. A slot given out again begins at zero.
    pub(super) fn sweep(&mut self, totals: &[u64], passed: Duration) {
        self.0.resize(totals.len(), Meter::default());
        let seconds = passed.as_secs_f64();
        #[allow(clippy::cast_possible_truncation, reason = "between 0 and 1")]
        let [slow, quick] = [MEMORY, QUICK].map(|memory| (1.0 - (-seconds / memory).exp()) as f32);
        for (meter, &total) in self.0.iter_mut().zip(totals) {
            let more = total.checked_sub(meter.last).unwrap_or(total);
            meter.last = total;
            meter.latest = u32::try_from(more).unwrap_or(u32::MAX);
            #[allow(
                clippy::cast_possible_truncation,
                reason = "a rate needs no more digits"
            )]
            let rate = (f64::from(meter.latest) / seconds) as f32;
            meter.rate += (rate - meter.rate) * slow;
            meter.quick += (rate - meter.quick) * quick;
        }
    }

    /// Per second, over the last half minute or so.
    pub(super) fn rate(&self, slot: u32) -> f64 {
        let meter = self.0.get(slot as usize);
        meter.map_or(0.0, |meter| f64::from(meter.rate))
    }

    /// Per second, over the last seconds.
    pub(super) fn recent(&self, slot: u32) -> f64 {
        let meter = self.0.get(slot as usize);
        meter.map_or(0.0, |meter| f64::from(meter.quick))
    }

    /// How often since the last sweep.
    pub(super) fn latest(&self, slot: u32) -> u32 {
        self.0.get(slot as usize).map_or(0, |meter| meter.latest)
    }
}
