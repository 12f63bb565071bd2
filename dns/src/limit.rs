//! HOT. How often a client prefix is answered over UDP: response rate limits by class of answer, as
//! in BIND, Knot and NSD, and a limit of all its queries.
//!
//! The source of a datagram proves nothing: a flood with a victim's address would make us flood the
//! victim. Both limiters share one table over all threads, so a rate is that of the node however
//! the kernel spreads a client's ports over threads. Deliberately absent: clocks (`now` is an
//! argument), TCP, and a list of offenders (the query log has them).

mod bucket;
mod key;
mod table;

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

pub use bucket::{MAX_RATE, MAX_SLIP, MAX_WINDOW, Ticks};

use crate::cookie::CookieSeen;
use crate::reply::{AnswerClass, Reply};
pub(crate) use bucket::{Rule, Step};
use key::Keys;
use table::{Table, Told};

/// Whether a limiter acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It is not there.
    #[default]
    Off,
    /// It counts what it would do.
    DryRun,
    /// It drops and slips.
    On,
}

/// One limiter with `N` rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<const N: usize> {
    /// Whether it acts.
    pub mode: Mode,
    /// Answers a second of one bucket, to [`MAX_RATE`]; 0 for no limit.
    pub rates: [u32; N],
    /// A bucket holds what the rate brings in this time, to [`MAX_WINDOW`].
    pub window: Duration,
    /// Every how many-th refused answer goes out cut short, so that an honest client comes by TCP:
    /// 1 for all, 0 for none, to [`MAX_SLIP`].
    pub slip: u8,
    /// Buckets, eight octets each, 64 to 4,194,304; rounded up to a power of two.
    pub buckets: u32,
}

/// What limits a client prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Answers of one class ([`AnswerClass`] is the index of its rate) to one question, or in one
    /// zone.
    pub responses: Limit<{ AnswerClass::COUNT }>,
    /// All answers.
    pub queries: Limit<1>,
    /// Bits of an IPv4 address that make a client, 1 to 32.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that make a client, 1 to 64.
    pub ipv6_prefix: u8,
    /// Who is never limited.
    pub exempt: Vec<IpNet>,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It goes out.
    Answer,
    /// Only its header, question and OPT record go out, marked as truncated (TC, RFC 2181 section
    /// 9).
    Slip,
    /// Nothing goes out.
    Drop,
}

/// What one limiter did, or would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// [`Action::Slip`] or [`Action::Drop`].
    pub action: Action,
    /// It only would have.
    pub dry_run: bool,
}

/// What both say to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// What becomes of it.
    pub action: Action,
    /// The limiter of queries, if it minded.
    pub queries: Option<Limited>,
    /// The limiter of responses, if it minded. Not asked when the other one acted.
    pub responses: Option<Limited>,
}

impl Judgement {
    /// Nobody minds.
    pub const PASSED: Self = Self {
        action: Action::Answer,
        queries: None,
        responses: None,
    };
}

/// Both limiters of a node. Its memory is set when it is made: 8 octets for each bucket.
pub struct Limiter {
    limits: Limits,
    keys: Keys,
    responses: Option<Rated<{ AnswerClass::COUNT }>>,
    queries: Option<Rated<1>>,
    exempt: Ranges,
}

struct Rated<const N: usize> {
    table: Table,
    rules: [Option<Rule>; N],
    dry_run: bool,
}

impl Default for Limits {
    /// Both off, with rates that no resolver reaches which caches: 200 answers a second (as NSD),
    /// 5,000 queries.
    fn default() -> Self {
        Self {
            responses: Limit {
                mode: Mode::Off,
                rates: [200; AnswerClass::COUNT],
                window: Duration::from_secs(2),
                slip: 2,
                buckets: 1 << 16,
            },
            queries: Limit {
                mode: Mode::Off,
                rates: [5_000],
                window: Duration::from_secs(2),
                slip: 2,
                buckets: 1 << 16,
            },
            ipv4_prefix: 24,
            ipv6_prefix: 56,
            exempt: Vec::new(),
        }
    }
}

impl Limiter {
    /// With `secret`, a number by chance that nobody else knows. `None` when both limiters are off.
    pub fn new(limits: &Limits, secret: [u64; 2]) -> Option<Self> {
        let limiter = Self {
            limits: limits.clone(),
            keys: Keys::new(secret, limits.ipv4_prefix, limits.ipv6_prefix),
            responses: Rated::new(&limits.responses),
            queries: Rated::new(&limits.queries),
            exempt: Ranges::new(&limits.exempt),
        };
        (limiter.responses.is_some() || limiter.queries.is_some()).then_some(limiter)
    }

