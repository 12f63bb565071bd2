//! The controller, sans-IO: it takes events, keeps what is known and concluded, and says what to do.
//!
//! An event costs O(apps touched). Publications are coalesced: facts only mark their apps, and a
//! wake-up concludes and publishes, at most once per `publish_every`. Deliberately absent: sockets,
//! files, clocks, threads, and the Table itself.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windrose_model::{
    Aliases, AppId, EndpointId, EndpointState, Fact, MeasuredRtts, Model, Now, PassiveKind,
    ProbeFailure, Report, Revision, Stamp, Status, WallTime,
};
use windrose_routing::Data;

use crate::event::{Effect, Event, Inputs, JobId, Level};
use crate::fold::{self, Change, Ledger, Trips};
use crate::probe::{Outcome, ProbeId, Prober};
use crate::resolve::{Found, Resolver};
use crate::{Decision, Decisions, Options, Readiness, Reload};

mod apply;
mod measure;

use self::measure::Meter;

/// Decisions that a snapshot shows.
const DECISIONS: usize = 100;
/// Names that a snapshot lists as missing.
const MISSING: usize = 100;
/// Probes that begin this late are worth a warning, at most one in [`WARN_EVERY`].
const LATE: Duration = Duration::from_secs(1);
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The brain of a node.
pub struct Controller {
    model: Arc<Model>,
    data: Arc<Data>,
    status: Status,
    ledgers: Vec<Ledger>,
    prober: Prober,
    resolver: Resolver,
    meter: Meter,
    trips: Trips,
    /// Comebacks by when their next step is due.
    deadlines: BTreeSet<(Instant, AppId)>,
    deadline_of: Vec<Option<Instant>>,
    pending: Option<Pending>,
    jobs: u64,
    /// Seen and not taken in yet: what is known of an app is looked up once, when it is concluded from.
    seen: Vec<Fact>,
    dirty: bool,
    publish_every: Duration,
    not_before: Instant,
    ready: bool,
    grace: Instant,
    warned: Option<Instant>,
    reload: Reload,
    decisions: VecDeque<Decision>,
    /// Decided, and not told yet.
    changes: Vec<(AppId, Change)>,
    /// Decided before anyone listened.
    unsaid: Vec<Effect>,
    /// Kept for its memory.
    facts: Vec<Fact>,
}

/// A Model whose Table is being compiled.
struct Pending {
    job: JobId,
    model: Arc<Model>,
    data: Arc<Data>,
    /// Nothing newer was refused in the meantime.
    newest: bool,
}

impl Controller {
    /// A controller that knows nothing yet about what it should watch. Its first Status, to be
    /// compiled and published before anything else, is [`Controller::inputs`].
    pub fn new(now: Now, model: Arc<Model>, data: Arc<Data>, options: &Options) -> Self {
        let nothing = Model::empty();
        let mut prober = Prober::new(now.mono, options);
        prober.retarget(now.mono, &nothing, &model);
        let mut controller = Self {
            model: Arc::new(nothing),
            data,
            status: Status {
                stamp: Stamp {
                    term: options.term,
                    ..Stamp::default()
                },
                latency: Arc::clone(&options.remembered.latency),
                ..Status::default()
            },
            ledgers: Vec::new(),
            prober,
            resolver: Resolver::new(
                options.seed,
                options.jitter,
                Arc::clone(&options.remembered.aliases),
            ),
            meter: Meter::new(now.mono, options),
            trips: measure::trips(now.mono, options),
            deadlines: BTreeSet::new(),
            deadline_of: Vec::new(),
            pending: None,
            jobs: 0,
            seen: Vec::new(),
            dirty: false,
            publish_every: options.publish_every,
            not_before: now.mono,
            ready: false,
            grace: now.mono + options.grace,
            warned: None,
            reload: Reload {
                ok: true,
                at: now.wall,
                error: None,
            },
            decisions: VecDeque::new(),
            changes: Vec::new(),
            unsaid: Vec::new(),
            facts: Vec::new(),
        };
        let mut unsaid = Vec::new();
        controller.adopt(now, model, &mut unsaid);
        controller.tell(now, &mut unsaid);
        controller.unsaid = unsaid;
        controller.next_stamp();
        controller.dirty = false;
        controller
    }

    /// Takes one event; what to do is added to `out`, in order.
    pub fn handle(&mut self, now: Now, event: Event, out: &mut Vec<Effect>) {
        out.append(&mut self.unsaid);
        match event {
            Event::Connected(id, after) => self.connected(id, after),
            Event::Probed(id, outcome) => self.probed(now, id, outcome, out),
            Event::Resolved(id, found) => self.resolved(now, id, found, out),
            Event::ResolversChanged => {
                self.resolver.begin_anew(now.mono);
                self.ask(now, out);
            }
            Event::Report(report) => self.reported(now, report, out),
            Event::ApplyModel(model, data) => self.apply(now, model, data, out),
            Event::ReloadFailed(error) => self.refuse(now.wall, error, out),
            Event::Computed(job) => self.computed(now, job, out),
            Event::Wakeup => self.wakeup(now, out),
        }
        self.tell(now, out);
    }

