//! HOT. One token bucket in one word: a tag of its owner, a count of what was limited, and the time
//! at which it will be full again.
//!
//! Decay is arithmetic on that time (the generic cell rate algorithm of ITU-T I.371): nothing is
//! swept, and a bucket nobody touches refills by itself. Deliberately absent: clocks, and memory.

use std::time::Duration;

/// Bits of a word that hold the time; the count lies above them, the tag on top.
const TIME_BITS: u32 = 44;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;
const COUNT_BITS: u32 = 4;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const TAG_SHIFT: u32 = TIME_BITS + COUNT_BITS;

/// Nanoseconds of a tick, as a power of two: 64.
const TICK_BITS: u32 = 6;
/// Ticks of a second.
const SECOND: u64 = 1_000_000_000 >> TICK_BITS;

/// Most answers a second of one bucket; beyond it the ticks are too coarse to be fair.
pub const MAX_RATE: u32 = 1_000_000;
/// Longest window: a minute.
pub const MAX_WINDOW: Duration = Duration::from_secs(60);
/// Largest slip.
pub const MAX_SLIP: u8 = 10;

/// A moment of the monotonic clock, in ticks of 64 ns that wrap after 13 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks(u64);

impl Ticks {
    /// The moment `elapsed` after any fixed one, the same for all who share a limiter.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "wraps by design")]
    pub fn after(elapsed: Duration) -> Self {
        Self((elapsed.as_nanos() as u64 >> TICK_BITS) & TIME_MASK)
    }
}

/// How fast a bucket refills, how much it holds, and what becomes of what it refuses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// Ticks that one answer costs.
    cost: u64,
    /// Ticks a bucket holds; at least the cost of one answer.
    room: u64,
    /// Every how many-th refusal slips; 0 for none.
    slip: u64,
}

/// What a bucket says to one more answer, and the word it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There was a token.
    Granted(u64),
    /// None left; to be told to come by TCP.
    Slipped(u64),
    /// None left.
    Refused(u64),
}

impl Rule {
    /// `rate` answers a second (1 to [`MAX_RATE`], clamped), as many as come in `window` (to
    /// [`MAX_WINDOW`]) at once, but at least one.
    pub(crate) fn new(rate: u32, window: Duration, slip: u8) -> Self {
        let rate = u64::from(rate.clamp(1, MAX_RATE));
        let cost = (SECOND + rate / 2) / rate;
        let window = Ticks::after(window.min(MAX_WINDOW)).0;
        Self {
            cost,
            room: window.max(cost),
            slip: u64::from(slip.min(MAX_SLIP)),
        }
    }

    /// Ticks until the bucket of `word` is full again.
    #[inline]
    pub(super) fn debt(&self, word: u64, now: Ticks) -> u64 {
        let debt = word.wrapping_sub(now.0) & TIME_MASK;
        // A time further ahead than any debt lies in the past: the difference wrapped. Threads read
        // the clock at their own moments, so up to a second more is still ahead.
        if debt > self.room + SECOND { 0 } else { debt }
    }

    /// Whether the bucket of `word` has no token left.
    #[inline]
    pub(super) fn is_empty(&self, word: u64, now: Ticks) -> bool {
        self.debt(word, now) + self.cost > self.room
    }

    /// Takes a token from the bucket of `word`, which belongs to `tag`.
    #[inline]
    pub(crate) fn take(&self, word: u64, tag: u64, now: Ticks) -> Step {
        let after = self.debt(word, now) + self.cost;
        if after <= self.room {
            let time = now.0.wrapping_add(after) & TIME_MASK;
            // The count goes on, so that a flood little above the rate slips too.
            let count = word & (COUNT_MASK << TIME_BITS);
            return Step::Granted((tag << TAG_SHIFT) | count | time);
        }
        let count = ((word >> TIME_BITS) & COUNT_MASK) + 1;
        let kept = word & !(COUNT_MASK << TIME_BITS);
        if count == self.slip {
            Step::Slipped(kept)
        } else {
            // Beyond the largest slip there is nothing to count for.
            Step::Refused(kept | (count.min(COUNT_MASK) << TIME_BITS))
        }
    }
}

