//! What a view does with clusters, kept apart from what is measured: tiers as far as places alone
//! decide, then the steps from the first `latency` on. A change of a round trip runs the outlines
//! again and leaves views and scopes as they are.

use windrose_model::{LatencyBand, Rtt};

use super::{Row, Tier};

/// Clusters by local number, grouped as equals, the most wanted first.
pub(super) type Tiers = Vec<Vec<u8>>;

/// A view before round trips are known. Places of equal outline have equal rows, whatever is
/// measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Outline {
    tiers: Tiers,
    /// Begins with a `Latency`, or is empty.
    rest: Vec<Effect>,
}

/// What one step does for one place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Effect {
    /// Only these stay.
    Keep(u16),
    /// Splits tiers by these groups, in order; the rest stays behind.
    Prefer(Vec<u16>),
    /// Splits tiers by this number of each local cluster, the least first, equals together.
    Order(Vec<u64>),
    /// Splits tiers by round trip.
    Latency(Sight),
}

/// Whence a place sees the clusters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sight {
    pub(super) band: LatencyBand,
    /// For clusters without a round trip of the client's own.
    pub(super) region: Option<u16>,
    /// By local number: from the client's own rows.
    pub(super) own: Vec<Option<Rtt>>,
}

/// Round trips from a region to a local cluster.
pub(super) trait Trips {
    /// None when nothing is known of it.
    fn rtt(&self, region: u16, cluster: u8, measured: bool) -> Option<Rtt>;
}

impl Outline {
    /// All clusters as equals, and no step yet.
    pub(super) fn of(clusters: usize) -> Self {
        Self {
            tiers: vec![(0u8..).take(clusters).collect()],
            rest: Vec::new(),
        }
    }

    /// Adds a step. What no round trip can change is done at once; what is left names only clusters
    /// that are still there, so that places differ only where rows could.
    pub(super) fn then(&mut self, effect: Effect) {
        if self.rest.is_empty() && !matches!(effect, Effect::Latency(_)) {
            self.tiers = effect.apply(std::mem::take(&mut self.tiers), &Nothing);
            return;
        }
        if let Effect::Keep(mask) = effect {
            // A fence works the same wherever it stands: what it removes is nobody's equal.
            self.tiers = Effect::Keep(mask).apply(std::mem::take(&mut self.tiers), &Nothing);
            self.rest.iter_mut().for_each(|e| e.narrow(&self.tiers));
        } else if self.tiers.iter().any(|tier| tier.len() > 1) {
            let mut effect = effect;
            effect.narrow(&self.tiers);
            self.rest.push(effect);
        }
        if self.tiers.iter().all(|tier| tier.len() < 2) {
            self.rest.clear();
        }
    }

    /// The regions whose round trips it reads.
    pub(super) fn regions(&self) -> impl Iterator<Item = u16> + '_ {
        self.rest.iter().filter_map(|effect| match effect {
            Effect::Latency(sight) => sight.region,
            _ => None,
        })
    }

    pub(super) fn row(&self, weights: &[u32], trips: &impl Trips) -> Row {
        let mut tiers = self.tiers.clone();
        for effect in &self.rest {
            tiers = effect.apply(tiers, trips);
        }
        let tiers: Box<[Tier]> = tiers
            .into_iter()
            .filter(|tier| !tier.is_empty())
            .map(|tier| Tier {
                mask: tier.iter().fold(0, |mask, &c| mask | 1 << c),
                members: tier.iter().map(|&c| (c, weights[usize::from(c)])).collect(),
            })
            .collect();
        Row {
            members: tiers.iter().fold(0, |mask, tier| mask | tier.mask),
            tiers,
        }
    }
}

impl Effect {
    fn apply(&self, tiers: Tiers, trips: &impl Trips) -> Tiers {
        match self {
            Self::Keep(mask) => keep(tiers, *mask),
            Self::Prefer(groups) => prefer(tiers, groups),
            Self::Order(keys) => {
                let key = |c: u8| keys[usize::from(c)];
                split(tiers, |c| (key(c), c), |a, b| key(a) == key(b))
            }
            Self::Latency(sight) => sight.apply(tiers, trips),
        }
    }

