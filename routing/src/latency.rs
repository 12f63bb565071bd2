//! What a compile knows of round trips: the matrix, where every country belongs, and estimates by
//! distance where neither says anything.
//!
//! A client's own rows (its prefix, its country) are fixed by the matrix. All else it shares with
//! its region: a row of the region, or an estimate from the region's point. So a node's
//! measurements, which are made from a region, can change a ranking and never who is ranked alike.

use std::sync::Arc;

use windrose_model::{Coordinates, LatencyMatrix, Model, Name, Rtt, RttFrom};

use crate::atlas::{Atlas, Place, Spot};
use crate::distance::metres;
use crate::geo;

/// Round trip in a region's own neighbourhood: the median of the clouds' regions to themselves.
const NEARBY_MICROS: u64 = 3_000;
/// Picoseconds of a round trip per metre: light in fibre takes 10,000, and ways are 1.64 times as long
/// as great circles. Fitted for the least absolute error on the 1,024 pairs of
/// `tests/data/aws-inter-region-rtt.csv`; off by 15 % at the median and by 36 % at the 90th
/// percentile.
const PICOS_PER_METRE: u64 = 16_400;

/// The round trip over a distance in metres that nobody has measured.
pub(crate) fn estimate(metres: u64) -> Rtt {
    let micros = NEARBY_MICROS + metres * PICOS_PER_METRE / 1_000_000;
    u32::try_from(micros)
        .ok()
        .and_then(Rtt::from_micros)
        .unwrap_or(Rtt::MAX)
}

/// The regions of a Model and who lives in them, with the matrix it names.
pub(crate) struct Latency {
    matrix: Arc<LatencyMatrix>,
    regions: Box<[(Name, Coordinates)]>,
    /// By spot of the atlas.
    region_of: Box<[Option<u16>]>,
}

/// A round trip from a client's own row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) rtt: Rtt,
    pub(crate) from: RttFrom,
}

/// A round trip from a region, before anything was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reach {
    pub(crate) rtt: Rtt,
    /// By distance: so many metres. None: from the matrix.
    pub(crate) estimated: Option<u64>,
}

impl Latency {
    /// None when no steering of the atlas reads round trips.
    pub(crate) fn new(matrix: &Arc<LatencyMatrix>, model: &Model, atlas: &Atlas) -> Option<Self> {
        atlas.key().reads.latency.then(|| Self {
            matrix: Arc::clone(matrix),
            regions: model
                .regions()
                .iter()
                .map(|(name, region)| (name.clone(), region.location))
                .collect(),
            region_of: atlas.spots().iter().map(|spot| home(spot, model)).collect(),
        })
    }

    pub(crate) fn matrix(&self) -> &Arc<LatencyMatrix> {
        &self.matrix
    }

    /// The region of a client.
    pub(crate) fn region_of(&self, place: Place) -> Option<u16> {
        self.region_of.get(place.spot as usize).copied().flatten()
    }

    pub(crate) fn region_name(&self, region: u16) -> &Name {
        &self.regions[usize::from(region)].0
    }

    /// What the most specific row of the client itself says: of the prefixes around it, innermost
    /// first, then of its country.
    pub(crate) fn own(&self, place: Place, atlas: &Atlas, to: (&Name, &Name)) -> Option<Own> {
        let prefixes = atlas.enclosing(place);
        let prefixes = prefixes.map(|(_, cidr)| RttFrom::Cidr(cidr.net));
        let country = atlas.spot(place).country.map(RttFrom::Country);
        prefixes.chain(country).find_map(|from| {
            let rtt = self.matrix.rtt(&from, to.0, to.1)?;
            Some(Own { rtt, from })
        })
    }

    /// From a region to a cluster, which stands in a region at a point.
    pub(crate) fn reach(&self, region: u16, to: (&Name, &Name), point: Coordinates) -> Reach {
        let (name, here) = &self.regions[usize::from(region)];
        let from = RttFrom::Region(name.clone());
        match self.matrix.rtt(&from, to.0, to.1) {
            Some(rtt) => Reach {
                rtt,
                estimated: None,
            },
            None => {
                let metres = metres(*here, point);
                Reach {
                    rtt: estimate(metres),
                    estimated: Some(metres),
                }
            }
        }
    }
}

/// The region of the clients of a spot: the one that lies in their country, of several the nearest;
/// where none does, the nearest of all. Measured from where the database says that they are, else
/// from the middle of their country's people. None when neither is known, unless a region names
/// the country.
fn home(spot: &Spot, model: &Model) -> Option<u16> {
    let here = spot.point.or_else(|| spot.country.and_then(geo::centroid));
    let regions = || (0u16..).zip(model.regions().values());
    let far = |point| here.map_or(0, |here| metres(here, point));
    let inside = regions().filter(|(_, r)| r.country.is_some() && r.country == spot.country);
    let nearest = inside.min_by_key(|(at, region)| (far(region.location), *at));
    let nearest = nearest.or_else(|| {
        here?;
        regions().min_by_key(|(at, region)| (far(region.location), *at))
    });
    nearest.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_grows_with_distance_and_never_overflows() {
        assert_eq!(estimate(0).to_string(), "3 ms");
        assert_eq!(estimate(1_000_000).to_string(), "19.4 ms");
        assert_eq!(estimate(20_015_000).to_string(), "331.2 ms");
        assert_eq!(estimate(1 << 40), Rtt::MAX);
    }
}
