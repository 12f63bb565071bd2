//! Address → what is known of its place.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use windrose_model::{Asn, City, Coordinates, Country, GeoField, Subdivision};
use xxhash_rust::xxh3::Xxh3;

use super::error::GeoError;
use super::ranges::Ranges;
use super::{builtin, mmdb};

/// A geo database: disjoint ranges of addresses and what is known of them, immutable.
///
/// `EU` and `AP`, which some registries use, are kept as written although they are no countries;
/// `ZZ` means unknown and is dropped.
#[derive(Debug, Clone)]
pub struct GeoDb {
    description: String,
    known: Known,
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    digest: u128,
}

/// The cities of a database, by folded name: the countries and subdivisions they lie in.
#[derive(Debug, Default)]
pub struct Cities(HashMap<String, HashSet<(Country, Option<Subdivision>)>>);

impl Cities {
    /// Whether any address lies in this city.
    pub fn has(&self, city: &City) -> bool {
        let places = self.0.get(&City::fold(city.name()));
        places.is_some_and(|places| places.contains(&(city.country(), city.subdivision())))
    }
}

/// What a database knows of a range of addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Locality {
    /// The country.
    pub country: Option<Country>,
    /// Subdivisions of that country, the outermost first.
    pub subdivisions: [Option<Subdivision>; 2],
    /// Where the clients are, on a grid of half a degree: the middle of the cell.
    pub point: Option<Coordinates>,
    /// Whose network it is.
    pub asn: Option<Asn>,
    /// Number of the city's name.
    pub(super) city: Option<u32>,
}

/// Each different [`Locality`] once; number 0 is nowhere.
#[derive(Debug, Clone)]
pub(super) struct Known {
    localities: Vec<Locality>,
    numbers: HashMap<Locality, u32>,
    /// English names of cities.
    cities: Vec<Box<str>>,
    city_numbers: HashMap<Box<str>, u32>,
}

impl GeoDb {
    /// The database that is part of the program (`routing/data/ATTRIBUTION.md` names its source).
    ///
    /// Decodes it anew each time (25 to 30 ms; 8 MB): keep the result.
    pub fn builtin() -> Self {
        builtin::decode(builtin::COUNTRIES)
            .expect("countries.bin is as refresh-prefixes wrote it: a test decodes it")
    }

    /// From a MaxMind DB file of the operator: GeoLite2, GeoIP2 or DB-IP, country or city
    /// (`country.iso_code`; a registered country does not count), or flat (`country_code`). What a
    /// city file says beyond it is read too: subdivisions, the English name of the city, coordinates.
    ///
    /// IPv6 networks that only repeat the IPv4 part (mapped, 6to4, Teredo) are left out. Memory and
    /// the steps through the tree are linear in the size of the file, whatever it contains; each
    /// record is decoded once, within the bounds of the `maxminddb` crate (65,536 values). 8 MB of
    /// countries take 70 to 80 ms.
    ///
    /// # Errors
    /// The file is damaged, or names no country at all.
    pub fn from_mmdb(bytes: &[u8]) -> Result<Self, GeoError> {
        mmdb::read(bytes, mmdb::Wanted::Places)
    }

    /// From a MaxMind DB file of autonomous systems: GeoLite2-ASN or DB-IP
    /// (`autonomous_system_number`), or flat (`asn`). Nothing else is read of it.
    ///
    /// # Errors
    /// The file is damaged, or names no autonomous system at all.
    pub fn asns_from_mmdb(bytes: &[u8]) -> Result<Self, GeoError> {
        mmdb::read(bytes, mmdb::Wanted::Asns)
    }

    /// Knows nothing.
    pub fn empty() -> Self {
        let known = Known::default();
        Self::new("empty".to_owned(), known, Ranges::v4(), Ranges::v6())
    }

    /// What it is and when it was built, for people: `builtin 2026-06-17 (CC0; …)`,
    /// `GeoLite2-City 2026-01-31`.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Whether it tells this of any address.
    pub fn has(&self, field: GeoField) -> bool {
        self.known.localities.iter().any(|locality| match field {
            GeoField::Country => locality.country.is_some(),
            GeoField::Subdivision => locality.subdivisions != [None; 2],
            GeoField::City => locality.city.is_some(),
            GeoField::Asn => locality.asn.is_some(),
        })
    }

