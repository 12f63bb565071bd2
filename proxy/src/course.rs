//! The way of a request over endpoints and clusters: where to try next, and whether to try again.
//!
//! Decides only; `attempt` acts. The rules (DESIGN section 5): an attempt that never reached a
//! backend costs nothing and may be repeated for any method, once per endpoint, then in the next
//! cluster. One that may have reached a backend is repeated only for idempotent methods, within the
//! attempts and the budget, while the body can be sent again.

use std::rc::Rc;
use std::time::Instant;

use windrose_model::{Name, PassiveKind, RetryOn};
use windrose_routing::{AppEntry, Endpoint, Group, PlanVersion, View};

use crate::balance::choose;
use crate::breaker::{Full, Permit};
use crate::flags::Flags;
use crate::live::Claim;
use crate::pick::pick;
use crate::refusal::Refusal;
use crate::worker::Worker;

/// Endpoints tried in one cluster before the next one.
const PER_CLUSTER: u8 = 3;
/// Endpoints tried when everything is avoided or down.
const WITHOUT_HOPE: u8 = 3;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Before any octet of the request was sent.
    NotSent,
    /// The endpoint says that it has not looked at the request (RFC 9113 section 8.7).
    Unprocessed,
    /// There may be no further connection to the cluster.
    Full,
    /// A connection that had served before was closed under the request: it says nothing about the
    /// endpoint, but the request may have been seen.
    Stale,
    /// Closed or reset before the response head.
    Closed,
    /// Something that is no HTTP response.
    Garbage,
    /// No response head in time.
    FirstByte,
    /// Control called the endpoint down while its answer was awaited, and the budget had room.
    GivenUp,
    /// The time of the whole exchange is up.
    Duration,
    /// The client's body stopped moving.
    UploadStalled,
    /// The client's body is larger than its route allows.
    TooLarge,
    /// The client's body is not framed as it has to be.
    Malformed,
    /// The client left.
    ClientGone,
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try the next endpoint; if there is none, refuse so.
    TryOn(Refusal),
    /// Give up.
    Refuse(Refusal, Flags),
    /// Nobody is left to answer.
    Abandon,
}

/// What a retry depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance {
    pub(crate) idempotent: bool,
    /// The policy repeats after this failure.
    pub(crate) wanted: bool,
    pub(crate) replayable: bool,
    pub(crate) attempts_left: u8,
}

/// The way so far.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    view: View,
    version: u8,
    key: u64,
    /// What its endpoint is chosen by, under a policy by hash.
    hash: Option<u64>,
    /// Clusters where nothing is left to try.
    exhausted: u16,
    /// Clusters passed over because all their endpoints are avoided or down.
    passed_over: u16,
    /// The cluster at hand, and endpoints tried there.
    here: Option<(u8, u8)>,
    /// Endpoints tried, by index in the app. Empty, so without memory, unless something failed.
    tried: Vec<u16>,
    first_cluster: Option<u8>,
    left_first: bool,
    /// What happened on the way.
    noted: Flags,
    /// The next attempt repeats one that may have reached a backend.
    repeats: bool,
    /// The slot of the group that had no room, latest.
    full: Option<u32>,
    without_hope: Option<u8>,
    /// An endpoint that is tried when no other is left in its cluster, by index in the app.
    last: Option<u16>,
    /// The one cluster that may be tried, where it fell back to one.
    only: Option<u8>,
}

/// An endpoint to try.
#[derive(Debug)]
pub(crate) struct Stop<'t> {
    /// Its number in the app.
    pub(crate) cluster: u8,
    pub(crate) group: &'t Group,
    pub(crate) endpoint: &'t Endpoint,
    /// The slot of the first choice's group, when the request leaves it for another cluster.
    pub(crate) moved_from: Option<u32>,
    /// It is ejected, and this request tries it.
    pub(crate) trial: bool,
    /// The cluster's circuit is half open, and this request tries it.
    pub(crate) probes: bool,
    /// Where a breaker counts.
    pub(crate) permit: Option<Box<Permit>>,
}

