//! Cutting a family of addresses into aligned prefixes of one place each.

use std::collections::{BTreeSet, HashMap};

use ipnet::IpNet;
use windrose_model::Country;

use super::{Cidr, Place};

/// An aligned prefix of one place.
pub(super) struct Piece {
    pub(super) start: u128,
    pub(super) len: u8,
    pub(super) place: u32,
}

#[derive(Default)]
pub(super) struct Places {
    pub(super) list: Vec<Place>,
    numbers: HashMap<Place, u32>,
}

impl Places {
    fn number(&mut self, place: Place) -> u32 {
        *self.numbers.entry(place).or_insert_with(|| {
            self.list.push(place);
            u32::try_from(self.list.len()).unwrap_or(u32::MAX) - 1
        })
    }
}

/// Sorts CIDRs so that parents come before children, and links them.
pub(super) fn nest(nets: &BTreeSet<IpNet>) -> Box<[Cidr]> {
    let mut sorted: Vec<IpNet> = nets.iter().map(IpNet::trunc).collect();
    sorted.sort_by_key(|net| (net.network(), net.prefix_len()));
    sorted.dedup();
    let mut open: Vec<u32> = Vec::new();
    let mut list: Vec<Cidr> = Vec::with_capacity(sorted.len());
    for (i, net) in (0u32..).zip(sorted) {
        while let Some(&top) = open.last() {
            if list[top as usize].net.contains(&net) {
                break;
            }
            open.pop();
        }
        list.push(Cidr {
            net,
            parent: open.last().copied(),
        });
        open.push(i);
    }
    list.into()
}

/// First and last address of a CIDR of the family with `bits` bits.
fn bounds(net: &IpNet, bits: u8) -> Option<(u128, u128)> {
    match (net, bits) {
        (IpNet::V4(net), 32) => Some((
            u128::from(u32::from(net.network())),
            u128::from(u32::from(net.broadcast())),
        )),
        (IpNet::V6(net), 128) => Some((u128::from(net.network()), u128::from(net.broadcast()))),
        _ => None,
    }
}

/// Cuts a family into aligned prefixes of one place each.
pub(super) fn partition(
    bits: u8,
    countries: &[(u128, u128, Country)],
    cidrs: &[Cidr],
    places: &mut Places,
    out: &mut Vec<Piece>,
) {
    let last_address = if bits == 32 {
        u128::from(u32::MAX)
    } else {
        u128::MAX
    };
    // Runs of constant innermost CIDR, over the whole family.
    let mut runs: Vec<(u128, Option<u32>)> = vec![(0, None)];
    let mut open: Vec<(u128, u32)> = Vec::new();
    let close =
        |open: &mut Vec<(u128, u32)>, runs: &mut Vec<(u128, Option<u32>)>, until: Option<u128>| {
            while let Some(&(end, _)) = open.last() {
                if until.is_some_and(|start| end >= start) {
                    break;
                }
                open.pop();
                if end < last_address {
                    runs.push((end + 1, open.last().map(|o| o.1)));
                }
            }
        };
    for (i, cidr) in (0u32..).zip(cidrs) {
        let Some((start, end)) = bounds(&cidr.net, bits) else {
            continue;
        };
        close(&mut open, &mut runs, Some(start));
        runs.push((start, Some(i)));
        open.push((end, i));
    }
    close(&mut open, &mut runs, None);

    // Both sequences cut each other; equal neighbours join.
    let mut joined: Vec<(u128, u32)> = Vec::new();
    let mut next_country = 0;
    let mut at = 0u128;
    let mut run = 0;
    loop {
        while run + 1 < runs.len() && runs[run + 1].0 <= at {
            run += 1;
        }
        while next_country < countries.len() && countries[next_country].1 < at {
            next_country += 1;
        }
        let (country, country_end) = match countries.get(next_country) {
            Some(&(start, end, country)) if start <= at => (Some(country), end),
            Some(&(start, ..)) => (None, start - 1),
            None => (None, last_address),
        };
        let run_end = runs.get(run + 1).map_or(last_address, |r| r.0 - 1);
        let place = places.number(Place {
            country,
            cidr: runs[run].1,
        });
        if joined.last().is_none_or(|j| j.1 != place) {
            joined.push((at, place));
        }
        let end = country_end.min(run_end);
        if end >= last_address {
            break;
        }
        at = end + 1;
    }
    for (i, &(start, place)) in joined.iter().enumerate() {
        let end = joined.get(i + 1).map_or(last_address, |next| next.0 - 1);
        cover(bits, start, end, place, out);
    }
}

/// The fewest aligned prefixes that cover a range.
fn cover(bits: u8, mut start: u128, end: u128, place: u32, out: &mut Vec<Piece>) {
    loop {
        let align = if start == 0 {
            u32::from(bits)
        } else {
            start.trailing_zeros().min(u32::from(bits))
        };
        let left = end - start;
        let fits = if left == u128::MAX {
            128
        } else {
            127 - (left + 1).leading_zeros()
        };
        let size = align.min(fits);
        #[allow(clippy::cast_possible_truncation, reason = "at most 128")]
        let len = bits - size as u8;
        out.push(Piece { start, len, place });
        let last = if size == 128 {
            u128::MAX
        } else {
            start + ((1u128 << size) - 1)
        };
        if last >= end {
            return;
        }
        start = last + 1;
    }
}
