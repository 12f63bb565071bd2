//! Scripts in virtual time.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

struct World {
    resolver: Resolver,
    start: Now,
    passed: Duration,
    asked: Vec<Question>,
}

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn found(v4: &[[u8; 4]], v6: u8, seconds: u64) -> Found {
    let ttl = Duration::from_secs(seconds);
    let v6 = (0..v6).map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n.into()));
    Found {
        v4: Ok(Addresses {
            list: v4.iter().map(|ip| Ipv4Addr::from(*ip)).collect(),
            ttl,
            through: Vec::new(),
        }),
        v6: Ok(Addresses {
            list: v6.collect(),
            ttl,
            through: Vec::new(),
        }),
    }
}

fn failed(failure: AliasFailure) -> Found {
    Found {
        v4: Err(failure),
        v6: Err(failure),
    }
}

impl World {
    fn new(targets: &[&str]) -> Self {
        #[allow(clippy::disallowed_methods, reason = "any origin will do")]
        let start = Now {
            mono: Instant::now(),
            wall: WallTime(1_000_000),
        };
        let mut world = Self {
            resolver: Resolver::new(7, false, Arc::default()),
            start,
            passed: Duration::ZERO,
            asked: Vec::new(),
        };
        world.retarget(targets);
        world
    }

    fn retarget(&mut self, targets: &[&str]) -> bool {
        let now = self.now().mono;
        let owners = [name("example.com")].into_iter();
        let changed = self
            .resolver
            .retarget(now, targets.iter().map(|t| name(t)), owners);
        self.poll();
        changed
    }

    fn now(&self) -> Now {
        self.start.after(self.passed)
    }

    fn poll(&mut self) {
        let now = self.now().mono;
        let asked = &mut self.asked;
        self.resolver.poll(now, |question| asked.push(question));
    }

    /// Lets time pass until the resolver wants to ask; how long that took.
    fn wait(&mut self) -> f64 {
        let next = self.resolver.next_wakeup().unwrap() - self.start.mono;
        let waited = next.saturating_sub(self.passed);
        self.passed = self.passed.max(next);
        self.poll();
        waited.as_secs_f64()
    }

    /// Answers the only question that is open.
    fn answer(&mut self, found: Found) -> bool {
        assert_eq!(self.asked.len(), 1);
        let question = self.asked.remove(0);
        self.resolver.finish(self.now(), question.id, found)
    }

    fn known(&self, target: &str) -> AliasStatus {
        (*self.resolver.known()[&name(target)]).clone()
    }
}

#[test]
fn a_target_is_asked_about_at_once_and_again_when_its_answer_runs_out() {
    let mut world = World::new(&["cdn.test"]);
    assert!(!world.known("cdn.test").is_known());
    assert_eq!(world.known("cdn.test").cause, AliasCause::Starting);
    assert!(world.answer(found(
        &[[192, 0, 2, 2], [192, 0, 2, 1], [192, 0, 2, 2]],
        1,
        70
    )));
    let known = world.known("cdn.test");
    assert_eq!(
        known.v4,
        [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)]
    );
    assert_eq!((known.v6.len(), known.ttl.seconds()), (1, 60));
    assert_eq!(known.confirmed, world.now().wall);
    assert_eq!(world.wait(), 70.0);
    // The order of a round robin and a cache that counts down change nothing.
    assert!(!world.answer(found(&[[192, 0, 2, 2], [192, 0, 2, 1]], 1, 63)));
    assert_eq!(world.wait(), 63.0);
    // Not sooner than 5 s, not later than an hour.
    world.answer(found(&[[192, 0, 2, 1]], 0, 0));
    assert_eq!(world.known("cdn.test").ttl.seconds(), 5);
    assert_eq!(world.wait(), 5.0);
    world.answer(found(&[[192, 0, 2, 1]], 0, 1_000_000));
    assert_eq!(world.wait(), 3_600.0);
}

