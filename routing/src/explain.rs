//! Why: the choice of the data path itself, told step by step. No second implementation.

use std::fmt;
use std::net::IpAddr;

use windrose_model::{Name, Step, Upstream};

use crate::atlas::Place;
use crate::choose::{Seen, prefix_key};
use crate::steering::{Steering, View};
use crate::table::{AppEntry, Table};

mod alias;
mod dns;
mod existence;
mod fallback;
mod http;
mod own;
mod placed;
mod ranking;
mod records;
mod route;
mod split;
mod tcp;

pub use self::http::{HttpRequest, HttpTrace, http};
pub use dns::{DnsTrace, dns};
pub use tcp::{TcpTrace, tcp};

fn place(
    table: &Table,
    entry: &AppEntry,
    (steering, walked): (Steering<'_>, &[Step]),
    client: IpAddr,
    draw: u64,
    steps: &mut Vec<String>,
) -> (View, u64) {
    let leaf = table.leaf(client);
    let place = table.atlas.places()[table.atlas.place_of(leaf) as usize];
    let known = known(table, place);
    let known = if known.is_empty() {
        "nothing that steering reads is known".to_owned()
    } else {
        known.join(", ")
    };
    steps.push(format!("client {client}: {known}"));
    ranking::tell(table, entry, walked, place, steps);
    let key = if entry.sticky() {
        prefix_key(entry.plan.salt, client)
    } else {
        draw
    };
    if entry.sticky() {
        steps.push("sticky: the client's /24 or /56 is the key".to_owned());
    }
    (steering.view(table, leaf), key)
}

/// What steering knows of a place; what no rule names is not kept.
fn known(table: &Table, place: Place) -> Vec<String> {
    let (atlas, spot) = (&table.atlas, table.atlas.spot(place));
    let countries = spot.country.iter().map(|c| format!("country {c}"));
    let mut known: Vec<String> = countries.collect();
    known.extend(spot.subdivisions.iter().map(|s| format!("subdivision {s}")));
    known.extend(spot.cities.iter().map(|city| format!("city {city}")));
    known.extend(spot.point.iter().map(|point| format!("near {point}")));
    known.extend(atlas.asn(place).map(|asn| format!("in {asn}")));
    known.extend(atlas.enclosing(place).map(|(number, cidr)| {
        let lists: Vec<_> = atlas.lists_with(number).map(Name::as_str).collect();
        match lists.is_empty() {
            true => format!("inside {}", cidr.net),
            false => format!("inside {} of {}", cidr.net, lists.join(" and ")),
        }
    }));
    known
}

fn tiers(entry: &AppEntry, steering: Steering<'_>, view: View, steps: &mut Vec<String>) {
    let row = steering.0.row(view);
    for (at, tier) in row.tiers.iter().enumerate() {
        let members: Vec<String> = tier
            .members
            .iter()
            .map(|&(local, weight)| {
                let name = &entry.plan.clusters[usize::from(local)].name;
                let weight = if tier.members.len() > 1 {
                    format!(" weight {weight}")
                } else {
                    String::new()
                };
                match entry.status.clusters.get(usize::from(local)) {
                    Some(s) if s.usable => {
                        format!("{name}{weight} ({}, share {} %)", s.verdict, s.share)
                    }
                    Some(s) => format!("{name}{weight} (not usable: {}, {})", s.verdict, s.cause),
                    None => format!("{name}{weight}"),
                }
            })
            .collect();
        steps.push(format!("tier {}: {}", at + 1, members.join("; ")));
    }
    let fenced = clusters(entry, !row.members);
    if !fenced.is_empty() {
        steps.push(format!("a fence keeps this client from {fenced}"));
    }
}

/// The names of clusters by their bits.
fn clusters(entry: &AppEntry, mask: u16) -> String {
    let all = (0..16).zip(&entry.plan.clusters);
    let named = all.filter(|(local, _)| mask >> local & 1 == 1);
    let names: Vec<&str> = named.map(|(_, cluster)| cluster.name.as_str()).collect();
    names.join(", ")
}

fn say(entry: &AppEntry, seen: Seen) -> String {
    let name = |local: u8| &entry.plan.clusters[usize::from(local)].name;
    match seen {
        Seen::FencedOut => "a fence leaves this client no cluster: fails closed".to_owned(),
        Seen::TierDown { tier } => format!("tier {} rejected: no usable member", tier + 1),
        Seen::HalfAlive { tier } => format!(
            "tier {} rejected: half alive, less than {} % of its weight is usable",
            tier + 1,
            entry.plan.app.min_up_fraction
        ),
        Seen::HalfAliveUsed { tier } => format!(
            "tier {} after all: shares send this key on, so what is up there takes it",
            tier + 1
        ),
        Seen::Trickled { tier } => format!(
            "tier {}: this key is of the {} % that keep the next usable tier warm",
            tier + 1,
            entry.plan.app.trickle
        ),
        Seen::SentOn { tier, cluster } => {
            format!(
                "tier {}: {} sends this key on, its share is below 100 %",
                tier + 1,
                name(cluster)
            )
        }
        Seen::Won { tier, cluster } => format!("tier {}: {} is chosen", tier + 1, name(cluster)),
        Seen::SharesIgnored => "every share sends this key on, so shares are ignored".to_owned(),
        Seen::AllDown => format!(
            "no cluster is usable: when_all_down is {}",
            AllDownText(entry)
        ),
    }
}

/// What an endpoint hears before its own protocol.
fn begins(upstream: &Upstream) -> Option<String> {
    let begins = !upstream.is_plain();
    begins.then(|| format!("each connection to an endpoint begins with {upstream}"))
}

struct AllDownText<'e>(&'e AppEntry);

impl fmt::Display for AllDownText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use windrose_model::WhenAllDown as W;
        match &self.0.plan.app.when_all_down {
            W::LastKnown => f.write_str("last_known"),
            W::All => f.write_str("all"),
            W::Fallback(cluster) => write!(f, "fallback to {cluster}"),
            W::Servfail => f.write_str("servfail"),
            W::Nodata => f.write_str("nodata"),
        }
    }
}