impl Course {
    pub(crate) fn new(view: View, version: u8, key: u64) -> Self {
        Self {
            view,
            version,
            key,
            hash: None,
            exhausted: 0,
            passed_over: 0,
            here: None,
            tried: Vec::new(),
            first_cluster: None,
            left_first: false,
            noted: Flags::NONE,
            repeats: false,
            full: None,
            without_hope: None,
            last: None,
            only: None,
        }
    }

    /// Chooses endpoints by a key; none: by chance, where they are chosen by hash.
    pub(crate) fn by(mut self, hash: Option<u64>) -> Self {
        self.hash = hash;
        self
    }

    /// The version drawn, by its number in the app.
    pub(crate) fn version(&self) -> u8 {
        self.version
    }

    /// The cluster that another version of the same request would go to.
    pub(crate) fn cluster_of(
        &self,
        version: u8,
        app: &AppEntry,
        home: Option<&Name>,
    ) -> Option<u8> {
        let home = home.and_then(|home| app.stays_home(self.view, version, home, 0));
        home.or_else(|| app.choose_http(self.view, version, self.key, 0))
    }

    /// The next endpoint to try; `None` when there is none left.
    pub(crate) fn next<'t>(
        &mut self,
        app: &'t AppEntry,
        worker: &Rc<Worker>,
        tick: u64,
    ) -> Option<Stop<'t>> {
        let version = app.plan.versions.get(usize::from(self.version))?;
        loop {
            let (cluster, count) = match self.here {
                Some(here) => here,
                None => match self.choose(
                    app,
                    worker.settings.home.as_ref(),
                    self.exhausted | self.passed_over,
                ) {
                    Some(cluster) => (cluster, 0),
                    None if self.without_hope.is_none() && self.passed_over != 0 => {
                        self.passed_over = 0;
                        self.without_hope = Some(WITHOUT_HOPE);
                        continue;
                    }
                    None => return None,
                },
            };
            self.first_cluster.get_or_insert(cluster);
            let group = version.groups.get(usize::from(cluster))?;
            let endpoint = if count < PER_CLUSTER {
                self.pick(app, group, worker, tick)
            } else {
                None
            };
            if let Some((endpoint, trial)) = endpoint {
                let Ok(permit) = self.enter(app, cluster, worker, tick) else {
                    self.leave(cluster, group);
                    continue;
                };
                self.here = Some((cluster, count + 1));
                return Some(Stop {
                    cluster,
                    group,
                    endpoint,
                    moved_from: self.leave_first(version, cluster),
                    trial,
                    probes: permit.as_ref().is_some_and(|permit| permit.trial),
                    permit,
                });
            }
            if self.last.take().is_some() {
                continue;
            }
            self.here = None;
            if count == 0 && self.without_hope.is_none() {
                self.passed_over |= 1 << cluster;
            } else {
                self.exhausted |= 1 << cluster;
            }
        }
    }

    /// Asks the breaker of a cluster for room.
    #[inline]
    fn enter(
        &self,
        app: &AppEntry,
        cluster: u8,
        worker: &Rc<Worker>,
        tick: u64,
    ) -> Result<Option<Box<Permit>>, Full> {
        let plan = &app.plan;
        match (&plan.app.breakers, plan.clusters.get(usize::from(cluster))) {
            (Some(rule), Some(cluster)) => {
                Permit::take(worker, rule, cluster.slot, self.repeats, tick).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// A cluster has no room: another one is tried, not another endpoint.
    pub(crate) fn leave(&mut self, cluster: u8, group: &Group) {
        self.full = Some(group.slot);
        self.here = None;
        self.exhausted |= 1 << cluster;
    }

    /// The slot of a group that had no room for this request, if one had none.
    pub(crate) fn full(&self) -> Option<u32> {
        self.full
    }

    /// From now on attempts repeat what may have reached a backend.
    pub(crate) fn repeat(&mut self) {
        self.repeats = true;
    }

    /// An endpoint for a second try beside the one at hand: another one that nothing speaks against.
    pub(crate) fn beside<'t>(
        &mut self,
        at: &Endpoint,
        app: &'t AppEntry,
        worker: &Rc<Worker>,
        tick: u64,
    ) -> Option<Stop<'t>> {
        let mut way = self.clone();
        way.exclude(at);
        way.repeat();
        let stop = way.next(app, worker, tick)?;
        if way.without_hope.is_some() {
            return None;
        }
        *self = way;
        Some(stop)
    }

    /// Whether attempts repeat what may have reached a backend.
    pub(crate) fn repeats(&self) -> bool {
        self.repeats
    }

    /// Begins anew with another version, or in one cluster alone; endpoints that were tried stay so.
    pub(crate) fn fall_to(&mut self, (version, only): (u8, Option<u8>)) {
        (self.version, self.only) = (version, only);
        (self.exhausted, self.passed_over) = (0, 0);
        (self.here, self.without_hope, self.full) = (None, None, None);
        (self.first_cluster, self.left_first) = (None, true);
        self.note(Flags::FELL_BACK);
    }

    /// Where its client is placed.
    pub(crate) fn view(&self) -> View {
        self.view
    }

    /// An endpoint failed: it is not tried again for this request.
    pub(crate) fn exclude(&mut self, endpoint: &Endpoint) {
        self.tried.push(endpoint.index);
    }

    /// An endpoint is tried again only when no other of its cluster is left.
    pub(crate) fn put_last(&mut self, endpoint: &Endpoint) {
        self.last = Some(endpoint.index);
    }

    /// Whether an endpoint but this one is left that could be tried, whoever is avoided or full.
    #[cold]
    pub(crate) fn has_more(&self, app: &AppEntry, home: Option<&Name>, but: &Endpoint) -> bool {
        let Some(version) = app.plan.versions.get(usize::from(self.version)) else {
            return false;
        };
        let is_left = |e: &Endpoint| e.index != but.index && !self.tried.contains(&e.index);
        // Where enough were tried, the next cluster's turn has come.
        let spent = self.here.filter(|(_, count)| *count >= PER_CLUSTER);
        let mut excluded = self.exhausted | spent.map_or(0, |(cluster, _)| 1 << cluster);
        for _ in 0..u16::BITS {
            let Some(cluster) = self.choose(app, home, excluded) else {
                break;
            };
            let group = version.groups.get(usize::from(cluster));
            if group.is_some_and(|group| group.endpoints.iter().any(is_left)) {
                return true;
            }
            excluded |= 1 << cluster;
        }
        false
    }

    /// Notes, once, that a request left its first choice; from which group.
    fn leave_first(&mut self, version: &PlanVersion, cluster: u8) -> Option<u32> {
        if self.left_first || !self.moved(cluster) {
            return None;
        }
        self.left_first = true;
        self.note(Flags::OTHER_CLUSTER);
        let group = version.groups.get(usize::from(self.first_cluster?))?;
        Some(group.slot)
    }

    /// Whether a cluster is not the first choice.
    fn moved(&self, cluster: u8) -> bool {
        self.first_cluster.is_some_and(|first| first != cluster)
    }

    /// What happened on the way: whether any cluster but the first choice was tried, and what was
    /// [noted](Self::note).
    pub(crate) fn flags(&self) -> Flags {
        self.noted
    }

    /// Something happened on the way.
    pub(crate) fn note(&mut self, flags: Flags) {
        self.noted = self.noted.and(flags);
    }

    /// A request that arrived in the home cluster is the steering decision, and is kept there.
    fn choose(&self, app: &AppEntry, home: Option<&Name>, excluded: u16) -> Option<u8> {
        if let Some(only) = self.only {
            return (excluded >> only & 1 == 0).then_some(only);
        }
        if let Some(home) = home
            && let Some(cluster) = app.stays_home(self.view, self.version, home, excluded)
        {
            return Some(cluster);
        }
        app.choose_http(self.view, self.version, self.key, excluded)
    }

    fn pick<'t>(
        &mut self,
        app: &AppEntry,
        group: &'t Group,
        worker: &Worker,
        tick: u64,
    ) -> Option<(&'t Endpoint, bool)> {
        let (draw, rounds) = (worker.dice.draw(), &worker.rounds);
        let keys = (draw, self.hash);
        let load = |e: &Endpoint| worker.upstreams.in_flight(e.slot);
        let cost = |e: &Endpoint| worker.upstreams.cost(e.slot, tick);
        let fresh = |e: &Endpoint| self.last != Some(e.index) && !self.tried.contains(&e.index);
        let up = |e: &Endpoint| app.endpoint_up(e.index);
        if let Some(left) = self.without_hope {
            self.without_hope = Some(left.checked_sub(1)?);
            return choose(group, rounds, keys, (load, cost), |e| fresh(e) && up(e))
                // Those that take nothing new, too: rather a try than a refusal.
                .or_else(|| pick(&group.endpoints, draw, load, fresh))
                .map(|endpoint| (endpoint, false));
        }
        let health = |e: &Endpoint| worker.shared.endpoint(e.slot);
        let fine = |e: &Endpoint| {
            fresh(e) && up(e) && health(e).is_none_or(|health| !health.avoided(tick))
        };
        loop {
            let endpoint = choose(group, rounds, keys, (load, cost), fine)?;
            // Another thread may be faster to try an endpoint whose time has passed; then it is
            // avoided again, and no longer fine.
            match health(endpoint).map_or(Claim::Free, |health| health.claim(tick)) {
                Claim::Free => return Some((endpoint, false)),
                Claim::Trial => return Some((endpoint, true)),
                Claim::Taken => {}
            }
        }
    }
}

