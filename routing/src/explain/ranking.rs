//! How far clusters are: what the steps `nearest` and `latency` saw of a client.

use std::fmt::Write as _;

use windrose_model::{Bias, LatencyBand, Rtt, RttFrom, Step};

use crate::atlas::Place;
use crate::distance::{biased, metres};
use crate::geo;
use crate::latency::Latency;
use crate::plan::PlanCluster;
use crate::table::{AppEntry, Table};

/// One line per cluster and step, in the order of `steps`, the app's or those of a record.
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
            Step::Fence(_) | Step::Geo(_) | Step::Weighted(_) | Step::Failover(_) => {}
        }
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
