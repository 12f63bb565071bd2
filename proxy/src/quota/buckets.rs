//! Token buckets by key, exact and shared by the threads of a node, in bounded memory.
//!
//! A bucket is one number, the moment at which it will be full again (the generic cell rate
//! algorithm, ITU-T I.371); a bucket that is full is the same as none, so forgetting it loses
//! nothing. A key is a keyed hash (SipHash) of what it stands for: strangers cannot aim at a bucket.
//!
//! Where memory ends, apps do not compete: whoever has the most buckets gives one away to an app that
//! has fewer, so that an app has its equal share whatever the others do.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use windrose_model::RateLimit;

/// Parts with a lock each.
const SHARDS: usize = 64;
/// Buckets of a part that are not full; 262,144 in all: some 8 MiB where apps have many each, some
/// 40 MiB where each is the only one of its app in its part.
const PER_SHARD: usize = 4_096;
/// A part that has no room is searched for full buckets at most so often.
const SEARCH_EVERY: u64 = 100_000_000;

/// The buckets of a node.
#[derive(Debug)]
pub(crate) struct Buckets {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Debug, Default)]
struct Shard {
    /// By app: when each of its buckets will be full again, in nanoseconds.
    apps: HashMap<Owner, HashMap<u64, u64>>,
    /// Buckets of all apps.
    count: usize,
    searched: u64,
}

/// The app whose bucket it is: a hash of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Owner(u64);

/// How a bucket fills.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Nanoseconds that one request costs, at least 1.
    cost: u64,
    /// Requests that a full bucket holds.
    burst: u64,
}

/// What is left in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grant {
    /// Requests that could come now.
    pub(super) left: u64,
    /// Until there is room for one more than that.
    pub(super) reset: Duration,
    /// There was no room for a bucket.
    pub(super) untracked: bool,
}

impl Rule {
    pub(super) fn of(limit: &RateLimit) -> Self {
        let per = u64::try_from(limit.per.as_nanos()).unwrap_or(u64::MAX);
        Self {
            cost: (per / u64::from(limit.rate.max(1))).max(1),
            burst: u64::from(limit.burst.max(1)),
        }
    }
}

impl Buckets {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The app of this name.
    pub(super) fn owner(&self, app: &str) -> Owner {
        Owner(self.hasher.hash_one(app))
    }

    /// The bucket of what this stands for.
    pub(super) fn key(&self, of: &impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    /// Takes a token at `now`; `Err`: how long until there is one.
    pub(super) fn take(
        &self,
        owner: Owner,
        key: u64,
        rule: Rule,
        now: Duration,
    ) -> Result<Grant, Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let mut shard = self.shard(key);
        let depth = rule.cost.saturating_mul(rule.burst);
        // Emptier than empty it was left only by a rule that filled it more slowly.
        let empty = now.saturating_add(depth);
        let full_at = shard.bucket(owner, key).map_or(now, |at| {
            *at = (*at).min(empty);
            (*at).max(now)
        });
        let after = full_at.saturating_add(rule.cost);
        let used = after - now;
        if used > depth {
            return Err(Duration::from_nanos(used - depth));
        }
        let untracked = !shard.has_room(owner, key, now);
        if !untracked {
            shard.put(owner, key, after);
        }
        let left = (depth - used) / rule.cost;
        let reset = Duration::from_nanos(used - (rule.burst - left - 1) * rule.cost);
        Ok(Grant {
            left,
            reset,
            untracked,
        })
    }

    /// Gives a token back.
    pub(super) fn give_back(&self, owner: Owner, key: u64, rule: Rule) {
        if let Some(full_at) = self.shard(key).bucket(owner, key) {
            *full_at = full_at.saturating_sub(rule.cost);
        }
    }