impl Failure {
    /// What it says about the endpoint, if anything.
    pub(crate) const fn evidence(self) -> Option<PassiveKind> {
        match self {
            Self::NotSent => Some(PassiveKind::Connect),
            Self::Closed | Self::Garbage => Some(PassiveKind::Reset),
            Self::FirstByte => Some(PassiveKind::Timeout),
            Self::GivenUp
            | Self::Unprocessed
            | Self::Full
            | Self::Stale
            | Self::Duration
            | Self::UploadStalled
            | Self::TooLarge
            | Self::Malformed
            | Self::ClientGone => None,
        }
    }

    /// What the client hears if this was the last attempt.
    const fn refusal(self) -> Refusal {
        match self {
            Self::NotSent => Refusal::Unreachable,
            Self::Unprocessed => Refusal::Declined,
            Self::Full => Refusal::Overflow,
            Self::Stale | Self::Closed | Self::ClientGone => Refusal::Closed,
            Self::Garbage => Refusal::Garbage,
            Self::FirstByte | Self::GivenUp => Refusal::FirstByte,
            Self::Duration => Refusal::Duration,
            Self::UploadStalled => Refusal::UploadStalled,
            Self::TooLarge => Refusal::BodyTooLarge,
            Self::Malformed => Refusal::BodyInvalid,
        }
    }

