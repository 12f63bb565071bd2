//! What is known of a country without any database: its continent and where its people are.

use windrose_model::{Continent, Coordinates, Country};

use super::centroids::CENTROIDS;

/// The continent of a country, as GeoNames (and MaxMind) count: Cyprus and Russia are in Europe,
/// Turkey and the Caucasus in Asia. `None` for codes that are no country, such as `EU` and `AP`.
pub fn continent(country: Country) -> Option<Continent> {
    row(country).map(|(_, continent, _, _)| *continent)
}

/// The middle of a country's people, not of its area: where a client is of whom only the country
/// is known. `None` for codes that are no country.
///
/// Honest limit: one point stands for all of the USA (in Missouri) and all of Russia (on the
/// Volga). Who needs better brings a city database or a latency matrix.
pub fn centroid(country: Country) -> Option<Coordinates> {
    row(country)
        .map(|(_, _, latitude, longitude)| Coordinates::from_hundredths(*latitude, *longitude))
}

fn row(country: Country) -> Option<&'static ([u8; 2], Continent, i16, i16)> {
    let at = CENTROIDS
        .binary_search_by_key(&country.octets(), |(code, ..)| *code)
        .ok()?;
    Some(&CENTROIDS[at])
}
