//! What can be wrong with the rate limits of an app.

use std::time::Duration;

use super::Checker;
use crate::{App, RateKey, RateLimit, budget};

/// What a limit may count and hold.
const COUNT: std::ops::RangeInclusive<u32> = 1..=1_000_000;
const PER: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3_600);

impl Checker<'_> {
    pub(super) fn rate_limits(&mut self, app: &App) {
        self.under("rate_limits", |c| {
            c.within(
                "rate limits of one app",
                app.rate_limits.len(),
                budget::RATE_LIMITS_PER_APP,
            );
            for (name, limit) in &app.rate_limits {
                c.under(name.as_str(), |c| c.rate_limit(limit));
            }
        });
    }

    fn rate_limit(&mut self, limit: &RateLimit) {
        // A burst that is the rate was not written, and is told as the rate.
        let burst = (limit.burst != limit.rate).then_some(("burst", limit.burst));
        for (key, count) in std::iter::once(("rate", limit.rate)).chain(burst) {
            if !COUNT.contains(&count) {
                let message = format!("{key} is {count}, must be 1 to 1000000");
                self.under(key, |c| c.refuse("count-out-of-range", message, None));
            }
        }
        if !PER.contains(&limit.per) {
            let message = format!("per is {:?}, must be 1s to 1h", limit.per);
            self.under("per", |c| c.refuse("duration-out-of-range", message, None));
        }
        let (key, name) = match &limit.by {
            RateKey::App | RateKey::Client => return,
            RateKey::Header(name) => ("header", name),
            RateKey::Cookie(name) => ("cookie", name),
        };
        if !is_token(name) {
            let message = format!(
                "{name:?} is no name of a {key}: letters, digits and !#$%&'*+-.^_`|~ are allowed, 1 to 128 of them"
            );
            self.under("by", |c| {
                c.under(key, |c| c.refuse("bad-field-name", message, None))
            });
        }
    }
}

/// RFC 9110 section 5.6.2, with a bound.
pub(super) fn is_token(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(legal)
}
