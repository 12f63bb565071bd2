//! CPU from an event to the published Table with 10,000 apps and 100,000 endpoints, and what
//! scheduling 100,000 targets costs; then the same with 300 views for each app, over the built-in
//! country database: one steering for all, as many different ones as a Model may have, and as many
//! whose views differ as well, because each names CIDRs of its own.
//!
//! `cargo bench -p windrose-control --bench flip`; numbers behind `--` choose among the four. Shown are
//! median, least and most of [`TIMES`] runs. The bars are 20 ms for a flip of all apps, and 5 s for a
//! full compile, which is done away from the control thread.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::time::ClockId;
use windrose_control::event::{Effect, Event};
use windrose_control::probe::{Order, Outcome};
use windrose_control::{Budget, Controller, Options};
use windrose_model::{
    App, Cluster, Coordinates, Country, DnsName, Draft, GeoRules, Model, Name, Now, Percent,
    Preference, ProbeFailure, Region, Revision, Split, Step, Version, WallTime, Weight, budget,
};
use windrose_routing::geo::GeoDb;
use windrose_routing::{Data, Publisher, SlotBook, Slots, Table, compile};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const APPS: u32 = 10_000;
const CLUSTERS: u8 = 5;
const PER_CLUSTER: u8 = 2;
const TIMES: usize = 7;
/// Runs of what takes seconds.
const LONG_TIMES: usize = 5;
const VIEWS: usize = 300;
/// CIDRs of each steering that has some of its own, within `budget::CIDRS` for all.
const OWN_CIDRS: usize = 48;

fn main() {
    let most = budget::PLACE_STEERINGS;
    let cases = [
        ("without steering".to_owned(), 0, false),
        (format!("{VIEWS} views, one steering for all"), 1, false),
        (
            format!("{VIEWS} views, {most} different steerings"),
            most,
            false,
        ),
        (
            format!("{VIEWS} views, {most} different steerings with CIDRs of their own"),
            most,
            true,
        ),
    ];
    let wanted: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    for (number, (what, steerings, apart)) in (1..).zip(cases) {
        if wanted.is_empty() || wanted.contains(&number) {
            println!("10,000 apps, {what}");
            measure(draft(steerings, apart));
            println!();
        }
    }
}

/// Median, least and most.
fn spread(mut all: Vec<Duration>) -> String {
    all.sort_unstable();
    let (least, most) = (all[0], all[all.len() - 1]);
    format!("{:>10.2?} ({least:.2?} to {most:.2?})", all[all.len() / 2])
}

fn measure(draft: Draft) {
    let mut changed = draft.clone();
    let mut model = None;
    let built = (0..LONG_TIMES).map(|_| {
        let draft = draft.clone();
        let began = cpu();
        let built = Model::build(draft, Revision(1), None).unwrap();
        let spent = cpu() - began;
        model = Some(Arc::new(built));
        spent
    });
    let built = spread(built.collect());
    drop(draft);
    let model = model.unwrap();
    println!("model                          {built}");
    let mut node = Node::new(Arc::clone(&model));
    let probes = node.round(|_| Outcome::Healthy);
    println!("first round, {probes} probes  {:>10.2?}", node.spent);
    let probes = node.round(|_| Outcome::Healthy);
    let each = node.spent / u32::try_from(probes).unwrap();
    println!("a quiet round: per probe       {each:>10.2?}");
    node.fail("one endpoint of 100,000", |address| {
        address == endpoint(4_711, 3, 1)
    });
    node.fail("one cluster of one app", |address| {
        [endpoint(815, 2, 0), endpoint(815, 2, 1)].contains(&address)
    });
    node.fail("one cluster of all 10,000 apps", |address| {
        cluster_of(address) == 1
    });
    let app = changed.apps.get_mut("app4711").unwrap();
    app.health.timeout *= 2;
    node.reload(Arc::new(
        Model::build(changed, Revision(2), Some(&model)).unwrap(),
    ));
}

/// CPU of one flip.
struct Cost {
    spent: Duration,
    facts: Duration,
    settle: Duration,
    decisions: usize,
}

/// A controller and what its driver does to publish, in virtual time.
struct Node {
    controller: Controller,
    publisher: Publisher,
    slots: Slots,
    now: Now,
    orders: Vec<Order>,
    effects: Vec<Effect>,
    /// CPU of the latest round.
    spent: Duration,
    published: usize,
    /// CPU clock when the verdicts were there, and when their Table was published.
    settled_at: Duration,
    published_at: Duration,
    decisions: usize,
}

