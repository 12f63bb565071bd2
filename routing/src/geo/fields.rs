//! The fields of one record of a MaxMind DB file, nested as GeoLite2, GeoIP2 and DB-IP have them, or
//! flat.

use maxminddb::{LookupResult, MaxMindDbError, PathElement};
use windrose_model::{Asn, Coordinates, Country, Subdivision};

use super::error::GeoError;

/// Half a degree: 55 km from south to north. City databases are off by more than that for one
/// address in five, and every cell is a place of its own in the Table.
const CELL: i16 = 50;

/// A record. A field of another form than asked for counts as absent.
pub(super) struct Fields<'a>(pub(super) LookupResult<'a, &'a [u8]>);

impl<'a> Fields<'a> {
    /// `country_code`, or `country.iso_code`; a registered country does not count.
    pub(super) fn country(&self) -> Result<Option<Country>, GeoError> {
        let mut code = self.text(&[key("country_code")])?;
        if code.is_none() {
            code = self.text(&[key("country"), key("iso_code")])?;
        }
        Ok(code
            .filter(|code| *code != "ZZ")
            .and_then(|code| code.parse().ok()))
    }

    /// The outermost two of `subdivisions`, the outermost first.
    pub(super) fn subdivisions(
        &self,
        country: Country,
    ) -> Result<[Option<Subdivision>; 2], GeoError> {
        let mut found = [None; 2];
        for (at, subdivision) in found.iter_mut().enumerate() {
            let path = [key("subdivisions"), PathElement::Index(at), key("iso_code")];
            *subdivision = self
                .text(&path)?
                .and_then(|code| Subdivision::new(country, code));
            if subdivision.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// `city.names.en`, or `city` as a text.
    pub(super) fn city(&self) -> Result<Option<&'a str>, GeoError> {
        let mut name = self.text(&[key("city"), key("names"), key("en")])?;
        if name.is_none() {
            name = self.text(&[key("city")])?;
        }
        Ok(name.map(str::trim).filter(|name| !name.is_empty()))
    }

    /// `location.latitude` and `location.longitude`, or both at the top.
    pub(super) fn point(&self) -> Result<Option<Coordinates>, GeoError> {
        let nested = |name| [key("location"), key(name)];
        let mut point = (
            self.number(&nested("latitude"))?,
            self.number(&nested("longitude"))?,
        );
        if point.0.is_none() {
            point = (
                self.number(&[key("latitude")])?,
                self.number(&[key("longitude")])?,
            );
        }
        let (Some(latitude), Some(longitude)) = point else {
            return Ok(None);
        };
        Ok(Coordinates::new(latitude, longitude).map(on_grid))
    }

    /// `autonomous_system_number`, or `asn` as a number or a text such as `AS64496`.
    pub(super) fn asn(&self) -> Result<Option<Asn>, GeoError> {
        for name in ["autonomous_system_number", "asn"] {
            let path = [key(name)];
            if let Some(number) = lenient(self.0.decode_path(&path))? {
                return Ok(Some(number).filter(|n| *n != 0).map(Asn));
            }
        }
        let text = self.text(&[key("asn")])?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    fn text(&self, path: &[PathElement<'_>]) -> Result<Option<&'a str>, GeoError> {
        lenient(self.0.decode_path(path))
    }

    fn number(&self, path: &[PathElement<'_>]) -> Result<Option<f64>, GeoError> {
        lenient(self.0.decode_path(path))
    }
}

fn key(name: &str) -> PathElement<'_> {
    PathElement::Key(name)
}

/// Flat files have texts where nested ones have maps: another type than asked for is no damage.
fn lenient<T>(read: Result<Option<T>, MaxMindDbError>) -> Result<Option<T>, GeoError> {
    match read {
        Err(MaxMindDbError::Decoding { .. }) => Ok(None),
        other => Ok(other?),
    }
}

/// The middle of the cell of the grid in which a point lies.
fn on_grid(point: Coordinates) -> Coordinates {
    let middle = |hundredths: i16, last: i16| {
        let cell = hundredths.min(last - 1).div_euclid(CELL);
        cell * CELL + CELL / 2
    };
    Coordinates::from_hundredths(
        middle(point.lat_hundredths, 9_000),
        middle(point.lon_hundredths, 18_000),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_in_the_middle_of_cells_of_half_a_degree() {
        for ((lat, lon), (expected_lat, expected_lon)) in [
            ((52.52, 13.40), (5_275, 1_325)),
            ((-0.01, 0.0), (-25, 25)),
            ((90.0, 180.0), (8_975, 17_975)),
            ((-90.0, -180.0), (-8_975, -17_975)),
        ] {
            let point = on_grid(Coordinates::new(lat, lon).unwrap());
            assert_eq!(
                (point.lat_hundredths, point.lon_hundredths),
                (expected_lat, expected_lon)
            );
        }
    }
}
