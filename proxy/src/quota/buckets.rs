//! Token buckets by key, exact and shared by the threads of a node, in bounded memory.
//!
//! A bucket is one number, the moment at which it will be full again (the generic cell rate
//! algorithm, ITU-T I.371); a bucket that is full is the same as none, so forgetting it loses
//! nothing. A key is a keyed hash (SipHash) of what it stands for: strangers cannot aim at a bucket.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use windrose_model::RateLimit;

/// Parts with a lock each.
const SHARDS: usize = 64;
/// Buckets of a part that are not full; 262,144 in all, some 8 MiB.
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
    /// When each bucket will be full again, in nanoseconds.
    full_at: HashMap<u64, u64>,
    searched: u64,
}

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

    /// The bucket of what this stands for.
    pub(super) fn key(&self, of: &impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    /// Takes a token at `now`; `Err`: how long until there is one.
    pub(super) fn take(&self, key: u64, rule: Rule, now: Duration) -> Result<Grant, Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let mut shard = self.shard(key);
        let depth = rule.cost.saturating_mul(rule.burst);
        // Emptier than empty it was left only by a rule that filled it more slowly.
        let empty = now.saturating_add(depth);
        let full_at = shard.full_at.get_mut(&key).map_or(now, |at| {
            *at = (*at).min(empty);
            (*at).max(now)
        });
        let after = full_at.saturating_add(rule.cost);
        let used = after - now;
        if used > depth {
            return Err(Duration::from_nanos(used - depth));
        }
        let untracked = !shard.has_room(key, now);
        if !untracked {
            shard.full_at.insert(key, after);
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
    pub(super) fn give_back(&self, key: u64, rule: Rule) {
        if let Some(full_at) = self.shard(key).full_at.get_mut(&key) {
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
    /// Whether a bucket of this key may be kept; makes room if there are full ones.
    fn has_room(&mut self, key: u64, now: u64) -> bool {
        if self.full_at.len() < PER_SHARD || self.full_at.contains_key(&key) {
            return true;
        }
        if now.saturating_sub(self.searched) >= SEARCH_EVERY {
            self.searched = now;
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        self.full_at.len() < PER_SHARD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

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
            .filter(|now| buckets.take(1, rule, *now).is_ok())
            .count();
        assert_eq!(passed, 20 + 99);
    }

    #[test]
    fn the_wait_that_is_told_is_long_enough_and_no_longer() {
        let (buckets, rule) = (Buckets::new(), rule(10, 1));
        assert!(buckets.take(1, rule, SECOND).is_ok());
        let wait = buckets.take(1, rule, SECOND).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        let early = SECOND + wait - Duration::from_nanos(1);
        assert!(buckets.take(1, rule, early).is_err());
        assert!(buckets.take(1, rule, SECOND + wait).is_ok());
    }

    #[test]
    fn what_is_left_and_when_there_is_more_of_it() {
        let (buckets, rule) = (Buckets::new(), rule(10, 3));
        let grant = |left, millis| Grant {
            left,
            reset: Duration::from_millis(millis),
            untracked: false,
        };
        assert_eq!(buckets.take(1, rule, SECOND), Ok(grant(2, 100)));
        assert_eq!(buckets.take(1, rule, SECOND), Ok(grant(1, 100)));
        assert_eq!(buckets.take(1, rule, SECOND * 11 / 10), Ok(grant(1, 100)));
    }

    #[test]
    fn a_bucket_that_a_slower_rule_emptied_is_only_empty_under_the_next_one() {
        let buckets = Buckets::new();
        let slow = Rule {
            cost: 3_600_000_000_000,
            burst: 5,
        };
        assert!((0..5).all(|_| buckets.take(1, slow, SECOND).is_ok()));
        let fast = rule(10, 10);
        let wait = buckets.take(1, fast, SECOND).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(buckets.take(1, fast, SECOND + wait).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_full_buckets_make_room() {
        let (buckets, rule) = (Buckets::new(), rule(1, 1));
        let many = (SHARDS * PER_SHARD * 4) as u64;
        let keys = || (0..many).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let passed = keys().filter(|key| buckets.take(*key, rule, SECOND).is_ok());
        assert_eq!(passed.count() as u64, many, "who cannot be counted passes");
        let kept = |buckets: &Buckets| -> usize {
            let shards = buckets.shards.iter();
            shards
                .map(|shard| shard.lock().unwrap().full_at.len())
                .sum()
        };
        assert!(kept(&buckets) <= SHARDS * PER_SHARD);
        let later = SECOND * 5;
        let tracked = keys().take(1_000).filter(|key| {
            buckets
                .take(*key, rule, later)
                .is_ok_and(|grant| !grant.untracked)
        });
        assert_eq!(tracked.count(), 1_000);
    }
}