impl Node {
    fn new(model: Arc<Model>) -> Self {
        let now = Now {
            mono: Instant::now(),
            wall: WallTime(0),
        };
        let options = Options {
            jitter: false,
            budget: Budget {
                in_flight: u32::MAX,
                per_second: u32::MAX,
            },
            ..Options::default()
        };
        let data = Arc::new(Data::of_geo(GeoDb::builtin()));
        let began = cpu();
        let controller = Controller::new(now, Arc::clone(&model), data, &options);
        println!("controller                     {:>10.2?}", cpu() - began);
        let began = cpu();
        let slots = SlotBook::new().assign(&model, 1);
        println!("slots                          {:>10.2?}", cpu() - began);
        let inputs = controller.inputs();
        let mut table = None;
        let compiled = (0..LONG_TIMES).map(|_| {
            table = None;
            let began = cpu();
            table = Some(compile(&model, &inputs.status, &inputs.data, &slots, None));
            cpu() - began
        });
        println!(
            "full compile                   {}",
            spread(compiled.collect())
        );
        let table = table.unwrap();
        let views = table.app_by_name("app4711").map(|id| table.app(id).views());
        println!("views of an app                {:>10}", views.unwrap_or(0));
        Self {
            controller,
            publisher: Publisher::new(table).0,
            slots,
            now,
            orders: Vec::new(),
            effects: Vec::new(),
            spent: Duration::ZERO,
            published: 0,
            settled_at: Duration::ZERO,
            published_at: Duration::ZERO,
            decisions: 0,
        }
    }

    /// Begins every probe of a round and answers them all at one time.
    fn round(&mut self, outcome: impl Fn(SocketAddr) -> Outcome) -> usize {
        self.now = self.now.after(Duration::from_secs(5));
        let began = cpu();
        self.event(Event::Wakeup);
        let orders = std::mem::take(&mut self.orders);
        let count = orders.len();
        for order in orders {
            let outcome = outcome(order.address);
            self.event(Event::Probed(order.id, outcome));
        }
        self.event(Event::Wakeup);
        self.spent = cpu() - began;
        count
    }

    /// Lets some targets fail, several times; prints the time from the last results to the published
    /// Table, and the parts of the median.
    fn fail(&mut self, what: &str, fails: impl Fn(SocketAddr) -> bool) {
        let mut all: Vec<_> = (0..TIMES).map(|_| self.fail_once(&fails)).collect();
        all.sort_unstable_by_key(|cost| cost.spent);
        let spent = spread(all.iter().map(|cost| cost.spent).collect());
        let cost = &all[all.len() / 2];
        println!(
            "{what:<30} {spent}: facts {:.2?}, verdicts {:.2?}, compile and publish {:.2?}; {} decisions",
            cost.facts,
            cost.settle,
            cost.spent - cost.facts - cost.settle,
            cost.decisions,
        );
    }

    fn fail_once(&mut self, fails: impl Fn(SocketAddr) -> bool) -> Cost {
        let outcome = |address| match fails(address) {
            true => Outcome::Failed(ProbeFailure::Refused),
            false => Outcome::Healthy,
        };
        for _ in 0..2 {
            self.round(outcome);
        }
        self.now = self.now.after(Duration::from_secs(5));
        self.event(Event::Wakeup);
        let (bad, good): (Vec<_>, Vec<_>) = std::mem::take(&mut self.orders)
            .into_iter()
            .partition(|order| fails(order.address));
        for order in good {
            self.event(Event::Probed(order.id, Outcome::Healthy));
        }
        self.event(Event::Wakeup);
        self.now = self.now.after(Duration::from_secs(1));
        (self.published, self.decisions) = (0, 0);
        let began = cpu();
        for order in bad {
            self.event(Event::Probed(order.id, outcome(order.address)));
        }
        let folded = cpu() - began;
        self.event(Event::Wakeup);
        assert_eq!(self.published, 1);
        let cost = Cost {
            spent: self.published_at - began,
            facts: folded,
            settle: self.settled_at - began - folded,
            decisions: self.decisions,
        };
        self.heal();
        cost
    }

    /// What a reload with one changed app costs on the control thread, the compile apart.
    fn reload(&mut self, model: Arc<Model>) {
        let data = self.controller.inputs().data;
        let mut effects = Vec::new();
        let began = cpu();
        self.controller
            .handle(self.now, Event::ApplyModel(model, data), &mut effects);
        let job = effects.iter().find_map(|effect| match effect {
            Effect::Compute(job, _) => Some(*job),
            _ => None,
        });
        let computed = Event::Computed(job.unwrap());
        self.controller.handle(self.now, computed, &mut effects);
        println!("reload, one app changed        {:>10.2?}", cpu() - began);
    }

    /// Everything is up again, and its comeback over.
    fn heal(&mut self) {
        for _ in 0..24 {
            self.round(|_| Outcome::Healthy);
        }
        self.now = self.now.after(Duration::from_secs(3_600));
        self.round(|_| Outcome::Healthy);
        self.now = self.now.after(Duration::from_secs(3_600));
        self.round(|_| Outcome::Healthy);
    }

