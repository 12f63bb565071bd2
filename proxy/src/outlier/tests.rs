//! Outlier ejection in virtual time: ticks and draws are arguments.

use std::collections::BTreeMap;

use windrose_model::{
    App, AppId, AppStatus, Cause, Cluster, ClusterStatus, Coordinates, DnsName, Draft,
    EndpointState, HttpProbe, Model, Name, Percent, Region, Revision, Split, Stamp, Status,
    Verdict, Version, WallTime, Weight,
};
use windrose_routing::{Data, SlotBook, Table, compile};

use super::*;
use crate::live::Claim;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// One app, one version, one cluster, so many endpoints; those of `down` are so.
fn table(count: u16, probe: Probe, down: &[usize]) -> Table {
    let endpoints = (0..count).map(|n| ([127, 0, 0, 1], 1_000 + n).into());
    let endpoints = BTreeMap::from([(name("c1"), endpoints.collect())]);
    let versions = BTreeMap::from([(name("v1"), Version::at(endpoints))]);
    let split = Split(BTreeMap::from([(name("v1"), Weight::ONE)]));
    let mut app = App::new(vec![DnsName::parse("app.test").unwrap()], versions, split);
    app.health.probe = probe;
    let mut draft = Draft::default();
    let region = Region {
        location: Coordinates::from_hundredths(0, 0),
        country: None,
    };
    draft.regions.insert(name("r"), region);
    let cluster = Cluster {
        region: name("r"),
        addresses: vec!["192.0.2.1".parse().unwrap()],
        class: None,
        cost_thousandths: 1_000,
        dial: Percent::FULL,
        drain: false,
    };
    draft.clusters.insert(name("c1"), cluster);
    draft.apps.insert(name("app"), app);
    let model = Model::build(draft, Revision(1), None).unwrap();
    let slots = SlotBook::new().assign(&model, 1);
    let mut states = vec![EndpointState::Up; usize::from(count)];
    for at in down {
        states[*at] = EndpointState::Down;
    }
    let status = AppStatus {
        clusters: vec![ClusterStatus {
            verdict: Verdict::Up,
            usable: true,
            share: Percent::FULL,
            cause: Cause::Starting,
            since: WallTime(0),
        }],
        endpoints: states,
        last_known: 0,
        ttl_cause: windrose_model::TtlCause::STARTING,
        ttl: windrose_model::Ttl::new(30).unwrap(),
    };
    let status = Status {
        stamp: Stamp {
            term: 1,
            epoch: 1,
            revision: Revision(1),
        },
        apps: vec![Arc::new(status)],
        ..Status::default()
    };
    compile(&model, &status, &Data::nothing(), &slots, None)
}

struct Scene {
    table: Table,
    shared: Shared,
    rule: Outliers,
    /// Of two threads, by endpoint.
    windows: Vec<[Arc<Window>; 2]>,
}

/// Ten seconds in tenths of a second.
const WINDOW: u64 = 10_000;

impl Scene {
    fn new(count: u16) -> Self {
        Self::with(table(count, Probe::Tcp, &[]))
    }

    fn with(table: Table) -> Self {
        let shared = Shared::new();
        let windows = table.app(AppId(0)).plan.versions[0].groups[0]
            .endpoints
            .iter()
            .map(|e| {
                let outlier = shared.outlier(e.slot).unwrap();
                [outlier.join(), outlier.join()]
            })
            .collect();
        Self {
            table,
            shared,
            rule: Outliers::default(),
            windows,
        }
    }

    fn slot(&self, at: usize) -> u32 {
        self.table.app(AppId(0)).plan.versions[0].groups[0].endpoints[at].slot
    }

    fn see(&self, at: usize, outcome: Outcome, tick: u64, trial: bool) -> Option<Change> {
        let entry = self.table.app(AppId(0));
        let group = &entry.plan.versions[0].groups[0];
        let sight = Sight {
            rule: &self.rule,
            entry,
            group,
            endpoint: &group.endpoints[at],
            trial,
        };
        // The threads take turns.
        let window = &self.windows[at][(tick % 2) as usize];
        self.shared.observe(sight, window, outcome, tick, 0)
    }

    /// So many of an outcome at one moment; what the last one led to.
    fn many(&self, n: u32, at: usize, outcome: Outcome, tick: u64) -> Option<Change> {
        (0..n).fold(None, |_, _| self.see(at, outcome, tick, false))
    }

    fn claim(&self, at: usize, tick: u64) -> Claim {
        self.shared.endpoint(self.slot(at)).unwrap().claim(tick)
    }