    /// What to do now. `charge` asks the budget, and is asked last.
    pub(crate) fn next(self, chance: Chance, charge: impl FnOnce() -> bool) -> Next {
        let refusal = self.refusal();
        match self {
            Self::ClientGone => Next::Abandon,
            Self::Duration | Self::UploadStalled | Self::TooLarge | Self::Malformed => {
                Next::Refuse(refusal, Flags::default())
            }
            Self::GivenUp | Self::Full => Next::TryOn(refusal),
            Self::NotSent | Self::Unprocessed if chance.replayable => Next::TryOn(refusal),
            Self::NotSent | Self::Unprocessed => Next::Refuse(refusal, Flags::default()),
            _ if !chance.idempotent || !chance.wanted => Next::Refuse(refusal, Flags::default()),
            _ if chance.attempts_left == 0 => Next::Refuse(refusal, Flags::RETRY_LIMIT),
            _ if !chance.replayable => Next::Refuse(refusal, Flags::default()),
            _ if !charge() => Next::Refuse(refusal, Flags::RETRY_LIMIT),
            _ => Next::TryOn(refusal),
        }
    }

    /// Whether another try under way may still mend it.
    pub(crate) const fn is_mendable(self) -> bool {
        !matches!(
            self,
            Self::Duration
                | Self::UploadStalled
                | Self::TooLarge
                | Self::Malformed
                | Self::ClientGone
        )
    }

    /// Whether a policy repeats after it.
    pub(crate) const fn is_wanted(self, on: &RetryOn) -> bool {
        match self {
            Self::Stale | Self::Closed | Self::Garbage => on.reset,
            Self::FirstByte => on.timeout,
            _ => true,
        }
    }

