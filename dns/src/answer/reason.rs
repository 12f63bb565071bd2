//! HOT. Why steering chose as it did, in the terms of RFC 8914. The usual choice has no reason, and
//! pays one test.

use windrose_model::WhenAllDown;
use windrose_routing::{AppEntry, DnsChoice, Seen};

use crate::extended_error::ExtendedError;

/// What was seen of a choice.
#[derive(Default)]
pub(super) struct Reason {
    seen: u8,
    /// The first tier of which too few are up.
    half_alive: usize,
    /// The tier of the lead.
    won: usize,
}

const TIER_DOWN: u8 = 1;
const HALF_ALIVE: u8 = 2;
const TRICKLED: u8 = 4;
const SHARES_IGNORED: u8 = 8;
const ALL_DOWN: u8 = 16;
const FENCED_OUT: u8 = 32;

impl Reason {
    /// Takes note of a step.
    #[inline]
    pub(super) fn see(&mut self, step: Seen) {
        match step {
            Seen::Won { tier, .. } => self.won = tier,
            // A share below all of it, or members that are up: what weights say, within a tier.
            Seen::SentOn { .. } | Seen::HalfAliveUsed { .. } => {}
            other => self.note(other),
        }
    }

    #[cold]
    fn note(&mut self, step: Seen) {
        self.seen |= match step {
            Seen::FencedOut => FENCED_OUT,
            Seen::TierDown { .. } => TIER_DOWN,
            Seen::HalfAlive { tier } => {
                if self.seen & HALF_ALIVE == 0 {
                    self.half_alive = tier;
                }
                HALF_ALIVE
            }
            Seen::Trickled { .. } => TRICKLED,
            Seen::SharesIgnored => SHARES_IGNORED,
            Seen::AllDown => ALL_DOWN,
            Seen::Won { .. } | Seen::SentOn { .. } | Seen::HalfAliveUsed { .. } => 0,
        };
    }

    /// What there is to tell of this choice, the gravest first.
    #[inline]
    pub(super) fn told(&self, app: &AppEntry, choice: &DnsChoice) -> Option<ExtendedError> {
        if self.seen == 0 {
            return None;
        }
        self.gravest(app, choice)
    }

    #[cold]
    fn gravest(&self, app: &AppEntry, choice: &DnsChoice) -> Option<ExtendedError> {
        let has = |what: u8| self.seen & what != 0;
        if has(FENCED_OUT) {
            return Some(ExtendedError::FencedOut);
        }
        let DnsChoice::Clusters(picked) = choice else {
            return has(ALL_DOWN).then_some(ExtendedError::AllDown);
        };
        let allowed = |local: &u8| app.state.allowed >> local & 1 == 1;
        Some(match app.plan.app.when_all_down {
            WhenAllDown::Fallback(_) if has(ALL_DOWN) => ExtendedError::Fallback,
            // None but drained ones are left.
            _ if has(ALL_DOWN) && !picked.iter().any(allowed) => ExtendedError::AllDrained,
            WhenAllDown::LastKnown if has(ALL_DOWN) => ExtendedError::LastKnown,
            _ if has(ALL_DOWN) => ExtendedError::All,
            _ if has(SHARES_IGNORED) => ExtendedError::SharesIgnored,
            _ if has(TRICKLED) => ExtendedError::Trickle,
            _ if has(HALF_ALIVE) && self.half_alive == self.won => ExtendedError::HalfAlive,
            _ if has(HALF_ALIVE) => ExtendedError::HalfAliveNextTier,
            _ => ExtendedError::NextTier,
        })
    }
}
