//! What follows from what was seen: endpoint states make the health of a cluster, health and the
//! operator's word make verdict, `usable` and share. Pure and total; one app at a time.
//!
//! Folding has two halves: [`see`] takes one fact and costs next to nothing, [`settle`] concludes,
//! once for all facts since the last publication.
//!
//! A [`Ledger`] remembers what a Status does not show: tallies, and where each cluster is on its
//! way back. Deliberately absent: probes, clocks, publication.

use std::sync::Arc;
use std::time::{Duration, Instant};

use windrose_model::{
    App, AppId, AppStatus, Cause, Cluster, ClusterStatus, EndpointState, Failback, Model, Now,
    Percent, ProbeFailure, Ttl, TtlCause, Verdict,
};

use self::comeback::{Comeback, Phase};
use self::tally::Tally;
use self::ttl::Pace;
use crate::decision::Why;

mod adopt;
mod comeback;
mod outlook;
mod tally;
mod trips;
mod ttl;

pub(crate) use self::adopt::{Before, adopt};
pub use self::trips::{RoundTrip, Trips};

/// What fold remembers about one app beyond its Status.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// By endpoint index.
    seats: Arc<[Seat]>,
    /// By local cluster number.
    clusters: Vec<Account>,
    pace: Pace,
    /// Something was seen since it was last settled.
    unsettled: bool,
}

/// Where an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seat {
    cluster: u8,
    /// Whether it counts for the health of its cluster: endpoints of versions that no split sends
    /// anything to count only where nothing else runs.
    counts: bool,
}

#[derive(Debug, Clone)]
struct Account {
    tally: Tally,
    health: Verdict,
    last: ProbeFailure,
    comeback: Comeback,
    /// When it went down last.
    fell: Option<Instant>,
}

/// A change that operators want to know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Local number; none: the clusters of the app together.
    pub cluster: Option<u8>,
    /// Before.
    pub from: Verdict,
    /// Since.
    pub to: Verdict,
    /// Whether new traffic may go there now.
    pub usable: bool,
    /// The share it may take now.
    pub share: Percent,
    /// Why.
    pub cause: Why,
}

impl Ledger {
    /// The local cluster of an endpoint, by index.
    pub fn cluster_of(&self, index: u16) -> Option<u8> {
        self.seats.get(usize::from(index)).map(|seat| seat.cluster)
    }

    /// Whether something was seen since it was last settled.
    pub const fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// When the next step of some cluster's comeback, or of the TTL, is due.
    pub fn next(&self) -> Option<Instant> {
        let steps = self.clusters.iter().filter_map(|c| c.comeback.next());
        steps.chain(self.pace.next()).min()
    }
}

/// Takes in that an endpoint, by index, has a new state; the failure is its latest.
pub fn see(
    ledger: &mut Ledger,
    status: &mut Arc<AppStatus>,
    index: u16,
    state: EndpointState,
    failure: ProbeFailure,
) {
    let at = usize::from(index);
    let (Some(&before), Some(seat)) = (status.endpoints.get(at), ledger.seats.get(at)) else {
        return;
    };
    if before == state {
        return;
    }
    Arc::make_mut(status).endpoints[at] = state;
    if seat.counts {
        let account = &mut ledger.clusters[usize::from(seat.cluster)];
        account.tally.leave(before);
        account.tally.enter(state);
        if state == EndpointState::Down {
            account.last = failure;
        }
    }
    ledger.unsettled = true;
}

/// Takes in that evidence about some endpoint has changed without a new state.
pub fn waver(ledger: &mut Ledger) {
    ledger.unsettled = true;
}

