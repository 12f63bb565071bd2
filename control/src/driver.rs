//! Performs the effects of the controller on one thread with a runtime of its own: the one place of
//! this crate that reads clocks, opens sockets and writes files.

#![allow(
    clippy::disallowed_methods,
    reason = "the driver is where time comes from"
)]

use std::future;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;
use windrose_model::{Model, Now, Report, WallTime};
use windrose_routing::{Data, Source};
use windrose_telemetry::Metrics;

use self::journal::Journal;
use self::measuring::Measuring;
use self::memory::Memory;
use self::publish::{Finished, Publishing};
use self::resolving::Resolving;
use crate::event::{Effect, Event, JobId, Level};
use crate::handle::Command;
use crate::options::CheckPassed;
use crate::probe::{Outcome, ProbeId};
use crate::resolve::Found;
use crate::{Controller, Handle, Options, Remembered, Snapshot};

mod announce;
mod journal;
mod measuring;
mod memory;
mod probing;
mod publish;
mod resolving;

/// Reports that wait; more are dropped and counted by who sends them.
const REPORTS: usize = 4_096;
/// Events handled before the controller may publish.
const BATCH: usize = 4_096;
/// Between two looks at old Tables, while there are any.
const SWEEP: Duration = Duration::from_millis(100);
/// Decisions of one batch that go to the log; the journal has them all.
const LOGGED: usize = 20;

/// Compiles and publishes a first Table, in which nothing is known yet, and starts the control
/// thread.
///
/// # Errors
/// No thread, no runtime, or no journal in `data_dir`.
pub fn start(
    model: Arc<Model>,
    data: Arc<Data>,
    options: Options,
    metrics: Arc<Metrics>,
) -> io::Result<(Handle, Source)> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .thread_name("windrose-compile")
        .build()?;
    let journal = options.data_dir.as_deref().map(Journal::open).transpose()?;
    let now = read_clocks();
    let mut options = options;
    let mut memory = None;
    if let Some(dir) = &options.data_dir {
        let (remembered, opened) = Memory::open(dir)?;
        let keep = options.steering.keep;
        options.remembered = remembered.fresh(now.wall, options.region.as_ref(), keep);
        memory = Some(opened);
    }
    let controller = Controller::new(now, model, data, &options);
    let measures = options.region.is_some();
    let certificates = options.certificates.clone();
    let first = controller.inputs();
    let check_passed = options.check_passed;
    let (publishing, source) = Publishing::begin(&first, metrics, options.forget);
    let (commands, commands_in) = mpsc::unbounded_channel();
    let (reports, reports_in) = mpsc::channel(REPORTS);
    let (probed, probed_in) = mpsc::unbounded_channel();
    let (resolved, resolved_in) = mpsc::unbounded_channel();
    let (finished, finished_in) = mpsc::unbounded_channel();
    let first = Snapshot {
        model: first.model,
        status: first.status,
        table: publishing.table(),
        started: now.wall,
        ready: controller.readiness(),
        reload: controller.reload().clone(),
        aliases: Arc::clone(controller.aliases()),
        decisions: Vec::new(),
        round_trips: Vec::new(),
        journal_lost: 0,
    };
    let (measuring, convergence) = Measuring::begin(&first);
    let (snapshots, snapshots_out) = watch::channel(Arc::new(first));
    let driver = Driver {
        controller,
        publishing,
        measuring,
        resolving: Resolving::new(options.resolvers),
        journal,
        memory,
        snapshots,
        started: now.wall,
        probed,
        resolved,
        measures,
        certificates,
        check_passed,
        finished,
        effects: Vec::new(),
    };
    let inbox = Inbox {
        commands: commands_in,
        reports: reports_in,
        probed: probed_in,
        resolved: resolved_in,
        finished: finished_in,
    };
    let thread = thread::Builder::new()
        .name(String::from("windrose-control"))
        .spawn(move || run(runtime, driver, inbox))?;
    let handle = Handle {
        commands,
        reports,
        snapshots: snapshots_out,
        convergence,
        thread: Arc::new(Mutex::new(Some(thread))),
    };
    Ok((handle, source))
}

/// Everything that can happen, as it arrives.
struct Inbox {
    commands: mpsc::UnboundedReceiver<Command>,
    reports: mpsc::Receiver<Report>,
    probed: mpsc::UnboundedReceiver<Event>,
    resolved: mpsc::UnboundedReceiver<(u64, Found)>,
    finished: mpsc::UnboundedReceiver<(JobId, Box<Finished>)>,
}

