//! Limits per client prefix, in virtual time: exact counts of what is answered, slipped and dropped.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::world::{Ask, asked, ip, table};
use proptest::prelude::*;
use windrose_dns::{
    Action, AnswerClass, CookieSeen, Judgement, Limited, Limiter, Limits, Mode, Reply, Scratch,
    Ticks, Transport,
};
use windrose_routing::Table;

/// A limiter, and the world it guards.
struct Guarded {
    limiter: Limiter,
    table: Table,
}

/// Answered, slipped, dropped.
type Counts = (u32, u32, u32);

impl Guarded {
    fn new(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        limits.responses.mode = Mode::On;
        limits.responses.rates = [5; AnswerClass::COUNT];
        limits.responses.window = Duration::from_secs(1);
        change(&mut limits);
        Self {
            limiter: Limiter::new(&limits, [7, 9]).unwrap(),
            table: table(),
        }
    }

    fn reply(&self, ask: &Ask, source: IpAddr) -> (Reply, Vec<u8>) {
        let mut out = [0; 1232];
        let reply = respond(&self.table, &ask.wire(), source, &mut out).unwrap();
        (reply, out[..reply.len].to_vec())
    }

    fn judge(&self, ask: &Ask, source: &str, millis: u64) -> Judgement {
        let (reply, message) = self.reply(ask, ip(source));
        self.limiter.judge(&reply, &message, ip(source), at(millis))
    }

    /// Asks `times` at one moment.
    fn ask(&self, ask: &Ask, source: &str, millis: u64, times: u32) -> Counts {
        let mut counts = (0, 0, 0);
        for _ in 0..times {
            match self.judge(ask, source, millis).action {
                Action::Answer => counts.0 += 1,
                Action::Slip => counts.1 += 1,
                Action::Drop => counts.2 += 1,
            }
        }
        counts
    }
}

fn respond(table: &Table, packet: &[u8], source: IpAddr, out: &mut [u8]) -> Option<Reply> {
    let mut scratch = Scratch::new();
    let asked = asked(source, 0, Transport::Udp);
    windrose_dns::respond(table, packet, &mut scratch, &asked, out)
}

fn at(millis: u64) -> Ticks {
    Ticks::after(Duration::from_secs(100) + Duration::from_millis(millis))
}

fn www() -> Ask {
    Ask::new("www.example.com", 1)
}

#[test]
fn one_question_of_one_prefix_is_held_to_the_rate() {
    let guarded = Guarded::new(|_| {});
    assert_eq!(guarded.ask(&www(), "192.0.2.1", 0, 20), (5, 7, 8));
    // Another address of the prefix, other case: the same bucket, refilled by one.
    let shout = Ask::new("WWW.Example.COM", 1);
    assert_eq!(guarded.ask(&shout, "192.0.2.77", 200, 5), (1, 2, 2));
    assert_eq!(guarded.ask(&www(), "192.0.2.1", 1_200, 20), (5, 8, 7));
    assert_eq!(guarded.ask(&www(), "192.0.2.1", 9_999_999, 20), (5, 7, 8));
}

#[test]
fn other_prefixes_and_other_questions_are_not_touched() {
    let guarded = Guarded::new(|_| {});
    guarded.ask(&www(), "192.0.2.1", 0, 1_000);
    for source in ["192.0.3.1", "2001:db8::1", "2001:db8:0:100::1"] {
        assert_eq!(guarded.ask(&www(), source, 0, 5), (5, 0, 0), "{source}");
    }
    for ask in [
        Ask::new("mail.example.com", 1),
        Ask::new("www.example.com", 28),
    ] {
        assert_eq!(guarded.ask(&ask, "192.0.2.1", 0, 5), (5, 0, 0));
    }
}

#[test]
fn names_that_strangers_can_make_up_are_one_kind_in_their_zone() {
    let guarded = Guarded::new(|limits| limits.responses.slip = 0);
    let mut counts = HashMap::new();
    for i in 0..50 {
        for (kind, name, qtype) in [
            ("nxdomain", format!("x{i}.example.com"), 1),
            ("nxdomain elsewhere", format!("x{i}.second.test"), 1),
            ("nodata", "mail.example.com".to_owned(), 100 + i),
            // An alias answers whatever type is asked for.
            ("alias", "alias.example.com".to_owned(), 1_000 + i),
            ("wildcard", format!("x{i}.wild.example.com"), 16),
            ("error", format!("x{i}.example.org"), 1),
        ] {
            let judged = guarded.judge(&Ask::new(&name, qtype), "192.0.2.1", 0);
            let answered: &mut u32 = counts.entry(kind).or_default();
            *answered += u32::from(judged.action == Action::Answer);
        }
    }
    let wanted = [
        "nxdomain",
        "nxdomain elsewhere",
        "nodata",
        "alias",
        "wildcard",
        "error",
    ];
    assert_eq!(counts, wanted.map(|kind| (kind, 5)).into());
}

