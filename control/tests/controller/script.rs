//! A virtual world around one controller: backends that behave as told, a clock that jumps to the
//! next thing that happens.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windrose_control::event::{Effect, Event, Inputs, JobId};
use windrose_control::probe::{Order, Outcome};
use windrose_control::resolve::Question;
use windrose_control::{Budget, Controller, Options};
use windrose_model::{
    App, AppId, AppStatus, Cluster, ClusterStatus, DnsName, Draft, EndpointId, Fact, Model, Name,
    Now, PassiveKind, Percent, ProbeFailure, Region, Report, Revision, Split, Status, Version,
    WallTime, Weight,
};
use windrose_routing::Data;

/// How a backend answers probes.
#[derive(Clone)]
pub(crate) enum Backend {
    Up,
    Refused,
    BlackHole,
    /// This node has no descriptors left.
    NotMade,
    /// `+` and `-` in turn, again and again.
    Pattern(&'static str, Cell<usize>),
}

pub(crate) fn pattern(results: &'static str) -> Backend {
    Backend::Pattern(results, Cell::new(0))
}

pub(crate) struct World {
    pub(crate) controller: Controller,
    pub(crate) probes: usize,
    pub(crate) publications: Vec<(Duration, Status)>,
    pub(crate) ready: Option<Duration>,
    pub(crate) logs: Vec<String>,
    /// Asked of resolvers, and not answered yet.
    pub(crate) questions: Vec<Question>,
    /// Full compiles are finished at once, unless held back.
    pub(crate) hold_jobs: bool,
    pub(crate) jobs: Vec<(JobId, Inputs)>,
    /// Round trip in milliseconds to a cluster, by seconds and number of the probe.
    pub(crate) rtt: Box<dyn Fn(usize, f64, usize) -> f64>,
    start: Now,
    now: Duration,
    draft: Draft,
    backends: BTreeMap<SocketAddr, Backend>,
    under_way: BTreeMap<(Duration, usize), (windrose_control::probe::ProbeId, Outcome)>,
    decisions: Vec<String>,
    applied: Arc<Model>,
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn percent(number: f64) -> Percent {
    Percent::new(number).unwrap()
}

/// The n-th endpoint of the c-th cluster of a world.
pub(crate) fn address(cluster: usize, endpoint: usize) -> SocketAddr {
    let [_, _, high, low] = u32::try_from(endpoint).unwrap().to_be_bytes();
    SocketAddr::from(([10, u8::try_from(cluster).unwrap(), high, low], 80))
}

/// An app `web` with one version and so many endpoints in each of these clusters.
pub(crate) fn draft(clusters: &[(&str, usize)]) -> Draft {
    let mut draft = Draft::default();
    let location = windrose_model::Coordinates::new(50.0, 8.0).unwrap();
    let region = Region {
        location,
        country: None,
    };
    draft.regions.insert(name("r"), region);
    let mut endpoints = BTreeMap::new();
    for (at, (cluster, count)) in clusters.iter().enumerate() {
        let entry = Cluster {
            region: name("r"),
            addresses: vec![[192, 0, 2, u8::try_from(at).unwrap()].into()],
            class: None,
            cost_thousandths: 0,
            dial: Percent::FULL,
            drain: false,
        };
        draft.clusters.insert(name(cluster), entry);
        let addresses = (0..*count).map(|n| address(at, n)).collect();
        endpoints.insert(name(cluster), addresses);
    }
    let app = App::new(
        vec![DnsName::parse("web.example.com").unwrap()],
        [(name("v1"), Version::at(endpoints))].into(),
        Split([(name("v1"), Weight::ONE)].into()),
    );
    draft.apps.insert(name("web"), app);
    draft
}

pub(crate) fn options() -> Options {
    Options {
        jitter: false,
        budget: Budget {
            in_flight: 100_000,
            per_second: 10_000_000,
        },
        ..Options::default()
    }
}

impl World {
    pub(crate) fn new(draft: Draft) -> Self {
        Self::with(draft, options())
    }

    pub(crate) fn with(draft: Draft, options: Options) -> Self {
        let model = Arc::new(Model::build(draft.clone(), Revision(1), None).unwrap());
        let start = origin();
        let controller = Controller::new(start, Arc::clone(&model), data(), &options);
        Self {
            controller,
            probes: 0,
            publications: Vec::new(),
            ready: None,
            logs: Vec::new(),
            questions: Vec::new(),
            hold_jobs: false,
            jobs: Vec::new(),
            rtt: Box::new(|_, _, _| 1.0),
            start,
            now: Duration::ZERO,
            draft,
            backends: BTreeMap::new(),
            under_way: BTreeMap::new(),
            decisions: Vec::new(),
            applied: model,
        }
    }

    /// A world in which everything is up and known, ten seconds old.
    pub(crate) fn settled(draft: Draft) -> Self {
        let mut world = Self::new(draft);
        world.run(10.0);
        world.decisions();
        world
    }

    /// All backends of a cluster behave so from now on.
    pub(crate) fn cluster(&mut self, cluster: usize, backend: &Backend) {
        for endpoint in 0..256 {
            self.backend(address(cluster, endpoint), backend.clone());
        }
    }

    pub(crate) fn backend(&mut self, address: SocketAddr, backend: Backend) {
        self.backends.insert(address, backend);
    }

    pub(crate) fn now(&self) -> f64 {
        self.now.as_secs_f64()
    }

