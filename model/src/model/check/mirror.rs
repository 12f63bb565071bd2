//! What can be wrong with the copies that a route makes.

use std::time::Duration;

use super::Checker;
use crate::{Action, App, Filters, Mirror, budget};

/// How long a copy may take.
const TIMEOUT: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(300);

impl Checker<'_> {
    pub(super) fn mirrors(&mut self, app: &App, filters: &Filters) {
        let mirrors = &filters.mirrors;
        if mirrors.is_empty() {
            return;
        }
        self.under("mirror", |c| {
            c.within(
                "mirrors of one route",
                mirrors.len(),
                budget::MIRRORS_PER_ROUTE,
            );
            if !matches!(filters.action, Action::Forward(_)) {
                c.refuse(
                    "mirror-without-use",
                    "what is answered here is not sent, so there is nothing to copy".to_owned(),
                    None,
                );
            }
            for (i, mirror) in mirrors.iter().enumerate() {
                match mirrors.len() {
                    1 => c.mirror(app, mirror),
                    _ => c.under(i, |c| c.mirror(app, mirror)),
                }
            }
        });
    }

    fn mirror(&mut self, app: &App, mirror: &Mirror) {
        self.under("version", |c| c.version(app, &mirror.version));
        if mirror.body_limit > budget::MIRRORED_OCTETS {
            let message = format!(
                "body_limit is {} octets, must be at most {}",
                mirror.body_limit,
                budget::MIRRORED_OCTETS
            );
            self.under("body_limit", |c| {
                c.refuse("size-out-of-range", message, None)
            });
        }
        if !(1..=budget::MIRRORED_AT_ONCE).contains(&mirror.max_in_flight) {
            let message = format!(
                "max_in_flight is {}, must be 1 to {}",
                mirror.max_in_flight,
                budget::MIRRORED_AT_ONCE
            );
            self.under("max_in_flight", |c| {
                c.refuse("count-out-of-range", message, None)
            });
        }
        if !TIMEOUT.contains(&mirror.timeout) {
            let message = format!("timeout is {:?}, must be 1ms to 5m", mirror.timeout);
            self.under("timeout", |c| {
                c.refuse("duration-out-of-range", message, None)
            });
        }
        if let Some(suffix) = &mirror.host_suffix {
            let legal = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            if !(1..=64).contains(&suffix.len()) || !suffix.bytes().all(legal) {
                let message = format!(
                    "host_suffix {suffix:?} must be 1 to 64 letters, digits, '-', '.' and '_'"
                );
                self.under("host_suffix", |c| c.refuse("host-form", message, None));
            }
        }
    }
}
