//! When the proxy repeats a request, and how many requests it may repeat.

use std::fmt;
use std::time::Duration;

use crate::{Percent, StatusRange};

/// Retries of the proxy after an attempt that may have reached a backend. Only idempotent requests
/// are repeated, and never at the same endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Retry {
    /// Further attempts of a request, 0 to 5; default 1.
    pub attempts: u8,
    /// After what.
    pub on: RetryOn,
    /// How long to wait before one.
    pub back_off: BackOff,
    /// How long to wait for at most where a response that is repeated says so (`Retry-After`); one
    /// that wants more is not repeated. Up to 5 min; default 1 s.
    pub retry_after: Duration,
}

/// What a request is repeated after. What was never sent is always tried elsewhere, and costs
/// nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RetryOn {
    /// The endpoint closed or reset the connection before a response, or sent none that is HTTP;
    /// default true.
    pub reset: bool,
    /// It did not answer in time; default true.
    pub timeout: bool,
    /// It answered with one of these, 400 to 599; default none.
    pub statuses: Box<[StatusRange]>,
}

/// The wait before a further attempt: by chance up to `base`, then up to twice as much each time, at
/// most `max` (Envoy's `retry_back_off`, full jitter).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BackOff {
    /// Up to 10 s; default 25 ms. Zero is no wait.
    pub base: Duration,
    /// From `base` to 1 min; default 250 ms.
    pub max: Duration,
}

/// How many requests of an app may be repeated on a node, over all routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryBudget {
    /// Share of requests, over 10 s; default 20 %.
    pub share: Percent,
    /// Retries a second that are always allowed; default 10.
    pub min_per_second: u32,
}

impl RetryOn {
    /// As people say them.
    pub fn causes(&self) -> impl Iterator<Item = String> {
        let words = [(self.reset, "reset"), (self.timeout, "timeout")];
        let words = words.into_iter().filter(|(is, _)| *is);
        let statuses = (self.statuses.iter()).map(|range| match range.first == range.last {
            true => range.first.to_string(),
            false => format!("{}-{}", range.first, range.last),
        });
        words.map(|(_, word)| word.to_owned()).chain(statuses)
    }

    /// Whether a status is one to repeat after.
    #[inline]
    pub fn has_status(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| range.contains(status))
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 1,
            on: RetryOn::default(),
            back_off: BackOff::default(),
            retry_after: Duration::from_secs(1),
        }
    }
}

impl Default for RetryOn {
    fn default() -> Self {
        Self {
            reset: true,
            timeout: true,
            statuses: Box::default(),
        }
    }
}

impl Default for BackOff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(25),
            max: Duration::from_millis(250),
        }
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            share: Percent::from_hundredths(2_000).unwrap_or(Percent::ZERO),
            min_per_second: 10,
        }
    }
}

impl fmt::Display for Retry {
    /// As people say it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes: Vec<String> = self.on.causes().collect();
        if self.attempts == 0 || causes.is_empty() {
            return f.write_str("none");
        }
        write!(f, "{} after {}", self.attempts, causes.join(", "))?;
        if !self.back_off.base.is_zero() {
            let BackOff { base, max } = self.back_off;
            write!(f, ", within {base:?} and then twice as much up to {max:?}")?;
        }
        Ok(())
    }
}
