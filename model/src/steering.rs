//! Steering: how a client's place becomes ordered tiers of clusters.
//!
//! Steps run in order over tiers that begin as one tier of all the app's clusters. `fence` removes;
//! `geo`, `nearest`, `latency` and `failover` split each tier into ordered sub-tiers; `weighted` sets weights
//! inside tiers. What a step does not name stays, behind what it names: only a fence removes.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::{Asn, City, Subdivision};
use crate::{Bias, Continent, Country, Name, Percent, Rtt, Weight};

/// One step of steering.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Clients of a rule may only be sent to its clusters; the first matching rule holds. Fails
    /// closed.
    Fence(Vec<FenceRule>),
    /// Preference by CIDR (most specific first), then autonomous system, city, subdivision, country,
    /// continent, default.
    Geo(GeoRules),
    /// One tier per distance from the client's country to the cluster's region; clusters of equal
    /// distance share a tier. A cluster named here counts as nearer or farther than it is. A client
    /// of unknown place leaves the tiers as they are.
    Nearest(BTreeMap<Name, Bias>),
    /// By round-trip time, measured or estimated: the fastest first, clusters within the band of the
    /// fastest as its equals, and so on with the rest. A cluster whose round trip is not known stays
    /// behind.
    Latency(LatencyBand),
    /// Weights within tiers; a cluster not named has weight 1.
    Weighted(BTreeMap<Name, Weight>),
    /// Fixed order.
    Failover(Preference),
}

/// How near to the fastest a cluster is its equal, and what is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LatencyBand {
    /// Slower by less than this is equal …
    pub within: Rtt,
    /// … and so is slower by less than this share of the slower one's round trip.
    pub within_percent: Percent,
    /// Whether what nodes measure goes before the matrix.
    pub measured: bool,
}

impl Default for LatencyBand {
    /// 5 ms and 10 %: a change of cluster needs a gain of both.
    fn default() -> Self {
        Self {
            within: Rtt::from_micros(5_000).unwrap_or(Rtt::ZERO),
            within_percent: Percent::from_hundredths(1_000).unwrap_or(Percent::ZERO),
            measured: true,
        }
    }
}

/// Ordered groups of clusters, the most wanted first; members of a group are equals.
pub type Preference = Vec<Vec<Name>>;

/// Which clients may go where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FenceRule {
    /// Whom the rule binds.
    pub clients: ClientSet,
    /// Where they may go.
    pub clusters: Vec<Name>,
}

/// A set of clients: the union of what is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientSet {
    /// By address.
    pub cidrs: Vec<IpNet>,
    /// By address, those of a list.
    pub lists: Vec<Name>,
    /// By autonomous system.
    pub asns: Vec<Asn>,
    /// By city.
    pub cities: Vec<City>,
    /// By subdivision.
    pub subdivisions: Vec<Subdivision>,
    /// By country.
    pub countries: Vec<Country>,
    /// By continent.
    pub continents: Vec<Continent>,
}

/// The rules of a `geo` step.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GeoRules {
    /// Overrides by address; the most specific wins, over every other rule.
    pub cidrs: BTreeMap<IpNet, Preference>,
    /// The same for all prefixes of a list. Of a prefix that is in `cidrs` too, that one counts; of one
    /// in several lists, the list whose name comes first.
    pub lists: BTreeMap<Name, Preference>,
    /// By autonomous system: whoever names one knows that network, so it goes before places.
    pub asns: BTreeMap<Asn, Preference>,
    /// By city; one with a subdivision goes before one with a country only.
    pub cities: BTreeMap<City, Preference>,
    /// By subdivision; an inner one goes before the one around it.
    pub subdivisions: BTreeMap<Subdivision, Preference>,
    /// By country.
    pub countries: BTreeMap<Country, Preference>,
    /// By continent.
    pub continents: BTreeMap<Continent, Preference>,
    /// For everyone else; empty leaves the tiers as they are.
    pub default: Preference,
}