    fn event(&mut self, event: Event) {
        let mut effects = std::mem::take(&mut self.effects);
        self.controller.handle(self.now, event, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Probe(order) => self.orders.push(order),
                Effect::Journal(decided) => self.decisions += decided.len(),
                Effect::Publish(inputs) => {
                    self.settled_at = cpu();
                    let previous: &Table = self.publisher.current();
                    let table = compile(
                        &inputs.model,
                        &inputs.status,
                        &inputs.data,
                        &self.slots,
                        Some(previous),
                    );
                    self.publisher.publish(table).unwrap();
                    self.published_at = cpu();
                    // The driver frees old Tables after it published, and so not at anyone's cost.
                    self.publisher.sweep();
                    self.published += 1;
                }
                _ => {}
            }
        }
        self.effects = effects;
    }
}

/// CPU time of this thread, so that other programs on the machine do not count.
fn cpu() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap().into()
}

fn endpoint(app: u32, cluster: u8, nth: u8) -> SocketAddr {
    let [_, _, high, low] = app.to_be_bytes();
    SocketAddr::from(([10, cluster, high, low], 8_000 + u16::from(nth)))
}

fn cluster_of(address: SocketAddr) -> u8 {
    match address.ip() {
        IpAddr::V4(ip) => ip.octets()[1],
        IpAddr::V6(_) => u8::MAX,
    }
}

/// Countries in an order that differs from steering to steering, each with an order of clusters of its
/// own, and prefixes for the rest of the views: the same for all, or apart.
fn steering(number: usize, countries: &BTreeSet<Country>, apart: bool) -> Vec<Step> {
    let mut orders = orders(&(0..CLUSTERS).collect::<Vec<_>>());
    let turn = number % orders.len();
    orders.rotate_left(turn);
    let mut orders = orders.into_iter().take(VIEWS - 1);
    let first = if apart { number * OWN_CIDRS } else { 0 };
    let cidr = |i: usize| format!("10.{}.{}.0/24", i / 256, i % 256);
    let rules = GeoRules {
        countries: countries.iter().copied().zip(&mut orders).collect(),
        cidrs: (first..)
            .zip(orders.take(OWN_CIDRS))
            .map(|(i, order)| (cidr(i).parse().unwrap(), order))
            .collect(),
        ..GeoRules::default()
    };
    // Rotation alone gives 541; the other half fails over.
    let half = Step::Failover(vec![vec![cluster_name(0)]]);
    let more = (number >= 541).then_some(half);
    [Step::Geo(rules)].into_iter().chain(more).collect()
}

/// All ways to put clusters in an order with equals: 541 for five.
fn orders(clusters: &[u8]) -> Vec<Preference> {
    if clusters.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 1_u32..1 << clusters.len() {
        let (group, rest): (Vec<_>, Vec<_>) = (clusters.iter().copied())
            .enumerate()
            .partition(|(i, _)| first >> i & 1 == 1);
        let group: Vec<_> = group.into_iter().map(|(_, c)| cluster_name(c)).collect();
        let rest: Vec<_> = rest.into_iter().map(|(_, c)| c).collect();
        for mut order in orders(&rest) {
            order.insert(0, group.clone());
            all.push(order);
        }
    }
    all
}

fn cluster_name(cluster: u8) -> Name {
    Name::new(&format!("c{cluster}")).unwrap()
}

/// `steerings` different ones among the apps.
fn draft(steerings: usize, apart: bool) -> Draft {
    let geo = GeoDb::builtin();
    let countries = geo.v4().filter_map(|(.., known)| known.country).collect();
    let steerings: Vec<_> = (0..steerings)
        .map(|n| steering(n, &countries, apart))
        .collect();
    let name = |text: &str| Name::new(text).unwrap();
    let mut draft = Draft::default();
    let region = Region {
        location: Coordinates::new(50.0, 8.0).unwrap(),
        country: None,
    };
    draft.regions.insert(name("r"), region);
    for cluster in 0..CLUSTERS {
        let entry = Cluster {
            region: name("r"),
            addresses: vec![[192, 0, 2, cluster].into()],
            class: None,
            cost_thousandths: 0,
            dial: Percent::FULL,
            drain: false,
        };
        draft.clusters.insert(name(&format!("c{cluster}")), entry);
    }
    for (app, at) in (0..APPS).zip(0..) {
        let endpoints: BTreeMap<_, _> = (0..CLUSTERS)
            .map(|cluster| {
                let list = (0..PER_CLUSTER).map(|nth| endpoint(app, cluster, nth));
                (name(&format!("c{cluster}")), list.collect())
            })
            .collect();
        let mut entry = App::new(
            vec![DnsName::parse(&format!("app{app}.example.com")).unwrap()],
            [(name("v1"), Version::at(endpoints))].into(),
            Split([(name("v1"), Weight::ONE)].into()),
        );
        if !steerings.is_empty() {
            entry.steering.clone_from(&steerings[at % steerings.len()]);
        }
        draft.apps.insert(name(&format!("app{app}")), entry);
    }
    draft
}
