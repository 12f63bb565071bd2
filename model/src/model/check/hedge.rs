//! What can be wrong with hedging.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Checker;
use crate::{App, Hedge, Timeouts};

const AFTER: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);

impl Checker<'_> {
    /// `timeouts`: those in force with it.
    pub(super) fn hedge(&mut self, app: &App, hedge: Hedge, timeouts: &Timeouts) {
        let after = hedge.after;
        if app.tcp.is_some() {
            let message = "an app with `tcp` hedges nothing: none of its requests are read";
            self.refuse("hedge-without-use", message.to_owned(), None);
        }
        self.under("after", |c| {
            if !AFTER.contains(&after) {
                let message = format!("after is {after:?}, must be 1ms to 1m");
                c.refuse("duration-out-of-range", message, None);
            }
            let limits = [
                ("first_byte", timeouts.first_byte),
                ("per_try", timeouts.per_try),
                ("request", timeouts.request),
            ];
            for (key, limit) in limits {
                if !limit.is_zero() && after >= limit {
                    let message = format!("after is {after:?}, when {key} ({limit:?}) is over");
                    c.refuse("hedge-without-use", message, None);
                }
            }
        });
    }
}
