//! What can be wrong with the outlier ejection of an app.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Checker;
use crate::{App, Outliers};

const WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
const BASE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);
const MAX: Duration = Duration::from_secs(86_400);

impl Checker<'_> {
    pub(super) fn outliers(&mut self, app: &App) {
        if let Some(outliers) = &app.outliers {
            self.under("outliers", |c| c.outlier_rule(outliers));
        }
    }

    fn outlier_rule(&mut self, rule: &Outliers) {
        let counts = [
            ("consecutive", rule.consecutive, 0..=1_000),
            ("min_requests", rule.min_requests, 1..=1_000_000),
        ];
        for (key, count, allowed) in counts {
            if !allowed.contains(&count) {
                let (least, most) = allowed.into_inner();
                let message = format!("{key} is {count}, must be {least} to {most}");
                self.under(key, |c| c.refuse("count-out-of-range", message, None));
            }
        }
        if !WINDOW.contains(&rule.window) {
            let message = format!("window is {:?}, must be 1s to 5m", rule.window);
            self.under("window", |c| {
                c.refuse("duration-out-of-range", message, None)
            });
        }
        if !BASE.contains(&rule.base) {
            let message = format!("base is {:?}, must be 1s to 1h", rule.base);
            self.under("base", |c| c.refuse("duration-out-of-range", message, None));
        }
        if rule.max < rule.base || rule.max > MAX {
            let message = format!(
                "max is {:?}, must be from base ({:?}) to 1d",
                rule.max, rule.base
            );
            self.under("max", |c| c.refuse("duration-out-of-range", message, None));
        }
    }
}