#[test]
fn a_rate_of_zero_is_no_limit() {
    let guarded = Guarded::new(|limits| {
        limits.responses.rates[AnswerClass::Positive as usize] = 0;
    });
    assert_eq!(guarded.ask(&www(), "192.0.2.1", 0, 500), (500, 0, 0));
    let nothing = Ask::new("nothing.example.com", 1);
    assert_eq!(guarded.ask(&nothing, "192.0.2.1", 0, 20), (5, 7, 8));
}

#[test]
fn what_is_cut_short_asks_for_tcp_and_is_no_larger_than_the_query() {
    let guarded = Guarded::new(|_| {});
    for (ask, len) in [
        (www(), 33),
        (www().edns(1232), 44),
        (www().subnet("10.0.0.0/8"), 53),
        // What only answers say is left out: NSID, a first cookie, why.
        (www().option(3, &[]), 48),
        (www().option(10, &[1, 2, 3, 4, 5, 6, 7, 8]), 56),
        (Ask::new("www.example.org", 1).edns(1232), 44),
    ] {
        let (reply, mut message) = guarded.reply(&ask, ip("192.0.2.1"));
        let len_of_cut = reply.cut(&mut message);
        assert_eq!(ask.wire().len(), len);
        assert!(len_of_cut <= len, "{len_of_cut} octets for {len}");
        let [_, _, flags, low, counts @ ..] = message.first_chunk::<12>().unwrap();
        assert_eq!(flags & 0x02, 0x02, "TC");
        assert_eq!(u16::from(low & 0x0f), reply.rcode as u16);
        assert_eq!(counts, &[0, 1, 0, 0, 0, 0, 0, u8::from(ask.opt.is_some())]);
        assert_eq!(reply.question(&message), &ask.wire()[12..33]);
    }
    // Whoever cannot be understood would not know what to ask again.
    let mut broken = www();
    broken.name = vec![0xc0];
    let (reply, mut message) = guarded.reply(&broken, ip("192.0.2.1"));
    assert_eq!(
        (reply.class, reply.cut(&mut message)),
        (AnswerClass::Error, 0)
    );
}

#[test]
fn a_dry_run_says_what_it_would_do_and_answers() {
    let guarded = Guarded::new(|limits| limits.responses.mode = Mode::DryRun);
    let would: Vec<_> = (0..8)
        .map(|_| guarded.judge(&www(), "192.0.2.1", 0))
        .collect();
    assert!(would.iter().all(|judged| judged.action == Action::Answer));
    let limited = |action| {
        let dry_run = true;
        Some(Limited { action, dry_run })
    };
    let told: Vec<_> = would.iter().map(|judged| judged.responses).collect();
    let (drop, slip) = (limited(Action::Drop), limited(Action::Slip));
    assert_eq!(told, [None, None, None, None, None, drop, slip, drop]);
}

