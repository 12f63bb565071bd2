//! The TTL of steered answers, derived from how soon they could change (as gdnsd does).
//!
//! **The rule.** Of everything that could change an app's answers, take what could happen first:
//! a cluster in use found down, a cluster that is down back in use, a hold-down's end, a step of a
//! ramp. Round the time until then down to a rung of [`LADDER`], so that a known moment that comes
//! nearer is told at most once a rung; clamp to the app's band; halve while a cluster is down that
//! would be used otherwise, down to [`LEAST`]. A shorter TTL holds at once. A longer one waits until
//! it could have been longer for the band's upper bound, so that a target that wavers makes at most
//! two publications in that time, one down and one up.
//!
//! **What it promises.** Always `lower ≤ TTL ≤ upper`, where `lower` is the band's lower bound, or
//! its half but at least `LEAST` while a cluster is down. Whatever is above `lower` ends before a
//! change known in advance: `now + TTL ≤ its moment`. And it ends no later than the results that
//! are missing for a change seen by probes could come in. A drain or dial by the operator cannot be
//! foreseen, nor can what live traffic reports.

use std::time::{Duration, Instant};

use windrose_model::{NextChange, Ttl, TtlBand, TtlBound, TtlCause};

/// Seconds a derived TTL may have between the ends of its band.
const LADDER: [u32; 27] = [
    1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 600,
    900, 1_800, 3_600,
];

/// No derived TTL is halved below this, unless the band begins lower.
const LEAST: u32 = 5;

/// What could change an app's answers, as far as it is known at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outlook {
    first: Option<(Duration, NextChange)>,
    /// The next moment known in advance, whether or not it is the first of all changes.
    moment: Option<Duration>,
    member_down: bool,
}

impl Outlook {
    /// Nothing can change by itself.
    pub(super) const CALM: Self = Self {
        first: None,
        moment: None,
        member_down: false,
    };

    /// Something could happen so long after the latest result.
    pub(super) fn could(&mut self, after: Duration, change: NextChange) {
        if self.first.is_none_or(|(first, _)| after < first) {
            self.first = Some((after, change));
        }
    }

    /// Something will happen in so long.
    pub(super) fn will(&mut self, within: Duration, change: NextChange) {
        self.could(within, change);
        let moment = self.moment.unwrap_or(within);
        self.moment = Some(moment.min(within));
    }

    /// A cluster is down that would be used if it were not.
    pub(super) fn member_is_down(&mut self) {
        self.member_down = true;
    }

    fn soonest(&self) -> Option<Duration> {
        self.first.map(|(after, _)| after)
    }
}

/// The TTL in force, and what it waits for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// In force, in seconds, and in which band.
    ttl: Option<(u32, TtlBand)>,
    /// Since when it could be longer.
    better: Option<Instant>,
    /// When to look again though nothing was seen.
    next: Option<Instant>,
}

impl Pace {
    /// When the TTL may change by the passing of time alone.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// The TTL from now on, and why.
    pub(super) fn settle(
        &mut self,
        outlook: &Outlook,
        band: TtlBand,
        now: Instant,
    ) -> (Ttl, TtlCause) {
        let (min, max) = bounds(band);
        let (wanted, bound) = clamped(outlook.soonest(), min, max);
        let halved = outlook.member_down;
        let wanted = if halved { half(wanted, min) } else { wanted };
        // A band that has changed holds at once.
        let in_force = self.ttl.filter(|(_, of)| *of == band).map(|(ttl, _)| ttl);
        let patience = Duration::from_secs(max.into());
        let ttl = match in_force {
            Some(ttl) if wanted > ttl => {
                let since = *self.better.get_or_insert(now);
                if now < since + patience { ttl } else { wanted }
            }
            _ => wanted,
        };
        if ttl == wanted {
            self.better = None;
        }
        self.ttl = Some((ttl, band));
        let rises = self.better.map(|since| since + patience);
        self.next = rises.into_iter().chain(falls(outlook, min, max, now)).min();
        let cause = TtlCause {
            change: outlook.first.map_or(NextChange::Nothing, |(_, c)| c),
            bound,
            halved,
            waits: ttl < wanted,
        };
        (Ttl::from_duration(Duration::from_secs(ttl.into())), cause)
    }
}

/// When a moment known in advance comes so near that the TTL has to be shorter.
fn falls(outlook: &Outlook, min: u32, max: u32, now: Instant) -> Option<Instant> {
    let moment = outlook.moment?;
    let (level, _) = clamped(Some(moment), min, max);
    let level = Duration::from_secs(level.into());
    (level > Duration::from_secs(min.into()) && moment >= level).then(|| now + (moment - level))
}

/// The rung below a time, within the band. At exactly a rung it is the one below: that is when the
/// moment is looked at again.
fn clamped(soonest: Option<Duration>, min: u32, max: u32) -> (u32, Option<TtlBound>) {
    let Some(soonest) = soonest else {
        return (max, Some(TtlBound::Upper));
    };
    let is_below = |seconds: u32| Duration::from_secs(seconds.into()) < soonest;
    if is_below(max) {
        return (max, Some(TtlBound::Upper));
    }
    let rung = LADDER.into_iter().rev().find(|rung| is_below(*rung));
    match rung {
        Some(rung) if rung >= min => (rung.min(max), None),
        _ => (min, Some(TtlBound::Lower)),
    }
}

