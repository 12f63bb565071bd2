//! Which rule of a `geo` step or a fence is about a client: steering does what it says, and the
//! explanation names it.

use std::collections::HashMap;
use std::fmt;

use ipnet::IpNet;
use windrose_model::{
    Asn, City, ClientSet, Continent, Country, GeoRules, Name, Preference, Subdivision,
};

use crate::atlas::{Atlas, Place};
use crate::geo;

/// What of a client a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matched<'r> {
    /// A prefix; of a list if the rule names that.
    Prefix(IpNet, Option<&'r Name>),
    Asn(Asn),
    City(&'r City),
    Subdivision(Subdivision),
    Country(Country),
    Continent(Continent),
}

/// By number of a CIDR: the list that it is of, unless the rule is about the CIDR itself; and
/// what the rule says.
type ByCidr<'m, T> = HashMap<u32, (Option<&'m Name>, T)>;

/// The rules of a `geo` step, their prefixes resolved to numbers.
pub(crate) struct GeoMatcher<'m> {
    rules: &'m GeoRules,
    cidrs: ByCidr<'m, &'m Preference>,
}

/// The clients of a rule of a fence, their prefixes resolved to numbers.
pub(crate) struct FenceMatcher<'m> {
    clients: &'m ClientSet,
    cidrs: ByCidr<'m, ()>,
}

impl<'m> GeoMatcher<'m> {
    /// Of a prefix that is written and in a list the written one counts, of one in several lists the
    /// list whose name comes first.
    pub(crate) fn new(rules: &'m GeoRules, atlas: &Atlas) -> Self {
        let mut cidrs = HashMap::new();
        for (net, preference) in &rules.cidrs {
            if let Some(number) = atlas.cidr_number(net) {
                cidrs.insert(number, (None, preference));
            }
        }
        for (name, preference) in &rules.lists {
            for number in atlas.list(name) {
                cidrs.entry(*number).or_insert((Some(name), preference));
            }
        }
        Self { rules, cidrs }
    }

    /// The rule for a place and what it prefers; without a rule the default. The most specific CIDR
    /// wins over every other rule; then come autonomous system, city, subdivision, country,
    /// continent, default.
    pub(crate) fn find(
        &self,
        place: Place,
        atlas: &Atlas,
    ) -> (Option<Matched<'m>>, &'m Preference) {
        let (rules, spot) = (self.rules, atlas.spot(place));
        let by_continent = || {
            let continent = geo::continent(spot.country?)?;
            let preference = rules.continents.get(&continent)?;
            Some((Matched::Continent(continent), preference))
        };
        let by_country = || {
            let country = spot.country?;
            Some((Matched::Country(country), rules.countries.get(&country)?))
        };
        let by_subdivision = || {
            let rule =
                |s: &Subdivision| Some((Matched::Subdivision(*s), rules.subdivisions.get(s)?));
            spot.subdivisions.iter().find_map(rule)
        };
        let by_city = || {
            let rule = |city| {
                let (city, preference) = rules.cities.get_key_value(city)?;
                Some((Matched::City(city), preference))
            };
            spot.cities.iter().find_map(rule)
        };
        let by_asn = || {
            let asn = atlas.asn(place)?;
            Some((Matched::Asn(asn), rules.asns.get(&asn)?))
        };
        let found = innermost(&self.cidrs, place, atlas)
            .or_else(by_asn)
            .or_else(by_city)
            .or_else(by_subdivision)
            .or_else(by_country)
            .or_else(by_continent);
        match found {
            Some((matched, preference)) => (Some(matched), preference),
            None => (None, &rules.default),
        }
    }
}

impl<'m> FenceMatcher<'m> {
    pub(crate) fn new(clients: &'m ClientSet, atlas: &Atlas) -> Self {
        let own = clients
            .cidrs
            .iter()
            .filter_map(|net| atlas.cidr_number(net));
        let mut cidrs: ByCidr<'_, ()> = own.map(|number| (number, (None, ()))).collect();
        for name in &clients.lists {
            for number in atlas.list(name) {
                cidrs.entry(*number).or_insert((Some(name), ()));
            }
        }
        Self { clients, cidrs }
    }

    /// By what the rule binds the clients of a place; it is enough that they are in anything that it
    /// lists.
    pub(crate) fn find(&self, place: Place, atlas: &Atlas) -> Option<Matched<'m>> {
        let (set, spot) = (self.clients, atlas.spot(place));
        let by_country = spot.country.and_then(|country| {
            if set.countries.contains(&country) {
                return Some(Matched::Country(country));
            }
            let continent = geo::continent(country)?;
            (set.continents.contains(&continent)).then_some(Matched::Continent(continent))
        });
        let by_subdivision = || {
            let named = spot
                .subdivisions
                .iter()
                .find(|s| set.subdivisions.contains(s));
            named.map(|s| Matched::Subdivision(*s))
        };
        let by_city = || {
            let named = set.cities.iter().find(|city| spot.cities.contains(city));
            named.map(Matched::City)
        };
        let by_asn = || {
            let asn = atlas.asn(place).filter(|asn| set.asns.contains(asn));
            asn.map(Matched::Asn)
        };
        let by_cidr = || innermost(&self.cidrs, place, atlas).map(|(matched, ())| matched);
        by_country
            .or_else(by_subdivision)
            .or_else(by_city)
            .or_else(by_asn)
            .or_else(by_cidr)
    }
}

/// The innermost CIDR around a place that a rule is about.
fn innermost<'m, T: Copy>(
    cidrs: &ByCidr<'m, T>,
    place: Place,
    atlas: &Atlas,
) -> Option<(Matched<'m>, T)> {
    if cidrs.is_empty() {
        return None;
    }
    atlas.enclosing(place).find_map(|(number, cidr)| {
        let (list, says) = cidrs.get(&number)?;
        Some((Matched::Prefix(cidr.net, *list), *says))
    })
}

impl fmt::Display for Matched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(net, None) => write!(f, "prefix {net}"),
            Self::Prefix(net, Some(list)) => write!(f, "list {list} (its prefix {net})"),
            Self::Asn(asn) => write!(f, "autonomous system {asn}"),
            Self::City(city) => write!(f, "city {city}"),
            Self::Subdivision(subdivision) => write!(f, "subdivision {subdivision}"),
            Self::Country(country) => write!(f, "country {country}"),
            Self::Continent(continent) => write!(f, "continent {continent}"),
        }
    }
}
