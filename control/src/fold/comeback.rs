//! How a cluster comes back after it was down: held down for a while, doubling per flap, then by
//! steps, never beyond what is ready.

use std::time::{Duration, Instant};

use windrose_model::{Failback, Now, Percent, WallTime};

/// Where a cluster is on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// In full use, or not yet known.
    Steady,
    /// Down.
    Down,
    /// Up again, gets nothing yet.
    Held { until: Instant, wall: WallTime },
    /// Up again, gets this share.
    Ramp { share: Percent, next: Instant },
}

/// The way back of one cluster, and how often it went there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Comeback {
    phase: Phase,
    flaps: u8,
    /// When it last came up after a fall.
    rose: Option<Instant>,
}

/// Hold-down doubles with each flap up to this factor.
const MOST: u32 = 8;
/// One flap is forgotten for each time the cluster stays up for so many hold-downs.
const FORGET: u32 = 4;
/// Whatever the configuration says: a clock must be able to reach it.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);

impl Comeback {
    pub(super) const NONE: Self = Self {
        phase: Phase::Steady,
        flaps: 0,
        rose: None,
    };

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// The cluster went down.
    pub(super) fn fall(&mut self, now: Now, rules: Failback) {
        let stayed = self.rose.map_or(Duration::ZERO, |rose| now.mono - rose);
        let forgotten = match rules.hold_down.saturating_mul(FORGET).as_millis() {
            0 => u128::MAX,
            per_flap => stayed.as_millis() / per_flap,
        };
        let kept = u128::from(self.flaps).saturating_sub(forgotten);
        self.flaps = u8::try_from(kept + 1).unwrap_or(u8::MAX);
        self.rose = None;
        self.phase = Phase::Down;
    }

    /// The cluster was down when it was first seen. That is no fall: when it comes up, it has its
    /// start before it, not a way back.
    pub(super) fn absent(&mut self) {
        self.phase = Phase::Down;
    }

    /// The cluster is up again, or for the first time.
    pub(super) fn rise(&mut self, now: Now, rules: Failback, ready: Percent) {
        if self.flaps == 0 {
            self.phase = Phase::Steady;
            return;
        }
        self.rose = Some(now.mono);
        let until = now.after(self.hold(rules));
        self.phase = Phase::Held {
            until: until.mono,
            wall: until.wall,
        };
        self.advance(now, rules, ready);
    }

    /// How long the cluster would be held down if it came up now.
    pub(super) fn hold(&self, rules: Failback) -> Duration {
        match self.flaps {
            0 => Duration::ZERO,
            flaps => {
                let doubled = 1u32 << u32::from(flaps - 1).min(MOST.ilog2());
                rules.hold_down.saturating_mul(doubled).min(LONGEST)
            }
        }
    }

    /// Takes every step that is due.
    pub(super) fn advance(&mut self, now: Now, rules: Failback, ready: Percent) {
        if let Phase::Held { until, .. } = self.phase
            && until <= now.mono
        {
            self.phase = Phase::Ramp {
                share: Percent::ZERO,
                next: until,
            };
        }
        while let Phase::Ramp { share, next } = self.phase
            && next <= now.mono
        {
            self.phase = step(now, rules, share, next, ready);
        }
    }

    /// In full use at once.
    pub(super) fn release(&mut self) {
        self.phase = Phase::Steady;
    }

    /// When the next step is due.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.phase {
            Phase::Steady | Phase::Down => None,
            Phase::Held { until, .. } => Some(until),
            Phase::Ramp { next, .. } => Some(next),
        }
    }
}

