//! Whether a response is one to try again after, and how long to wait before a further attempt.

use std::pin::pin;
use std::time::{Duration, Instant};

use http::{HeaderMap, header};
use windrose_model::{BackOff, Retry};

use crate::connection::Client;

/// How long to wait before repeating a request whose response has such a head; none: its backend
/// wants more time than the policy gives. `before`: repetitions so far.
pub(super) fn after(retry: &Retry, headers: &HeaderMap, before: u8, draw: u64) -> Option<Duration> {
    let Some(value) = headers.get(header::RETRY_AFTER) else {
        return Some(back_off(&retry.back_off, before, draw));
    };
    // A date is not waited for: it says as little as a long time.
    let seconds = value.to_str().ok()?.trim().parse::<u32>().ok()?;
    let wait = Duration::from_secs(u64::from(seconds));
    // Up to half as much again, so that not all come back at one moment (Envoy).
    (wait <= retry.retry_after).then(|| wait + part(wait / 2, draw))
}

/// A wait by chance, twice as long at most each time.
pub(super) fn back_off(rule: &BackOff, before: u8, draw: u64) -> Duration {
    let most = rule.base.saturating_mul(1 << before.min(16)).min(rule.max);
    part(most, draw)
}

/// The wait before another endpoint is asked than the one that failed: none the first time, so that
/// one bad endpoint costs its own time and no more.
pub(super) fn elsewhere(rule: &BackOff, before: u8, draw: u64) -> Duration {
    match before.checked_sub(1) {
        None => Duration::ZERO,
        Some(before) => back_off(rule, before, draw),
    }
}

/// Waits; false when the time of the whole exchange is up.
pub(super) async fn wait(client: &Client, time: Duration) -> bool {
    if time.is_zero() {
        return true;
    }
    client.watch.pause(Instant::now());
    let sleep = pin!(tokio::time::sleep(time));
    client.watch.within(sleep).await.is_some()
}

/// From nothing to all of a time.
fn part(time: Duration, draw: u64) -> Duration {
    let micros = u64::try_from(time.as_micros())
        .unwrap_or(u64::MAX)
        .min(1 << 31);
    Duration::from_micros((micros * (draw >> 32)) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_wait_is_drawn_below_a_bound_that_doubles_up_to_another() {
        let rule = BackOff::default();
        let most = [0, 1, 2, 3, 4, 200].map(|before| back_off(&rule, before, u64::MAX));
        let millis = most.map(|most| most.as_millis());
        assert_eq!(millis, [24, 49, 99, 199, 249, 249]);
        assert_eq!(back_off(&rule, 0, 0), Duration::ZERO);
        let half = back_off(&rule, 0, 1 << 63);
        assert_eq!(half, Duration::from_micros(12_500));
        let none = BackOff {
            base: Duration::ZERO,
            ..rule
        };
        assert_eq!(back_off(&none, 5, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn a_backend_is_given_the_time_it_asks_for_or_is_not_asked_again() {
        let retry = Retry {
            retry_after: Duration::from_secs(2),
            ..Retry::default()
        };
        let check = |value: &'static str, expected: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
            let waits = |draw| after(&retry, &headers, 0, draw).map(|wait| wait.as_millis());
            assert_eq!(waits(0), expected.map(u128::from), "{value}");
            // Never sooner, and up to half as much later.
            let later = expected.map(|wait| u128::from(wait + wait / 2));
            assert!(waits(u64::MAX) <= later && waits(u64::MAX) >= waits(0));
        };
        check("0", Some(0));
        check("2", Some(2_000));
        check("3", None);
        check("Wed, 21 Oct 2065 07:28:00 GMT", None);
        check("-1", None);
        check("99999999999999", None);
    }
}