    /// Forgets what it says of clusters that have no equal left to be told from.
    fn narrow(&mut self, tiers: &Tiers) {
        let shared = tiers.iter().filter(|tier| tier.len() > 1);
        let left = shared.flatten().fold(0u16, |mask, &c| mask | 1 << c);
        let is_left = |c: usize| left >> c & 1 == 1;
        match self {
            Self::Keep(_) => {}
            Self::Prefer(groups) => {
                groups.iter_mut().for_each(|group| *group &= left);
                groups.retain(|group| *group != 0);
            }
            Self::Order(keys) => {
                // Only the order counts.
                let mut sorted: Vec<u64> = (0..keys.len())
                    .filter(|c| is_left(*c))
                    .map(|c| keys[c])
                    .collect();
                sorted.sort_unstable();
                sorted.dedup();
                for (c, key) in keys.iter_mut().enumerate() {
                    let rank = sorted.partition_point(|k| k < key);
                    *key = if is_left(c) { rank as u64 } else { 0 };
                }
            }
            Self::Latency(sight) => {
                let own = sight.own.iter_mut().enumerate();
                own.filter(|(c, _)| !is_left(*c))
                    .for_each(|(_, rtt)| *rtt = None);
                if (0..16).all(|c| !is_left(c) || sight.own.get(c).is_some_and(Option::is_some)) {
                    sight.region = None;
                }
            }
        }
    }
}

impl Sight {
    pub(super) fn rtt(&self, cluster: u8, trips: &impl Trips) -> Option<Rtt> {
        self.own[usize::from(cluster)]
            .or_else(|| trips.rtt(self.region?, cluster, self.band.measured))
    }

    fn apply(&self, tiers: Tiers, trips: &impl Trips) -> Tiers {
        let mut out = Vec::new();
        for tier in tiers {
            let mut known: Vec<(Rtt, u8)> = tier
                .iter()
                .filter_map(|&c| Some((self.rtt(c, trips)?, c)))
                .collect();
            let unknown = tier
                .into_iter()
                .filter(|c| known.iter().all(|(_, k)| k != c))
                .collect();
            known.sort_unstable();
            while let Some(&(best, _)) = known.first() {
                let equals = known.partition_point(|(rtt, _)| !slower(*rtt, best, self.band));
                let mut group: Vec<u8> = known.drain(..equals).map(|(_, c)| c).collect();
                group.sort_unstable();
                out.push(group);
            }
            out.push(unknown);
        }
        out
    }
}

/// Whether a round trip is so much longer than the best that the cluster is not its equal.
fn slower(rtt: Rtt, best: Rtt, band: LatencyBand) -> bool {
    rtt.differs(best, band.within, band.within_percent)
}

fn keep(mut tiers: Tiers, mask: u16) -> Tiers {
    for tier in &mut tiers {
        tier.retain(|&c| mask & (1 << c) != 0);
    }
    tiers.retain(|tier| !tier.is_empty());
    tiers
}

fn prefer(tiers: Tiers, groups: &[u16]) -> Tiers {
    let mut out = Vec::new();
    for mut tier in tiers {
        for group in groups {
            let (named, rest): (Vec<u8>, Vec<u8>) =
                tier.into_iter().partition(|&c| group & (1 << c) != 0);
            out.push(named);
            tier = rest;
        }
        out.push(tier);
    }
    out.retain(|tier| !tier.is_empty());
    out
}

/// Sorts each tier by a key and cuts it between unequals.
fn split<K: Ord>(tiers: Tiers, key: impl Fn(u8) -> K, equal: impl Fn(u8, u8) -> bool) -> Tiers {
    let mut out = Vec::new();
    for mut tier in tiers {
        tier.sort_by_key(|&c| key(c));
        out.extend(tier.chunk_by(|&a, &b| equal(a, b)).map(<[u8]>::to_vec));
    }
    out
}