/// One step up; it waits at what is ready and is over at 100 %.
fn step(now: Now, rules: Failback, share: Percent, due: Instant, ready: Percent) -> Phase {
    let by = match rules.ramp_step {
        Percent::ZERO => Percent::FULL,
        by => by,
    };
    let wanted = share.plus(by);
    if wanted == Percent::FULL && ready == Percent::FULL {
        return Phase::Steady;
    }
    let every = rules.ramp_every.clamp(Duration::from_millis(10), LONGEST);
    if wanted > ready {
        return Phase::Ramp {
            share: ready,
            next: now.mono + every,
        };
    }
    Phase::Ramp {
        share: wanted,
        next: due + every,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Percent = Percent::FULL;

    fn percent(number: f64) -> Percent {
        Percent::new(number).unwrap()
    }

    fn rules() -> Failback {
        Failback {
            hold_down: Duration::from_secs(60),
            ramp_step: percent(25.0),
            ramp_every: Duration::from_secs(10),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "any origin will do")]
    fn start() -> Now {
        Now {
            mono: Instant::now(),
            wall: WallTime(0),
        }
    }

    fn at(now: Now, seconds: u64) -> Now {
        now.after(Duration::from_secs(seconds))
    }

    fn share(comeback: &Comeback) -> Option<Percent> {
        match comeback.phase() {
            Phase::Steady => Some(FULL),
            Phase::Ramp { share, .. } => Some(share),
            Phase::Down | Phase::Held { .. } => None,
        }
    }

    #[test]
    fn a_cluster_is_held_down_and_then_comes_back_by_steps() {
        let t = start();
        let mut cluster = Comeback::NONE;
        cluster.fall(t, rules());
        cluster.rise(at(t, 10), rules(), FULL);
        for (seconds, expected) in [
            (69, None),
            (70, Some(25.0)),
            (79, Some(25.0)),
            (80, Some(50.0)),
            (90, Some(75.0)),
            (100, Some(100.0)),
        ] {
            cluster.advance(at(t, seconds), rules(), FULL);
            assert_eq!(share(&cluster), expected.map(percent), "after {seconds} s");
        }
        assert_eq!(cluster.phase(), Phase::Steady);
        assert_eq!(cluster.next(), None);
    }

    #[test]
    fn steps_missed_by_a_late_wakeup_are_made_up_for() {
        let t = start();
        let mut cluster = Comeback::NONE;
        cluster.fall(t, rules());
        cluster.rise(t, rules(), FULL);
        cluster.advance(at(t, 85), rules(), FULL);
        assert_eq!(share(&cluster), Some(percent(75.0)));
    }

    #[test]
    fn a_ramp_waits_for_capacity_to_be_ready() {
        let t = start();
        let mut cluster = Comeback::NONE;
        cluster.fall(t, rules());
        cluster.rise(t, rules(), FULL);
        cluster.advance(at(t, 200), rules(), percent(60.0));
        assert_eq!(share(&cluster), Some(percent(60.0)));
        cluster.advance(at(t, 500), rules(), percent(60.0));
        assert_eq!(share(&cluster), Some(percent(60.0)));
        cluster.advance(at(t, 510), rules(), FULL);
        assert_eq!(share(&cluster), Some(percent(85.0)));
        cluster.advance(at(t, 520), rules(), FULL);
        assert_eq!(cluster.phase(), Phase::Steady);
    }

    #[test]
    fn hold_down_doubles_per_flap_up_to_eightfold() {
        let t = start();
        let mut cluster = Comeback::NONE;
        let mut now = t;
        for minutes in [1, 2, 4, 8, 8, 8] {
            cluster.fall(now, rules());
            now = at(now, 1);
            cluster.rise(now, rules(), FULL);
            assert_eq!(cluster.next(), Some(at(now, minutes * 60).mono));
        }
    }

    #[test]
    fn flaps_are_forgotten_while_a_cluster_stays_up() {
        let t = start();
        let mut cluster = Comeback::NONE;
        for _ in 0..4 {
            cluster.fall(t, rules());
        }
        cluster.rise(t, rules(), FULL);
        let later = at(t, 3 * 4 * 60);
        cluster.fall(later, rules());
        cluster.rise(later, rules(), FULL);
        assert_eq!(cluster.next(), Some(at(later, 2 * 60).mono));
    }

    #[test]
    fn a_long_outage_makes_no_flap_forgotten() {
        let t = start();
        let mut cluster = Comeback::NONE;
        cluster.fall(t, rules());
        cluster.rise(at(t, 1), rules(), FULL);
        cluster.fall(at(t, 2), rules());
        cluster.rise(at(t, 3_600), rules(), FULL);
        cluster.fall(at(t, 3_601), rules());
        cluster.rise(at(t, 3_602), rules(), FULL);
        assert_eq!(cluster.next(), Some(at(t, 3_602 + 4 * 60).mono));
    }

    #[test]
    fn without_hold_down_and_steps_a_cluster_is_back_at_once() {
        let at_once = Failback {
            hold_down: Duration::ZERO,
            ramp_step: FULL,
            ramp_every: Duration::ZERO,
        };
        let mut cluster = Comeback::NONE;
        cluster.fall(start(), at_once);
        cluster.rise(start(), at_once, FULL);
        assert_eq!(cluster.phase(), Phase::Steady);
    }
}
