//! Regions and the clusters in them.

use std::net::IpAddr;

use crate::{Coordinates, Country, Name, Percent};

/// Where clusters stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region {
    /// The point that `nearest` measures from.
    pub location: Coordinates,
    /// The country it lies in, if told.
    pub country: Option<Country>,
}

/// A member Kubernetes cluster or site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cluster {
    /// A region of the same Model.
    pub region: Name,
    /// What DNS answers: where clients connect, usually the Windrose edge of that cluster.
    pub addresses: Vec<IpAddr>,
    /// A label such as `base` or `burst`; shown, not yet steered by.
    pub class: Option<Name>,
    /// Relative cost in thousandths; shown, not yet steered by.
    pub cost_thousandths: u32,
    /// The share of its traffic that it may take, by the operator's word.
    pub dial: Percent,
    /// Takes no new traffic, by the operator's word.
    pub drain: bool,
}
