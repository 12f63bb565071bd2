//! Where clients and regions are: countries, continents, coordinates.

use std::fmt;
use std::str::FromStr;

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Not two letters.
    #[error("{0:?} is not a country; use the two letters of ISO 3166-1, for example DE")]
    Country(String),
    /// None of the seven codes.
    #[error("{0:?} is not a continent; use AF, AN, AS, EU, NA, OC or SA")]
    Continent(String),
    /// Not a country, a hyphen, and one to three letters or digits.
    #[error("{0:?} is not a subdivision; use ISO 3166-2, for example US-CA")]
    Subdivision(String),
    /// Not a country or subdivision, a slash, and a name.
    #[error("{0:?} is not a city; write DE/Berlin, or US-NH/Berlin")]
    City(String),
    /// Not a number of 32 bits.
    #[error("{0:?} is not the number of an autonomous system; write AS64496")]
    Asn(String),
}

/// A country: two ASCII capitals of ISO 3166-1 alpha-2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Two ASCII letters, folded to capitals; `None` for anything else.
    pub const fn new(code: [u8; 2]) -> Option<Self> {
        if code[0].is_ascii_alphabetic() && code[1].is_ascii_alphabetic() {
            Some(Self([
                code[0].to_ascii_uppercase(),
                code[1].to_ascii_uppercase(),
            ]))
        } else {
            None
        }
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }

    /// The two octets.
    pub const fn octets(self) -> [u8; 2] {
        self.0
    }
}

impl FromStr for Country {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        <[u8; 2]>::try_from(text.as_bytes())
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| PlaceError::Country(text.to_owned()))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One of the seven continents, as in MaxMind's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Continent {
    Africa,
    Antarctica,
    Asia,
    Europe,
    NorthAmerica,
    Oceania,
    SouthAmerica,
}

impl Continent {
    /// All seven.
    pub const ALL: [Self; 7] = [
        Self::Africa,
        Self::Antarctica,
        Self::Asia,
        Self::Europe,
        Self::NorthAmerica,
        Self::Oceania,
        Self::SouthAmerica,
    ];

    /// AF, AN, AS, EU, NA, OC or SA.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Africa => "AF",
            Self::Antarctica => "AN",
            Self::Asia => "AS",
            Self::Europe => "EU",
            Self::NorthAmerica => "NA",
            Self::Oceania => "OC",
            Self::SouthAmerica => "SA",
        }
    }
}

impl FromStr for Continent {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        Self::ALL
            .into_iter()
            .find(|c| c.code().eq_ignore_ascii_case(text))
            .ok_or_else(|| PlaceError::Continent(text.to_owned()))
    }
}

impl fmt::Display for Continent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// A point on a grid of hundredths of a degree (about 1.1 km): equal on all machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coordinates {
    /// Latitude in hundredths of a degree, -9,000 to 9,000.
    pub lat_hundredths: i16,
    /// Longitude in hundredths of a degree, -18,000 to 18,000.
    pub lon_hundredths: i16,
}

impl Coordinates {
    /// From degrees: latitude -90 to 90, longitude -180 to 180; `None` outside or not a number.
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        let ok = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
        #[allow(clippy::cast_possible_truncation, reason = "the range was checked")]
        ok.then(|| Self {
            lat_hundredths: (lat * 100.0).round() as i16,
            lon_hundredths: (lon * 100.0).round() as i16,
        })
    }

    /// From hundredths of a degree, for tables written in the code; the caller keeps the ranges.
    pub const fn from_hundredths(lat: i16, lon: i16) -> Self {
        Self {
            lat_hundredths: lat,
            lon_hundredths: lon,
        }
    }
}

impl fmt::Display for Coordinates {
    /// In degrees: `52.75 13.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let degrees = |hundredths: i16| f64::from(hundredths) / 100.0;
        let (lat, lon) = (degrees(self.lat_hundredths), degrees(self.lon_hundredths));
        write!(f, "{lat:.2} {lon:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_fold_case_and_refuse_other_texts() {
        assert_eq!("de".parse::<Country>().unwrap().as_str(), "DE");
        assert!("DEU".parse::<Country>().is_err());
        assert!("1A".parse::<Country>().is_err());
    }

    #[test]
    fn coordinates_lie_on_their_grid() {
        let point = Coordinates::new(50.114, -8.687).unwrap();
        assert_eq!((point.lat_hundredths, point.lon_hundredths), (5011, -869));
        assert!(Coordinates::new(91.0, 0.0).is_none());
        assert!(Coordinates::new(f64::NAN, 0.0).is_none());
    }
}