#[test]
fn the_last_good_answer_is_kept_whatever_fails_and_asked_for_ever_more_rarely() {
    let mut world = World::new(&["cdn.test"]);
    world.answer(found(&[[192, 0, 2, 1]], 0, 300));
    let confirmed = world.now().wall;
    let failures = [
        AliasFailure::Timeout,
        AliasFailure::Unreachable,
        AliasFailure::Refused(2),
    ];
    let mut waits = Vec::new();
    for failure in failures.iter().cycle().take(9) {
        waits.push(world.wait());
        world.answer(failed(*failure));
        let known = world.known("cdn.test");
        assert_eq!(known.v4, [Ipv4Addr::new(192, 0, 2, 1)]);
        assert_eq!(known.cause, AliasCause::Failing(*failure));
        assert_eq!((known.ttl.seconds(), known.confirmed), (30, confirmed));
    }
    assert_eq!(waits, [300.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
    // It heals.
    world.wait();
    assert!(world.answer(found(&[[192, 0, 2, 9]], 0, 300)));
    assert_eq!(world.known("cdn.test").cause, AliasCause::Resolved);
    assert_eq!(world.wait(), 300.0);
}

#[test]
fn that_a_name_has_no_address_any_more_is_not_believed() {
    let mut world = World::new(&["cdn.test"]);
    world.answer(found(&[[192, 0, 2, 1]], 2, 300));
    world.wait();
    assert!(
        world.answer(found(&[], 0, 300)),
        "the TTL is that of a kept answer"
    );
    let known = world.known("cdn.test");
    assert_eq!((known.v4.len(), known.v6.len()), (1, 2));
    assert_eq!(known.cause, AliasCause::Failing(AliasFailure::NoAddress));
    // One family alone may go.
    world.wait();
    world.answer(found(&[[192, 0, 2, 1]], 0, 300));
    assert!(world.known("cdn.test").v6.is_empty());
    assert_eq!(world.known("cdn.test").cause, AliasCause::Resolved);
}

#[test]
fn a_family_that_fails_alone_keeps_what_it_had() {
    let mut world = World::new(&["cdn.test"]);
    world.answer(found(&[[192, 0, 2, 1]], 2, 300));
    world.wait();
    let mut half = found(&[[192, 0, 2, 7]], 0, 300);
    half.v6 = Err(AliasFailure::Timeout);
    world.answer(half);
    let known = world.known("cdn.test");
    assert_eq!(known.v4, [Ipv4Addr::new(192, 0, 2, 7)]);
    assert_eq!(known.v6.len(), 2);
    assert_eq!(world.wait(), 1.0, "soon again");
}

#[test]
fn a_name_that_leads_back_to_an_alias_of_ours_is_a_loop() {
    let mut world = World::new(&["cdn.test"]);
    let mut round = found(&[[192, 0, 2, 1]], 0, 300);
    if let Ok(v4) = &mut round.v4 {
        v4.through = vec![name("edge.cdn.test"), name("example.com")];
    }
    world.answer(round);
    let known = world.known("cdn.test");
    assert!(!known.is_known());
    assert_eq!(known.cause, AliasCause::Failing(AliasFailure::Loop));
}

#[test]
fn a_resolver_that_hangs_holds_up_no_more_than_its_questions() {
    let targets: Vec<String> = (0..100).map(|n| format!("t{n}.test")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let mut world = World::new(&targets);
    assert_eq!(world.asked.len(), AT_ONCE);
    assert_eq!(world.resolver.next_wakeup(), None);
    let one = world.asked.remove(0);
    let now = world.now();
    world
        .resolver
        .finish(now, one.id, found(&[[192, 0, 2, 1]], 0, 60));
    world.poll();
    assert_eq!(world.asked.len(), AT_ONCE, "the next one has its turn");
}

#[test]
fn a_new_model_keeps_what_is_known_and_late_answers_find_nobody() {
    let mut world = World::new(&["a.test", "b.test"]);
    let (a, b) = (world.asked.remove(0), world.asked.remove(0));
    let now = world.now();
    world
        .resolver
        .finish(now, a.id, found(&[[192, 0, 2, 1]], 0, 60));
    assert!(world.retarget(&["a.test"]));
    assert!(
        !world
            .resolver
            .finish(now, b.id, found(&[[192, 0, 2, 2]], 0, 60))
    );
    assert!(world.known("a.test").is_known());
    assert!(!world.retarget(&["a.test"]));
    // Wanted again, it begins anew; the answer to the old question is not its own.
    assert!(world.retarget(&["a.test", "b.test"]));
    assert_eq!(world.asked.len(), 1);
    assert!(
        !world
            .resolver
            .finish(now, b.id, found(&[[192, 0, 2, 2]], 0, 60))
    );
    assert!(!world.known("b.test").is_known());
}

#[test]
fn refreshes_of_one_ttl_spread_over_a_tenth_of_it() {
    let mut resolver = Resolver::new(3, true, Arc::default());
    let waits: Vec<Duration> = (0..100)
        .map(|_| resolver.spread(Duration::from_secs(100)))
        .collect();
    let (least, most) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
    assert!(*least >= Duration::from_secs(90) && *most <= Duration::from_secs(100));
    assert!(*most - *least > Duration::from_secs(8));
}

#[test]
fn other_resolvers_are_asked_at_once_and_answers_of_the_old_ones_do_not_count() {
    let mut world = World::new(&["cdn.test"]);
    assert!(world.answer(failed(AliasFailure::Timeout)) || !world.known("cdn.test").is_known());
    world.wait();
    let old = world.asked.remove(0);
    let now = world.now().mono;
    world.resolver.begin_anew(now);
    world.poll();
    assert_eq!(world.asked.len(), 1, "asked anew, at once");
    let late = found(&[[192, 0, 2, 9]], 0, 60);
    assert!(!world.resolver.finish(world.now(), old.id, late));
    assert!(world.answer(found(&[[192, 0, 2, 1]], 0, 60)));
    assert_eq!(world.known("cdn.test").v4, [Ipv4Addr::new(192, 0, 2, 1)]);
}

#[test]
fn what_is_remembered_is_answered_until_somebody_says_more() {
    let mut world = World::new(&[]);
    let before = AliasStatus {
        v4: vec![Ipv4Addr::new(192, 0, 2, 7)],
        v6: Vec::new(),
        ttl: Ttl::new(600).unwrap(),
        cause: AliasCause::Resolved,
        confirmed: WallTime(3),
    };
    let memory = Aliases::from([(name("cdn.test"), Arc::new(before))]);
    world.resolver = Resolver::new(7, false, Arc::new(memory));
    world.retarget(&["cdn.test", "new.test"]);
    let known = world.known("cdn.test");
    assert_eq!(
        (known.cause, known.ttl.seconds()),
        (AliasCause::Remembered, 30)
    );
    assert!(!world.known("new.test").is_known());
    // A failure keeps it, an answer takes its place, and it is not remembered twice.
    let question = world.asked.remove(0);
    assert_eq!(question.target, name("cdn.test"));
    let now = world.now();
    let failure = failed(AliasFailure::Timeout);
    world.resolver.finish(now, question.id, failure);
    assert_eq!(world.known("cdn.test").v4, [Ipv4Addr::new(192, 0, 2, 7)]);
    world.retarget(&["new.test"]);
    world.retarget(&["new.test", "cdn.test"]);
    assert!(!world.known("cdn.test").is_known());
}

#[test]
fn that_an_answer_got_stale_is_published_whatever_its_ttl() {
    let mut world = World::new(&["cdn.test"]);
    assert!(world.answer(found(&[[192, 0, 2, 1]], 0, 30)));
    world.wait();
    assert!(world.answer(failed(AliasFailure::Timeout)));
    world.wait();
    assert!(
        !world.answer(failed(AliasFailure::Unreachable)),
        "stale as before"
    );
    world.wait();
    assert!(world.answer(found(&[[192, 0, 2, 1]], 0, 30)));
}