/// Whose bucket it is.
#[inline]
pub(super) const fn tag(word: u64) -> u64 {
    word >> TAG_SHIFT
}

/// The tag of a hash: bits that no table uses as an index.
#[inline]
pub(super) const fn tag_of(hash: u64) -> u64 {
    hash >> TAG_SHIFT
}

/// The word of a bucket that was just taken over: full.
#[inline]
pub(super) const fn full(now: Ticks) -> u64 {
    now.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks at these milliseconds; `+` granted, `t` slipped, `-` refused.
    fn check(rule: Rule, start: Duration, script: &[(u64, &str)]) {
        let mut word = full(Ticks::after(start));
        for (at, wanted) in script {
            let now = Ticks::after(start + Duration::from_millis(*at));
            let told: String = wanted
                .chars()
                .map(|_| {
                    let (told, next) = match rule.take(word, 7, now) {
                        Step::Granted(next) => ('+', next),
                        Step::Slipped(next) => ('t', next),
                        Step::Refused(next) => ('-', next),
                    };
                    word = next;
                    told
                })
                .collect();
            assert_eq!(told, *wanted, "at {at} ms after {start:?}");
        }
    }

    const SECONDS: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_holds_what_comes_in_a_window_and_refills_at_the_rate() {
        for start in [0, 1, 86_400, 1_125_899, 1_125_900, 40_000_000] {
            check(
                Rule::new(4, SECONDS, 0),
                Duration::from_secs(start),
                &[
                    (0, "++++---"),
                    (249, "-"),
                    (251, "+-"),
                    (800, "++-"),
                    (60_000, "++++-"),
                    (1_000_000, "++++-"),
                ],
            );
        }
    }

    #[test]
    fn every_nth_refusal_slips() {
        let of = |slip| Rule::new(1, SECONDS, slip);
        check(of(0), SECONDS, &[(0, "+-------------------")]);
        check(of(1), SECONDS, &[(0, "+ttttt")]);
        check(of(2), SECONDS, &[(0, "+-"), (1_001, "+t"), (2_002, "+-")]);
        check(of(2), SECONDS, &[(0, "+-t-t-t"), (1_001, "+-t")]);
        check(of(10), SECONDS, &[(0, "+---------t---------t")]);
    }

    #[test]
    fn a_window_shorter_than_one_answer_still_grants_one() {
        let rule = Rule::new(1, Duration::from_millis(1), 0);
        check(rule, SECONDS, &[(0, "+-"), (500, "-"), (1_001, "+-")]);
    }

    #[test]
    fn a_thread_with_an_older_clock_does_not_empty_the_debt() {
        let rule = Rule::new(2, SECONDS, 0);
        check(
            rule,
            SECONDS,
            &[(100, "++-"), (0, "-"), (50, "-"), (100, "-")],
        );
    }

    #[test]
    fn rates_are_kept_to_a_few_percent_up_to_the_largest() {
        for rate in [1, 5, 100, 999, 10_000, 100_000, MAX_RATE] {
            let rule = Rule::new(rate, SECONDS, 0);
            let (mut word, mut granted) = (0, 0u32);
            // Twice the rate for three seconds of virtual time.
            let step = 500_000_000 / u64::from(rate);
            for i in 0..6 * u64::from(rate) {
                let now = Ticks::after(Duration::from_nanos(1 + i * step));
                if let Step::Granted(next) = rule.take(word, 1, now) {
                    word = next;
                    granted += 1;
                }
            }
            // A full bucket, and what three seconds refill.
            let wanted = 4.0 * f64::from(rate);
            let off = (f64::from(granted) - wanted).abs();
            assert!(off <= wanted * 0.03 + 1.0, "{granted} of {wanted}");
        }
    }
}