    /// What is known of an address; IPv4-mapped IPv6 addresses count as IPv4.
    pub fn locality(&self, ip: IpAddr) -> &Locality {
        let number = match ip.to_canonical() {
            IpAddr::V4(ip) => self.v4.number(ip.into()),
            IpAddr::V6(ip) => self.v6.number(ip.into()),
        };
        &self.known.localities[number as usize]
    }

    /// The country of an address; IPv4-mapped IPv6 addresses count as IPv4.
    pub fn country(&self, ip: IpAddr) -> Option<Country> {
        self.locality(ip).country
    }

    /// The English name of the city of a locality of this database.
    pub fn city(&self, locality: &Locality) -> Option<&str> {
        self.known.city(locality)
    }

    /// All cities in which addresses lie, to be looked up: costs a walk over the database.
    pub fn cities(&self) -> Cities {
        let folded: Vec<_> = self.known.cities.iter().map(|n| City::fold(n)).collect();
        let mut cities = Cities::default();
        for locality in &self.known.localities {
            if let (Some(country), Some(city)) = (locality.country, locality.city)
                && let Some(name) = folded.get(city as usize)
            {
                let subdivisions = match cities.0.get_mut(name) {
                    Some(found) => found,
                    None => cities.0.entry(name.clone()).or_default(),
                };
                subdivisions.insert((country, None));
                for subdivision in locality.subdivisions.into_iter().flatten() {
                    subdivisions.insert((country, Some(subdivision)));
                }
            }
        }
        cities
    }

    /// IPv4 ranges (first, last, what is known): ascending, disjoint, adjacent equals merged.
    pub fn v4(&self) -> impl Iterator<Item = (u32, u32, &Locality)> {
        let known = |(first, last, number)| (first, last, &self.known.localities[number as usize]);
        self.v4.iter().map(known)
    }

    /// IPv6 ranges (first, last, what is known): ascending, disjoint, adjacent equals merged.
    pub fn v6(&self) -> impl Iterator<Item = (u128, u128, &Locality)> {
        let known = |(first, last, number)| (first, last, &self.known.localities[number as usize]);
        self.v6.iter().map(known)
    }

    /// Each different locality once; number 0 is nowhere.
    pub(crate) fn localities(&self) -> &[Locality] {
        &self.known.localities
    }

    /// IPv4 runs (start, number of the locality); each reaches to the next.
    pub(crate) fn runs4(&self) -> impl Iterator<Item = (u128, u32)> {
        self.v4.runs()
    }

    /// IPv6 runs (start, number of the locality); each reaches to the next.
    pub(crate) fn runs6(&self) -> impl Iterator<Item = (u128, u32)> {
        self.v6.runs()
    }

    /// XXH3-128 over the ranges and what is known of them, not the description: equal exactly when
    /// (in all likelihood) all is equal. Computed once, free to ask.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    pub(super) fn new(
        description: String,
        known: Known,
        v4: Ranges<u32>,
        v6: Ranges<u128>,
    ) -> Self {
        let mut hash = Xxh3::new();
        known.digest(&mut hash);
        v4.digest(&mut hash);
        v6.digest(&mut hash);
        Self {
            description,
            known,
            v4,
            v6,
            digest: hash.digest128(),
        }
    }
}

impl Locality {
    /// A country, and nothing else.
    pub(super) fn of_country(country: Option<Country>) -> Self {
        Self {
            country,
            ..Self::default()
        }
    }
}

impl Default for Known {
    fn default() -> Self {
        Self {
            localities: vec![Locality::default()],
            numbers: HashMap::from([(Locality::default(), 0)]),
            cities: Vec::new(),
            city_numbers: HashMap::new(),
        }
    }
}

impl Known {
    /// The number of a locality, with the city of this name.
    pub(super) fn number(&mut self, locality: Locality, city: Option<&str>) -> u32 {
        let city = city.map(|name| match self.city_numbers.get(name) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.cities.len()).unwrap_or(u32::MAX);
                self.cities.push(name.into());
                self.city_numbers.insert(name.into(), number);
                number
            }
        });
        let locality = Locality { city, ..locality };
        *self.numbers.entry(locality).or_insert_with(|| {
            self.localities.push(locality);
            u32::try_from(self.localities.len()).unwrap_or(u32::MAX) - 1
        })
    }

    fn city(&self, locality: &Locality) -> Option<&str> {
        self.cities.get(locality.city? as usize).map(|name| &**name)
    }

    fn digest(&self, into: &mut Xxh3) {
        use std::hash::Hash;
        (self.localities.as_slice(), self.cities.as_slice()).hash(into);
    }
}
