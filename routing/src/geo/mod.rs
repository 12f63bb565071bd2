//! Where an address is: the geo data room.
//!
//! Works on bytes it is given, or on the database that is part of the program; opens no file. It
//! knows countries, and by them continents and coordinates. City, subdivision and AS number are
//! not read. It is not on the hot path either: the atlas is compiled from [`GeoDb::v4`] and
//! [`GeoDb::v6`], and answers queries.

mod builtin;
mod centroids;
mod countries;
mod database;
mod error;
mod mmdb;
mod ranges;
#[cfg(test)]
mod tests;

pub use countries::{centroid, continent};
pub use database::GeoDb;
pub use error::GeoError;
