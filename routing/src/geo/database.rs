//! Address → country.

use std::net::IpAddr;

use windrose_model::Country;
use xxhash_rust::xxh3::Xxh3;

use super::error::GeoError;
use super::ranges::Ranges;
use super::{builtin, mmdb};

/// A country database: disjoint ranges of addresses and their countries, immutable.
///
/// `EU` and `AP`, which some registries use, are kept as written although they are no countries;
/// `ZZ` means unknown and is dropped.
#[derive(Debug, Clone)]
pub struct GeoDb {
    description: String,
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    digest: u128,
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
    /// (`country.iso_code`; a registered country does not count), or flat (`country_code`).
    ///
    /// IPv6 networks that only repeat the IPv4 part (mapped, 6to4, Teredo) are left out. Memory and
    /// the steps through the tree are linear in the size of the file, whatever it contains; each
    /// record is decoded once, within the bounds of the `maxminddb` crate (65,536 values). 8 MB of
    /// countries take 70 to 80 ms.
    ///
    /// # Errors
    /// The file is damaged, or names no country at all.
    pub fn from_mmdb(bytes: &[u8]) -> Result<Self, GeoError> {
        mmdb::read(bytes)
    }

    /// Knows nothing.
    pub fn empty() -> Self {
        Self::new("empty".to_owned(), Ranges::v4(), Ranges::v6())
    }

    /// What it is and when it was built, for people: `builtin 2026-06-17 (CC0; …)`,
    /// `GeoLite2-City 2026-01-31`.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The country of an address; IPv4-mapped IPv6 addresses count as IPv4.
    pub fn country(&self, ip: IpAddr) -> Option<Country> {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.v4.country(ip.into()),
            IpAddr::V6(ip) => self.v6.country(ip.into()),
        }
    }

    /// IPv4 ranges (first, last, country): ascending, disjoint, adjacent equals merged.
    pub fn v4(&self) -> impl Iterator<Item = (u32, u32, Country)> {
        self.v4.iter()
    }

    /// IPv6 ranges (first, last, country): ascending, disjoint, adjacent equals merged.
    pub fn v6(&self) -> impl Iterator<Item = (u128, u128, Country)> {
        self.v6.iter()
    }

    /// XXH3-128 over the ranges, not the description: equal exactly when (in all likelihood) all
    /// addresses have equal countries. Computed once, free to ask.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    pub(super) fn new(description: String, v4: Ranges<u32>, v6: Ranges<u128>) -> Self {
        let mut hash = Xxh3::new();
        v4.digest(&mut hash);
        v6.digest(&mut hash);
        Self {
            description,
            v4,
            v6,
            digest: hash.digest128(),
        }
    }
}