    /// Whether a further attempt counts against attempts and budget.
    pub(crate) const fn is_charged(self) -> bool {
        !matches!(self, Self::NotSent | Self::Unprocessed | Self::Full)
    }
}

/// Methods that may be repeated after they may have reached a backend (RFC 9110 section 9.2.2).
pub(crate) fn is_idempotent(method: &http::Method) -> bool {
    use http::Method;
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

/// The tick of now, where a decision needs one.
pub(crate) fn tick(worker: &Worker) -> u64 {
    worker.shared.tick(Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Chance = Chance {
        idempotent: true,
        wanted: true,
        replayable: true,
        attempts_left: 1,
    };

    fn check(failure: Failure, chance: Chance, budget: bool, expected: Next) {
        let mut asked = false;
        let next = failure.next(chance, || {
            asked = true;
            budget
        });
        assert_eq!(next, expected, "{failure:?} {chance:?}");
        let charged = matches!(next, Next::TryOn(_)) && failure.is_charged();
        assert!(
            !charged || asked,
            "the budget decides before a charged retry"
        );
        assert!(
            failure.is_charged() || !asked,
            "what costs nothing does not ask"
        );
    }

    const CHARGED: [(Failure, Refusal); 4] = [
        (Failure::Stale, Refusal::Closed),
        (Failure::Closed, Refusal::Closed),
        (Failure::Garbage, Refusal::Garbage),
        (Failure::FirstByte, Refusal::FirstByte),
    ];

    #[test]
    fn what_was_never_looked_at_is_tried_on_for_any_method_and_without_budget() {
        for (failure, refusal, idempotent) in [
            (Failure::NotSent, Refusal::Unreachable, true),
            (Failure::NotSent, Refusal::Unreachable, false),
            (Failure::Unprocessed, Refusal::Declined, true),
            (Failure::Unprocessed, Refusal::Declined, false),
        ] {
            let chance = Chance {
                idempotent,
                wanted: true,
                replayable: true,
                attempts_left: 0,
            };
            check(failure, chance, false, Next::TryOn(refusal));
        }
        let consumed = Chance {
            replayable: false,
            ..GET
        };
        check(
            Failure::NotSent,
            consumed,
            true,
            Next::Refuse(Refusal::Unreachable, Flags::default()),
        );
    }

    #[test]
    fn what_may_have_reached_a_backend_is_retried_if_idempotent_replayable_and_in_budget() {
        for (failure, refusal) in CHARGED {
            check(failure, GET, true, Next::TryOn(refusal));
            check(
                failure,
                GET,
                false,
                Next::Refuse(refusal, Flags::RETRY_LIMIT),
            );
            let spent = Chance {
                attempts_left: 0,
                ..GET
            };
            check(
                failure,
                spent,
                true,
                Next::Refuse(refusal, Flags::RETRY_LIMIT),
            );
            let post = Chance {
                idempotent: false,
                ..GET
            };
            check(failure, post, true, Next::Refuse(refusal, Flags::default()));
            let consumed = Chance {
                replayable: false,
                ..GET
            };
            let unwanted = Chance {
                wanted: false,
                ..GET
            };
            for chance in [consumed, unwanted] {
                let refused = Next::Refuse(refusal, Flags::default());
                check(failure, chance, true, refused);
            }
        }
    }

    #[test]
    fn a_client_that_left_or_ran_out_of_time_or_sent_too_much_is_not_retried_for() {
        check(Failure::ClientGone, GET, true, Next::Abandon);
        for (failure, refusal) in [
            (Failure::Duration, Refusal::Duration),
            (Failure::UploadStalled, Refusal::UploadStalled),
            (Failure::TooLarge, Refusal::BodyTooLarge),
            (Failure::Malformed, Refusal::BodyInvalid),
        ] {
            check(failure, GET, true, Next::Refuse(refusal, Flags::default()));
        }
    }

    #[test]
    fn only_idempotent_methods_may_be_repeated() {
        let idempotent: Vec<_> = [
            "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "POST", "PATCH", "PURGE",
        ]
        .into_iter()
        .filter(|m| is_idempotent(&m.parse().unwrap()))
        .collect();
        assert_eq!(
            idempotent,
            ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]
        );
    }
}
