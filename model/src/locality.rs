//! Where inside a country a client is, and in whose network: subdivisions, cities, autonomous
//! systems.

use std::fmt;
use std::str::FromStr;

use crate::{Country, PlaceError};

/// A subdivision of a country by ISO 3166-2, such as `US-CA` or `GB-ENG`: a state, a province, a
/// canton.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subdivision {
    country: Country,
    /// One to three letters and digits, filled up with zeros.
    code: [u8; 3],
}

impl Subdivision {
    /// The part behind the hyphen: one to three ASCII letters or digits, folded to capitals; `None`
    /// for anything else.
    pub fn new(country: Country, code: &str) -> Option<Self> {
        let octets = code.as_bytes();
        let good = matches!(octets.len(), 1..=3) && octets.iter().all(u8::is_ascii_alphanumeric);
        let mut folded = [0; 3];
        for (to, from) in folded.iter_mut().zip(octets) {
            *to = from.to_ascii_uppercase();
        }
        good.then_some(Self {
            country,
            code: folded,
        })
    }

    /// The country it belongs to.
    pub const fn country(self) -> Country {
        self.country
    }

    fn code(&self) -> &str {
        let len = self.code.iter().position(|b| *b == 0).unwrap_or(3);
        std::str::from_utf8(&self.code[..len]).unwrap_or("?")
    }
}

impl FromStr for Subdivision {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        text.split_once('-')
            .and_then(|(country, code)| Self::new(country.parse().ok()?, code))
            .ok_or_else(|| PlaceError::Subdivision(text.to_owned()))
    }
}

impl fmt::Display for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.country, self.code())
    }
}

impl fmt::Debug for Subdivision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A city by its English name in the database, inside a country or, where a country has several of
/// that name, inside a subdivision: `DE/Berlin`, `US-NH/Berlin`. Case does not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct City {
    country: Country,
    subdivision: Option<Subdivision>,
    /// As written.
    name: Box<str>,
}

/// Characters of a city's name; the longest in use has about 90.
const NAME: usize = 128;

impl City {
    /// The country it lies in.
    pub const fn country(&self) -> Country {
        self.country
    }

    /// The subdivision it lies in, if the rule says so.
    pub const fn subdivision(&self) -> Option<Subdivision> {
        self.subdivision
    }

    /// Its name as written.
    pub const fn name(&self) -> &str {
        &self.name
    }

    /// A city's name as it is compared.
    pub fn fold(name: &str) -> String {
        name.trim().to_lowercase()
    }
}

impl FromStr for City {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError::City(text.to_owned());
        let (within, name) = text.split_once('/').ok_or_else(wrong)?;
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME || name.chars().any(char::is_control) {
            return Err(wrong());
        }
        let subdivision: Option<Subdivision> = within.parse().ok();
        let country = match subdivision {
            Some(subdivision) => subdivision.country(),
            None => within.parse().map_err(|_| wrong())?,
        };
        Ok(Self {
            country,
            subdivision,
            name: name.into(),
        })
    }
}

impl fmt::Display for City {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subdivision {
            Some(subdivision) => write!(f, "{subdivision}/{}", self.name),
            None => write!(f, "{}/{}", self.country, self.name),
        }
    }
}

/// The number of an autonomous system (RFC 6793): whose network an address is announced from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

impl FromStr for Asn {
    type Err = PlaceError;
    /// `AS64496` or `64496`; asdot (`1.10`) is not read.
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let digits = match text.get(..2) {
            Some(prefix) if prefix.eq_ignore_ascii_case("as") => &text[2..],
            _ => text,
        };
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        digits
            .parse()
            .ok()
            .filter(|_| plain)
            .map(Self)
            .ok_or_else(|| PlaceError::Asn(text.to_owned()))
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

/// What a geo database may tell of clients; which of it depends on the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GeoField {
    /// Countries, and by them continents.
    Country,
    /// Subdivisions of countries.
    Subdivision,
    /// Cities by name.
    City,
    /// Autonomous systems.
    Asn,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<T: FromStr + fmt::Display>(text: &str) -> Option<String> {
        text.parse::<T>().ok().map(|value| value.to_string())
    }

    #[test]
    fn subdivisions_have_a_country_and_one_to_three_characters() {
        for (text, expected) in [
            ("US-CA", Some("US-CA")),
            ("gb-eng", Some("GB-ENG")),
            ("FR-6", Some("FR-6")),
            ("US", None),
            ("US-", None),
            ("US-CALI", None),
            ("US-C.", None),
            ("USA-CA", None),
        ] {
            assert_eq!(shown::<Subdivision>(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn cities_stand_in_a_country_or_a_subdivision() {
        for (text, expected) in [
            ("de/Berlin", Some("DE/Berlin")),
            ("US-nh/Berlin", Some("US-NH/Berlin")),
            ("CH/Zürich", Some("CH/Zürich")),
            ("FR/Saint-Denis", Some("FR/Saint-Denis")),
            ("Berlin", None),
            ("DE/", None),
            ("DEU/Berlin", None),
            ("DE/a\nb", None),
        ] {
            assert_eq!(shown::<City>(text).as_deref(), expected, "{text}");
        }
        assert_eq!(City::fold("ZÜRICH "), City::fold("Zürich"));
    }

    #[test]
    fn an_as_number_has_32_bits() {
        for (text, expected) in [
            ("AS64496", Some("AS64496")),
            ("as1", Some("AS1")),
            ("4294967295", Some("AS4294967295")),
            ("4294967296", None),
            ("AS", None),
            ("AS+1", None),
            ("1.10", None),
        ] {
            assert_eq!(shown::<Asn>(text).as_deref(), expected, "{text}");
        }
    }
}
