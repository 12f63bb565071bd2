//! What can be wrong with a fault of a route.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Checker;
use crate::{Action, App, Fault, Percent, Route};

const DELAY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(300);
const STATUS: RangeInclusive<u16> = 400..=599;

impl Checker<'_> {
    pub(super) fn fault(&mut self, app: &App, route: &Route, fault: &Fault) {
        let forwards = (route.filters.as_ref())
            .is_none_or(|filters| matches!(filters.action, Action::Forward(_)));
        if !forwards {
            let message = "this route sends nothing to an endpoint, so nothing can go wrong there";
            self.refuse("fault-without-use", message.to_owned(), None);
        }
        let delayed = fault.delay.map_or(Percent::ZERO, |delay| delay.percent);
        let aborted = fault.abort.map_or(Percent::ZERO, |abort| abort.percent);
        if [delayed, aborted, fault.reset] == [Percent::ZERO; 3] {
            let message = "a fault needs delay, abort or reset with a percentage above 0";
            self.refuse("fault-without-use", message.to_owned(), None);
        }
        if u32::from(aborted.hundredths()) + u32::from(fault.reset.hundredths()) > 10_000 {
            let message = format!(
                "{aborted} % aborted and {} % reset are more than 100 % together",
                fault.reset
            );
            self.under("reset", |c| c.refuse("percent-out-of-range", message, None));
        }
        if let Some(delay) = fault.delay
            && !DELAY.contains(&delay.fixed)
        {
            let message = format!("fixed is {:?}, must be 1ms to 5m", delay.fixed);
            self.under("delay", |c| {
                c.under("fixed", |c| {
                    c.refuse("duration-out-of-range", message, None)
                });
            });
        }
        if let Some(abort) = fault.abort
            && !STATUS.contains(&abort.status.as_u16())
        {
            let message = format!("status is {}, must be 400 to 599", abort.status.as_u16());
            self.under("abort", |c| {
                c.under("status", |c| c.refuse("status-out-of-range", message, None));
            });
        }
        let names = fault.headers.iter().map(|(name, _)| name.as_str());
        self.named("headers", names);
        let runs = |name| {
            let mut versions = app.versions.values();
            versions.any(|version| version.endpoints.contains_key(name))
        };
        if let Some(cluster) = &fault.cluster
            && !runs(cluster)
        {
            let message = format!("no version of this app runs in cluster `{cluster}`");
            self.under("cluster", |c| {
                c.refuse("fault-without-use", message, None);
            });
        }
    }
}