#[test]
fn all_queries_of_a_prefix_have_a_limit_of_their_own() {
    let guarded = Guarded::new(|limits| {
        limits.responses.mode = Mode::Off;
        limits.queries.mode = Mode::On;
        limits.queries.rates = [10];
        limits.queries.window = Duration::from_secs(1);
        limits.queries.slip = 1;
        limits.exempt = vec![
            "198.51.100.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ];
    });
    let over = |source, millis| guarded.limiter.is_over(ip(source), at(millis));
    assert!(!over("192.0.2.1", 0));
    let mut counts = (0, 0);
    for i in 0..15 {
        let name = format!("h{i}.example.com");
        let judged = guarded.judge(&Ask::new(&name, 1), "192.0.2.1", 0);
        match judged.action {
            Action::Answer => counts.0 += 1,
            _ => counts.1 += 1,
        }
    }
    assert_eq!(counts, (10, 5));
    assert!(over("192.0.2.200", 0), "the prefix has used up its queries");
    assert!(!over("192.0.2.200", 101), "a tenth of a second brings one");
    assert!(!over("192.0.3.1", 0));
    for exempt in ["198.51.100.9", "2001:db8:9::1", "::ffff:198.51.100.7"] {
        assert_eq!(guarded.ask(&www(), exempt, 0, 50), (50, 0, 0), "{exempt}");
        assert!(!over(exempt, 0), "{exempt}");
    }
}

#[test]
fn a_client_with_a_valid_cookie_is_not_limited() {
    let guarded = Guarded::new(|_| {});
    let (mut reply, message) = guarded.reply(&www(), ip("192.0.2.1"));
    reply.cookie = Some(CookieSeen::Valid);
    for _ in 0..100 {
        let judged = guarded
            .limiter
            .judge(&reply, &message, ip("192.0.2.1"), at(0));
        assert_eq!(judged, Judgement::PASSED);
    }
    assert_eq!(guarded.ask(&www(), "192.0.2.1", 0, 20), (5, 7, 8));
}

#[test]
fn nobody_else_pays_for_a_flood_of_forged_sources() {
    // As many buckets as the default; 40 times as many forged prefixes.
    let guarded = Guarded::new(|_| {});
    let (reply, message) = guarded.reply(&www(), ip("192.0.2.1"));
    let judge = |bits: u32| {
        let source = IpAddr::V4(Ipv4Addr::from_bits(bits));
        guarded
            .limiter
            .judge(&reply, &message, source, at(0))
            .action
    };
    for prefix in 0..1 << 18 {
        for _ in 0..10 {
            judge(0x2000_0000 + (prefix << 8));
        }
    }
    // Every bucket is at its limit. The chance to meet one is four in 65,536: of 10,000 honest
    // prefixes that is less than one.
    let honest = (0..10_000u32).map(|prefix| judge(0xc000_0000 + (prefix << 8)));
    let hurt = honest.filter(|action| *action != Action::Answer).count();
    assert!(hurt <= 5, "{hurt}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_prefix_never_gets_more_than_its_bucket_and_what_time_brings(
        rate in 1u32..1_000,
        window in 1u64..5_000,
        slip in 0u8..=10,
        steps in prop::collection::vec((0u64..2_000, 1u32..50), 1..60),
    ) {
        let guarded = Guarded::new(|limits| {
            limits.responses.rates = [rate; AnswerClass::COUNT];
            limits.responses.window = Duration::from_millis(window);
            limits.responses.slip = slip;
        });
        let (reply, message) = guarded.reply(&www(), ip("192.0.2.1"));
        let (mut now, mut answered, mut slipped, mut refused) = (0, 0u32, 0u32, 0u32);
        for (pause, times) in steps {
            now += pause;
            for _ in 0..times {
                match guarded.limiter.judge(&reply, &message, ip("192.0.2.1"), at(now)).action {
                    Action::Answer => answered += 1,
                    Action::Slip => slipped += 1,
                    Action::Drop => refused += 1,
                }
            }
        }
        let millis = f64::from(u32::try_from(now + window).unwrap());
        let most = millis / 1_000.0 * f64::from(rate) * 1.001 + 1.0;
        prop_assert!(f64::from(answered) <= most, "{answered} of {most}");
        if slip == 0 {
            prop_assert_eq!(slipped, 0);
        } else {
            prop_assert_eq!(slipped, (slipped + refused) / u32::from(slip));
        }
    }

    #[test]
    fn any_reply_from_anywhere_is_judged(
        packet in prop::collection::vec(any::<u8>(), 12..200),
        address in any::<u128>(),
        v4 in any::<bool>(),
        nanos in any::<u64>(),
        prefixes in any::<(u8, u8)>(),
    ) {
        let guarded = Guarded::new(|limits| {
            limits.queries.mode = Mode::On;
            (limits.ipv4_prefix, limits.ipv6_prefix) = prefixes;
        });
        let source = if v4 {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(address >> 96).unwrap()))
        } else {
            IpAddr::V6(address.into())
        };
        let mut out = [0; 1232];
        let reply = respond(&guarded.table, &packet, source, &mut out);
        if let Some(reply) = reply {
            let now = Ticks::after(Duration::from_nanos(nanos));
            let judged = guarded.limiter.judge(&reply, &out, source, now);
            prop_assert_eq!(judged, Judgement::PASSED);
        }
    }
}