/// The same, one at a time.
enum Arrival {
    Command(Command),
    Finished(JobId, Box<Finished>),
    Event(Event),
}

struct Driver {
    controller: Controller,
    publishing: Publishing,
    measuring: Measuring,
    resolving: Resolving,
    journal: Option<Journal>,
    memory: Option<Memory>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    started: WallTime,
    probed: mpsc::UnboundedSender<Event>,
    /// Whether anyone wants to know how long connections take.
    measures: bool,
    /// What TLS to endpoints is spoken with.
    certificates: windrose_tls::Store,
    check_passed: Option<CheckPassed>,
    resolved: mpsc::UnboundedSender<(u64, Found)>,
    finished: mpsc::UnboundedSender<(JobId, Box<Finished>)>,
    effects: Vec<Effect>,
}

fn run(runtime: Runtime, mut driver: Driver, mut inbox: Inbox) {
    runtime.block_on(driver.serve(&mut inbox));
    let known = driver.known(read_clocks());
    if let Some(memory) = &mut driver.memory {
        memory.end(&known);
    }
    // A compile under way is of no use to anyone any more.
    runtime.shutdown_background();
}

impl Driver {
    async fn serve(&mut self, inbox: &mut Inbox) {
        let mut next_sweep = Instant::now();
        loop {
            let sweep = (self.publishing.alive() > 1).then_some(next_sweep);
            let wakeup = (self.controller.next_wakeup().into_iter())
                .chain(sweep)
                .chain([self.measuring.next()])
                .min();
            let mut arrival = tokio::select! {
                biased;
                arrival = inbox.next() => Some(arrival),
                () = until(wakeup) => None,
            };
            for _ in 0..BATCH {
                let Some(next) = arrival else { break };
                if self.take(next) == Flow::Stop {
                    return;
                }
                arrival = inbox.try_next();
            }
            if let Some(last) = arrival
                && self.take(last) == Flow::Stop
            {
                return;
            }
            let now = read_clocks();
            if is_due(self.controller.next_wakeup(), now) {
                self.controller
                    .handle(now, Event::Wakeup, &mut self.effects);
            }
            self.perform(now);
            if is_due(Some(self.measuring.next()), now) {
                self.measuring.sweep(now, self.publishing.metrics());
                let known = self.known(now);
                if let Some(memory) = &mut self.memory {
                    memory.keep(now, known);
                }
            }
            if is_due(sweep, now) {
                self.publishing.sweep();
                next_sweep = now.mono + SWEEP;
            }
        }
    }

    /// What is worth to be remembered: two counts of references.
    fn known(&self, now: Now) -> Remembered {
        Remembered {
            aliases: Arc::clone(self.controller.aliases()),
            latency: Arc::clone(self.controller.latency()),
            at: now.wall,
        }
    }

    fn take(&mut self, arrival: Arrival) -> Flow {
        let event = match arrival {
            Arrival::Command(Command::Stop) => return Flow::Stop,
            Arrival::Command(Command::Apply(model, data)) => Event::ApplyModel(model, data),
            Arrival::Command(Command::ReloadFailed(error)) => Event::ReloadFailed(error),
            Arrival::Command(Command::ResolveBy(servers)) => {
                self.resolving = Resolving::new(servers);
                Event::ResolversChanged
            }
            Arrival::Event(event) => event,
            Arrival::Finished(job, finished) => {
                if let Some((job, inputs)) = self.publishing.keep(*finished) {
                    self.publishing.compute(job, inputs, self.finished.clone());
                }
                Event::Computed(job)
            }
        };
        if let Event::Probed(id, Outcome::Healthy) = event {
            self.pass_on(id);
        }
        let now = read_clocks();
        self.controller.handle(now, event, &mut self.effects);
        Flow::On
    }

    /// Tells the data path which endpoints have passed a check, if it waits for that. Ids are of one
    /// revision; while another is compiled nothing is told, and the next check is soon.
    fn pass_on(&self, id: ProbeId) {
        let Some(hook) = self.check_passed.as_ref().filter(|hook| hook.awaits()) else {
            return;
        };
        let (revision, endpoints) = self.controller.watchers(id);
        let table = self.publishing.table();
        if table.stamp().revision != revision {
            return;
        }
        for endpoint in endpoints {
            if let Some(slot) = table.app(endpoint.app).endpoint_slot(endpoint.index) {
                hook.tell(slot);
            }
        }
    }

