//! What could change an app's answers next: every cluster asked in turn, each by where it is.

use std::time::Duration;

use windrose_model::budget::CLUSTERS_PER_APP;
use windrose_model::{App, EndpointState, NextChange, Now, Verdict};

use super::comeback::Phase;
use super::ttl::Outlook;
use super::{Account, Ledger, Members};

/// What is known in advance. `soonest` tells of an endpoint, by index, in what time its state could
/// change.
pub(super) fn outlook(
    ledger: &Ledger,
    members: Members<'_>,
    app: &App,
    states: &[EndpointState],
    now: Now,
    soonest: impl FnMut(u16) -> Duration,
) -> Outlook {
    let mut outlook = Outlook::CALM;
    let endpoints = Soonest::gather(ledger, states, soonest);
    let admitted = || (0..ledger.clusters.len()).filter(|local| members.admits(*local));
    let is_used = |local: &usize| is_in_use(&ledger.clusters[*local]);
    let alone = !admitted().any(|local| is_used(&local));
    for (local, at) in admitted().filter_map(|local| Some((local, u8::try_from(local).ok()?))) {
        let account = &ledger.clusters[local];
        let Soonest { fall, rise } = endpoints[local];
        if account.health == Verdict::Down {
            outlook.member_is_down();
            // Where nothing else is usable, what comes up is used at once.
            let hold = match alone {
                true => Duration::ZERO,
                false => account.comeback.hold(app.failback),
            };
            let after = rise.saturating_add(hold);
            outlook.could(after, NextChange::Return { cluster: at, after });
            continue;
        }
        match account.comeback.phase() {
            Phase::Held { until, wall } => {
                let within = until.saturating_duration_since(now.mono);
                let change = NextChange::HoldDownEnds {
                    cluster: at,
                    at: wall,
                };
                outlook.will(within, change);
                // Its fall would change nothing.
                continue;
            }
            Phase::Ramp { next, .. } => {
                let within = next.saturating_duration_since(now.mono);
                let change = NextChange::RampStep {
                    cluster: at,
                    at: now.after(within).wall,
                };
                outlook.will(within, change);
            }
            Phase::Steady | Phase::Down => {}
        }
        if fall < Duration::MAX {
            let change = NextChange::Fall {
                cluster: at,
                after: fall,
            };
            outlook.could(fall, change);
        }
    }
    outlook
}

fn is_in_use(account: &Account) -> bool {
    account.health != Verdict::Down
        && matches!(account.comeback.phase(), Phase::Steady | Phase::Ramp { .. })
}

/// Of a cluster: until its last endpoint could be down, and until its first could be up.
#[derive(Clone, Copy)]
struct Soonest {
    fall: Duration,
    rise: Duration,
}

impl Soonest {
    fn gather(
        ledger: &Ledger,
        states: &[EndpointState],
        mut soonest: impl FnMut(u16) -> Duration,
    ) -> [Self; CLUSTERS_PER_APP] {
        let nobody = Self {
            fall: Duration::ZERO,
            rise: Duration::MAX,
        };
        let mut all = [nobody; CLUSTERS_PER_APP];
        for ((index, seat), state) in (0..).zip(ledger.seats.iter()).zip(states) {
            if !seat.counts {
                continue;
            }
            let cluster = &mut all[usize::from(seat.cluster)];
            let time = soonest(index);
            match state {
                EndpointState::Down => cluster.rise = cluster.rise.min(time),
                EndpointState::Up | EndpointState::Unknown => {
                    cluster.fall = cluster.fall.max(time);
                }
            }
        }
        all
    }
}
