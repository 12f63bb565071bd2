//! The names that ALIAS records lead to, sans-IO: which is asked about when, and what the answers
//! make of it.
//!
//! Each target is asked about once for all who want it, for both families at a time; again when its
//! answer runs out, a little earlier by chance; after a failure soon, then ever more rarely. At most
//! [`AT_ONCE`] are under way, so a resolver that hangs holds up nobody but its own targets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use windrose_model::{AliasCause, AliasFailure, AliasStatus, Aliases, DnsName, Now, Ttl, WallTime};

#[cfg(test)]
mod tests;

/// Questions under way at a time.
pub const AT_ONCE: usize = 16;
/// Addresses of one family that are kept.
pub const ADDRESSES: usize = 32;

/// Bounds of a refresh, and of the TTL of what was resolved.
const SOONEST: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(3_600);
/// After a failure, doubling.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MOST: Duration = Duration::from_secs(60);
/// TTL of what was kept (RFC 8767 section 5).
const STALE: u32 = 30;
/// TTLs of what was resolved are rounded down to one of these, so that a resolver whose cache
/// counts down changes nothing here at each refresh.
const STEPS: [u32; 12] = [5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600];

/// A question to ask; answered by one [`Resolver::finish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// To be given back with the answer.
    pub id: u64,
    /// About whom.
    pub target: DnsName,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// IPv4.
    pub v4: Result<Addresses<Ipv4Addr>, AliasFailure>,
    /// IPv6.
    pub v6: Result<Addresses<Ipv6Addr>, AliasFailure>,
}

/// Of one family; none when the name has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses<A> {
    /// In any order.
    pub list: Vec<A>,
    /// How long they hold.
    pub ttl: Duration,
    /// Names on the way there.
    pub through: Vec<DnsName>,
}

/// Resolves what aliases lead to.
#[derive(Debug)]
pub struct Resolver {
    targets: BTreeMap<DnsName, Target>,
    /// Names of ours that are aliases: a target that leads there is a loop.
    owners: BTreeSet<DnsName>,
    due: BTreeSet<(Instant, DnsName)>,
    under_way: BTreeMap<u64, DnsName>,
    questions: u64,
    jitter: bool,
    dice: u64,
    known: Arc<Aliases>,
    /// From before a restart, until the first Model takes of it what it wants.
    remembered: Arc<Aliases>,
}

#[derive(Debug, Clone, Copy)]
struct Target {
    due: Instant,
    asking: Option<u64>,
    failures: u32,
}

impl Resolver {
    /// A resolver without targets, that knows of some from before a restart.
    pub fn new(seed: u64, jitter: bool, remembered: Arc<Aliases>) -> Self {
        Self {
            targets: BTreeMap::new(),
            owners: BTreeSet::new(),
            due: BTreeSet::new(),
            under_way: BTreeMap::new(),
            questions: 0,
            jitter,
            dice: seed | 1,
            known: Arc::default(),
            remembered,
        }
    }

    /// Takes over what a new Model wants; what is known of targets that stay is kept. Whether that
    /// changes what is known.
    pub fn retarget(
        &mut self,
        now: Instant,
        targets: impl Iterator<Item = DnsName>,
        owners: impl Iterator<Item = DnsName>,
    ) -> bool {
        self.owners = owners.collect();
        let wanted: BTreeSet<DnsName> = targets.collect();
        let before = self.targets.len();
        self.targets.retain(|name, _| wanted.contains(name));
        self.due.retain(|(_, name)| wanted.contains(name));
        let mut changed = self.targets.len() != before;
        for name in &wanted {
            if self.targets.contains_key(name) {
                continue;
            }
            changed = true;
            let target = Target {
                due: now,
                asking: None,
                failures: 0,
            };
            self.targets.insert(name.clone(), target);
            self.due.insert((now, name.clone()));
        }
        if changed {
            let known = Arc::make_mut(&mut self.known);
            known.retain(|name, _| wanted.contains(name));
            for name in wanted {
                if let Some(before) = self.remembered.get(&name) {
                    known.entry(name).or_insert_with(|| remembered(before));
                    continue;
                }
                let nothing = || {
                    Arc::new(AliasStatus {
                        v4: Vec::new(),
                        v6: Vec::new(),
                        ttl: ttl(SOONEST),
                        cause: AliasCause::Starting,
                        confirmed: WallTime::default(),
                    })
                };
                known.entry(name).or_insert_with(nothing);
            }
        }
        self.remembered = Arc::default();
        changed
    }

    /// Asks about every target anew, because somebody else is asked from now on; answers that are
    /// under way do not count any more. What is known is kept.
    pub fn begin_anew(&mut self, now: Instant) {
        self.due.clear();
        self.under_way.clear();
        for (name, target) in &mut self.targets {
            *target = Target {
                due: now,
                asking: None,
                failures: 0,
            };
            self.due.insert((now, name.clone()));
        }
    }

    /// What is known, for the Status.
    pub fn known(&self) -> &Arc<Aliases> {
        &self.known
    }

    /// When [`Resolver::poll`] has something to ask.
    pub fn next_wakeup(&self) -> Option<Instant> {
        if self.under_way.len() >= AT_ONCE {
            return None;
        }
        self.due.first().map(|(at, _)| *at)
    }

