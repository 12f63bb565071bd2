//! HOT: the one choice of cluster, for DNS and proxy alike: weighted rendezvous in integers.
//!
//! Rendezvous hashing (Thaler and Ravishankar, 1998) with weights by -ln(u)/w: each cluster of a
//! tier draws a score from the key and its name, and the lowest score over weight wins. When a
//! weight or the usable set changes, only the keys that must move do.

use std::net::IpAddr;

use self::logarithm::neg_log2;
use crate::atlas::embedded_ipv4;
use crate::digest::mix;
use crate::state::AppState;
use crate::steering::{Row, Tier};

mod logarithm;

/// What DNS should answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsChoice {
    /// The addresses of these clusters.
    Clusters(Picked),
    /// SERVFAIL: the operator chose it for when all are down.
    Servfail,
    /// An empty answer: the operator chose it, or a fence failed closed.
    Nodata,
}

/// Local clusters of an answer, the lead first; derefs to a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Picked {
    list: [u8; 8],
    len: u8,
}

impl std::ops::Deref for Picked {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        &self.list[..usize::from(self.len)]
    }
}

impl Picked {
    fn push(&mut self, cluster: u8) {
        if usize::from(self.len) < self.list.len() {
            self.list[usize::from(self.len)] = cluster;
            self.len += 1;
        }
    }
}

/// What an app does when no cluster of a row is usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AllDown {
    /// Use these, whatever their health.
    Clusters(u16),
    /// SERVFAIL.
    Servfail,
    /// An empty answer.
    Nodata,
}

/// A step of a choice, for `explain`; costs nothing where nobody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A fence left no cluster.
    FencedOut,
    /// No member of this tier is usable.
    TierDown {
        /// Position of the tier.
        tier: usize,
    },
    /// Less than `min_up_fraction` of this tier's weight is usable.
    HalfAlive {
        /// Position of the tier.
        tier: usize,
    },
    /// Shares send this key on, so those that are up in this half alive tier are used.
    HalfAliveUsed {
        /// Position of the tier.
        tier: usize,
    },
    /// This key is of those that keep the next usable tier warm.
    Trickled {
        /// Position of the tier it is taken from.
        tier: usize,
    },
    /// This cluster won the tier, but its dial or ramp sends this key on.
    SentOn {
        /// Position of the tier.
        tier: usize,
        /// Local number.
        cluster: u8,
    },
    /// This cluster won the tier.
    Won {
        /// Position of the tier.
        tier: usize,
        /// Local number.
        cluster: u8,
    },
    /// Every share refused this key, so shares are ignored.
    SharesIgnored,
    /// Nothing is usable: the rule for all-down holds.
    AllDown,
}

const SHARE_SALT: u64 = 0x5348_4152_455f_5f31;
const TRICKLE_SALT: u64 = 0x5452_4943_4b4c_4531;

/// The key of a sticky choice: the client's /24 or /56, salted by app. An IPv4 address inside an
/// IPv6 one counts as itself.
#[inline]
pub fn prefix_key(salt: u64, ip: IpAddr) -> u64 {
    let prefix = match ip {
        IpAddr::V4(ip) => u64::from(u32::from(ip) & 0xffff_ff00) | 1 << 40,
        IpAddr::V6(ip) => match embedded_ipv4(ip) {
            Some((ip, _)) => u64::from(u32::from(ip) & 0xffff_ff00) | 1 << 40,
            #[allow(clippy::cast_possible_truncation, reason = "the upper half is meant")]
            None => (u128::from(ip) >> 64) as u64 & !0xff,
        },
    };
    mix(salt ^ mix(prefix))
}

/// Everything a choice reads.
pub(crate) struct Chooser<'a> {
    pub(crate) row: &'a Row,
    pub(crate) state: &'a AppState,
    /// Hash of each cluster's name, by local number.
    pub(crate) hashes: &'a [u64],
    pub(crate) key: u64,
    /// Hundredths of a percent that go to the tier behind the one in use.
    pub(crate) trickle: u16,
    /// Hundredths of a percent of a tier's weight without which DNS leaves it, and below which it
    /// is not kept warm.
    pub(crate) min_up: u64,
}