    fn perform(&mut self, now: Now) {
        let mut published = None;
        let mut changed = false;
        let mut decisions = 0;
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Probe(order) => {
                    let (metrics, probed) = (self.publishing.metrics(), self.probed.clone());
                    probing::begin(order, metrics, &self.certificates, probed, self.measures);
                }
                Effect::Resolve(question) => {
                    self.resolving.begin(question, self.resolved.clone());
                }
                Effect::Compute(job, inputs) => {
                    self.publishing.compute(job, inputs, self.finished.clone());
                }
                Effect::Publish(inputs) => {
                    self.publishing.publish(&inputs);
                    published = Some((inputs.model, inputs.status));
                    changed = true;
                }
                Effect::Journal(decided) => {
                    let left = LOGGED.saturating_sub(decisions);
                    decided.iter().take(left).for_each(|one| log_decision(&one));
                    decisions += decided.len();
                    if let Some(journal) = &mut self.journal {
                        journal.write(decided);
                    }
                }
                Effect::Log(level, text) => log(level, &text),
                Effect::Ready => {
                    let missing = self.controller.readiness().missing;
                    if missing.is_empty() {
                        tracing::info!("first round of probes is over");
                    } else {
                        let missing = missing.join(", ");
                        tracing::warn!(missing, "first round of probes is not over, its grace is");
                    }
                }
                Effect::Inform => changed = true,
            }
        }
        self.effects = effects;
        if decisions > LOGGED {
            tracing::info!("{} more decisions are in the journal", decisions - LOGGED);
        }
        if changed {
            let lost = self.journal.as_ref().map_or(0, Journal::lost);
            // What was not published yet is nobody's business.
            let (model, status) = published.unwrap_or_else(|| {
                let last = self.snapshots.borrow();
                (Arc::clone(&last.model), last.status.clone())
            });
            let snapshot = Snapshot {
                model,
                status,
                table: self.publishing.table(),
                started: self.started,
                ready: self.controller.readiness(),
                reload: self.controller.reload().clone(),
                aliases: Arc::clone(self.controller.aliases()),
                decisions: self.controller.decisions().cloned().collect(),
                round_trips: self.controller.round_trips(),
                journal_lost: lost,
            };
            self.measuring
                .published(now, &self.snapshots.borrow(), &snapshot);
            self.snapshots.send_replace(Arc::new(snapshot));
        }
    }
}

#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Stop,
}

impl Inbox {
    /// Ends never: that every handle is gone does not stop control.
    async fn next(&mut self) -> Arrival {
        tokio::select! {
            biased;
            Some(command) = self.commands.recv() => Arrival::Command(command),
            Some((job, finished)) = self.finished.recv() => Arrival::Finished(job, finished),
            Some(event) = self.probed.recv() => Arrival::Event(event),
            Some((id, found)) = self.resolved.recv() => {
                Arrival::Event(Event::Resolved(id, found))
            }
            Some(report) = self.reports.recv() => Arrival::Event(Event::Report(report)),
            else => future::pending().await,
        }
    }

    fn try_next(&mut self) -> Option<Arrival> {
        if let Ok(command) = self.commands.try_recv() {
            return Some(Arrival::Command(command));
        }
        if let Ok((job, finished)) = self.finished.try_recv() {
            return Some(Arrival::Finished(job, finished));
        }
        if let Ok(event) = self.probed.try_recv() {
            return Some(Arrival::Event(event));
        }
        if let Ok((id, found)) = self.resolved.try_recv() {
            return Some(Arrival::Event(Event::Resolved(id, found)));
        }
        let report = self.reports.try_recv().ok()?;
        Some(Arrival::Event(Event::Report(report)))
    }
}

fn is_due(at: Option<Instant>, now: Now) -> bool {
    at.is_some_and(|at| at <= now.mono)
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => future::pending().await,
    }
}

fn log(level: Level, text: &str) {
    match level {
        Level::Info => tracing::info!("{text}"),
        Level::Warn => tracing::warn!("{text}"),
        Level::Error => tracing::error!("{text}"),
    }
}

fn log_decision(decision: &crate::Decision) {
    tracing::info!(
        app = decision.app.as_str(),
        cluster = decision.cluster.as_ref().map_or("*", |name| name.as_str()),
        usable = decision.usable,
        share = %decision.share,
        cause = %decision.cause,
        "{} -> {}",
        decision.from,
        decision.to,
    );
}

fn read_clocks() -> Now {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Now {
        mono: Instant::now(),
        wall: WallTime(u64::try_from(since.as_micros()).unwrap_or(u64::MAX)),
    }
}
