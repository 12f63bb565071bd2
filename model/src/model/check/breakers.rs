//! What can be wrong with the breakers of an app.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Checker;
use crate::App;

const MOST: u32 = 1_000_000;
const OPEN_FOR: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);

impl Checker<'_> {
    pub(super) fn breakers(&mut self, app: &App) {
        let Some(rule) = app.breakers else { return };
        self.under("breakers", |c| {
            let counts = [
                ("connections", rule.connections),
                ("pending", rule.pending),
                ("requests", rule.requests),
                ("retries", rule.retries),
                ("failures", rule.failures),
            ];
            for (key, count) in counts.into_iter().filter(|(_, count)| *count > MOST) {
                let message = format!("{key} is {count}, must be 0 to {MOST}");
                c.under(key, |c| c.refuse("count-out-of-range", message, None));
            }
            if !OPEN_FOR.contains(&rule.open_for) {
                let message = format!("open_for is {:?}, must be 1s to 1h", rule.open_for);
                c.under("open_for", |c| {
                    c.refuse("duration-out-of-range", message, None)
                });
            }
        });
    }
}