impl Chooser<'_> {
    /// The clusters of a DNS answer.
    #[inline]
    pub(crate) fn dns(&self, answers: u8, see: &mut impl FnMut(Seen)) -> DnsChoice {
        let (row, state) = (self.row, self.state);
        if row.tiers.is_empty() {
            see(Seen::FencedOut);
            return DnsChoice::Nodata;
        }
        let mut half_alive = None;
        let mut sent_on = None;
        for (at, tier) in row.tiers.iter().enumerate() {
            let up = tier.mask & state.up;
            if up == 0 {
                see(Seen::TierDown { tier: at });
                continue;
            }
            if up != tier.mask && !enough(tier, up, state.allowed, self.min_up) {
                see(Seen::HalfAlive { tier: at });
                half_alive.get_or_insert((at, tier, up));
                continue;
            }
            if self.trickle > 0
                && let Some((lead, tier, up)) = self.trickled(at, state.up, see)
            {
                return self.several(lead, tier, up, answers, true);
            }
            if let Some(lead) = self.admitted(at, tier, up, see) {
                return self.several(lead, tier, up, answers, true);
            }
            sent_on.get_or_insert((at, tier, up));
        }
        if let Some((at, tier, up)) = sent_on {
            // Rather than more than a share allows: the living of a half alive tier, as in `http`.
            if let Some((at, tier, up)) = half_alive {
                see(Seen::HalfAliveUsed { tier: at });
                if let Some(lead) = self.admitted(at, tier, up, see) {
                    return self.several(lead, tier, up, answers, true);
                }
            }
            see(Seen::SharesIgnored);
            if let Some(lead) = self.best(tier, up) {
                see(Seen::Won {
                    tier: at,
                    cluster: lead,
                });
                return self.several(lead, tier, up, answers, true);
            }
        }
        if let Some((at, tier, _)) = half_alive {
            let all = tier.mask & (state.allowed | state.up);
            if let Some(lead) = self.best(tier, all) {
                see(Seen::Won {
                    tier: at,
                    cluster: lead,
                });
                return self.several(lead, tier, all, answers, false);
            }
        }
        see(Seen::AllDown);
        match state.all_down {
            AllDown::Servfail => DnsChoice::Servfail,
            AllDown::Nodata => DnsChoice::Nodata,
            AllDown::Clusters(mask) => self.whatever_their_health(mask, answers, see),
        }
    }

    /// The cluster of a request for a version that runs in `runs`, without those in `excluded`.
    #[inline]
    pub(crate) fn http(
        &self,
        usable: u16,
        runs: u16,
        excluded: u16,
        see: &mut impl FnMut(Seen),
    ) -> Option<u8> {
        let up = self.state.up & usable & !excluded;
        let mut sent_on = None;
        for (at, tier) in self.row.tiers.iter().enumerate() {
            let among = up;
            let up = tier.mask & up;
            if up == 0 {
                see(Seen::TierDown { tier: at });
                continue;
            }
            if self.trickle > 0
                && let Some((lead, ..)) = self.trickled(at, among, see)
            {
                return Some(lead);
            }
            if let Some(lead) = self.admitted(at, tier, up, see) {
                return Some(lead);
            }
            sent_on.get_or_insert((at, tier, up));
        }
        if let Some((at, tier, up)) = sent_on {
            see(Seen::SharesIgnored);
            let lead = self.best(tier, up)?;
            see(Seen::Won {
                tier: at,
                cluster: lead,
            });
            return Some(lead);
        }
        // Nothing is usable: rather a try than a refusal (unknown is never down, and verdicts lag).
        see(Seen::AllDown);
        let wanted = match self.state.all_down {
            AllDown::Clusters(mask) => mask,
            AllDown::Servfail | AllDown::Nodata => 0,
        };
        // As in DNS: last known, else allowed, else all of the row, drained or not.
        let any = [wanted, self.state.allowed, u16::MAX]
            .map(|mask| mask & runs & self.row.members & !excluded)
            .into_iter()
            .find(|mask| *mask != 0)?;
        self.row.tiers.iter().enumerate().find_map(|(at, tier)| {
            let lead = self.best(tier, tier.mask & any)?;
            see(Seen::Won {
                tier: at,
                cluster: lead,
            });
            Some(lead)
        })
    }

    fn whatever_their_health(
        &self,
        wanted: u16,
        answers: u8,
        see: &mut impl FnMut(Seen),
    ) -> DnsChoice {
        let members = self.row.members;
        // Never empty for want of health: last known, else allowed, else all of the row.
        let mask = [wanted & members, self.state.allowed & members, members]
            .into_iter()
            .find(|m| *m != 0)
            .unwrap_or(0);
        for (at, tier) in self.row.tiers.iter().enumerate() {
            if let Some(lead) = self.best(tier, tier.mask & mask) {
                see(Seen::Won {
                    tier: at,
                    cluster: lead,
                });
                return self.several(lead, tier, tier.mask & mask, answers, false);
            }
        }
        DnsChoice::Nodata
    }

    /// The winner among `up`, taking shares into account: who is sent on by its own share does not
    /// stand again for this key.
    #[inline]
    fn admitted(
        &self,
        at: usize,
        tier: &Tier,
        mut up: u16,
        see: &mut impl FnMut(Seen),
    ) -> Option<u8> {
        while let Some(lead) = self.best(tier, up) {
            if self.is_admitted(lead) {
                see(Seen::Won {
                    tier: at,
                    cluster: lead,
                });
                return Some(lead);
            }
            see(Seen::SentOn {
                tier: at,
                cluster: lead,
            });
            up &= !(1 << lead);
        }
        None
    }

    /// The cluster of a standby tier, if this key is one of those that keep it warm: the winner of
    /// the first tier behind `used` that DNS would use, by its own weights and shares. It takes
    /// from the tier in use what `trickle` says and no more, as its die is thrown for the key alone.
    #[cold]
    #[inline(never)]
    fn trickled(
        &self,
        used: usize,
        up: u16,
        see: &mut impl FnMut(Seen),
    ) -> Option<(u8, &Tier, u16)> {
        if scaled(mix(self.key ^ TRICKLE_SALT)) >= self.trickle {
            return None;
        }
        let (at, tier, up) = (self.row.tiers.iter().enumerate().skip(used + 1))
            .map(|(at, tier)| (at, tier, tier.mask & up))
            .find(|(_, tier, up)| *up != 0 && enough(tier, *up, self.state.allowed, self.min_up))?;
        // Told only if a share there admits the key: else the tier in use has it after all.
        self.admitted(at, tier, up, &mut |_| {})?;
        see(Seen::Trickled { tier: used });
        let lead = self.admitted(at, tier, up, see)?;
        Some((lead, tier, up))
    }

    /// The lead and its fixed successors among `mask`. A successor takes traffic as the lead does, so
    /// it too has a weight, or stands by for those that have, and a share that admits this key;
    /// shares are not asked where those are wanted that health would leave out.
    #[inline]
    fn several(&self, lead: u8, tier: &Tier, mask: u16, answers: u8, by_share: bool) -> DnsChoice {
        let mut picked = Picked::default();
        picked.push(lead);
        if answers > 1 {
            let members = || tier.members.iter().filter(|(c, _)| mask & (1 << c) != 0);
            let stands_by = !members().any(|(_, weight)| *weight > 0);
            let after = members().filter(|(c, _)| *c > lead);
            let before = members().filter(|(c, _)| *c < lead);
            for &(cluster, _) in after
                .chain(before)
                .filter(|(c, weight)| {
                    (stands_by || *weight > 0) && (!by_share || self.is_admitted(*c))
                })
                .take(usize::from(answers) - 1)
            {
                picked.push(cluster);
            }
        }
        DnsChoice::Clusters(picked)
    }

    /// Whether this cluster's share takes this key.
    #[inline]
    fn is_admitted(&self, cluster: u8) -> bool {
        let share = self.state.shares[usize::from(cluster)];
        share >= 10_000 || self.die(cluster) < share
    }

    /// 0 to 9,999, fixed for this key and cluster: monotone as a share grows.
    fn die(&self, cluster: u8) -> u16 {
        scaled(mix(self.key
            ^ self.hashes[usize::from(cluster)]
            ^ SHARE_SALT))
    }

    /// Weighted rendezvous among `mask`; members of weight 0 only when no other is there.
    #[inline]
    fn best(&self, tier: &Tier, mask: u16) -> Option<u8> {
        if mask & (mask.wrapping_sub(1)) == 0 {
            #[allow(clippy::cast_possible_truncation, reason = "below 16")]
            return (mask != 0).then(|| mask.trailing_zeros() as u8);
        }
        let mut best: Option<(u64, u32, u8)> = None;
        for &(cluster, weight) in &tier.members {
            if mask & (1 << cluster) == 0 {
                continue;
            }
            let score = neg_log2(mix(self.key ^ self.hashes[usize::from(cluster)]));
            let better = match best {
                None => true,
                Some((_, 0, _)) if weight > 0 => true,
                Some((_, other, _)) if other > 0 && weight == 0 => false,
                // score / weight < best / other, without dividing; weight 0 against 0 goes by score.
                Some((lowest, other, _)) => {
                    u128::from(score) * u128::from(other.max(1))
                        < u128::from(lowest) * u128::from(weight.max(1))
                }
            };
            if better {
                best = Some((score, weight, cluster));
            }
        }
        best.map(|(.., cluster)| cluster)
    }
}

