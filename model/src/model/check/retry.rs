//! What can be wrong with retries.

use std::time::Duration;

use super::Checker;
use crate::{BackOff, Retry};

const ATTEMPTS: u8 = 5;
const BASE: Duration = Duration::from_secs(10);
const MAX: Duration = Duration::from_secs(60);
const RETRY_AFTER: Duration = Duration::from_secs(300);

impl Checker<'_> {
    pub(super) fn retry(&mut self, retry: &Retry) {
        if retry.attempts > ATTEMPTS {
            let message = format!("attempts is {}, must be 0 to {ATTEMPTS}", retry.attempts);
            self.under("attempts", |c| {
                c.refuse("count-out-of-range", message, None)
            });
        }
        let BackOff { base, max } = retry.back_off;
        self.under("back_off", |c| {
            if base > BASE {
                let message = format!("base is {base:?}, must be at most 10s");
                c.under("base", |c| c.refuse("duration-out-of-range", message, None));
            }
            if max < base || max > MAX {
                let message = format!("max is {max:?}, must be from base ({base:?}) to 1m");
                c.under("max", |c| c.refuse("duration-out-of-range", message, None));
            }
        });
        if retry.retry_after > RETRY_AFTER {
            let message = format!("retry_after is {:?}, must be at most 5m", retry.retry_after);
            self.under("retry_after", |c| {
                c.refuse("duration-out-of-range", message, None);
            });
        }
        let statuses = retry.on.statuses.iter();
        if let Some(range) = statuses.into_iter().find(|range| range.first < 400) {
            let message = format!("status {} is no failure, must be 400 to 599", range.first);
            self.under("on", |c| c.refuse("status-out-of-range", message, None));
        }
    }
}