/// For steps that read no round trip.
struct Nothing;

impl Trips for Nothing {
    fn rtt(&self, _: u16, _: u8, _: bool) -> Option<Rtt> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clusters 0 to n at these round trips in milliseconds.
    struct Fixed(Vec<f64>);

    impl Trips for Fixed {
        fn rtt(&self, _: u16, cluster: u8, _: bool) -> Option<Rtt> {
            Rtt::from_millis(*self.0.get(usize::from(cluster))?)
        }
    }

    fn sight(band: LatencyBand, clusters: usize) -> Effect {
        Effect::Latency(Sight {
            band,
            region: Some(0),
            own: vec![None; clusters],
        })
    }

    fn tiers(outline: &Outline, rtts: &[f64]) -> Vec<Vec<u8>> {
        let row = outline.row(&[1; 16], &Fixed(rtts.to_vec()));
        let members = |tier: &Tier| tier.members.iter().map(|(c, _)| *c).collect();
        row.tiers.iter().map(members).collect()
    }

    fn by_latency(band: LatencyBand, rtts: &[f64]) -> Vec<Vec<u8>> {
        let mut outline = Outline::of(rtts.len());
        outline.then(sight(band, rtts.len()));
        tiers(&outline, rtts)
    }

    #[test]
    fn clusters_within_the_band_of_the_fastest_are_its_equals() {
        let usual = LatencyBand::default();
        assert_eq!(
            by_latency(usual, &[90.0, 12.0, 16.9, 95.0, 140.0]),
            [vec![1, 2], vec![0, 3], vec![4]],
            "5 ms, then 10 %"
        );
        assert_eq!(
            by_latency(usual, &[10.0, 14.9, 19.8]),
            [vec![0, 1], vec![2]],
            "by the fastest of a tier, not by the neighbour"
        );
        let exact = LatencyBand {
            within: Rtt::ZERO,
            within_percent: windrose_model::Percent::ZERO,
            measured: true,
        };
        assert_eq!(by_latency(exact, &[10.0, 9.9, 9.9]), [vec![1, 2], vec![0]]);
    }

    #[test]
    fn a_cluster_without_a_round_trip_stays_behind() {
        let mut outline = Outline::of(3);
        outline.then(sight(LatencyBand::default(), 3));
        assert_eq!(tiers(&outline, &[50.0]), [vec![0], vec![1, 2]]);
        assert_eq!(tiers(&outline, &[]), [vec![0, 1, 2]]);
    }

    #[test]
    fn steps_before_latency_are_done_and_those_behind_it_wait() {
        let mut outline = Outline::of(4);
        outline.then(Effect::Prefer(vec![0b0111]));
        outline.then(sight(LatencyBand::default(), 4));
        outline.then(Effect::Order(vec![3, 2, 1, 0]));
        assert_eq!(
            tiers(&outline, &[20.0, 21.0, 80.0, 1.0]),
            [vec![1], vec![0], vec![2], vec![3]]
        );
        assert_eq!(
            tiers(&outline, &[80.0, 80.0, 20.0, 1.0]),
            [vec![2], vec![1], vec![0], vec![3]]
        );
    }

    #[test]
    fn what_cannot_matter_makes_no_difference() {
        let with = |own: Option<f64>, fence: u16| {
            let mut outline = Outline::of(3);
            outline.then(Effect::Latency(Sight {
                band: LatencyBand::default(),
                region: Some(7),
                own: vec![None, None, own.and_then(Rtt::from_millis)],
            }));
            outline.then(Effect::Keep(fence));
            outline
        };
        assert_eq!(with(Some(10.0), 0b011), with(Some(20.0), 0b011));
        assert_ne!(with(Some(10.0), 0b111), with(Some(20.0), 0b111));
        assert_eq!(with(Some(10.0), 0b001).rest, [], "one cluster has no order");
    }
}