    /// The endpoints that a probe under way is for, valid for a revision of the Model.
    pub fn watchers(&self, id: ProbeId) -> (Revision, &[EndpointId]) {
        (self.model.revision(), self.prober.watchers(id))
    }

    /// When to wake the controller if nothing happens before.
    pub fn next_wakeup(&self) -> Option<Instant> {
        let open = self.dirty || !self.seen.is_empty();
        let publish = open.then_some(self.not_before);
        let ready = (!self.ready).then(|| match self.prober.unseen() {
            0 => self.not_before.min(self.grace),
            _ => self.grace,
        });
        let step = self.deadlines.first().map(|(due, _)| *due);
        let ask = self.resolver.next_wakeup();
        let measure = self.meter.next();
        [
            publish,
            ready,
            step,
            ask,
            measure,
            self.prober.next_wakeup(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What the latest publication was, or is to be, compiled from.
    pub fn inputs(&self) -> Inputs {
        Inputs {
            model: Arc::clone(&self.model),
            status: self.status.clone(),
            data: Arc::clone(&self.data),
        }
    }

    /// Whether the first round is over, and what it still lacks.
    pub fn readiness(&self) -> Readiness {
        Readiness {
            ready: self.ready,
            missing: self.missing(),
        }
    }

    /// What is known of the names that aliases lead to, as of the latest answer.
    pub fn aliases(&self) -> &Arc<Aliases> {
        self.resolver.known()
    }

    /// Measured round trips that are in force.
    pub fn latency(&self) -> &MeasuredRtts {
        &self.status.latency
    }

    /// How the latest change of the Model went.
    pub fn reload(&self) -> &Reload {
        &self.reload
    }

    /// The latest decisions, oldest first.
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.decisions.iter()
    }

    fn probed(&mut self, now: Now, id: ProbeId, outcome: Outcome, out: &mut Vec<Effect>) {
        if outcome == Outcome::NotMade {
            let text = "probes cannot be made here: no descriptors, ports or memory left";
            self.warn(now, out, || text.to_owned());
        }
        let mut facts = std::mem::take(&mut self.facts);
        self.prober
            .finish(now.mono, id, outcome, |fact| facts.push(fact));
        self.learn(&facts);
        facts.clear();
        self.facts = facts;
        self.probe(now, out);
    }

    /// What a resolver says changes answers only if it is new; what is known of a target is told
    /// either way.
    fn resolved(&mut self, now: Now, id: u64, found: Found, out: &mut Vec<Effect>) {
        if self.resolver.finish(now, id, found) {
            self.status.aliases = Arc::clone(self.resolver.known());
            self.dirty = true;
        }
        self.ask(now, out);
        out.push(Effect::Inform);
    }

    fn ask(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.resolver
            .poll(now.mono, |question| out.push(Effect::Resolve(question)));
    }

    /// Endpoint ids are valid for one revision only; only control concludes that something is up or
    /// down.
    fn reported(&mut self, now: Now, report: Report, out: &mut Vec<Effect>) {
        let Fact::Passive(endpoint, kind) = report.fact else {
            return;
        };
        if report.stamp.revision != self.model.revision() {
            return;
        }
        let mut facts = Vec::new();
        self.prober
            .nudge(now.mono, endpoint, kind, |fact| facts.push(fact));
        self.learn(&facts);
        self.probe(now, out);
    }

    /// Remembered for `/status`; who read the file has logged it, with its path.
    fn refuse(&mut self, at: WallTime, error: String, out: &mut Vec<Effect>) {
        self.reload = Reload {
            ok: false,
            at,
            error: Some(error),
        };
        if let Some(pending) = &mut self.pending {
            pending.newest = false;
        }
        out.push(Effect::Inform);
    }

    fn wakeup(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self
            .deadlines
            .first()
            .is_some_and(|(due, _)| *due <= now.mono)
        {
            self.settle_all(now);
        }
        while let Some(&(due, app)) = self.deadlines.first()
            && due <= now.mono
        {
            self.settle(now, app);
        }
        self.ask(now, out);
        self.measure(now, out);
        self.probe(now, out);
        let first_round_over = !self.ready && (self.prober.unseen() == 0 || self.grace <= now.mono);
        if first_round_over || self.not_before <= now.mono {
            self.conclude(now, out);
        }
        if first_round_over {
            self.ready = true;
            out.push(Effect::Ready);
            out.push(Effect::Inform);
        }
    }

    fn probe(&mut self, now: Now, out: &mut Vec<Effect>) {
        let late = self
            .prober
            .poll(now.mono, |order| out.push(Effect::Probe(order)));
        if late > LATE {
            let late = late.as_secs_f64();
            self.warn(now, out, || {
                format!("probes begin {late:.1} s late: the probe budget is used up")
            });
        }
    }

    fn warn(&mut self, now: Now, out: &mut Vec<Effect>, text: impl Fn() -> String) {
        if self.warned.is_none_or(|at| at + WARN_EVERY <= now.mono) {
            self.warned = Some(now.mono);
            out.push(Effect::Log(Level::Warn, text()));
        }
    }

    fn learn(&mut self, facts: &[Fact]) {
        let is_state = |fact: &Fact| matches!(fact, Fact::EndpointUp(_) | Fact::EndpointDown(..));
        self.dirty |= facts.iter().any(is_state);
        self.seen.extend_from_slice(facts);
    }

    /// Takes in what was seen of one app; whether it is to be concluded anew.
    fn take_in(&mut self, app: AppId, facts: &[Fact]) -> bool {
        let at = app.0 as usize;
        let (ledger, status) = (&mut self.ledgers[at], &mut self.status.apps[at]);
        for fact in facts {
            let (endpoint, state, failure) = match *fact {
                Fact::EndpointUp(endpoint) => (
                    endpoint,
                    EndpointState::Up,
                    ProbeFailure::Passive(PassiveKind::Connect),
                ),
                Fact::EndpointDown(endpoint, failure) => (endpoint, EndpointState::Down, failure),
                Fact::EndpointWavers(_) => {
                    fold::waver(ledger);
                    continue;
                }
                Fact::Passive(..) | Fact::RoundTrip { .. } => continue,
            };
            fold::see(ledger, status, endpoint.index, state, failure);
        }
        ledger.is_unsettled()
    }

    /// Takes in all that was seen and calls for each app that is to be concluded anew, by number.
    fn take_in_all(&mut self, mut settle: impl FnMut(&mut Self, AppId)) {
        let mut seen = std::mem::take(&mut self.seen);
        // Stable: what was seen of one app stays in its order.
        seen.sort_by_key(about);
        for facts in seen.chunk_by(|a, b| about(a) == about(b)) {
            if let Some(app) = about(&facts[0])
                && self.take_in(app, facts)
            {
                settle(self, app);
            }
        }
        seen.clear();
        self.seen = seen;
    }

    fn settle(&mut self, now: Now, app: AppId) {
        let at = app.0 as usize;
        let changes = &mut self.changes;
        let changed = fold::settle(
            &self.model,
            app,
            &mut self.ledgers[at],
            &mut self.status.apps[at],
            now,
            self.prober.soonest_of(app),
            |change| changes.push((app, change)),
        );
        self.dirty |= changed;
        let next = self.ledgers[at].next();
        let before = std::mem::replace(&mut self.deadline_of[at], next);
        if before != next {
            if let Some(before) = before {
                self.deadlines.remove(&(before, app));
            }
            self.deadlines.extend(next.map(|next| (next, app)));
        }
    }

    /// Settles what is unsettled, and publishes if that makes a difference.
    fn conclude(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.seen.is_empty() {
            self.settle_all(now);
            self.not_before = now.mono + self.publish_every;
        }
        if self.dirty {
            self.publish(now, out);
        }
    }

    fn settle_all(&mut self, now: Now) {
        self.take_in_all(|controller, app| controller.settle(now, app));
    }

    fn publish(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.settle_all(now);
        self.tell(now, out);
        self.next_stamp();
        self.dirty = false;
        self.not_before = now.mono + self.publish_every;
        out.push(Effect::Publish(self.inputs()));
    }

    /// Tells what was decided since the last call, for the publication that is to come.
    fn tell(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.changes.is_empty() {
            return;
        }
        let changes = std::mem::take(&mut self.changes);
        let model = Arc::clone(&self.model);
        let decisions = Decisions::new(now.wall, self.coming(), model, changes);
        self.decisions.extend(decisions.latest(DECISIONS));
        let old = self.decisions.len().saturating_sub(DECISIONS);
        self.decisions.drain(..old);
        out.push(Effect::Journal(Arc::new(decisions)));
    }

    /// The stamp of the next publication.
    fn coming(&self) -> Stamp {
        Stamp {
            epoch: self.status.stamp.epoch + 1,
            revision: self.model.revision(),
            ..self.status.stamp
        }
    }

    fn next_stamp(&mut self) {
        self.status.stamp = self.coming();
    }

    fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if self.prober.unseen() == 0 {
            return missing;
        }
        for (app, name, _) in self.model.app_ids() {
            if !self.prober.lacks(app) {
                continue;
            }
            let clusters = self.model.clusters_of(app);
            let mut lacks = vec![false; clusters.len()];
            for (index, endpoint) in (0..).zip(self.model.endpoints(app)) {
                let id = EndpointId { app, index };
                lacks[usize::from(endpoint.cluster)] |= !self.prober.has_seen(id);
            }
            for (cluster, _) in clusters.iter().zip(lacks).filter(|(_, lacks)| *lacks) {
                missing.push(format!("{name}/{}", self.model.cluster(*cluster).0));
                if missing.len() == MISSING {
                    return missing;
                }
            }
        }
        missing
    }
}

/// The app that a fact is about.
fn about(fact: &Fact) -> Option<AppId> {
    match fact {
        Fact::EndpointUp(endpoint)
        | Fact::EndpointDown(endpoint, _)
        | Fact::EndpointWavers(endpoint)
        | Fact::Passive(endpoint, _) => Some(endpoint.app),
        Fact::RoundTrip { .. } => None,
    }
}