/// Concludes from what was seen, from the operator's word and from the time; whether anything
/// changes. `soonest` tells of an endpoint, by index, in what time its state could change. The
/// `Arc` is written to only on a change, so that compiling finds changed apps by pointer.
pub fn settle(
    model: &Model,
    app: AppId,
    ledger: &mut Ledger,
    status: &mut Arc<AppStatus>,
    now: Now,
    soonest: impl FnMut(u16) -> Duration,
    mut changed: impl FnMut(Change),
) -> bool {
    ledger.unsettled = false;
    let wanted = &model.app(app).1;
    let members = Members {
        model,
        ids: model.clusters_of(app),
    };
    walk(ledger, members, wanted.failback, now);
    let concluded = conclude(ledger, members, wanted, status, now, &mut changed);
    let outlook = outlook::outlook(ledger, members, wanted, &status.endpoints, now, soonest);
    let (ttl, cause) = ledger.pace.settle(&outlook, wanted.ttl, now.mono);
    let lately = |fell: Instant| now.mono.saturating_duration_since(fell) <= at_once(wanted);
    let fallen = ledger.clusters.iter().enumerate();
    let fallen = mask(fallen.filter(|(_, account)| account.fell.is_some_and(lately)));
    remember(members, status, fallen, (ttl, cause)) || concluded
}

/// The clusters of an app by local number.
#[derive(Clone, Copy)]
struct Members<'m> {
    model: &'m Model,
    ids: &'m [windrose_model::ClusterId],
}

impl<'m> Members<'m> {
    fn get(self, local: usize) -> &'m Cluster {
        &self.model.cluster(self.ids[local]).1
    }

    /// Whether the operator lets traffic in.
    fn admits(self, local: usize) -> bool {
        let cluster = self.get(local);
        !cluster.drain && cluster.dial > Percent::ZERO
    }
}

/// Moves every cluster along its way back.
fn walk(ledger: &mut Ledger, members: Members<'_>, rules: Failback, now: Now) {
    for account in &mut ledger.clusters {
        let health = account.tally.health(account.health);
        let ready = account.tally.ready();
        match (account.health, health) {
            (Verdict::Down, Verdict::Down) => {}
            (Verdict::Unknown, Verdict::Down) => account.comeback.absent(),
            (_, Verdict::Down) => account.comeback.fall(now, rules),
            (Verdict::Down, Verdict::Unknown) => account.comeback.release(),
            (Verdict::Down, _) => account.comeback.rise(now, rules, ready),
            _ => account.comeback.advance(now, rules, ready),
        }
        if health == Verdict::Down && account.health != Verdict::Down {
            account.fell = Some(now.mono);
        }
        account.health = health;
    }
    release_the_last(ledger, members);
}

/// Hold-down and ramp protect clusters that have others beside them: when nothing else is usable,
/// what is up is used at once.
fn release_the_last(ledger: &mut Ledger, members: Members<'_>) {
    let is_used =
        |account: &Account| matches!(account.comeback.phase(), Phase::Steady | Phase::Ramp { .. });
    let admitted = || (0..ledger.clusters.len()).filter(|local| members.admits(*local));
    let used = admitted().filter(|local| is_used(&ledger.clusters[*local]));
    let (count, first) = used.fold((0, None), |(n, first), local| {
        (n + 1, first.or(Some(local)))
    });
    match (count, first) {
        (0, _) => {
            for (local, account) in ledger.clusters.iter_mut().enumerate() {
                if members.admits(local) && account.health != Verdict::Down {
                    account.comeback.release();
                }
            }
        }
        (1, Some(only)) => ledger.clusters[only].comeback.release(),
        _ => {}
    }
}

/// Writes what follows into the Status, and tells what changed; whether anything did.
fn conclude(
    ledger: &Ledger,
    members: Members<'_>,
    app: &App,
    status: &mut Arc<AppStatus>,
    now: Now,
    changed: &mut impl FnMut(Change),
) -> bool {
    let before = whole(&status.clusters);
    let mut written = false;
    for (local, account) in ledger.clusters.iter().enumerate() {
        let old = &status.clusters[local];
        let mut new = entry(account, members.get(local), now);
        let turned = (new.verdict, new.usable) != (old.verdict, old.usable);
        if !turned {
            new.since = old.since;
        }
        if new == *old {
            continue;
        }
        let ramping = |cause| matches!(cause, Cause::Ramp { .. });
        let stepped = ramping(old.cause) && ramping(new.cause);
        if turned || (new.share != old.share && !stepped) {
            changed(Change {
                cluster: u8::try_from(local).ok(),
                from: old.verdict,
                to: new.verdict,
                usable: new.usable,
                share: new.share,
                cause: Why::Cluster(new.cause),
            });
        }
        Arc::make_mut(status).clusters[local] = new;
        written = true;
    }
    let after = whole(&status.clusters);
    if (before == Verdict::Down) != (after == Verdict::Down) {
        changed(together(app, &status.clusters, before, after));
    }
    written
}