    /// Lets time pass until `at` seconds after the start.
    pub(crate) fn run(&mut self, at: f64) {
        let end = seconds(at);
        loop {
            let wakeup = self.controller.next_wakeup();
            let wakeup = wakeup.map(|at| at.saturating_duration_since(self.start.mono));
            let arrival = self.under_way.keys().next().map(|(at, _)| *at);
            let Some(next) = [wakeup, arrival].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.under_way.first_entry()
                && entry.key().0 <= self.now
            {
                let (id, outcome) = entry.remove();
                self.event(Event::Probed(id, outcome));
            }
            self.wake();
        }
        self.now = self.now.max(end);
    }

    /// Lets so many seconds pass.
    pub(crate) fn pass(&mut self, by: f64) {
        self.run(self.now.as_secs_f64() + by);
    }

    /// Gives the controller its turn if it wants it now.
    pub(crate) fn wake(&mut self) {
        let now = self.read_clocks().mono;
        if self.controller.next_wakeup().is_some_and(|at| at <= now) {
            self.event(Event::Wakeup);
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        let mut effects = Vec::new();
        let now = self.read_clocks();
        self.controller.handle(now, event, &mut effects);
        for effect in effects {
            self.perform(effect);
        }
    }

    /// Applies a changed draft as the next revision.
    pub(crate) fn apply(&mut self, change: impl FnOnce(&mut Draft)) {
        change(&mut self.draft);
        let revision = Revision(self.applied.revision().0 + 1);
        let model = Model::build(self.draft.clone(), revision, Some(&self.applied)).unwrap();
        self.applied = Arc::new(model);
        self.event(Event::ApplyModel(Arc::clone(&self.applied), data()));
    }

    /// Live traffic to an endpoint of the first app failed, seen under the present revision.
    pub(crate) fn passive(&mut self, index: u16) {
        let stamp = self.status().stamp;
        self.report(Report {
            stamp,
            fact: Fact::Passive(endpoint(index), PassiveKind::Connect),
        });
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.event(Event::Report(report));
        self.wake();
    }

    pub(crate) fn status(&self) -> Status {
        self.controller.inputs().status
    }

    pub(crate) fn app(&self) -> Arc<AppStatus> {
        Arc::clone(&self.status().apps[0])
    }

    /// A cluster of the first app.
    pub(crate) fn entry(&self, cluster: usize) -> ClusterStatus {
        self.app().clusters[cluster].clone()
    }

    /// What was decided since the last call: `<seconds> <app>/<cluster> <from>-><to> <share>%`.
    pub(crate) fn decisions(&mut self) -> Vec<String> {
        std::mem::take(&mut self.decisions)
    }

    fn read_clocks(&self) -> Now {
        self.start.after(self.now)
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Probe(order) => self.probe(&order),
            Effect::Resolve(question) => self.questions.push(question),
            Effect::Compute(job, inputs) => {
                self.jobs.push((job, inputs));
                if !self.hold_jobs {
                    self.event(Event::Computed(job));
                }
            }
            Effect::Publish(inputs) => {
                assert_eq!(inputs.status.stamp.revision, inputs.model.revision());
                self.publications.push((self.now, inputs.status));
            }
            Effect::Journal(decided) => {
                let now = self.now.as_secs_f64();
                let lines = decided.iter().map(|d| {
                    let cluster = d.cluster.as_ref().map_or("*", |name| name.as_str());
                    let (app, from, to, share) = (d.app, d.from, d.to, d.share);
                    format!("{now:.3} {app}/{cluster} {from}->{to} {share}%")
                });
                self.decisions.extend(lines);
            }
            Effect::Log(_, text) => self.logs.push(text),
            Effect::Ready => {
                assert!(self.ready.is_none());
                self.ready = Some(self.now);
            }
            Effect::Inform => {}
        }
    }

    fn probe(&mut self, order: &Order) {
        let quick = Duration::from_millis(1);
        let refused = Outcome::Failed(ProbeFailure::Refused);
        let backend = self.backends.get(&order.address).unwrap_or(&Backend::Up);
        let (after, outcome) = match backend {
            Backend::Up => (quick, Outcome::Healthy),
            Backend::Refused => (quick, refused),
            Backend::NotMade => (quick, Outcome::NotMade),
            Backend::BlackHole => (order.check.timeout, Outcome::Failed(ProbeFailure::Timeout)),
            Backend::Pattern(results, at) => {
                let result = results.as_bytes()[at.get() % results.len()];
                at.set(at.get() + 1);
                let outcome = if result == b'+' {
                    Outcome::Healthy
                } else {
                    refused
                };
                (quick, outcome)
            }
        };
        self.probes += 1;
        if outcome == Outcome::Healthy
            && let SocketAddr::V4(address) = order.address
        {
            let cluster = usize::from(address.ip().octets()[1]);
            let rtt = (self.rtt)(cluster, self.now(), self.probes);
            self.event(Event::Connected(order.id, seconds(rtt / 1e3)));
        }
        self.under_way
            .insert((self.now + after, self.probes), (order.id, outcome));
    }
}

pub(crate) fn endpoint(index: u16) -> EndpointId {
    EndpointId {
        app: AppId(0),
        index,
    }
}

pub(crate) fn data() -> Arc<Data> {
    Arc::new(Data::nothing())
}

#[allow(clippy::disallowed_methods, reason = "any origin will do")]
fn origin() -> Now {
    Now {
        mono: Instant::now(),
        wall: WallTime(1_800_000_000_000_000),
    }
}
