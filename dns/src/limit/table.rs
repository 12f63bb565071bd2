//! HOT. A table of buckets whose size is set at the start, shared by all threads without a lock.
//!
//! Sets of four buckets; a key's set and tag come from its hash. Where a set has no bucket of a key,
//! the one with the least debt is taken over and begins full. So when there are more keys than
//! buckets the limiter lets through more than it should, and never less; and keys that ask once do
//! not push out those that are at their limit. Two keys share a bucket only if both set and tag are
//! equal: for one key at its limit and one honest one that is one in `buckets / 4 × 65,536`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::bucket::{Rule, Step, Ticks, full, tag, tag_of};

/// Buckets of a set: half a cache line.
const WAYS: usize = 4;
/// Tries before an answer goes out uncharged, because other threads charge the same bucket all the
/// time. Each lost try is a token that somebody else took, so this does not loosen a limit.
const TRIES: usize = 8;

/// Fewest buckets of a table.
pub(super) const MIN_BUCKETS: u32 = 64;
/// Most: 32 MiB.
pub(super) const MAX_BUCKETS: u32 = 1 << 22;

#[repr(align(32))]
struct Set([AtomicU64; WAYS]);

pub(super) struct Table {
    sets: Box<[Set]>,
    mask: u64,
}

/// What a table says to one more answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Granted,
    Slipped,
    Refused,
}

impl Table {
    /// Room for `buckets` (64 to 2^22, clamped; then up to a power of two), eight octets each.
    pub(super) fn new(buckets: u32) -> Self {
        let buckets = buckets.clamp(MIN_BUCKETS, MAX_BUCKETS).next_power_of_two();
        let sets = buckets as usize / WAYS;
        let empty = || Set([const { AtomicU64::new(0) }; WAYS]);
        Self {
            sets: std::iter::repeat_with(empty).take(sets).collect(),
            mask: sets as u64 - 1,
        }
    }

    /// Charges one answer to the key of `hash`.
    #[inline]
    pub(super) fn charge(&self, hash: u64, rule: &Rule, now: Ticks) -> Told {
        let tag = tag_of(hash);
        for _ in 0..TRIES {
            let Some((bucket, word)) = self.bucket(hash, tag, rule, now) else {
                break;
            };
            let (told, next) = match rule.take(word.known, tag, now) {
                Step::Granted(next) => (Told::Granted, next),
                Step::Slipped(next) => (Told::Slipped, next),
                Step::Refused(next) => (Told::Refused, next),
            };
            let swapped = bucket.compare_exchange(word.found, next, Relaxed, Relaxed);
            if swapped.is_ok() {
                return told;
            }
            // Somebody else counted a refusal at the same moment: this one just goes uncounted.
            if told != Told::Granted {
                return Told::Refused;
            }
        }
        Told::Granted
    }

    /// Whether the key of `hash` has no token left; charges nothing.
    pub(super) fn is_empty(&self, hash: u64, rule: &Rule, now: Ticks) -> bool {
        let tag = tag_of(hash);
        let bucket = self.bucket(hash, tag, rule, now);
        bucket.is_some_and(|(_, word)| rule.is_empty(word.known, now))
    }

    /// The bucket of a key, or the one it may take over. `None` never happens: the mask keeps the
    /// index inside.
    #[inline]
    fn bucket(
        &self,
        hash: u64,
        wanted: u64,
        rule: &Rule,
        now: Ticks,
    ) -> Option<(&AtomicU64, Word)> {
        #[allow(clippy::cast_possible_truncation, reason = "masked")]
        let set = &self.sets.get((hash & self.mask) as usize)?.0;
        for bucket in set {
            let found = bucket.load(Relaxed);
            if tag(found) == wanted {
                return Some((
                    bucket,
                    Word {
                        found,
                        known: found,
                    },
                ));
            }
        }
        let loaded = set.iter().map(|bucket| (bucket, bucket.load(Relaxed)));
        let (bucket, found) = loaded.min_by_key(|(_, word)| rule.debt(*word, now))?;
        let known = full(now);
        Some((bucket, Word { found, known }))
    }
}

/// What stands in a bucket, and what of it counts for the key.
struct Word {
    found: u64,
    known: u64,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Ticks {
        Ticks::after(Duration::from_millis(1_000 + millis))
    }

    /// Spreads a number over all bits, as hashes are.
    fn hash(n: u64) -> u64 {
        let wide = u128::from(n ^ 0x9e37_79b9_7f4a_7c15) * 0xda94_2042_e4dd_58b5_u128;
        let hash = (wide >> 64) as u64 ^ wide as u64;
        hash.wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(29)
    }

    fn granted(table: &Table, key: u64, rule: &Rule, now: Ticks, times: u32) -> u32 {
        let told = (0..times).map(|_| table.charge(hash(key), rule, now));
        told.map(|told| u32::from(told == Told::Granted)).sum()
    }

    const RULE: (u32, Duration) = (10, Duration::from_secs(1));

    #[test]
    fn keys_have_buckets_of_their_own() {
        let (table, rule) = (Table::new(1 << 16), Rule::new(RULE.0, RULE.1, 0));
        for key in 0..1_000 {
            assert_eq!(granted(&table, key, &rule, at(0), 15), 10, "key {key}");
        }
        for key in 0..1_000 {
            assert_eq!(granted(&table, key, &rule, at(500), 15), 5, "key {key}");
        }
    }

    #[test]
    fn a_million_keys_that_ask_once_do_not_push_out_one_at_its_limit() {
        let (table, rule) = (Table::new(64), Rule::new(RULE.0, RULE.1, 0));
        assert_eq!(granted(&table, 0, &rule, at(0), 15), 10);
        for key in 1..1_000_000 {
            table.charge(hash(key), &rule, at(0));
        }
        assert_eq!(granted(&table, 0, &rule, at(0), 15), 0);
    }

    #[test]
    fn with_every_bucket_at_its_limit_a_stranger_is_still_answered() {
        let (table, rule) = (Table::new(1 << 12), Rule::new(RULE.0, RULE.1, 0));
        for key in 0..1 << 15 {
            granted(&table, key, &rule, at(0), 11);
        }
        // 16 bits of tag and four buckets to meet: of 100,000 strangers, 6 are expected to.
        let strangers = 1_000_000..1_100_000;
        let refused = strangers
            .filter(|key| {
                let hash = hash(*key);
                table.is_empty(hash, &rule, at(0))
            })
            .count();
        assert!(refused <= 30, "{refused}");
    }

    #[test]
    fn threads_share_one_rate() {
        let (table, rule) = (Table::new(1 << 10), Rule::new(1_000, RULE.1, 2));
        let (answered, slipped) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        match table.charge(hash(1), &rule, at(0)) {
                            Told::Granted => answered.fetch_add(1, Relaxed),
                            Told::Slipped => slipped.fetch_add(1, Relaxed),
                            Told::Refused => 0,
                        };
                    }
                });
            }
        });
        let answered = answered.load(Relaxed);
        assert!((1_000..1_010).contains(&answered), "{answered}");
        // Refusals that meet go uncounted, so there are at most half.
        let slipped = slipped.load(Relaxed);
        assert!((1..=39_500).contains(&slipped), "{slipped}");
    }

    #[test]
    fn memory_is_what_was_asked_for() {
        for (asked, got) in [(0, 64), (65, 128), (1 << 16, 1 << 16), (u32::MAX, 1 << 22)] {
            assert_eq!(Table::new(asked).sets.len() * WAYS, got);
            assert_eq!(size_of::<Set>(), 8 * WAYS);
        }
    }
}
