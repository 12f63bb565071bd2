//! The latency of an endpoint as one thread sees it: a moving average that rises at once and falls
//! slowly, and what a failure costs. Pure; ticks are milliseconds.
//!
//! The rule is Finagle's and Linkerd's: a slower answer replaces the average, a faster one pulls it
//! down by as much as time has passed, with 10 s for a fall to a third; the cost of an endpoint is the
//! average times the requests it would then have. Failures are quick, and would draw traffic: so each
//! counts as an answer that took 5 s, or as long as the backend asks to be left alone.
//!
//! Other than there, an endpoint that was never asked costs nothing until it has a request: so it is
//! tried once, and not starved by a guess that is slower than the truth of the others.

use std::time::Duration;

use http::HeaderMap;
use http::header::RETRY_AFTER;

/// An average; nothing seen is one, too.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Ewma {
    millis: f64,
    /// When that was so; 0: nothing was seen.
    at: u64,
}

/// Ticks in which an average falls to 1/e.
const DECAY: f64 = 10_000.0;
/// What an endpoint is taken for that has requests and no answer yet.
const INITIAL: f64 = 30.0;
/// What a failure counts as.
const PENALTY: Duration = Duration::from_secs(5);
/// The most that a backend can ask for.
const MOST: Duration = Duration::from_secs(300);

impl Ewma {
    /// Whether anything was seen.
    pub(crate) const fn is_known(self) -> bool {
        self.at != 0
    }

    /// An answer took so long.
    pub(crate) fn observe(self, tick: u64, took: Duration) -> Self {
        let took = took.as_secs_f64() * 1e3;
        let millis = match self.is_known() && took < self.millis {
            true => took + (self.millis - took) * fall(tick.saturating_sub(self.at)),
            false => took,
        };
        Self {
            millis,
            at: tick.max(1),
        }
    }

    /// What another request costs where so many wait.
    pub(crate) fn cost(self, tick: u64, pending: u32) -> f64 {
        match (self.is_known(), pending) {
            (false, 0) => 0.0,
            (false, _) => INITIAL * (f64::from(pending) + 1.0),
            (true, _) => self.at(tick) * (f64::from(pending) + 1.0),
        }
    }

    /// The average, fallen by the time in which nothing was seen.
    fn at(self, tick: u64) -> f64 {
        self.millis * fall(tick.saturating_sub(self.at))
    }
}

#[allow(clippy::cast_precision_loss, reason = "ticks of a life fit")]
fn fall(ticks: u64) -> f64 {
    (-(ticks as f64) / DECAY).exp()
}

/// What an answer counts as that was no success: by what it asks for, if it asks.
pub(crate) fn penalty(headers: Option<&HeaderMap>) -> Duration {
    let number = |name: &str| -> Option<u64> {
        let value = headers?.get(name)?;
        value.to_str().ok()?.trim().parse().ok()
    };
    let seconds = number(RETRY_AFTER.as_str()).map(Duration::from_secs);
    let asked = seconds.or_else(|| number("grpc-retry-pushback-ms").map(Duration::from_millis));
    asked.map_or(PENALTY, |asked| asked.clamp(PENALTY, MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn check(ewma: Ewma, tick: u64, pending: u32, expected: f64) {
        let cost = ewma.cost(tick, pending);
        assert!(
            (cost - expected).abs() < expected * 0.01 + 1e-9,
            "{cost}, not {expected}"
        );
    }

    #[test]
    fn a_slower_answer_counts_at_once_and_a_faster_one_by_the_time_that_passed() {
        let ewma = Ewma::default().observe(1_000, ms(10));
        check(ewma, 1_000, 0, 10.0);
        check(ewma.observe(1_001, ms(200)), 1_001, 0, 200.0);
        let slow = ewma.observe(1_000, ms(200));
        // At the same moment a faster one changes nothing.
        check(slow.observe(1_000, ms(10)), 1_000, 0, 200.0);
        let later = slow.observe(11_000, ms(10));
        check(later, 11_000, 0, 10.0 + 190.0 / std::f64::consts::E);
        check(slow.observe(101_000, ms(10)), 101_000, 0, 10.0);
    }

    #[test]
    fn what_is_not_asked_falls_so_that_it_is_asked_again() {
        let ewma = Ewma::default().observe(1, PENALTY);
        let costs: Vec<_> = (0..60).map(|s| ewma.cost(1 + s * 1_000, 0)).collect();
        assert!(costs.is_sorted_by(|a, b| a > b), "{costs:?}");
        check(ewma, 10_001, 0, 1_839.0);
        check(ewma, 50_001, 0, 33.7);
    }

    #[test]
    fn more_requests_cost_more_and_an_unknown_endpoint_is_tried_once() {
        check(Ewma::default(), 5, 0, 0.0);
        check(Ewma::default(), 5, 1, 60.0);
        let ewma = Ewma::default().observe(5, ms(7));
        let costs: Vec<_> = (0..100).map(|pending| ewma.cost(5, pending)).collect();
        assert!(costs.is_sorted_by(|a, b| a < b));
        check(ewma, 5, 3, 28.0);
    }

    #[test]
    fn an_average_stays_between_what_was_seen() {
        let dice = crate::draw::Dice::new(4);
        let (mut ewma, mut tick) = (Ewma::default(), 1);
        let mut most = 0.0f64;
        for _ in 0..10_000 {
            let took = ms(dice.draw() % 500);
            tick += dice.draw() % 50;
            ewma = ewma.observe(tick, took);
            most = most.max(took.as_secs_f64() * 1e3);
            let cost = ewma.cost(tick, 0);
            assert!(cost >= took.as_secs_f64() * 1e3 - 1e-9 && cost <= most);
        }
    }

    #[test]
    fn a_failure_costs_five_seconds_or_what_the_backend_asks_for() {
        let asks = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, http::HeaderValue::from_static(value));
            penalty(Some(&headers)).as_secs()
        };
        assert_eq!(penalty(None), PENALTY);
        assert_eq!(asks("retry-after", "20"), 20);
        assert_eq!(asks("retry-after", "1"), 5);
        assert_eq!(asks("retry-after", "99999999999999999999"), 5);
        assert_eq!(asks("retry-after", "86400"), 300);
        assert_eq!(asks("retry-after", "Wed, 21 Oct 2065 07:28:00 GMT"), 5);
        assert_eq!(asks("grpc-retry-pushback-ms", "7000"), 7);
    }
}
