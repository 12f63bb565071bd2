//! Where an address is: the geo data room.
//!
//! Works on bytes it is given, or on the database that is part of the program; opens no file. The
//! latter knows countries, and by them continents and coordinates; files may know subdivisions,
//! cities, coordinates and autonomous systems too. It is not on the hot path: the atlas is compiled
//! from a [`GeoDb`], and answers queries.

mod builtin;
mod centroids;
mod countries;
mod database;
mod error;
mod fields;
mod mmdb;
mod ranges;
#[cfg(test)]
pub(crate) mod tests;

pub use countries::{centroid, continent};
pub use database::{Cities, GeoDb, Locality};
pub use error::GeoError;