/// At least 1 s, and the right way round.
fn bounds(band: TtlBand) -> (u32, u32) {
    let min = band.min.seconds().max(1);
    (min, band.max.seconds().max(min))
}

fn half(ttl: u32, min: u32) -> u32 {
    ttl.div_ceil(2).max(min.min(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FALL: NextChange = NextChange::Nothing;

    fn band(min: u32, max: u32) -> TtlBand {
        TtlBand {
            min: Ttl::new(min).unwrap(),
            max: Ttl::new(max).unwrap(),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "any origin will do")]
    fn start() -> Instant {
        Instant::now()
    }

    fn within(seconds: f64, member_down: bool) -> Outlook {
        let mut outlook = Outlook::CALM;
        outlook.could(Duration::from_secs_f64(seconds), FALL);
        outlook.member_down = member_down;
        outlook
    }

    fn fresh(outlook: &Outlook, band: TtlBand) -> u32 {
        Pace::default().settle(outlook, band, start()).0.seconds()
    }

    #[test]
    fn a_ttl_ends_before_the_first_change_that_could_come() {
        for (soonest, expected) in [(7.0, 6), (13.0, 12), (32.0, 30), (41.0, 40), (0.5, 1)] {
            let ttl = fresh(&within(soonest, false), band(1, 300));
            assert_eq!(ttl, expected, "{soonest} s");
        }
    }

    #[test]
    fn a_ttl_stays_in_its_band_which_need_not_be_on_a_rung() {
        assert_eq!(fresh(&within(7.0, false), band(30, 60)), 30);
        assert_eq!(fresh(&within(600.0, false), band(30, 60)), 60);
        assert_eq!(fresh(&within(70.0, false), band(31, 67)), 67);
        assert_eq!(fresh(&within(66.0, false), band(31, 67)), 60);
        assert_eq!(fresh(&within(35.0, false), band(31, 67)), 31);
        assert_eq!(fresh(&Outlook::CALM, band(30, 60)), 60);
    }

    #[test]
    fn a_ttl_is_halved_while_a_member_is_down_but_not_below_five() {
        assert_eq!(fresh(&within(15.0, true), band(30, 60)), 15);
        assert_eq!(fresh(&within(600.0, true), band(30, 60)), 30);
        assert_eq!(fresh(&within(600.0, true), band(7, 7)), 5);
        assert_eq!(fresh(&within(600.0, true), band(8, 8)), 5);
        assert_eq!(fresh(&within(600.0, true), band(2, 4)), 2);
    }

    #[test]
    fn a_shorter_ttl_holds_at_once_and_a_longer_one_waits_for_the_upper_bound() {
        let (mut pace, t) = (Pace::default(), start());
        let mut at = |second: u64, soonest: f64| {
            let now = t + Duration::from_secs(second);
            let (ttl, cause) = pace.settle(&within(soonest, false), band(10, 60), now);
            (ttl.seconds(), cause.waits, pace.next())
        };
        assert_eq!(at(0, 45.0), (40, false, None));
        assert_eq!(at(1, 13.0), (12, false, None));
        let rises = Some(t + Duration::from_secs(62));
        assert_eq!(at(2, 45.0), (12, true, rises));
        assert_eq!(at(40, 45.0), (12, true, rises));
        assert_eq!(at(50, 11.0), (10, false, None));
        assert_eq!(at(60, 45.0).0, 10);
        assert_eq!(at(120, 45.0).0, 40);
    }

    #[test]
    fn a_new_band_holds_at_once() {
        let (mut pace, t) = (Pace::default(), start());
        let mut at = |band| pace.settle(&within(45.0, false), band, t).0.seconds();
        assert_eq!(at(band(10, 20)), 20);
        assert_eq!(at(band(30, 60)), 40);
        assert_eq!(at(band(5, 10)), 10);
    }

    proptest! {
        /// A moment known in advance: looked at only when asked for, the TTL never reaches beyond
        /// it unless the lower bound does, and there are no more looks than rungs.
        #[test]
        fn no_answer_outlives_a_moment_that_was_known(
            moment in 1u64..2_000_000,
            min in 1u32..100,
            more in 0u32..300,
            member_down: bool,
        ) {
            let band = band(min, min + more);
            let moment = Duration::from_millis(moment);
            let (mut pace, t) = (Pace::default(), start());
            let (mut now, mut looks) = (Duration::ZERO, 0);
            while now < moment {
                let mut outlook = Outlook::CALM;
                outlook.will(moment - now, FALL);
                outlook.member_down = member_down;
                let (ttl, _) = pace.settle(&outlook, band, t + now);
                let next = pace.next().map_or(moment, |next| next - t).min(moment);
                prop_assert!(next > now, "looks again at once");
                let ttl = ttl.seconds();
                prop_assert!(ttl <= band.max.seconds());
                let lower = if member_down { half(min, min) } else { min };
                prop_assert!(ttl >= lower);
                // The latest answer given before the next look.
                let ends = next + Duration::from_secs(ttl.into());
                prop_assert!(ttl == lower || ends <= moment, "{ttl} s at {next:?}");
                now = next;
                looks += 1;
            }
            prop_assert!(looks <= LADDER.len() + 2);
        }
    }
}