/// What one cluster is to the app now.
fn entry(account: &Account, cluster: &Cluster, now: Now) -> ClusterStatus {
    let ready = account.tally.ready();
    let (ramp, back) = match account.comeback.phase() {
        Phase::Steady => (Percent::FULL, None),
        Phase::Down => (Percent::ZERO, None),
        Phase::Held { wall, .. } => (Percent::ZERO, Some(Cause::HoldDown { until: wall })),
        Phase::Ramp { share, .. } => {
            let share = share.min(ready);
            (share, Some(Cause::Ramp { share }))
        }
    };
    let health = match account.health {
        Verdict::Unknown => Cause::Starting,
        Verdict::Down => Cause::EndpointsDown {
            of: account.tally.of,
            last: account.last,
        },
        _ => Cause::EndpointsUp {
            up: account.tally.up,
            of: account.tally.of,
        },
    };
    let (verdict, share, cause) = if cluster.drain {
        (Verdict::Draining, Percent::ZERO, Cause::Drained)
    } else if account.health == Verdict::Down {
        (Verdict::Down, Percent::ZERO, health)
    } else if cluster.dial == Percent::ZERO {
        (account.health, Percent::ZERO, Cause::DialedOff)
    } else {
        (
            account.health,
            cluster.dial.of(ramp),
            back.unwrap_or(health),
        )
    };
    ClusterStatus {
        verdict,
        usable: share > Percent::ZERO,
        share,
        cause,
        since: now.wall,
    }
}

/// An app in a word: down when nothing is usable, up when everything is.
fn whole(clusters: &[ClusterStatus]) -> Verdict {
    match clusters.iter().filter(|c| c.usable).count() {
        0 if !clusters.is_empty() => Verdict::Down,
        usable if usable == clusters.len() => Verdict::Up,
        _ => Verdict::Degraded,
    }
}

fn together(app: &App, clusters: &[ClusterStatus], from: Verdict, to: Verdict) -> Change {
    let usable = clusters.iter().filter(|c| c.usable).count();
    let cause = match usable {
        0 => Why::NoneUsable(app.when_all_down.clone()),
        _ => Why::Usable {
            usable,
            of: clusters.len(),
        },
    };
    Change {
        cluster: None,
        from,
        to,
        usable: usable > 0,
        share: if usable > 0 {
            Percent::FULL
        } else {
            Percent::ZERO
        },
        cause,
    }
}

/// One outage is not found in all clusters at the same moment, but within the time that finding one
/// takes: those that fall within it fall together.
fn at_once(app: &App) -> Duration {
    app.health.interval * u32::from(app.health.fall) + app.health.timeout
}

/// Local numbers as bits.
fn mask<T>(clusters: impl Iterator<Item = (usize, T)>) -> u16 {
    clusters.fold(0, |mask, (local, _)| mask | 1 << local)
}

/// Keeps `last_known`, with what fell together with the last one, and the TTL; whether they change. A
/// cause that changes alone is written, and goes out with whatever is published next.
fn remember(
    members: Members<'_>,
    status: &mut Arc<AppStatus>,
    fallen: u16,
    (ttl, ttl_cause): (Ttl, TtlCause),
) -> bool {
    let clusters = || status.clusters.iter().enumerate();
    let last_known = match mask(clusters().filter(|(_, cluster)| cluster.usable)) {
        0 => (status.last_known | fallen) & mask(clusters().filter(|(at, _)| members.admits(*at))),
        usable => usable,
    };
    let changes = (last_known, ttl) != (status.last_known, status.ttl);
    if changes || ttl_cause != status.ttl_cause {
        let status = Arc::make_mut(status);
        status.last_known = last_known;
        status.ttl = ttl;
        status.ttl_cause = ttl_cause;
    }
    changes
}