    fn is_out(&self, at: usize, tick: u64) -> bool {
        self.shared.endpoint(self.slot(at)).unwrap().avoided(tick)
    }

    fn exclusion(&self, at: usize) -> Option<Exclusion> {
        self.shared.exclusions().list().remove(&self.slot(at))
    }
}

fn ejected_for(change: Option<Change>) -> u64 {
    match change {
        Some(Change::Ejected(_, lasts)) => lasts.as_secs(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn five_failures_in_a_row_eject_whatever_the_route_or_thread_and_a_success_between_does_not() {
    let mut scene = Scene::new(4);
    scene.rule.success_rate = Percent::ZERO;
    for tick in 1..5 {
        assert_eq!(scene.see(0, Outcome::ServerError, tick, false), None);
    }
    assert_eq!(scene.see(0, Outcome::Good, 5, false), None);
    for tick in 6..10 {
        assert_eq!(scene.see(0, Outcome::NoResponse, tick, false), None);
    }
    assert_eq!(
        scene.see(0, Outcome::Throttled, 10, false),
        None,
        "429 is no failure"
    );
    let change = scene.see(0, Outcome::ServerError, 11, false);
    assert_eq!(ejected_for(change), 30);
    assert!(scene.is_out(0, 12) && !scene.is_out(1, 12));
    let told = scene.exclusion(0).unwrap();
    assert_eq!(told.cause.to_string(), "5 failures in a row");
    // Those under way say nothing new, good or bad.
    assert_eq!(scene.see(0, Outcome::Good, 13, false), None);
    assert_eq!(scene.many(9, 0, Outcome::ServerError, 14), None);
    assert_eq!(scene.exclusion(0).unwrap(), told);
}

#[test]
fn too_few_successes_in_the_window_eject_whatever_the_rate_of_requests() {
    // As many failures as successes, slow and fast: never two failures in a row.
    for (step, pairs) in [(2_000, 3), (1, 3), (10, 3)] {
        let scene = Scene::new(4);
        let mut changes = Vec::new();
        for n in 0..pairs {
            let tick = 50_000 + n * step;
            changes.extend(scene.see(0, Outcome::Good, tick, false));
            changes.extend(scene.see(0, Outcome::ServerError, tick + 1, false));
        }
        assert!(
            matches!(
                changes[..],
                [Change::Ejected(
                    EjectionCause::SuccessRate {
                        succeeded: 3,
                        of: 6
                    },
                    _
                )]
            ),
            "{changes:?}"
        );
    }
    // Four in five is enough, less is not.
    let scene = Scene::new(4);
    scene.many(8, 0, Outcome::Good, 100);
    assert_eq!(scene.many(2, 0, Outcome::Throttled, 100), None);
    assert!(scene.see(0, Outcome::Throttled, 100, false).is_some());
}

#[test]
fn what_is_older_than_the_window_and_too_few_requests_say_nothing() {
    let scene = Scene::new(4);
    assert_eq!(
        scene.many(4, 0, Outcome::Throttled, 100),
        None,
        "four are too few"
    );
    // A window later they are forgotten.
    assert_eq!(scene.many(4, 0, Outcome::Throttled, 100 + WINDOW), None);
    assert!(
        scene
            .see(0, Outcome::Throttled, 101 + WINDOW, false)
            .is_some()
    );
}

#[test]
fn one_request_tries_an_endpoint_whose_time_is_over_and_its_success_restores() {
    let scene = Scene::new(4);
    scene.many(5, 0, Outcome::ServerError, 1_000);
    assert_eq!(scene.claim(0, 30_999), Claim::Taken);
    assert_eq!(scene.claim(0, 31_000), Claim::Trial);
    assert_eq!(scene.claim(0, 31_001), Claim::Taken, "one at a time");
    assert_eq!(
        scene.claim(0, 36_000),
        Claim::Trial,
        "the first told nothing"
    );
    assert_eq!(
        scene.see(0, Outcome::Good, 36_001, true),
        Some(Change::Restored)
    );
    assert_eq!(scene.claim(0, 36_002), Claim::Free);
    assert!(scene.shared.exclusions().is_empty());
    // What was seen before does not count any more.
    assert_eq!(scene.many(3, 0, Outcome::Throttled, 36_003), None);
}

#[test]
fn each_ejection_lasts_twice_as_long_up_to_the_bound_and_a_calm_begins_anew() {
    let scene = Scene::new(4);
    let mut tick = 1_000;
    let mut times = vec![ejected_for(scene.many(5, 0, Outcome::ServerError, tick))];
    let since = scene.exclusion(0).unwrap().since;
    for _ in 0..4 {
        tick += times.last().unwrap() * 1_000;
        assert_eq!(scene.claim(0, tick), Claim::Trial);
        times.push(ejected_for(scene.see(0, Outcome::NoResponse, tick, true)));
    }
    assert_eq!(times, [30, 60, 120, 240, 300]);
    assert_eq!(scene.exclusion(0).unwrap().times, 5);
    assert_eq!(scene.exclusion(0).unwrap().since, since, "out all the time");
    tick += 300_000;
    assert_eq!(scene.claim(0, tick), Claim::Trial);
    scene.see(0, Outcome::Good, tick, true);
    // In for less than it was out: it goes on.
    tick += 299_999;
    assert_eq!(
        ejected_for(scene.many(5, 0, Outcome::ServerError, tick)),
        300
    );
    tick += 300_000;
    assert_eq!(scene.claim(0, tick), Claim::Trial);
    scene.see(0, Outcome::Good, tick, true);
    tick += 300_000;
    assert_eq!(
        ejected_for(scene.many(5, 0, Outcome::ServerError, tick)),
        30
    );
}

#[test]
fn chance_adds_up_to_a_quarter() {
    let rule = Outliers::default();
    assert_eq!(length(&rule, 1, 0), 30_000);
    assert_eq!(length(&rule, 1, u64::MAX / 2), 33_749);
    assert_eq!(length(&rule, 1, u64::MAX), 37_499);
    assert_eq!(length(&rule, u32::MAX, 0), 300_000);
}

#[test]
fn at_most_a_share_is_out_those_that_are_down_included_and_one_always_may_be() {
    let out = |count: u16, down: &[usize], share: f64| {
        let mut scene = Scene::with(table(count, Probe::Tcp, down));
        scene.rule.max_share = Percent::new(share).unwrap();
        let up = (0..usize::from(count)).filter(|at| !down.contains(at));
        let changes = up.map(|at| scene.many(5, at, Outcome::ServerError, 100));
        let prevented = changes.filter(|c| *c == Some(Change::Prevented)).count();
        (scene.shared.exclusions().list().len(), prevented)
    };
    assert_eq!(out(1, &[], 50.0), (1, 0));
    assert_eq!(out(2, &[], 50.0), (1, 1));
    assert_eq!(out(5, &[], 50.0), (2, 3));
    assert_eq!(out(10, &[], 50.0), (5, 5));
    assert_eq!(out(10, &[0, 1, 2, 3], 50.0), (1, 5));
    assert_eq!(out(10, &[0, 1, 2, 3, 4, 5], 50.0), (1, 3));
    assert_eq!(out(10, &[], 0.0), (1, 9));
    assert_eq!(out(3, &[], 100.0), (3, 0));
}

#[test]
fn a_share_holds_when_all_threads_eject_at_the_same_moment() {
    let scene = Scene::new(10);
    std::thread::scope(|scope| {
        for at in 0..10 {
            let scene = &scene;
            scope.spawn(move || scene.many(50, at, Outcome::ServerError, 100));
        }
    });
    assert_eq!(scene.shared.exclusions().list().len(), 5);
}

#[test]
fn a_passing_check_restores_if_it_says_something_of_the_cause() {
    let http = Probe::Http(HttpProbe {
        path: "/".to_owned(),
        host: None,
        status: Vec::new(),
    });
    let restored = |probe: &Probe, outcome: Outcome, on_check: bool| {
        let mut scene = Scene::with(table(4, probe.clone(), &[]));
        scene.rule.restore_on_check = on_check;
        scene.many(5, 0, outcome, 100);
        scene.shared.check_passed(scene.slot(1));
        assert!(scene.is_out(0, 101));
        scene.shared.check_passed(scene.slot(0));
        !scene.is_out(0, 101)
    };
    assert!(restored(&http, Outcome::ServerError, true));
    assert!(restored(&http, Outcome::NoResponse, true));
    assert!(!restored(&http, Outcome::ServerError, false));
    assert!(restored(&Probe::Tcp, Outcome::NoResponse, true));
    assert!(
        !restored(&Probe::Tcp, Outcome::ServerError, true),
        "it only connects"
    );
}

#[test]
fn a_slot_that_is_used_again_has_no_past() {
    let scene = Scene::new(4);
    scene.many(5, 0, Outcome::ServerError, 100);
    scene.shared.forget_endpoint(scene.slot(0));
    assert!(scene.shared.exclusions().is_empty());
    assert!(!scene.is_out(0, 101));
}