    /// Asks what is due, as far as there is room.
    pub fn poll(&mut self, now: Instant, mut ask: impl FnMut(Question)) {
        while self.under_way.len() < AT_ONCE
            && self.due.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, name)) = self.due.pop_first()
        {
            self.questions += 1;
            let id = self.questions;
            if let Some(target) = self.targets.get_mut(&name) {
                target.asking = Some(id);
                self.under_way.insert(id, name.clone());
                ask(Question { id, target: name });
            }
        }
    }

    /// Takes what came of a question. Whether answers change by it.
    pub fn finish(&mut self, now: Now, id: u64, found: Found) -> bool {
        let Some(name) = self.under_way.remove(&id) else {
            return false;
        };
        let Some(target) = self.targets.get_mut(&name) else {
            return false;
        };
        if target.asking != Some(id) {
            return false;
        }
        let Some(before) = self.known.get(&name) else {
            return false;
        };
        let (after, again) = concluded(before, &found, &self.owners, now);
        target.failures = match after.cause {
            AliasCause::Failing(_) => target.failures.saturating_add(1),
            _ => 0,
        };
        let doubled = RETRY_FIRST * (1 << target.failures.saturating_sub(1).min(6));
        let wait = if target.failures > 0 {
            doubled.min(RETRY_MOST)
        } else {
            again
        };
        // That it is stale is told with the answer.
        let answers = |status: &AliasStatus| {
            let is_fresh = status.cause == AliasCause::Resolved;
            (status.v4.clone(), status.v6.clone(), status.ttl, is_fresh)
        };
        let changed = answers(before) != answers(&after);
        Arc::make_mut(&mut self.known).insert(name.clone(), Arc::new(after));
        let due = now.mono + self.spread(wait);
        if let Some(target) = self.targets.get_mut(&name) {
            target.asking = None;
            target.due = due;
        }
        self.due.insert((due, name));
        changed
    }

    /// Up to a tenth earlier, so that targets of one TTL do not stay together.
    fn spread(&mut self, wait: Duration) -> Duration {
        if !self.jitter {
            return wait;
        }
        // xorshift64 (Marsaglia, 2003).
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let tenth = wait / 10;
        let share = u32::try_from(self.dice >> 40).unwrap_or(0);
        wait - tenth.mul_f64(f64::from(share) / f64::from(1u32 << 24))
    }
}

/// What was good before a restart, as an answer that is kept.
fn remembered(before: &AliasStatus) -> Arc<AliasStatus> {
    Arc::new(AliasStatus {
        ttl: stale(before.ttl),
        cause: AliasCause::Remembered,
        ..before.clone()
    })
}

/// The TTL of what is kept.
fn stale(ttl: Ttl) -> Ttl {
    let most = Duration::from_secs(STALE.into());
    Ttl::from_duration(Duration::from_secs(ttl.seconds().into()).min(most))
}

/// What to think of a target now, and how long it holds.
fn concluded(
    before: &AliasStatus,
    found: &Found,
    owners: &BTreeSet<DnsName>,
    now: Now,
) -> (AliasStatus, Duration) {
    let mut after = before.clone();
    let v4 = family(&found.v4, owners);
    let v6 = family(&found.v6, owners);
    let failure = match (&v4, &v6) {
        (Err(failure), _) | (_, Err(failure)) => Some(*failure),
        (Ok(v4), Ok(v6)) if v4.0.is_empty() && v6.0.is_empty() => Some(AliasFailure::NoAddress),
        _ => None,
    };
    // That a family is empty is news only beside a whole answer: what has no address is kept.
    if let Ok((list, _)) = &v4
        && (!list.is_empty() || failure.is_none())
    {
        after.v4.clone_from(list);
    }
    if let Ok((list, _)) = &v6
        && (!list.is_empty() || failure.is_none())
    {
        after.v6.clone_from(list);
    }
    let holds = [v4.map(|(_, ttl)| ttl), v6.map(|(_, ttl)| ttl)];
    let holds = holds.into_iter().flatten().min().unwrap_or(SOONEST);
    let holds = holds.clamp(SOONEST, LATEST);
    match failure {
        None => {
            after.cause = AliasCause::Resolved;
            after.confirmed = now.wall;
            after.ttl = ttl(holds);
        }
        Some(failure) => {
            after.cause = AliasCause::Failing(failure);
            after.ttl = stale(before.ttl);
        }
    }
    (after, holds)
}

/// Sorted, without doubles, bounded.
fn family<A: Ord + Clone>(
    found: &Result<Addresses<A>, AliasFailure>,
    owners: &BTreeSet<DnsName>,
) -> Result<(Vec<A>, Duration), AliasFailure> {
    let found = found.as_ref().map_err(|failure| *failure)?;
    if found.through.iter().any(|name| owners.contains(name)) {
        return Err(AliasFailure::Loop);
    }
    let mut list = found.list.clone();
    list.sort_unstable();
    list.dedup();
    list.truncate(ADDRESSES);
    Ok((list, found.ttl))
}

/// The step below.
fn ttl(holds: Duration) -> Ttl {
    let seconds = STEPS.into_iter().rev().find(|step| {
        let step = Duration::from_secs((*step).into());
        step <= holds
    });
    Ttl::from_duration(Duration::from_secs(seconds.unwrap_or(STEPS[0]).into()))
}