    /// What it was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Charges an answer to its client and says what becomes of it. `message` is the answer as it
    /// would go out over UDP.
    #[inline]
    pub fn judge(&self, reply: &Reply, message: &[u8], source: IpAddr, now: Ticks) -> Judgement {
        // A valid server cookie proves the source (RFC 7873 section 5.2).
        if reply.cookie == Some(CookieSeen::Valid) {
            return Judgement::PASSED;
        }
        let client = self.keys.client(source);
        let mut judgement = Judgement::PASSED;
        if let Some(queries) = &self.queries {
            judgement.queries = self.told(queries, 0, client, source, now);
            if let Some(Limited {
                action,
                dry_run: false,
            }) = judgement.queries
            {
                judgement.action = action;
                return judgement;
            }
        }
        if let Some(responses) = &self.responses {
            let hash = self.hash(client, reply, message);
            judgement.responses = self.told(responses, reply.class as usize, hash, source, now);
            if let Some(Limited {
                action,
                dry_run: false,
            }) = judgement.responses
            {
                judgement.action = action;
            }
        }
        judgement
    }

    /// Whether the client has used up its queries, so that it should prove its address first
    /// (BADCOOKIE, RFC 7873 section 5.2.3). Charges nothing; false while that limiter is off or
    /// only runs dry.
    pub fn is_over(&self, source: IpAddr, now: Ticks) -> bool {
        self.queries.as_ref().is_some_and(|queries| {
            let client = self.keys.client(source);
            let rule = queries.rules[0].as_ref();
            !queries.dry_run
                && rule.is_some_and(|rule| queries.table.is_empty(client, rule, now))
                && !self.exempt.contain(source)
        })
    }

    /// Answers to one question are one kind; whatever strangers can vary at will is one kind in its
    /// zone; errors are one kind for the client.
    #[inline]
    fn hash(&self, client: u64, reply: &Reply, message: &[u8]) -> u64 {
        let class = reply.class as u64;
        let zone = u64::from(reply.zone.unwrap_or(u32::MAX));
        match reply.class {
            AnswerClass::Positive => {
                let kind = self.keys.kind(client, class);
                self.keys.question(kind, reply.kept_apart_by(message))
            }
            AnswerClass::Error => self.keys.kind(client, class),
            _ => self.keys.kind(client, class << 32 | zone),
        }
    }

    #[inline]
    fn told<const N: usize>(
        &self,
        rated: &Rated<N>,
        rate: usize,
        hash: u64,
        source: IpAddr,
        now: Ticks,
    ) -> Option<Limited> {
        let rule = rated.rules.get(rate)?.as_ref()?;
        let action = match rated.table.charge(hash, rule, now) {
            Told::Granted => return None,
            Told::Slipped => Action::Slip,
            Told::Refused => Action::Drop,
        };
        // Asked last, because few are at their limit.
        let limited = Limited {
            action,
            dry_run: rated.dry_run,
        };
        (!self.exempt.contain(source)).then_some(limited)
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the secret.
        let mut debug = f.debug_struct("Limiter");
        debug.field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl PartialEq for Limiter {
    /// Equal settings; what is in the buckets does not count.
    fn eq(&self, other: &Self) -> bool {
        self.limits == other.limits
    }
}

impl Eq for Limiter {}

impl<const N: usize> Rated<N> {
    fn new(limit: &Limit<N>) -> Option<Self> {
        let rule = |rate| (rate > 0).then(|| Rule::new(rate, limit.window, limit.slip));
        (limit.mode != Mode::Off).then(|| Self {
            table: Table::new(limit.buckets),
            rules: limit.rates.map(rule),
            dry_run: limit.mode == Mode::DryRun,
        })
    }
}

/// Address ranges, sorted and apart; IPv4 as IPv4-mapped IPv6.
#[derive(Debug)]
struct Ranges(Box<[(u128, u128)]>);

impl Ranges {
    fn new(nets: &[IpNet]) -> Self {
        let mut ranges: Vec<_> = nets
            .iter()
            .map(|net| (bits(net.network()), bits(net.broadcast())))
            .collect();
        ranges.sort_unstable();
        ranges.dedup_by(|next, last| {
            let meet = next.0 <= last.1;
            if meet {
                last.1 = last.1.max(next.1);
            }
            meet
        });
        Self(ranges.into())
    }

    fn contain(&self, ip: IpAddr) -> bool {
        let ip = bits(ip);
        let behind = self.0.partition_point(|(first, _)| *first <= ip);
        let last = behind.checked_sub(1).and_then(|at| self.0.get(at));
        last.is_some_and(|(_, last)| ip <= *last)
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => Ipv6Addr::to_bits(ip),
    }
}
