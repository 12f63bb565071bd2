//! Scripts in virtual time: who is answered what, what arrives where, and what follows.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::Ipv4Addr;

use super::*;
use windrose_model::WallTime;
use windrose_telemetry::Prefix;

/// App `web` in clusters `a` (slot 0) and `b` (slot 1).
struct World {
    tracker: Tracker,
    observed: Observed,
    start: Now,
    second: u64,
}

fn prefix(n: u32) -> Prefix {
    Prefix::of(Ipv4Addr::from(0x0a00_0000 + (n << 8)).into())
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

impl World {
    fn new() -> Self {
        #[allow(clippy::disallowed_methods, reason = "any origin will do")]
        let start = Now {
            mono: Instant::now(),
            wall: WallTime(0),
        };
        let mut world = Self {
            tracker: Tracker::new(),
            observed: Observed::default(),
            start,
            second: 0,
        };
        world.tracker.take_over(vec![App {
            name: name("web"),
            clusters: vec![(name("a"), 0), (name("b"), 1)],
        }]);
        world.observed.dns.totals = vec![0; 2];
        world.observed.http.totals = vec![0; 2];
        world
    }

    fn now(&self) -> Now {
        self.start.after(Duration::from_secs(self.second))
    }

    /// One second, in which these prefixes are answered with a slot, and these arrive there.
    fn second(&mut self, dns: &[(u32, u32, u64)], http: &[(u32, u32, u64)]) {
        for (counted, list) in [
            (&mut self.observed.dns, dns),
            (&mut self.observed.http, http),
        ] {
            counted.footprints.clear();
            for &(slot, who, count) in list {
                counted.totals[slot as usize] += count;
                counted.footprints.push(Footprint {
                    slot,
                    prefix: prefix(who),
                    count,
                });
            }
        }
        self.second += 1;
        self.tracker.sweep(self.now().mono, &self.observed);
    }

    fn leaves(&mut self, slot: u32, ttl: u64) {
        let (now, ttl) = (self.now(), Duration::from_secs(ttl));
        self.tracker.begin(now, slot, Kind::Out, ttl);
    }

    fn last(&self) -> ShiftView {
        self.tracker.look().shifts.last().unwrap().clone()
    }
}

/// Two minutes in which a hundred prefixes ask for `a`, each every 30 s, and a hundred requests a second
/// come in there.
fn busy() -> World {
    let mut world = World::new();
    for second in 0..120 {
        let dns: Vec<_> = (0..100)
            .filter(|who| who % 30 == second % 30)
            .map(|who| (0, who, 1))
            .collect();
        world.second(&dns, &[(0, 1, 60), (0, 2, 40)]);
    }
    world
}

#[test]
fn dns_has_moved_when_those_who_were_answered_have_asked_again() {
    let mut world = busy();
    world.leaves(0, 30);
    // Everyone asks again in the second in which its answer has run out.
    for second in 0..30 {
        let dns: Vec<_> = (0..100)
            .filter(|who| who % 30 == second % 30)
            .map(|who| (1, who, 1))
            .collect();
        world.second(&dns, &[]);
        if second == 14 {
            let dns = world.last().dns;
            assert!((0.4..0.6).contains(&dns.remaining), "{dns:?}");
            assert_eq!((dns.moved_95_s, dns.still.len()), (None, 10));
        }
    }
    let dns = world.last().dns;
    assert!((2.0..5.0).contains(&dns.former_per_s), "{dns:?}");
    assert_eq!((dns.remaining, dns.silent), (0.0, 0));
    assert!(
        dns.moved_95_s.is_some_and(|s| (24.0..=30.0).contains(&s)),
        "{dns:?}"
    );
    assert!(
        dns.moved_99_s.is_some_and(|s| (28.0..=30.0).contains(&s)),
        "{dns:?}"
    );
}

#[test]
fn what_still_leads_to_a_cluster_that_left_has_not_moved() {
    let mut world = World::new();
    for _ in 0..60 {
        world.second(&[(0, 1, 6), (1, 1, 3)], &[]);
    }
    // Half alive: it is down, and answered as before, beside the other one.
    world.leaves(0, 5);
    world.second(&[(0, 1, 6), (1, 1, 3)], &[]);
    for _ in 0..30 {
        world.second(&[(0, 1, 6), (1, 1, 3)], &[]);
    }
    let dns = world.last().dns;
    assert!((5.0..7.0).contains(&dns.now_per_s), "{dns:?}");
    assert!(dns.remaining > 0.6, "{dns:?}");
    assert_eq!((dns.moved_95_s, dns.moved_99_s), (None, None));
    // Then it is answered no more.
    for _ in 0..10 {
        world.second(&[(1, 1, 9)], &[]);
    }
    let dns = world.last().dns;
    assert_eq!((dns.now_per_s, dns.remaining), (0.0, 0.0));
    assert!(
        dns.moved_99_s.is_some_and(|s| (30.0..=32.0).contains(&s)),
        "{dns:?}"
    );
}

#[test]
fn a_prefix_that_falls_silent_counts_for_neither_side() {
    let mut world = busy();
    world.leaves(0, 10);
    for second in 0..40 {
        let dns: Vec<_> = (0..90)
            .filter(|_| second == 5)
            .map(|who| (1, who, 1))
            .collect();
        world.second(&dns, &[]);
    }
    let dns = world.last().dns;
    assert!(dns.silent > 0 && dns.still.is_empty(), "{dns:?}");
    assert_eq!(dns.remaining, 0.0);
    assert!(dns.moved_99_s.is_some());
}

#[test]
fn where_the_old_cluster_is_answered_after_all_nothing_has_moved() {
    let mut world = busy();
    world.leaves(0, 300);
    for _ in 0..30 {
        let dns: Vec<_> = (0..100).map(|who| (0, who, 1)).collect();
        world.second(&dns, &[]);
    }
    assert_eq!(world.last().dns.remaining, 1.0);
}

#[test]
fn requests_have_moved_when_so_few_come_in_and_it_stays_so() {
    let mut world = busy();
    world.leaves(0, 30);
    // Full for 20 s, then a tenth, then two in a hundred at 40 s, then none at 60 s.
    let mut seen = Vec::new();
    for second in 0..100 {
        let count = match second {
            0..20 => 100,
            20..40 => 10,
            40..60 => 2,
            _ => 0,
        };
        world.second(&[], &[(0, 7, count)]);
        let http = world.last().http;
        seen.push((http.moved_95_s, http.moved_99_s));
        if second == 30 {
            assert!((http.now_per_s - 10.0).abs() < 0.1, "{http:?}");
            assert_eq!(http.still[0].0, prefix(7));
        }
    }
    let http = world.last().http;
    assert!((http.former_per_s - 100.0).abs() < 3.0, "{http:?}");
    assert_eq!(seen[35], (None, None));
    // The average over ten seconds begins to be small enough a few seconds into each step.
    assert!(
        http.moved_95_s.is_some_and(|s| (33.0..41.0).contains(&s)),
        "{http:?}"
    );
    assert!(
        http.moved_99_s.is_some_and(|s| (50.0..61.0).contains(&s)),
        "{http:?}"
    );
    assert_eq!(http.remaining, 0.0);
}

#[test]
fn what_comes_back_late_takes_the_time_back() {
    let mut world = busy();
    world.leaves(0, 30);
    for second in 0..60 {
        let count = if (30..35).contains(&second) { 100 } else { 0 };
        world.second(&[], &[(0, 7, count)]);
        let moved = world.last().http.moved_95_s;
        match second {
            20 | 29 => assert_eq!(moved, Some(0.0)),
            33 => assert_eq!(moved, None),
            59 => assert!(moved.is_some_and(|s| s >= 30.0)),
            _ => {}
        }
    }
}

#[test]
fn a_drain_ends_on_evidence() {
    let mut world = busy();
    world.tracker.draining.insert(0);
    world.leaves(0, 30);
    let drain = |world: &World| world.tracker.look().drains[&0];
    for _ in 0..15 {
        world.second(&[], &[(0, 7, 50)]);
    }
    assert!(!drain(&world).drained);
    assert!((drain(&world).arriving_per_s - 50.0).abs() < 1.0);
    // Nothing comes any more, but resolvers may still hold the old answer.
    for _ in 0..20 {
        world.second(&[], &[]);
    }
    assert!(!drain(&world).drained, "DNS answers are still held");
    for _ in 0..90 {
        world.second(&[], &[]);
    }
    assert!(drain(&world).drained);
    // It comes alive again, long after nobody watches.
    for _ in 0..120 {
        world.second(&[], &[]);
    }
    assert!(!world.last().open);
    assert!(drain(&world).drained);
    for _ in 0..30 {
        world.second(&[], &[(0, 7, 50)]);
    }
    assert!(!drain(&world).drained);
}

#[test]
fn a_drain_that_nobody_saw_begin_is_over_when_nothing_comes() {
    let mut world = World::new();
    world.tracker.draining.insert(0);
    world.second(&[], &[]);
    world.second(&[], &[(0, 7, 50)]);
    assert!(!world.tracker.look().drains[&0].drained);
    for _ in 0..400 {
        world.second(&[], &[]);
    }
    assert!(world.tracker.look().drains[&0].drained);
}

#[test]
fn a_cluster_that_comes_back_is_watched_until_all_have_asked_again() {
    let mut world = busy();
    world
        .tracker
        .begin(world.now(), 1, Kind::Back, Duration::from_secs(30));
    for second in 0..30 {
        let slot = u32::from(second % 2 == 0);
        let dns: Vec<_> = (0..100)
            .filter(|who| who % 30 == second % 30)
            .map(|who| (slot, who, 1))
            .collect();
        world.second(&dns, &[(slot, 1, 1)]);
    }
    let shift = world.last();
    assert_eq!((shift.kind, shift.dns.remaining), (Kind::Back, 0.0));
    assert!(shift.dns.moved_99_s.is_some());
    assert_eq!(shift.http.moved_99_s, None);
}

#[test]
fn memory_is_bounded_whoever_comes() {
    let mut world = World::new();
    world.second(&[], &[]);
    for round in 0..3 {
        let many = u32::try_from(HOLDERS).unwrap();
        let dns: Vec<_> = (0..many).map(|n| (0, round * many + n, 1)).collect();
        world.second(&dns, &dns);
        world.leaves(0, 30);
    }
    let look = world.tracker.look();
    assert_eq!(look.held, HOLDERS);
    assert_eq!(look.out, 3);
    assert!(look.shifts.iter().all(|shift| shift.dns.still.len() <= 10));
    for _ in 0..700 {
        world.second(&[], &[]);
    }
    assert_eq!(world.tracker.look().held, 0);
}

#[test]
fn more_changes_than_can_be_watched_are_counted() {
    let mut world = World::new();
    let apps = (0..2_000u32).map(|n| App {
        name: name(&format!("app{n}")),
        clusters: vec![(name("a"), n)],
    });
    world.tracker.take_over(apps.collect());
    for slot in 0..2_000 {
        world.leaves(slot, 30);
    }
    let look = world.tracker.look();
    assert_eq!(look.shifts.len(), OPEN);
    assert_eq!((look.out, look.unwatched), (2_000, 2_000 - OPEN as u64));
    // A new Model without them ends the watch.
    world.tracker.take_over(Vec::new());
    assert!(!world.tracker.is_busy());
    assert_eq!(world.tracker.look().shifts.len(), KEPT);
}

#[test]
fn a_slot_that_another_had_before_begins_without_its_past() {
    let mut world = World::new();
    let slots = |app: &str| {
        vec![App {
            name: name(app),
            clusters: vec![(name("a"), 0), (name("b"), 1)],
        }]
    };
    for _ in 0..60 {
        world.second(&[(0, 1, 9)], &[(0, 1, 1_000)]);
    }
    world.leaves(0, 0);
    for _ in 0..200 {
        world.second(&[], &[]);
    }
    assert!(!world.last().open);
    world.tracker.take_over(slots("other"));
    world.tracker.draining.insert(0);
    for _ in 0..30 {
        world.second(&[], &[(0, 1, 5)]);
    }
    assert!(
        !world.tracker.look().drains[&0].drained,
        "5 a second are little beside another's 1,000 only"
    );
    world.leaves(0, 60);
    assert!(world.last().open);
    world.tracker.take_over(slots("web"));
    assert!(!world.last().open, "closed with its app");
}
