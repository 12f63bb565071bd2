//! What the steps of a steering saw of a client: which rule of a fence or a `geo` step is about it, how
//! far clusters are.

use std::fmt::{self, Write as _};

use windrose_model::{
    Bias, FenceRule, GeoRules, LatencyBand, Name, Preference, Rtt, RttFrom, Step,
};

use crate::atlas::{Atlas, Place};
use crate::distance::{biased, metres};
use crate::geo;
use crate::latency::Latency;
use crate::plan::PlanCluster;
use crate::steering::{FenceMatcher, GeoMatcher};
use crate::table::{AppEntry, Table};

/// In the order of `steps`, the app's or those of a record: a line per rule that decided, one per
/// cluster for distances and round trips.
pub(super) fn tell(
    table: &Table,
    entry: &AppEntry,
    steps: &[Step],
    place: Place,
    said: &mut Vec<String>,
) {
    for step in steps {
        match step {
            Step::Nearest(bias) => {
                let bias = |cluster: &PlanCluster| bias.get(&cluster.name).copied();
                nearest(table, entry, place, bias, said);
            }
            Step::Latency(band) => {
                if let Some(latency) = &table.latency {
                    by_latency(table, latency, entry, place, *band, said);
                }
            }
            Step::Fence(rules) => said.push(fence(rules, place, &table.atlas)),
            Step::Geo(rules) => said.push(by_place(rules, place, &table.atlas)),
            Step::Failover(order) => said.push(format!("failover: {}", Order(order))),
            Step::Weighted(_) => {}
        }
    }
}

/// The rule that binds the client: the first that is about it.
fn fence(rules: &[FenceRule], place: Place, atlas: &Atlas) -> String {
    let found = (1..).zip(rules).find_map(|(number, rule)| {
        let matched = FenceMatcher::new(&rule.clients, atlas).find(place, atlas)?;
        Some((number, matched, &rule.clusters))
    });
    match found {
        Some((number, matched, clusters)) => format!(
            "fence: rule {number} of {} is about {matched}: only {}",
            rules.len(),
            Equals(clusters)
        ),
        None => "fence: no rule is about this client".to_owned(),
    }
}

fn by_place(rules: &GeoRules, place: Place, atlas: &Atlas) -> String {
    match GeoMatcher::new(rules, atlas).find(place, atlas) {
        (Some(matched), order) => format!("geo: the rule of {matched}: {}", Order(order)),
        (None, order) if order.is_empty() => {
            "geo: no rule is about this client, and there is no default: tiers stay".to_owned()
        }
        (None, order) => {
            let order = Order(order);
            format!("geo: no rule is about this client, so the default: {order}")
        }
    }
}

/// Clusters that are equals.
struct Equals<'p>(&'p [Name]);

impl fmt::Display for Equals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(Name::as_str).collect();
        f.write_str(&names.join(" or "))
    }
}

/// Clusters in the order in which they are preferred.
struct Order<'p>(&'p Preference);

impl fmt::Display for Order<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = (self.0.iter())
            .map(|group| Equals(group).to_string())
            .collect();
        f.write_str(&groups.join(", then "))
    }
}

fn nearest(
    table: &Table,
    entry: &AppEntry,
    place: Place,
    bias: impl Fn(&PlanCluster) -> Option<Bias>,
    said: &mut Vec<String>,
) {
    let spot = table.atlas.spot(place);
    let middle = || spot.country.and_then(geo::centroid);
    let Some(here) = spot.point.or_else(middle) else {
        said.push("nearest: where the client is is not known, tiers stay".to_owned());
        return;
    };
    let mut far: Vec<_> = entry
        .plan
        .clusters
        .iter()
        .filter_map(|cluster| {
            let region = &table.world.clusters[usize::from(cluster.id.0)].1.region;
            let metres = metres(here, table.world.regions.get(region)?.location);
            let bias = bias(cluster).unwrap_or(Bias::NONE);
            Some((biased(metres, bias), metres, bias, &cluster.name))
        })
        .collect();
    far.sort_unstable();
    for (counts, metres, bias, name) in far {
        let mut line = format!("nearest: {name} {} km", metres / 1_000);
        if bias != Bias::NONE {
            // Writing to a string does not fail.
            let _ = write!(
                line,
                ", counts as {} km by its bias of {}",
                counts / 1_000,
                bias.points()
            );
        }
        said.push(line);
    }
}

fn by_latency(
    table: &Table,
    latency: &Latency,
    entry: &AppEntry,
    place: Place,
    band: LatencyBand,
    said: &mut Vec<String>,
) {
    let mut lines: Vec<(Option<Rtt>, String)> = entry
        .plan
        .clusters
        .iter()
        .map(|cluster| {
            let (rtt, why) = round_trip(table, latency, place, cluster, band);
            let name = &cluster.name;
            let line = match rtt {
                Some(rtt) => format!("latency: {name} {rtt}, {why}"),
                None => format!("latency: {name} stays behind, {why}"),
            };
            (rtt, line)
        })
        .collect();
    lines.sort_by_key(|(rtt, _)| (rtt.is_none(), *rtt));
    said.extend(lines.into_iter().map(|(_, line)| line));
    said.push(format!(
        "latency: slower than the fastest by less than {} or {} % is its equal",
        band.within, band.within_percent
    ));
}

/// What the step took for the round trip to a cluster, and whence.
fn round_trip(
    table: &Table,
    latency: &Latency,
    place: Place,
    cluster: &PlanCluster,
    band: LatencyBand,
) -> (Option<Rtt>, String) {
    let stands = &table.world.clusters[usize::from(cluster.id.0)].1.region;
    let to = (&cluster.name, stands);
    if let Some(own) = latency.own(place, &table.atlas, to) {
        return (Some(own.rtt), format!("of the matrix, from {}", own.from));
    }
    let point = table.world.regions.get(stands).map(|r| r.location);
    let Some((region, point)) = latency.region_of(place).zip(point) else {
        let why = "nothing is known of the way there from this client";
        return (None, why.to_owned());
    };
    let name = latency.region_name(region);
    let from = RttFrom::Region(name.clone());
    let measured = table
        .measured
        .get(name)
        .and_then(|to| to.get(&cluster.name));
    if let Some(entry) = measured.filter(|_| band.measured) {
        let why = format!(
            "from {from}, {} since {}; held until it moves by 5 ms and 10 %",
            entry.cause, entry.since
        );
        return (Some(entry.rtt), why);
    }
    let reach = latency.reach(region, to, point);
    let why = match reach.estimated {
        None => format!("of the matrix, from {from}"),
        Some(metres) => format!("estimated over {} km from {from}", metres / 1_000),
    };
    (Some(reach.rtt), why)
}
