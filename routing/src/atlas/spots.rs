//! Spots: what of the localities of a geo database steering reads. Localities between which no
//! steering can tell are one spot.

use std::collections::{BTreeMap, HashMap};

use windrose_model::{City, Coordinates, Country, Subdivision};

use crate::geo::{GeoDb, Locality};
use crate::steering::Reads;

/// What steering knows of where a client is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Spot {
    pub(crate) country: Option<Country>,
    /// Those that a rule names, the innermost first.
    pub(crate) subdivisions: Vec<Subdivision>,
    /// The rules that name its city, the most specific first.
    pub(crate) cities: Vec<City>,
    /// Left out unless a steering measures distances.
    pub(crate) point: Option<Coordinates>,
}

impl Spot {
    /// What this steering reads of it.
    pub(crate) fn seen_by(&self, reads: &Reads) -> Self {
        let named = |s: &&Subdivision| reads.subdivisions.contains(s);
        Self {
            country: self.country.filter(|_| reads.countries),
            subdivisions: self.subdivisions.iter().filter(named).copied().collect(),
            cities: (self.cities.iter())
                .filter(|city| reads.cities.contains(city))
                .cloned()
                .collect(),
            point: self.point.filter(|_| reads.points),
        }
    }
}

/// Spots by number; 0 is nowhere.
pub(super) struct Spots {
    pub(super) list: Vec<Spot>,
    /// By number of a locality; empty when steering reads nothing of them.
    of_locality: Vec<u32>,
}

impl Spots {
    pub(super) fn new(reads: &Reads, geo: &GeoDb) -> Self {
        let nowhere = Spot::default();
        let mut numbers = HashMap::from([(nowhere.clone(), 0)]);
        let mut list = vec![nowhere];
        let mut of_locality = Vec::new();
        if reads.spots() {
            let cities = Cities::new(reads);
            let number = |locality| {
                let spot = spot(reads, &cities, geo, locality);
                *numbers.entry(spot).or_insert_with_key(|spot| {
                    list.push(spot.clone());
                    u32::try_from(list.len()).unwrap_or(u32::MAX) - 1
                })
            };
            of_locality = geo.localities().iter().map(number).collect();
        }
        Self { list, of_locality }
    }

    pub(super) fn of_locality(&self) -> &[u32] {
        &self.of_locality
    }

    /// Whether all clients are nowhere.
    pub(super) fn is_empty(&self) -> bool {
        self.of_locality.is_empty()
    }
}

/// The cities that rules name, by folded name.
struct Cities<'r>(BTreeMap<String, Vec<&'r City>>);

impl<'r> Cities<'r> {
    fn new(reads: &'r Reads) -> Self {
        let mut by_name: BTreeMap<String, Vec<&City>> = BTreeMap::new();
        for city in &reads.cities {
            by_name
                .entry(City::fold(city.name()))
                .or_default()
                .push(city);
        }
        Self(by_name)
    }

    /// Those that a locality lies in: of a subdivision before those of a country, inner ones before
    /// outer ones.
    fn around(&self, name: &str, locality: &Locality) -> Vec<City> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let named = self.0.get(&City::fold(name)).into_iter().flatten();
        let mut found: Vec<_> = named
            .filter(|city| locality.country == Some(city.country()))
            .filter_map(|city| match city.subdivision() {
                None => Some((0, *city)),
                inside => {
                    let depth = locality.subdivisions.iter().position(|s| *s == inside)?;
                    Some((depth + 1, *city))
                }
            })
            .collect();
        found.sort_by(|a, b| (b.0, a.1).cmp(&(a.0, b.1)));
        found.into_iter().map(|(_, city)| city.clone()).collect()
    }
}

fn spot(reads: &Reads, cities: &Cities<'_>, geo: &GeoDb, locality: &Locality) -> Spot {
    let inner = locality.subdivisions.iter().rev().flatten();
    Spot {
        country: locality.country.filter(|_| reads.countries),
        subdivisions: inner
            .filter(|s| reads.subdivisions.contains(s))
            .copied()
            .collect(),
        cities: (geo.city(locality)).map_or_else(Vec::new, |name| cities.around(name, locality)),
        point: locality.point.filter(|_| reads.points),
    }
}