/// A hash as 0 to 9,999.
fn scaled(hash: u64) -> u16 {
    #[allow(clippy::cast_possible_truncation, reason = "below 10,000")]
    let die = ((u128::from(hash) * 10_000) >> 64) as u16;
    die
}

/// Whether the usable members hold at least `min_up` hundredths of a percent of the weight of those
/// that are not drained. Members of weight 0 stand by: beside others they have no part in it, and
/// when they alone are usable it is their turn, however few they are.
fn enough(tier: &Tier, up: u16, allowed: u16, min_up: u64) -> bool {
    let weight = |mask: u16| -> u64 {
        let members = tier.members.iter();
        let among = members.filter(|(c, _)| mask & (1 << c) != 0);
        among.map(|(_, weight)| u64::from(*weight)).sum()
    };
    let heads = |mask: u16| u64::from((mask & tier.mask).count_ones());
    match (weight(up), weight(allowed | up)) {
        (_, 0) => heads(up) * 10_000 >= heads(allowed | up) * min_up,
        (0, _) => true,
        (usable, whole) => usable * 10_000 >= whole * min_up,
    }
}

/// What DNS makes of a row, apart from shares and chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A tier has enough usable members.
    Steered,
    /// In some tiers members are usable, in none enough of them: DNS answers all members of the first.
    HalfAlive,
    /// Nothing is usable: the rule for all-down holds.
    AllDown,
}

impl Standing {
    pub(crate) fn of(row: &Row, state: &AppState, min_up: u64) -> Self {
        let mut standing = Self::AllDown;
        for tier in &row.tiers {
            match tier.mask & state.up {
                0 => {}
                up if up == tier.mask || enough(tier, up, state.allowed, min_up) => {
                    return Self::Steered;
                }
                _ => standing = Self::HalfAlive,
            }
        }
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_key_is_the_same_inside_a_24_and_a_56() {
        let key = |ip: &str| prefix_key(7, ip.parse().unwrap());
        assert_eq!(key("192.0.2.1"), key("192.0.2.254"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.9"));
        assert_eq!(key("192.0.2.1"), key("2002:c000:209:77::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.3.1"));
        assert_eq!(key("2001:db8:0:aa00::1"), key("2001:db8:0:aaff:1::2"));
        assert_ne!(key("2001:db8:0:aa00::1"), key("2001:db8:0:ab00::1"));
    }
}