    fn shard(&self, key: u64) -> std::sync::MutexGuard<'_, Shard> {
        let shard = &self.shards[(key >> 58) as usize % SHARDS];
        // A bucket is one number: nobody leaves it half written.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn bucket(&mut self, owner: Owner, key: u64) -> Option<&mut u64> {
        self.apps.get_mut(&owner)?.get_mut(&key)
    }

    fn put(&mut self, owner: Owner, key: u64, full_at: u64) {
        let before = self.apps.entry(owner).or_default().insert(key, full_at);
        self.count += usize::from(before.is_none());
    }

    /// Whether a bucket of this key may be kept; makes room if there are full ones, or if another
    /// app has more buckets than this one.
    fn has_room(&mut self, owner: Owner, key: u64, now: u64) -> bool {
        if self.count < PER_SHARD || self.bucket(owner, key).is_some() {
            return true;
        }
        if now.saturating_sub(self.searched) >= SEARCH_EVERY {
            self.searched = now;
            self.forget_full(now);
        }
        self.count < PER_SHARD || self.take_from_largest(owner)
    }

    fn forget_full(&mut self, now: u64) {
        self.apps.retain(|_, buckets| {
            buckets.retain(|_, full_at| *full_at > now);
            !buckets.is_empty()
        });
        self.count = self.apps.values().map(HashMap::len).sum();
    }

    /// Forgets a bucket of the app that has the most, if it has more than this one would have: one
    /// of its own clients begins with a full bucket again.
    fn take_from_largest(&mut self, owner: Owner) -> bool {
        let mine = self.apps.get(&owner).map_or(0, HashMap::len);
        let largest = self.apps.values_mut().max_by_key(|buckets| buckets.len());
        let Some(largest) = largest.filter(|buckets| buckets.len() > mine + 1) else {
            return false;
        };
        let any = largest.keys().next().copied();
        let taken = any.and_then(|key| largest.remove(&key)).is_some();
        self.count -= usize::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ONE: Owner = Owner(1);

    fn rule(rate: u32, burst: u32) -> Rule {
        Rule::of(&RateLimit {
            rate,
            per: SECOND,
            burst,
            by: windrose_model::RateKey::App,
            enforced: true,
        })
    }

    #[test]
    fn over_any_time_no_more_pass_than_the_burst_and_the_rate_allow() {
        let (buckets, rule) = (Buckets::new(), rule(100, 20));
        // Ten a millisecond, a hundred times too many.
        let passed = (0..10_000)
            .map(|n| SECOND + Duration::from_micros(n * 100))
            .filter(|now| buckets.take(ONE, 1, rule, *now).is_ok())
            .count();
        assert_eq!(passed, 20 + 99);
    }

    #[test]
    fn the_wait_that_is_told_is_long_enough_and_no_longer() {
        let (buckets, rule) = (Buckets::new(), rule(10, 1));
        assert!(buckets.take(ONE, 1, rule, SECOND).is_ok());
        let wait = buckets.take(ONE, 1, rule, SECOND).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        let early = SECOND + wait - Duration::from_nanos(1);
        assert!(buckets.take(ONE, 1, rule, early).is_err());
        assert!(buckets.take(ONE, 1, rule, SECOND + wait).is_ok());
    }

    #[test]
    fn what_is_left_and_when_there_is_more_of_it() {
        let (buckets, rule) = (Buckets::new(), rule(10, 3));
        let grant = |left, millis| Grant {
            left,
            reset: Duration::from_millis(millis),
            untracked: false,
        };
        assert_eq!(buckets.take(ONE, 1, rule, SECOND), Ok(grant(2, 100)));
        assert_eq!(buckets.take(ONE, 1, rule, SECOND), Ok(grant(1, 100)));
        assert_eq!(
            buckets.take(ONE, 1, rule, SECOND * 11 / 10),
            Ok(grant(1, 100))
        );
    }

    #[test]
    fn a_bucket_that_a_slower_rule_emptied_is_only_empty_under_the_next_one() {
        let buckets = Buckets::new();
        let slow = Rule {
            cost: 3_600_000_000_000,
            burst: 5,
        };
        assert!((0..5).all(|_| buckets.take(ONE, 1, slow, SECOND).is_ok()));
        let fast = rule(10, 10);
        let wait = buckets.take(ONE, 1, fast, SECOND).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(buckets.take(ONE, 1, fast, SECOND + wait).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_full_buckets_make_room() {
        let (buckets, rule) = (Buckets::new(), rule(1, 1));
        let many = (SHARDS * PER_SHARD * 4) as u64;
        let keys = || (0..many).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let passed = keys().filter(|key| buckets.take(ONE, *key, rule, SECOND).is_ok());
        assert_eq!(passed.count() as u64, many, "who cannot be counted passes");
        let kept = |buckets: &Buckets| -> usize {
            let shards = buckets.shards.iter();
            shards.map(|shard| shard.lock().unwrap().count).sum()
        };
        assert!(kept(&buckets) <= SHARDS * PER_SHARD);
        let later = SECOND * 5;
        let tracked = keys().take(1_000).filter(|key| {
            buckets
                .take(ONE, *key, rule, later)
                .is_ok_and(|grant| !grant.untracked)
        });
        assert_eq!(tracked.count(), 1_000);
    }

    /// Whether the second of two requests of each of so many keys is refused.
    fn counted(buckets: &Buckets, owner: Owner, keys: u64, rule: Rule) -> usize {
        let keys = (0..keys).map(|n| (n ^ owner.0 << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let refused = |key: &u64| {
            let _ = buckets.take(owner, *key, rule, SECOND);
            buckets.take(owner, *key, rule, SECOND).is_err()
        };
        keys.filter(refused).count()
    }

    #[test]
    fn an_app_that_fills_all_buckets_takes_none_of_another_app_s_share() {
        let (buckets, slow) = (Buckets::new(), rule(1, 1));
        let all = (SHARDS * PER_SHARD) as u64;
        // One app has more keys than there are buckets, and another comes later.
        counted(&buckets, Owner(1), all * 2, slow);
        assert_eq!(counted(&buckets, Owner(2), 20_000, slow), 20_000);
        // Each of three has its third, less what falls unevenly on the parts.
        let third = all / 3 * 9 / 10;
        assert_eq!(counted(&buckets, Owner(3), third, slow) as u64, third);
        let kept: usize = buckets.shards.iter().map(|s| s.lock().unwrap().count).sum();
        assert!(kept <= SHARDS * PER_SHARD);
        for shard in &buckets.shards {
            let shard = shard.lock().unwrap();
            let sum: usize = shard.apps.values().map(HashMap::len).sum();
            assert_eq!(sum, shard.count);
        }
    }

    #[test]
    fn an_app_that_has_the_most_buckets_displaces_nobody() {
        let (buckets, slow) = (Buckets::new(), rule(1, 1));
        assert_eq!(counted(&buckets, Owner(2), 1_000, slow), 1_000);
        counted(&buckets, Owner(1), (SHARDS * PER_SHARD * 2) as u64, slow);
        let kept = |owner| -> usize {
            let shards = buckets.shards.iter();
            shards
                .map(|s| s.lock().unwrap().apps.get(&owner).map_or(0, HashMap::len))
                .sum()
        };
        assert_eq!(kept(Owner(2)), 1_000);
    }
}
